/* SPDX-License-Identifier: ISC */
/* generated - the header fields that the suite itself adds: Received:, Message-Id:, a full name. */
#ifndef MESSAGE_GENERATED_H
#define MESSAGE_GENERATED_H

#include "base/arena.h"

/* message_id_make - "<YYYYMMDDhhmmss.QUEUEID@HOST>", time in UTC. */
struct slice message_id_make(struct arena *arena, int64_t seconds, struct slice queue_id,
			     struct slice host);

/* What a Received: field says. Absent parts are null slices. */
struct received {
	struct slice helo;	     /* what the client called itself; null: not by SMTP */
	struct slice client_name;    /* reverse name, or "unknown" */
	struct slice client_address; /* "192.0.2.1" or "IPv6:2001:db8::1", without brackets */
	struct slice tls;	     /* "using TLSv1.3 with cipher ...", one line; null: no TLS */
	struct slice client_cert;    /* "No client certificate requested", 'Client CN "x", ...' */
	struct slice authenticated;  /* SASL user, only when it is to be shown */
	struct slice host;	     /* myhostname */
	struct slice mail_name;
	struct slice protocol; /* SMTP, ESMTP, ESMTPS, ESMTPSA, UTF8SMTP, LMTP ... */
	struct slice queue_id;
	struct slice recipient; /* external form; only when there is exactly one */
	struct slice date;	/* date_format */
	uint32_t uid;		/* of the local submitter when helo is null */
	bool own;		/* the suite's own message, such as a report: nobody submitted it */
};

/* received_compose - the whole field with its name, folded as Postfix does, CRLF line ends. */
struct slice received_compose(struct arena *arena, const struct received *r);

/* full_name_encode - `name` as a display name: an atom phrase, a quoted string, or RFC 2047 encoded
 * words when it has 8-bit bytes (charset as given, "utf-8" when null). */
struct slice full_name_encode(struct arena *arena, struct slice name, struct slice charset);
/* encoded_words - RFC 2047 "Q" encoded words of at most 75 columns, separated by CRLF SPACE. */
struct slice encoded_words(struct arena *arena, struct slice text, struct slice charset);

#endif
