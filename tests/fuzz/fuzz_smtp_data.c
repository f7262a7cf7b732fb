/* SPDX-License-Identifier: ISC */
/*
 * The reader's output is canonical and does not depend on how the input is cut; data ends only at
 * CRLF "." CRLF; what the writer writes is one message to the reader, with the canonical content.
 */
#include "base/check.h"
#include "smtp/data.h"

#define LIMIT (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_canonical(struct slice content)
{
	struct content_scan scan;

	content_scan_init(&scan);
	content_scan_feed(&scan, content);
	content_scan_end(&scan);
	CHECK(!scan.bare_cr && !scan.bare_lf);
	CHECK(content.n == 0 || scan.ends_crlf);
}

/* read_pieces - pieces of `step` bytes; returns whether the end was found, and how much was taken.
 */
static bool read_pieces(struct slice in, size_t step, enum data_bare mode, struct buffer *out,
			struct data_reader *r)
{
	buffer_reset(out);
	data_reader_init(r, mode);
	for (size_t at = 0; at < in.n; at += step) {
		struct slice piece = slice_sub(in, at, at + step);
		size_t room = 2 * piece.n + 3 + out->len;

		if (data_reader_feed(r, &piece, out)) {
			CHECK(r->taken + piece.n == (at + step < in.n ? at + step : in.n));
			return true;
		}
		CHECK(piece.n == 0 && out->len <= room);
	}
	return false;
}

static void check_reader(struct slice in, enum data_bare mode, size_t step)
{
	static const char end[] = "\r\n.\r\n";
	struct buffer whole, pieces;
	struct data_reader a, b;

	buffer_init(&whole, LIMIT);
	buffer_init(&pieces, LIMIT);
	CHECK(read_pieces(in, in.n + 1, mode, &whole, &a) ==
	      read_pieces(in, step, mode, &pieces, &b));
	CHECK(slice_eq(buffer_slice(&whole), buffer_slice(&pieces)));
	CHECK(a.taken == b.taken && a.bare_cr == b.bare_cr && a.bare_lf == b.bare_lf);
	CHECK(a.written == whole.len);
	if (a.ended) {
		struct slice taken = slice_sub(in, 0, (size_t)a.taken);

		CHECK(taken.n == 3 ? slice_eq(taken, SL(".\r\n"))
				   : slice_ends(taken, SL("\r\n.\r\n")));
		check_canonical(buffer_slice(&whole));
	}
	/* The first such sequence is the end, and nothing before it is. */
	CHECK(a.ended == (slice_starts(in, SL(".\r\n")) || slice_search(in, slice_str(end)) >= 0));
	buffer_free(&whole);
	buffer_free(&pieces);
}

static void check_round_trip(struct slice in, size_t step, size_t line_limit)
{
	struct buffer canon, wire, back;
	struct content_canon c;
	struct data_writer w;
	struct data_reader r;

	buffer_init(&canon, LIMIT);
	buffer_init(&wire, LIMIT * 2);
	buffer_init(&back, LIMIT * 2);
	content_canon_init(&c);
	data_writer_init(&w, line_limit);
	for (size_t at = 0; at < in.n; at += step) {
		content_canon_feed(&c, slice_sub(in, at, at + step), &canon);
		data_writer_feed(&w, slice_sub(in, at, at + step), &wire);
	}
	content_canon_end(&c, &canon);
	check_canonical(buffer_slice(&canon));
	data_writer_end(&w, &wire);
	CHECK(read_pieces(buffer_slice(&wire), wire.len, DATA_BARE_NORMALIZE, &back, &r));
	CHECK(r.taken == wire.len && !r.bare_cr && !r.bare_lf);
	if (line_limit == 0)
		CHECK(slice_eq(buffer_slice(&back), buffer_slice(&canon)));
	buffer_free(&canon);
	buffer_free(&wire);
	buffer_free(&back);
}

static void check_bdat(struct slice in, size_t step)
{
	struct bdat_reader r;
	struct buffer out;

	buffer_init(&out, LIMIT);
	bdat_reader_init(&r);
	for (size_t at = 0; at < in.n; at += step) {
		struct slice piece = slice_sub(in, at, at + step);

		bdat_reader_chunk(&r, piece.n, at + step >= in.n);
		CHECK(bdat_reader_feed(&r, &piece, &out) && piece.n == 0);
	}
	check_canonical(buffer_slice(&out));
	buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t step = n > 0 ? 1 + data[n - 1] % 7u : 1;
	struct slice in = slice(data, n);

	check_reader(in, DATA_BARE_NORMALIZE, step);
	check_reader(in, DATA_BARE_REPLACE, step);
	check_round_trip(in, step, 0);
	check_round_trip(in, step, 998);
	check_round_trip(in, step, 5);
	check_bdat(in, step);
	return 0;
}
