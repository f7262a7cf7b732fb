/* SPDX-License-Identifier: ISC */
#include "config/environment.h"

#include "config/main_cf.h"
#include "config/settings.h"

#include <stdlib.h>

/* next_own - the next NAME=VALUE, or NAME with the absent slice. */
static bool next_own(struct slice *list, struct arena *arena, struct slice *name,
		     struct slice *value)
{
	struct slice word;

	while (settings_next_word(list, &word)) {
		*value = SL_NULL;
		if (slice_find(word, '=') < 0)
			*name = word;
		else if (main_cf_split(word, name, value) != NULL)
			continue; /* no name in front of the = */
		*name = arena_dup(arena, *name);
		if (!slice_is_null(*value))
			*value = arena_dup(arena, *value);
		return true;
	}
	return false;
}

bool environment_next(struct slice *list, struct arena *arena, struct slice *name,
		      struct slice *value)
{
	while (next_own(list, arena, name, value)) {
		const char *inherited;

		if (!slice_is_null(*value))
			return true;
		inherited = getenv(name->p);
		if (inherited) {
			*value = arena_dup(arena, slice_str(inherited));
			return true;
		}
	}
	return false;
}

size_t environment_count(struct slice list)
{
	struct slice word;
	size_t count = 0;

	while (settings_next_word(&list, &word))
		count++;
	return count;
}

void environment_override(struct slice list, struct arena *arena)
{
	struct slice name, value;

	while (next_own(&list, arena, &name, &value))
		if (!slice_is_null(value))
			setenv(name.p, value.p, 1);
}
