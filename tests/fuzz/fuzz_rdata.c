/* SPDX-License-Identifier: ISC */
/* Any bytes as the data of a DNS record of any type we convert: the names that come out are askable. */
#include "base/check.h"
#include "resolver/rdata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t types[] = {1, 2, 5, 12, 15, 16, 28, 33, 52};
	struct resolver_answer_record record;
	struct arena *arena;
	uint16_t type;

	if (size < 1)
		return 0;
	type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
	arena = arena_create();
	if (rdata_convert(type, slice(data + 1, size - 1), arena, &record)) {
		bool is_name = type == 2 || type == 5 || type == 12 || type == 15 || type == 33;

		CHECK(record.data.n <= 8192);
		CHECK(!is_name || record.data.n == 0 || query_name_valid(record.data));
	}
	arena_destroy(&arena);
	return 0;
}
