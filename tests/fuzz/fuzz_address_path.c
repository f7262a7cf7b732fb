/* SPDX-License-Identifier: ISC */
/* What path_parse takes can be put on the wire and is read back as the same address. */
#include "address/address.h"
#include "address/path.h"
#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_path(struct arena *arena, struct slice text, unsigned flags)
{
	struct smtp_path path, again;
	struct slice rest, external;

	if (path_parse(text, flags, arena, &path, &rest) != PATH_OK)
		return;
	CHECK(path_check(path.address, flags) == PATH_OK);
	CHECK(rest.n == 0 || rest.p[0] == ' ' || rest.p[0] == '\t');
	CHECK(path.raw.n <= text.n);
	external = address_quote(arena, path.address);
	CHECK(slice_eq(address_unquote(arena, external), path.address));
	external = arena_printf(arena, "<%.*s>", SL_ARG(external));
	CHECK(path_parse(external, PATH_STRICT | (flags & PATH_UTF8), arena, &again, &rest) ==
	      PATH_OK);
	CHECK(slice_eq(again.address, path.address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *arena = arena_create();

	for (unsigned flags = 0; flags < 8; flags++)
		check_path(arena, slice(data, n), flags);
	arena_destroy(&arena);
	return 0;
}
