/* SPDX-License-Identifier: ISC */
/*
 * session - one SMTP or LMTP session as its client (RFC 5321, RFC 2033): connected and greeted by
 * session_open, then any number of transactions, then session_close. For fibers.
 */
#ifndef SMTP_CLIENT_SESSION_H
#define SMTP_CLIENT_SESSION_H

#include "fiber/stream.h"
#include "smtp/conf.h"
#include "smtp/ehlo.h"
#include "smtp/failure.h"
#include "smtp/job.h"
#include "smtp/policy.h"
#include "smtp/target.h"

struct session {
	const struct client_conf *conf;
	struct arena *arena; /* as long as the session */
	struct stream stream;
	struct reply_parser parser; /* the last reply lies in it, and in: */
	struct buffer reply_text;
	struct slice host;	  /* name, or path */
	struct slice host_addr;	  /* "H[A]" */
	struct slice relay;	  /* "H[A]:port" */
	struct slice destination; /* what the session was opened for */
	uint16_t port;
	bool local;
	struct ehlo ehlo;
	bool esmtp;
	bool tls;
	bool alive;	 /* commands may be sent */
	bool needs_rset; /* a transaction was begun and given up */
	const char *stage; /* "sending RCPT TO": what is under way */
	int64_t connected; /* wall clock; once it is greeted: when that was done */
	int64_t begun;	   /* monotonic */
	int64_t idle_since;
	unsigned uses; /* transactions so far */
};

/* What a session is opened with. */
struct session_setting {
	const struct client_conf *conf;
	struct tls_context *tls;   /* NULL: TLS cannot be had */
	const struct target *target;
	struct slice destination; /* next hop as qmgr calls it: for reuse */
	const struct tls_policy *policy;
	struct slice domain;	  /* host part of it: names in certificates */
	bool detect_loops;
	bool plain; /* do without TLS: it has failed, and is not required */
};

/*
 * session_open - connect, be greeted, say EHLO (LHLO), start TLS as the settings want. NULL: *failure says
 * why, its texts in `arena`. *greeted: the server let us past EHLO, so that it counts as a session.
 */
struct session *session_open(const struct session_setting *setting, struct arena *arena,
			     struct failure *failure, bool *greeted);
/*
 * session_close - `polite`: QUIT first, and wait for its reply when the settings say so. Sets *session to
 * NULL; NULL is allowed.
 */
void session_close(struct session **session, bool polite);
/* session_usable - it may carry another message: nothing has come unasked, limits are kept. */
bool session_usable(struct session *s);

/*
 * session_transact - one message to all recipients of the job that are left, and tell the job. False: the
 * connection had ended while it was idle, before it took any command; nothing was told, try another.
 */
bool session_transact(struct session *s, struct job *job);

/* ---- inside */

/* session_reply - read one reply; its texts last until the next. Not STREAM_OK: the session is dead. */
enum stream_status session_reply(struct session *s, int64_t timeout, struct smtp_reply *reply);
/* session_say - one command line, and its reply. */
enum stream_status session_say(struct session *s, int64_t timeout, struct smtp_reply *reply,
			       const char *format, ...) __attribute__((format(printf, 4, 5)));
/* session_failure - for a status of the above: lost connection, timeout ... while s->stage. */
struct failure session_failure(struct session *s, struct arena *arena, enum stream_status status);
/* session_complete - fill in what a failure of this session has in common. */
void session_complete(const struct session *s, struct arena *arena, struct failure *f);

/* connect.c: a connected descriptor, or -1 and *failure. */
int target_connect(const struct client_conf *conf, const struct target *target, struct arena *arena,
		   struct failure *failure);
/* hello.c: greeting to EHLO, TLS included. */
enum result session_hello(struct session *s, const struct session_setting *setting,
			  struct arena *arena, struct failure *failure);
/* starttls.c */
enum result session_start_tls(struct session *s, const struct session_setting *setting,
			      struct arena *arena, struct failure *failure);
enum result session_handshake(struct session *s, const struct session_setting *setting,
			      struct arena *arena, struct failure *failure);

/* content.c: does the content have to be changed or stuffed on its way? */
struct content_plan {
	bool convert;  /* 8-bit to quoted-printable */
	bool chunking; /* BDAT */
	bool writer;   /* line by line: dots or long lines */
};
void content_plan(const struct session *s, const struct job *job, struct content_plan *plan);
/*
 * content_send - all of it, and what ends it. *unknown becomes true when the server may have had it
 * whole. STREAM_ERROR with s->stream.error EIO is also what an unreadable queue file gives.
 */
enum stream_status content_send(struct session *s, const struct job *job,
				const struct content_plan *plan, bool *unknown);

#endif
