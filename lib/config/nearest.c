/* SPDX-License-Identifier: ISC */
/* nearest - the declared parameter that a misspelled name was meant to be. */
#include "config/parameter.h"

#define NAME_LIMIT 96 /* longer ones are not looked at */
#define EDIT_LIMIT 3

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/*
 * distance - how many letters have to be put in, taken out, changed, or swapped with their
 * neighbour (the optimal string alignment distance); three rows of its matrix are enough.
 */
static unsigned distance(struct slice a, struct slice b)
{
	unsigned rows[3][NAME_LIMIT + 1];

	for (unsigned j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i - 1) % 3];
		const unsigned *two = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			bool same = a.p[i - 1] == b.p[j - 1];

			row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1));
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
			    a.p[i - 2] == b.p[j - 1] && two[j - 2] + 1 < row[j])
				row[j] = two[j - 2] + 1;
		}
	}
	return rows[a.n % 3][b.n];
}

struct slice parameter_nearest(struct slice name)
{
	struct slice found = SL_NULL;
	unsigned best = (unsigned)(name.n / 4) < EDIT_LIMIT ? (unsigned)(name.n / 4) : EDIT_LIMIT;

	if (name.n > NAME_LIMIT)
		return SL_NULL;
	best++;
	for (size_t i = 0; i < parameter_count; i++) {
		struct slice other = parameter_slice(parameters[i].name);
		unsigned d;

		if (other.n > NAME_LIMIT || other.n > name.n + EDIT_LIMIT ||
		    name.n > other.n + EDIT_LIMIT || parameters[i].template)
			continue;
		d = distance(name, other);
		if (d < best) {
			best = d;
			found = other;
		}
	}
	return found;
}
