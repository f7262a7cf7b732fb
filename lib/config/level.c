/* SPDX-License-Identifier: ISC */
#include "config/level.h"

#define LEVEL_PART_LIMIT 1000

bool compatibility_level_parse(struct slice text, int64_t *out)
{
	int64_t level = 0;

	text = slice_trim(text);
	for (int part = 0; part < 3; part++) {
		ssize_t dot = slice_find(text, '.');
		struct slice digits = dot < 0 ? text : slice_sub(text, 0, (size_t)dot);
		uint64_t number = 0;

		if (part > 0 && slice_is_null(text)) {
			level *= LEVEL_PART_LIMIT;
			continue;
		}
		if (!slice_u64(digits, &number) || number >= LEVEL_PART_LIMIT)
			return false;
		level = level * LEVEL_PART_LIMIT + (int64_t)number;
		text = dot < 0 ? SL_NULL : slice_from(text, (size_t)dot + 1);
	}
	*out = level;
	return slice_is_null(text);
}
