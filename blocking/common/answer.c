/* SPDX-License-Identifier: ISC */
#include "blocking/common/answer.h"

void answer_begin(struct answer *answer, const struct lookup_text *key, struct slice format,
		  size_t limit)
{
	*answer = (struct answer){.key = key, .format = format, .limit = limit};
	buffer_init(&answer->text, ANSWER_LIMIT);
}

bool answer_add(struct answer *answer, struct slice value)
{
	size_t before = answer->text.len;

	if (answer->over || buffer_overflowed(&answer->text))
		return false;
	if (before > 0)
		buffer_append_byte(&answer->text, ',');
	if (!template_result(answer->format, answer->key, value, &answer->text)) {
		buffer_truncate(&answer->text, before);
		return !buffer_overflowed(&answer->text);
	}
	answer->count++;
	answer->over = answer->limit > 0 && answer->count > answer->limit;
	return !answer->over;
}

enum module_result answer_end(struct answer *answer, struct arena *arena, struct slice *value)
{
	enum module_result result = MODULE_TEMP;

	if (answer->over) {
		*value =
		    arena_printf(arena, "more than %zu values (expansion_limit)", answer->limit);
	} else if (buffer_overflowed(&answer->text)) {
		*value = arena_printf(arena, "the values are longer than %zu bytes", ANSWER_LIMIT);
	} else if (answer->count == 0) {
		*value = SL_NULL;
		result = MODULE_MISSING;
	} else {
		*value = arena_dup(arena, buffer_slice(&answer->text));
		result = MODULE_FOUND;
	}
	buffer_free(&answer->text);
	return result;
}
