/* SPDX-License-Identifier: ISC */
#include "local/command.h"

static bool is_plain(char c)
{
	return ascii_isalnum(c) || (c != '\0' && strchr("!@%-_=+:,./ \t", c) != NULL);
}

char **command_words(struct arena *arena, struct slice command)
{
	struct slice rest = command, word;
	size_t count = 0;
	char **words;

	for (size_t i = 0; i < command.n; i++)
		if (!is_plain(command.p[i]))
			return NULL;
	while (slice_next(&rest, " \t", &word))
		count++;
	if (count == 0)
		return NULL;
	words = ARENA_ARRAY(arena, count + 1, char *);
	rest = command;
	for (size_t i = 0; slice_next(&rest, " \t", &word); i++)
		words[i] = arena_str(arena, word);
	return words;
}
