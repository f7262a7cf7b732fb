/* SPDX-License-Identifier: ISC */
/*
 * fuzz_remote_text - replies of the servers of tcp:, socketmap: and memcache: tables. The first
 * byte says whose; whatever comes, the answer is one of four, and what was encoded for such a
 * server decodes to itself.
 */
#include "base/buffer.h"
#include "base/check.h"
#include "blocking/proxymap/memcache_text.h"
#include "blocking/proxymap/socketmap_text.h"
#include "blocking/proxymap/tcp_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_tcp(struct slice text, struct arena *arena)
{
	struct buffer b;
	struct slice value = SL_NULL, same = SL_NULL;

	(void)tcp_reply(text, arena, &value);
	/* what a request says of a key, a reply would say of the value */
	buffer_init(&b, 4 * text.n + 64);
	CHECK(tcp_request(text, &b));
	memcpy(b.data, "200 ", 4);
	CHECK(tcp_reply(slice_sub(buffer_slice(&b), 0, b.len - 1), arena, &same) == MODULE_FOUND);
	CHECK(slice_eq(same, text));
	buffer_free(&b);
}

static void try_socketmap(struct slice text)
{
	struct slice payload = SL_NULL, value = SL_NULL;
	struct buffer b;
	size_t n = 0;

	if (netstring_read(text, 100000, &payload, &n) == NETSTRING_WHOLE) {
		CHECK(n <= text.n && payload.n < n);
		(void)socketmap_reply(payload, &value);
	}
	(void)socketmap_reply(text, &value);
	buffer_init(&b, text.n + 64);
	CHECK(socketmap_request(SL("name"), text, &b));
	CHECK(netstring_read(buffer_slice(&b), b.len, &payload, &n) == NETSTRING_WHOLE &&
	      n == b.len);
	CHECK(slice_eq(slice_from(payload, 5), text));
	buffer_free(&b);
}

static void try_memcache(struct slice text)
{
	ssize_t space = slice_find(text, ' ');
	struct slice key = space > 0 ? slice_sub(text, 0, (size_t)space) : SL("key");
	struct buffer b;
	size_t n;

	(void)memcache_line(text, key, &n);
	if (!memcache_key_valid(text))
		return;
	/* nothing in a key ends the line or adds a word */
	buffer_init(&b, text.n + 64);
	CHECK(memcache_get(text, &b));
	CHECK(slice_find(buffer_slice(&b), '\n') == (ssize_t)b.len - 1);
	CHECK(slice_rfind(buffer_slice(&b), ' ') == 3);
	buffer_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_create();
	struct slice text = size > 0 ? slice(data + 1, size - 1) : SL("");

	switch (size > 0 ? data[0] % 3 : 0) {
	case 0:
		try_tcp(text, arena);
		break;
	case 1:
		try_socketmap(text);
		break;
	default:
		try_memcache(text);
		break;
	}
	arena_destroy(&arena);
	return 0;
}
