/* SPDX-License-Identifier: ISC */
/*
 * queue/envelope - what the suite knows about a message besides its content: the one envelope type,
 * used by cleanup, qmgr, the delivery agents, bounce, showq and the tools, and what the queue writes
 * to disk. Slices point into the arena that the envelope was read into or made from. An absent text
 * is a null slice; "sender" may be present and empty (the null sender).
 * All times are microseconds since 1970 (os_wall).
 */
#ifndef QUEUE_ENVELOPE_H
#define QUEUE_ENVELOPE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/result.h"
#include "base/slice.h"

#define QUEUE_ID_SIZE 32 /* longest id, and its NUL */

/*
 * A queue id: NUL-terminated text of digits, B-Z and b-z without vowels, 12 to 24 bytes, safe as a
 * file name. Form as Postfix's long queue ids (postconf(5), enable_long_queue_ids): six or more
 * base-52 digits of seconds, four of microseconds, 'z', a base-51 number (here the serial of the
 * writer, where Postfix has the inode). No two messages ever have the same.
 */
struct queue_id {
	char text[QUEUE_ID_SIZE];
};

/* queue_id_make - the id for this time and serial. */
void queue_id_make(int64_t wall_us, uint64_t serial, struct queue_id *id);
/* queue_id_parse - false when the text cannot be an id. time and serial may be NULL. */
bool queue_id_parse(struct slice text, struct queue_id *id, int64_t *wall_us, uint64_t *serial);

static inline struct slice queue_id_slice(const struct queue_id *id)
{
	return slice_str(id->text);
}

/* Facts about a message; content facts are set by whoever wrote the content. */
enum queue_flag {
	QUEUE_8BIT = 1 << 0,            /* content has bytes above 127 */
	QUEUE_LONG_LINES = 1 << 1,      /* a line has more than 998 bytes */
	QUEUE_DOT_LINES = 1 << 2,       /* a line begins with a dot */
	QUEUE_SMTPUTF8 = 1 << 3,        /* needs RFC 6531 on the way */
	QUEUE_BODY_8BITMIME = 1 << 4,   /* MAIL ... BODY=8BITMIME (RFC 6152), else 7BIT or not said */
	QUEUE_NUL_BYTES = 1 << 5,       /* content has NUL bytes */
	QUEUE_HOLD = 1 << 6,            /* to be placed on hold as soon as qmgr sees it */
	QUEUE_BOUNCE = 1 << 7,          /* a delivery report made here (null sender) */
	QUEUE_VERIFY = 1 << 8,          /* an address probe: report the outcome, deliver nothing */
	QUEUE_RECORD = 1 << 9,          /* sendmail -v: mail a delivery record to the sender */
	QUEUE_EXPIRED = 1 << 10,        /* postsuper -e / -f: return it at the next try */
	QUEUE_UNREWRITTEN = 1 << 11,    /* receive_override: not rewritten by cleanup */
	QUEUE_NO_DELAY_WARNING = 1 << 12
};

/* RFC 3461 RET */
enum queue_ret { QUEUE_RET_UNSET, QUEUE_RET_FULL, QUEUE_RET_HDRS };

/* RFC 3461 NOTIFY; 0: not given */
enum queue_notify {
	QUEUE_NOTIFY_NEVER = 1 << 0,
	QUEUE_NOTIFY_SUCCESS = 1 << 1,
	QUEUE_NOTIFY_FAILURE = 1 << 2,
	QUEUE_NOTIFY_DELAY = 1 << 3
};

/*
 * What became of a recipient. All but QUEUE_PENDING and QUEUE_DEFERRED are final: no further try.
 * QUEUE_FAILED still owes its sender a report; QUEUE_REPORTED owes nothing any more.
 */
enum queue_outcome {
	QUEUE_PENDING = 0, /* not tried yet */
	QUEUE_DEFERRED,    /* failed for now, with a reason */
	QUEUE_SENT,        /* delivered or relayed; a success report may be owed (notify) */
	QUEUE_EXPANDED,    /* replaced by others (alias with an owner, mailing list) */
	QUEUE_FAILED,      /* failed for good or expired; report owed */
	QUEUE_REPORTED     /* failed or sent, and the report is durably queued (or none is due) */
};

struct queue_recipient {
	struct slice address;  /* local@domain, internal form: not quoted (address/address.h) */
	struct slice original; /* as received, before rewriting and expansion; null: the same */
	struct slice orcpt;    /* RFC 3461 ORCPT, "type;xtext-decoded address"; null: none */
	struct slice warning;  /* free for qmgr; not interpreted */
	uint32_t notify;       /* enum queue_notify bits */
	bool expanded; /* by cleanup, into others that stand beside it: only its report is owed */

	/* Status: not in the message record itself but merged from marks when the queue is read. */
	enum queue_outcome outcome;
	int64_t status_time;
	struct slice dsn;   /* "4.4.1" */
	struct slice text;  /* reason, one line */
	struct slice relay; /* "host[addr]:port" that it came from; null: none */
	struct slice mta;   /* remote MTA's reply as RFC 3464 Diagnostic-Code: "smtp; 550 ..." */
	struct slice remote; /* RFC 3464 Remote-MTA host name */
	struct slice final; /* RFC 3464 Final-Recipient where it differs from address */
};

struct queue_envelope {
	struct queue_id id;
	int64_t arrival;      /* when it was received: ages and expiry count from here */
	uint32_t flags;       /* enum queue_flag bits */
	enum queue_ret ret;
	uint64_t content_size;/* bytes of content with CRLF line ends; set by the queue on reading */
	uint64_t data_size;   /* size to log ("size="); 0: content_size */
	uint32_t hop_count;   /* Received: headers seen */
	struct slice sender;
	struct slice envid;           /* RFC 3461 ENVID, xtext decoded */
	struct slice message_id;      /* value of Message-ID:, with its angle brackets */
	struct slice client_name;     /* verified name or "unknown" */
	struct slice client_address;
	struct slice client_port;
	struct slice reverse_client_name;
	struct slice helo;
	struct slice protocol;        /* ESMTP, SMTP, ... */
	struct slice server_address;
	struct slice server_port;
	struct slice sasl_method;
	struct slice sasl_username;
	struct slice sasl_sender;
	struct slice log_ident;       /* id of the queue before this one (XFORWARD IDENT) */
	struct slice rewrite_context; /* "local" or "remote" */
	struct slice content_filter;  /* transport:nexthop of a FILTER action */
	struct slice redirect;        /* address of a REDIRECT action; recipients are replaced already */
	struct slice origin;          /* who queued it: "smtpd", "pickup", "bounce", "local" */
	struct slice login_sender;    /* user who ran sendmail */
	struct slice full_name;       /* sendmail -F */

	struct queue_recipient *recipients;
	size_t recipient_count;

	/* Status of the whole, merged from marks when the queue is read. */
	int64_t next_time;  /* deferred: the next try; 0: at once */
	int64_t warned;     /* when a delay warning was durably queued; 0: not yet */
	int64_t last_try;   /* 0: never tried */
	uint32_t tries;     /* deferrals so far */
};

#endif
