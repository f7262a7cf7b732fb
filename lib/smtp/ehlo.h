/* SPDX-License-Identifier: ISC */
/* ehlo - service extensions: the EHLO reply as a client reads it and as a server writes it. */
#ifndef SMTP_EHLO_H
#define SMTP_EHLO_H

#include "smtp/reply.h"

#define EHLO_SIZE 1u
#define EHLO_8BITMIME 2u
#define EHLO_PIPELINING 4u
#define EHLO_CHUNKING 8u
#define EHLO_DSN 16u
#define EHLO_ENHANCEDSTATUSCODES 32u
#define EHLO_STARTTLS 64u
#define EHLO_SMTPUTF8 128u
#define EHLO_AUTH 256u
#define EHLO_VRFY 512u
#define EHLO_ETRN 1024u
#define EHLO_XCLIENT 2048u
#define EHLO_XFORWARD 4096u
#define EHLO_BINARYMIME 8192u
#define EHLO_SILENT_DISCARD 0x80000000u /* "silent-discard" in a discard list: do not log it */

struct ehlo {
	unsigned flags;
	bool has_size_limit;
	uint64_t size_limit;   /* 0: none said or no fixed limit */
	struct slice mechs;    /* AUTH mechanisms, separated by single spaces */
	struct slice name;     /* the host name in the first line */
	struct slice xforward; /* attribute names */
};

/* ehlo_discard_parse - "silent-discard, dsn etrn" (case ignored) to a mask. False: an unknown
 * keyword, which is in *bad; the mask holds the others. */
bool ehlo_discard_parse(struct slice words, unsigned *mask, struct slice *bad);
/* ehlo_parse - a 250 reply to EHLO or LHLO; what `discard` names is not seen. */
void ehlo_parse(const struct smtp_reply *reply, unsigned discard, struct arena *arena,
		struct ehlo *out);

/* ehlo_compose - the reply text (LF between lines) that offers what `offer` holds, less `discard`.
 * SIZE's limit 0 is written as a bare "SIZE"; mechs are written twice ("AUTH=") with broken_auth.
 */
struct smtp_reply ehlo_compose(struct arena *arena, const struct ehlo *offer, unsigned discard,
			       bool broken_auth);

#endif
