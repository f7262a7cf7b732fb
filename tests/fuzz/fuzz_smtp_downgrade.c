/* SPDX-License-Identifier: ISC */
/*
 * A converted message does not depend on how it came in pieces, stays within its bound, and is left
 * as it is by a second conversion when nothing in it asks for one any more.
 */
#include "base/check.h"
#include "message/content.h"
#include "smtp/downgrade.h"

#define LIMIT (8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void convert(struct slice in, size_t step, struct buffer *out)
{
	struct downgrade *d = downgrade_create();

	for (size_t i = 0; i < in.n; i += step)
		downgrade_feed(d, slice_sub(in, i, i + step), out);
	downgrade_end(d, out);
	downgrade_destroy(&d);
	CHECK(!buffer_overflowed(out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct content_canon canon;
	struct buffer content, whole, pieces;

	if (n > 100000)
		return 0;
	buffer_init(&content, LIMIT);
	buffer_init(&whole, LIMIT);
	buffer_init(&pieces, LIMIT);
	content_canon_init(&canon);
	content_canon_feed(&canon, slice(data, n), &content);
	content_canon_end(&canon, &content);
	convert(buffer_slice(&content), content.len + 1, &whole);
	convert(buffer_slice(&content), 1 + n % 7, &pieces);
	CHECK(slice_eq(buffer_slice(&whole), buffer_slice(&pieces)));
	CHECK(whole.len <= 5 * content.len + 100);
	CHECK(whole.len == 0 || slice_ends(buffer_slice(&whole), SL("\r\n")));
	buffer_reset(&pieces);
	convert(buffer_slice(&whole), whole.len + 1, &pieces);
	CHECK(slice_eq(buffer_slice(&whole), buffer_slice(&pieces)));
	buffer_free(&content);
	buffer_free(&whole);
	buffer_free(&pieces);
	return 0;
}
