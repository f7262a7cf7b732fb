/* SPDX-License-Identifier: ISC */
/*
 * data - message content on the SMTP wire: the one reader of DATA, the one reader of BDAT, the one
 * writer. What the writer writes, the reader reads as one message (RFC 5321 4.5.2).
 *
 * Data ends at CRLF "." CRLF, in these bytes and in no others; the CRLF before the first byte is
 * the command's. Everything put out is canonical content (message/content.h).
 */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include "base/buffer.h"
#include "message/content.h"

/* What happens to a CR or LF that is not part of CRLF. The flags bare_cr, bare_lf are set in any
 * mode. */
enum data_bare {
	DATA_BARE_NORMALIZE, /* LF is a line end, CR a space */
	DATA_BARE_REPLACE    /* both become a space */
};
/* smtpd_forbid_bare_newline=reject: read to the end in either mode, then look at bare_lf. */

struct data_reader {
	uint64_t taken;	  /* bytes off the wire so far, the end included */
	uint64_t written; /* bytes put out so far */
	bool bare_cr;
	bool bare_lf;
	bool ended;
	/* private */
	enum data_bare mode;
	unsigned state;
};

void data_reader_init(struct data_reader *r, enum data_bare mode);
/*
 * data_reader_feed - read from the front of *in. True: the end was found; *in is what follows it
 * (the next command). False: all of *in was taken. Appends at most 2 * in.n + 3 bytes to `out`;
 * when its limit stops that, buffer_overflowed(out) says so and the content is not whole.
 */
bool data_reader_feed(struct data_reader *r, struct slice *in, struct buffer *out);

/* BDAT: a message is a run of chunks; bytes pass as they are, but in canonical form. */
struct bdat_reader {
	struct content_canon canon; /* bare_cr, bare_lf, written */
	uint64_t left;		    /* of this chunk */
	bool last;
};

void bdat_reader_init(struct bdat_reader *r);
void bdat_reader_chunk(struct bdat_reader *r, uint64_t size, bool last);
/* bdat_reader_feed - true: the chunk is complete, *in is what follows it. A chunk of 0 bytes is
 * complete at once. At the end of the last chunk the missing line end is added. */
bool bdat_reader_feed(struct bdat_reader *r, struct slice *in, struct buffer *out);

struct data_writer {
	size_t line_limit;
	size_t column;
	bool after_cr;
};

/* data_writer_init - lines over `line_limit` bytes (without line end; 0: no limit) are broken with
 * CRLF SPACE, as smtp_line_length_limit asks. */
void data_writer_init(struct data_writer *w, size_t line_limit);
/* data_writer_feed - content with dots stuffed; stray CR and LF come out as in canonical form, so
 * no content whatever can end the data. */
void data_writer_feed(struct data_writer *w, struct slice in, struct buffer *out);
/* data_writer_end - the missing line end, and ".\r\n". */
void data_writer_end(struct data_writer *w, struct buffer *out);

#endif
