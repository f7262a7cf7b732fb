/* SPDX-License-Identifier: ISC */
/*
 * header - cut a message's head into fields; unfold, fold and limit them (RFC 5322 2.2). Lines may
 * end in CRLF or LF on the way in; what is written here ends in CRLF.
 */
#ifndef MESSAGE_HEADER_H
#define MESSAGE_HEADER_H

#include "base/arena.h"
#include "base/buffer.h"

/* RFC 5322 2.1.1, without the line end. */
#define HEADER_LINE_WANTED 78
#define HEADER_LINE_MAX 998

enum header_step {
	HEADER_FIELD, /* *field is set and cut off the input */
	HEADER_EMPTY, /* the empty line: cut off; the body follows */
	HEADER_BODY, /* a line that is no header: nothing cut off; the body follows without an empty
			line */
	HEADER_MORE, /* the field may go on behind the input; at the end of input: nothing is left
		      */
};

struct header_field {
	struct slice raw;  /* all bytes, line ends included, as they came */
	struct slice name; /* without white space before the colon */
	struct slice
	    body; /* after the colon, folding inside kept, last line end cut; leading blank kept */
};

/*
 * header_next - the next field at the front of *input. `last` says that no more input will come.
 * Needs the first byte after a field to know that it has ended. Allocates nothing. A caller with a
 * header size limit gives up waiting when input.n passes it, and calls again with last = true on
 * the first `limit` bytes.
 */
enum header_step header_next(struct slice *input, bool last, struct header_field *field);

/* header_count - fields of this name in a whole head; of "Received", the hops so far. */
size_t header_count(struct slice head, struct slice name);

/* header_valid_name - RFC 5322 ftext only, and not empty. */
bool header_valid_name(struct slice name);
/*
 * header_unfold - the body as one trimmed line: line ends before white space taken out. A body of one line is
 * not copied: the result is then a part of `body`, and lives as long as that does.
 */
struct slice header_unfold(struct arena *arena, struct slice body);
/*
 * header_append - "Name: body CRLF" for a field of our own making. Folds at spaces (in address
 * lists after commas) to HEADER_LINE_WANTED columns where it can, and by force at HEADER_LINE_MAX.
 * Control bytes in `body` become spaces; LF followed by TAB or space is kept as folding.
 */
bool header_append(struct buffer *out, struct slice name, struct slice body);
/*
 * header_append_raw - a field as it came, with CRLF line ends; lines over HEADER_LINE_MAX are kept.
 */
bool header_append_raw(struct buffer *out, struct slice raw);

#endif
