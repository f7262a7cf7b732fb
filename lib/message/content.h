/* SPDX-License-Identifier: ISC */
/*
 * content - the bytes of a message in streams: what they contain, and their canonical form.
 * Canonical content has CRLF line ends only, no other CR or LF, and ends in CRLF (or is empty).
 */
#ifndef MESSAGE_CONTENT_H
#define MESSAGE_CONTENT_H

#include "base/buffer.h"

struct content_scan {
	uint64_t bytes;
	uint64_t lines;	       /* line ends seen: CRLF or bare LF */
	uint64_t longest_line; /* without its line end; a last unfinished line counts */
	bool eight_bit;
	bool nul;
	bool leading_dot; /* some line begins with "." */
	bool
	    bare_cr; /* CR without LF behind it (a CR at the very end counts in content_scan_end) */
	bool bare_lf;
	bool ends_crlf; /* the last two bytes so far */
	/* private */
	uint64_t line;
	bool after_cr;
};

void content_scan_init(struct content_scan *scan);
void content_scan_feed(struct content_scan *scan, struct slice in);
/* content_scan_end - counts what only the end decides. */
void content_scan_end(struct content_scan *scan);

/* Streaming conversion to canonical form: bare LF becomes CRLF, bare CR a space. */
struct content_canon {
	uint64_t written; /* bytes put out so far */
	bool bare_cr;	  /* what was mended */
	bool bare_lf;
	/* private */
	bool after_cr;
	bool in_line;
};

void content_canon_init(struct content_canon *canon);
/* content_canon_feed - all of `in` is taken; puts out at most 2 * in.n + 1 bytes. */
void content_canon_feed(struct content_canon *canon, struct slice in, struct buffer *out);
/* content_canon_end - a last CR, and the missing line end; at most 3 bytes. */
void content_canon_end(struct content_canon *canon, struct buffer *out);

#endif
