/* SPDX-License-Identifier: ISC */
/*
 * failure - why mail was not taken, in the words and codes that log lines, reports and qmgr get.
 */
#ifndef SMTP_CLIENT_FAILURE_H
#define SMTP_CLIENT_FAILURE_H

#include "base/arena.h"
#include "base/result.h"
#include "smtp/reply.h"

struct failure {
	enum result result;  /* RES_TEMP, RES_PERM */
	struct slice dsn;    /* "4.4.1" */
	struct slice text;   /* for people */
	struct slice mta;    /* "smtp; 550 5.1.1 ..."; null where no host spoke */
	struct slice remote; /* the host that spoke */
	struct slice relay;  /* "host[addr]:port"; null: none */
	int64_t connected;   /* wall clock; 0: no connection */
	unsigned conn_use;   /* which message over that connection, from 1 */
	bool handshake;	     /* of TLS: plaintext might do */
	bool destination;    /* the host or the way to it, not this mail: counts against the destination */
};

/* failure_make - of our own observation; the result is that of dsn's class. `format`: the text. */
struct failure failure_make(struct arena *arena, const char *dsn, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * failure_reply - "host H[A] said: 550 5.1.1 ... (in reply to RCPT TO command)". `host` is "H[A]", `name`
 * H alone. A reply without an enhanced code gets the class's X.0.0. One that is neither 4xx nor 5xx
 * is a protocol error, and permanent.
 */
struct failure failure_reply(struct arena *arena, struct slice host, struct slice name,
			     const struct smtp_reply *reply, const char *command);
/* failure_refused - the same for "host H[A] refused to talk to me: 554 ...". */
struct failure failure_refused(struct arena *arena, struct slice host, struct slice name,
			       const struct smtp_reply *reply);
/* failure_soften - what is permanent becomes temporary: 5.x.y to 4.x.y. */
void failure_soften(struct arena *arena, struct failure *f);

/*
 * reply_line - a reply as it came, its lines joined by spaces: "550-5.1.1 No such 550 5.1.1 user".
 */
struct slice reply_line(struct arena *arena, const struct smtp_reply *reply);

#endif
