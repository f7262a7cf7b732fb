/* SPDX-License-Identifier: ISC */
/*
 * copy - a message in the form that mailboxes and commands want: what goes in front, LF line ends,
 * and for mbox files quoted "From " lines and an empty line at the end.
 */
#ifndef LOCAL_COPY_H
#define LOCAL_COPY_H

#include "base/arena.h"
#include "base/buffer.h"

#include <time.h>

enum copy_format {
	COPY_MBOX,    /* >From, and an empty line at the end */
	COPY_MAILDIR, /* no From_ line in front */
	COPY_COMMAND  /* a From_ line in front, nothing else */
};

/* What goes in front. Addresses in internal form; absent ones are left out (but the sender). */
struct copy_head {
	struct slice sender;
	struct slice original;	/* X-Original-To */
	struct slice delivered; /* Delivered-To */
	const struct tm *now;
};

/* copy_head - the lines in front of the message, LF line ends. */
struct slice copy_head(struct arena *arena, enum copy_format format, const struct copy_head *head);

/* copy_chunk - no bigger pieces are taken, so that nothing but memory bounds the output. */
#define COPY_CHUNK ((size_t)65536)

struct copy {
	enum copy_format format;
	bool in_line; /* private: the next byte is not the first of a line */
};

/*
 * copy_some - turn content with CRLF line ends into what is stored; returns how much of `in` was
 * taken, which is all of it if `last`, and otherwise all but at most 5 bytes, to be given again
 * with more. Puts out at most 2 * in.n + 1 bytes.
 */
size_t copy_some(struct copy *c, struct slice in, bool last, struct buffer *out);

#endif
