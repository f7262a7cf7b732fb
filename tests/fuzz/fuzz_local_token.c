/* SPDX-License-Identifier: ISC */
/* Destinations as users write them, and message content on its way into a mailbox. */
#include "base/check.h"
#include "local/copy.h"
#include "local/token.h"

#define MAX_TOKENS 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tokens(const struct tokens *t)
{
	CHECK(t->count <= MAX_TOKENS);
	for (size_t i = 0; i < t->count; i++) {
		CHECK(t->items[i].kind != TOKEN_FILE || t->items[i].text.p[0] == '/');
		CHECK(t->items[i].kind != TOKEN_ADDRESS || t->items[i].text.n > 0);
	}
}

/* copied - in pieces of `step` bytes; the result must not depend on that. */
static void copied(struct slice text, size_t step, struct buffer *out)
{
	struct copy c = {.format = COPY_MBOX};
	size_t begin = 0, end = 0;

	do {
		end = end + step < text.n ? end + step : text.n;
		begin += copy_some(&c, slice_sub(text, begin, end), end == text.n, out);
		CHECK(end - begin <= 5);
	} while (end < text.n);
	CHECK(begin == text.n);
	CHECK(!buffer_overflowed(out));
	CHECK(slice_search(buffer_slice(out), SL("\nFrom ")) < 0);
}

static void check_copy(struct slice text)
{
	struct buffer whole, parts;

	buffer_init(&whole, 2 * text.n + 16);
	buffer_init(&parts, 2 * text.n + 16);
	copied(text, text.n + 1, &whole);
	copied(text, 7, &parts);
	CHECK(slice_eq(buffer_slice(&whole), buffer_slice(&parts)));
	buffer_free(&whole);
	buffer_free(&parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	struct slice text = slice(data, size);
	struct tokens t;

	token_list(arena, text, MAX_TOKENS, &t);
	check_tokens(&t);
	token_file(arena, text, MAX_TOKENS, &t);
	check_tokens(&t);
	check_copy(text);
	arena_destroy(&arena);
	return 0;
}
