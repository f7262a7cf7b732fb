/* SPDX-License-Identifier: ISC */
/* postqueue_shape - a queue as a table: a row a domain, a column an age; each column ends at twice the age of the last. */
#include "base/check.h"
#include "base/map.h"
#include "commands/postqueue.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define COLUMNS 10 /* and one for what is older */
#define FIRST_END 5 /* minutes */
#define WIDTH_MAX 60

struct row {
	struct slice domain;
	uint64_t total;
	uint64_t ages[COLUMNS];
};

struct queue_shape {
	struct arena *arena;
	struct map *rows;
	struct row all;
};

struct queue_shape *queue_shape_create(void)
{
	struct arena *arena = arena_create();
	struct queue_shape *shape = ARENA_NEW(arena, struct queue_shape);

	shape->arena = arena;
	shape->rows = map_create();
	shape->all.domain = SL("TOTAL");
	return shape;
}

void queue_shape_destroy(struct queue_shape **shape)
{
	struct arena *arena;

	if (*shape == NULL)
		return;
	arena = (*shape)->arena;
	map_destroy(&(*shape)->rows);
	arena_destroy(&arena);
	*shape = NULL;
}

static struct slice domain_of(struct slice address)
{
	ssize_t at = slice_rfind(address, '@');

	return at < 0 ? address : slice_from(address, (size_t)at + 1);
}

static struct row *row_for(struct queue_shape *shape, struct slice address, struct arena *scratch)
{
	struct slice domain = arena_lower(scratch, domain_of(address));
	struct row *row = map_get(shape->rows, domain);

	if (row == NULL) {
		row = ARENA_NEW(shape->arena, struct row);
		row->domain = arena_dup(shape->arena, domain);
		map_put(shape->rows, row->domain, row);
	}
	return row;
}

/* column_of - the first one ends before FIRST_END minutes. */
static size_t column_of(int64_t age)
{
	int64_t end = FIRST_END * 60 * OS_SECOND;
	size_t column = 0;

	while (column < COLUMNS - 1 && age >= end) {
		end *= 2;
		column++;
	}
	return column;
}

static void count(struct queue_shape *shape, struct slice address, size_t column, struct arena *scratch)
{
	struct row *row = row_for(shape, address, scratch);

	row->total++;
	row->ages[column]++;
	shape->all.total++;
	shape->all.ages[column]++;
}

void queue_shape_add(struct queue_shape *shape, const struct listing_entry *entry, bool by_sender, int64_t now)
{
	size_t column = column_of(now - entry->time * OS_SECOND);
	struct arena *scratch = arena_create();

	if (by_sender)
		count(shape, entry->sender, column, scratch);
	for (size_t i = 0; !by_sender && i < entry->recipient_count; i++)
		count(shape, entry->recipients[i].address, column, scratch);
	arena_destroy(&scratch);
}

/* ---- printing */

static int by_size(const void *a, const void *b)
{
	const struct row *x = *(struct row *const *)a, *y = *(struct row *const *)b;

	if (x->total != y->total)
		return x->total < y->total ? 1 : -1;
	return slice_cmp(x->domain, y->domain);
}

static struct row **sorted(const struct queue_shape *shape, size_t *n)
{
	struct row **rows = calloc(map_count(shape->rows) + 1, sizeof(struct row *));
	struct slice key;
	size_t cursor = 0;
	void *value;

	if (rows == NULL)
		out_of_memory();
	*n = 0;
	while (map_next(shape->rows, &cursor, &key, &value))
		rows[(*n)++] = value;
	qsort(rows, *n, sizeof(struct row *), by_size);
	return rows;
}

static int digits(uint64_t n)
{
	char text[24];

	return snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
}

/* A table's widths: a column is as wide as its heading or its total. */
struct widths {
	int domain;
	int total;
	int ages[COLUMNS];
};

static void heading(size_t column, char *text, size_t size)
{
	unsigned end = FIRST_END << column;

	if (column < COLUMNS - 1)
		snprintf(text, size, "%u", end);
	else
		snprintf(text, size, "%u+", end / 2);
}

static struct widths measure(const struct queue_shape *shape, struct row *const *rows, size_t n)
{
	struct widths w = {.domain = (int)shape->all.domain.n, .total = digits(shape->all.total)};
	char text[24];

	for (size_t i = 0; i < n; i++)
		if ((int)rows[i]->domain.n > w.domain)
			w.domain = (int)rows[i]->domain.n;
	if (w.domain > WIDTH_MAX)
		w.domain = WIDTH_MAX;
	for (size_t i = 0; i < COLUMNS; i++) {
		heading(i, text, sizeof(text));
		w.ages[i] = (int)strlen(text);
		if (digits(shape->all.ages[i]) > w.ages[i])
			w.ages[i] = digits(shape->all.ages[i]);
	}
	return w;
}

static void print_row(const struct row *row, const struct widths *w)
{
	for (size_t i = row->domain.n; i < (size_t)w->domain; i++)
		putchar(' ');
	postqueue_put_text(row->domain);
	printf("  %*llu", w->total, (unsigned long long)row->total);
	for (size_t i = 0; i < COLUMNS; i++)
		printf(" %*llu", w->ages[i], (unsigned long long)row->ages[i]);
	putchar('\n');
}

void queue_shape_print(const struct queue_shape *shape)
{
	size_t n;
	struct row **rows = sorted(shape, &n);
	struct widths w = measure(shape, rows, n);
	char text[24];

	printf("%*s  %*s", w.domain, "", w.total, "T");
	for (size_t i = 0; i < COLUMNS; i++) {
		heading(i, text, sizeof(text));
		printf(" %*s", w.ages[i], text);
	}
	putchar('\n');
	print_row(&shape->all, &w);
	for (size_t i = 0; i < n; i++)
		print_row(rows[i], &w);
	free(rows);
}
