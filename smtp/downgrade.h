/* SPDX-License-Identifier: ISC */
/*
 * downgrade - a message for a server without 8BITMIME (RFC 6152 3): MIME parts whose encoding is 8bit or
 * binary become quoted-printable (RFC 2045 6.7); what encloses them says 7bit. Everything else
 * passes as it is, 8-bit bytes in headers and in parts that do not declare them included. Pure.
 *
 * Input is content in canonical form, in pieces of any size; so is the output.
 */
#ifndef SMTP_CLIENT_DOWNGRADE_H
#define SMTP_CLIENT_DOWNGRADE_H

#include "base/buffer.h"

struct downgrade;

struct downgrade *downgrade_create(void);
void downgrade_destroy(struct downgrade **d);
/* downgrade_feed - appends at most 4 * in.n bytes, and what earlier calls held back, to `out`. */
void downgrade_feed(struct downgrade *d, struct slice in, struct buffer *out);
/* downgrade_end - what was held back. */
void downgrade_end(struct downgrade *d, struct buffer *out);

/* No more is held back: what a header of a part may have before it is passed on unchanged. */
#define DOWNGRADE_HELD_MAX ((size_t)262144)

#endif
