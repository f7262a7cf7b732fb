/* SPDX-License-Identifier: ISC */
/* words - the elements of list values. */
#include "config/settings.h"

static bool is_separator(char c)
{
	return c == ',' || ascii_isspace(c);
}

/* word_length - up to a separator outside braces; a brace that is never closed runs to the end. */
static size_t word_length(struct slice s)
{
	size_t depth = 0;
	size_t n = 0;

	for (; n < s.n; n++) {
		if (depth == 0 && is_separator(s.p[n]))
			break;
		if (s.p[n] == '{')
			depth++;
		else if (s.p[n] == '}' && depth > 0)
			depth--;
	}
	return n;
}

bool settings_next_word(struct slice *rest, struct slice *word)
{
	size_t n;

	while (rest->n > 0 && is_separator(rest->p[0]))
		*rest = slice_from(*rest, 1);
	if (rest->n == 0)
		return false;
	n = word_length(*rest);
	*word = slice_sub(*rest, 0, n);
	*rest = slice_from(*rest, n);
	if (word->n >= 2 && word->p[0] == '{' && word->p[word->n - 1] == '}')
		*word = slice_trim(slice_sub(*word, 1, word->n - 1));
	return true;
}

bool settings_list_has(struct slice list, struct slice word)
{
	struct slice item;

	while (settings_next_word(&list, &item))
		if (slice_caseeq(item, word))
			return true;
	return false;
}
