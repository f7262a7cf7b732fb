/* SPDX-License-Identifier: ISC */
/* What was read can be offered, and is read back as the same. */
#include "base/check.h"
#include "smtp/ehlo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *arena = arena_create();
	struct smtp_reply reply = smtp_reply(250, NULL, slice(data, n));
	struct ehlo first, second;
	struct slice bad;
	unsigned discard;

	ehlo_discard_parse(reply.text, &discard, &bad);
	ehlo_parse(&reply, discard, arena, &first);
	CHECK((first.flags & discard) == 0);
	ehlo_parse(&reply, 0, arena, &first);
	reply = ehlo_compose(arena, &first, 0, false);
	ehlo_parse(&reply, 0, arena, &second);
	/* AUTH without a mechanism is not offered. */
	CHECK(second.flags == (first.mechs.n > 0 ? first.flags : first.flags & ~EHLO_AUTH));
	CHECK(second.size_limit == first.size_limit);
	CHECK(slice_eq(second.mechs, first.mechs));
	arena_destroy(&arena);
	return 0;
}
