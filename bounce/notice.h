/* SPDX-License-Identifier: ISC */
/*
 * notice - the text of a delivery status notification: everything before the returned message, and the
 * end behind it. Pure: what goes in is the report as qmgr asked for it.
 */
#ifndef BOUNCE_NOTICE_H
#define BOUNCE_NOTICE_H

#include "base/buffer.h"
#include "ipc/bounce.h"

/* Whom a notice is for. */
enum notice_audience {
	NOTICE_TO_SENDER,    /* RFC 3464: the sender of the message */
	NOTICE_TO_POSTMASTER /* a copy, or a report that cannot go to a sender (notify_classes) */
};

struct notice {
	const struct bounce_report *report;
	enum notice_audience audience;
	struct slice host;	/* myhostname */
	struct slice mail_name; /* for X-NAME-Queue-ID */
	struct slice to;	/* external form */
	struct slice date;	/* of the notice, RFC 5322 */
	struct slice arrival;	/* of the message */
	struct slice expires;	/* delay: until when it will be tried */
	struct slice boundary;	/* set by notice_begin */
	bool headers_only;	/* the message is returned without its body */
	bool global;		/* RFC 6533: an address or a header is in UTF-8 */
};

/* notice_due - does this recipient want a report of this kind? RFC 3461 4.1, 5.2; unset means failure, delay. */
bool notice_due(enum bounce_kind kind, uint32_t notify);
/*
 * notice_begin - header, text for people, delivery status, and the head of the part that the returned
 * message follows in. False when `out` overflowed.
 */
bool notice_begin(struct notice *n, struct arena *arena, struct buffer *out);
/* notice_end - the last boundary, after the returned message (which must end in a line end). */
void notice_end(const struct notice *n, struct buffer *out);

#endif
