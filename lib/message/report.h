/* SPDX-License-Identifier: ISC */
/*
 * report - the pieces of a delivery status notification: multipart/report (RFC 6522) around
 * message/delivery-status (RFC 3464), or their global forms (RFC 6533). The caller supplies the
 * text for people and the returned message; all that is written here is CRLF, and no value can
 * break out of its field.
 */
#ifndef MESSAGE_REPORT_H
#define MESSAGE_REPORT_H

#include "base/arena.h"
#include "base/buffer.h"
#include "message/dsn.h"

enum report_action {
	REPORT_FAILED,
	REPORT_DELAYED,
	REPORT_DELIVERED,
	REPORT_RELAYED,
	REPORT_EXPANDED,
	REPORT_DELIVERABLE, /* of a probe: nothing was delivered */
	REPORT_UNDELIVERABLE
};
const char *report_action_name(enum report_action action);

struct report_message {
	struct slice reporting_mta; /* host name */
	struct slice envid;	    /* decoded; null: none */
	struct slice mail_name;	    /* for X-NAME-Queue-ID and X-NAME-Sender */
	struct slice queue_id;
	struct slice sender;	   /* external form; null: left out */
	struct slice arrival_date; /* date_format */
	bool global;		   /* RFC 6533: message/global-delivery-status */
};

struct report_recipient {
	struct slice recipient; /* final, external form */
	struct slice orcpt;	/* stored "type;address"; null: none */
	struct slice
	    orig_rcpt; /* Original-Recipient of rfc822 when there is no orcpt; null: none */
	enum report_action action;
	struct slice status;	       /* "5.1.1" */
	struct slice remote_mta;       /* host name; null: none */
	struct slice diagnostic_type;  /* "smtp" or "X-Postfix"; null: no Diagnostic-Code */
	struct slice diagnostic;       /* may be of several lines */
	struct slice will_retry_until; /* date_format; null: none */
};

/* report_boundary - "QUEUEID.SECONDS/HOST", cut to what RFC 2046 allows (70 bytes, bchars only). */
struct slice report_boundary(struct arena *arena, struct slice queue_id, int64_t seconds,
			     struct slice host);
/* report_top_headers - MIME-Version and Content-Type of the whole. */
void report_top_headers(struct buffer *out, struct slice boundary, bool global);
/* report_part - boundary line, an empty one before it, and MIME headers of one part, an empty line behind.
 * `charset` may be null. `eight_bit` adds Content-Transfer-Encoding: 8bit. */
void report_part(struct buffer *out, struct slice boundary, struct slice description,
		 struct slice type, struct slice charset, bool eight_bit);
/* report_close - the last boundary line. */
void report_close(struct buffer *out, struct slice boundary);
/* report_message_fields - the per-message group. */
void report_message_fields(struct buffer *out, const struct report_message *m);
/* report_recipient_fields - one per-recipient group, with the empty line before it. */
void report_recipient_fields(struct buffer *out, const struct report_recipient *r, bool global);

#endif
