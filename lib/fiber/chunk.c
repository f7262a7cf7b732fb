/* SPDX-License-Identifier: ISC */
/*
 * chunk - the buffers of streams. One is needed for each exchange and for no longer, so a few of the two
 * usual sizes are kept instead of going back to malloc. Not under the sanitizers, which are to see each of
 * them end.
 */
#include "base/check.h"
#include "fiber/scheduler.h"
#include "fiber/stream_internal.h"

#include <stdlib.h>

#define SPARE_MAX 16

static struct spare_chunks *spares_of(size_t n)
{
	struct scheduler *s = scheduler_here();

#ifdef POSTRIDER_SANITIZERS
	(void)s;
	(void)n;
	return NULL;
#else
	if (n == STREAM_CHUNK_MIN)
		return &s->small_chunks;
	return n == STREAM_OUT_SIZE ? &s->large_chunks : NULL;
#endif
}

char *chunk_take(size_t n)
{
	struct spare_chunks *spares = spares_of(n);
	struct spare_chunk *first = spares != NULL ? spares->first : NULL;
	char *p;

	if (first != NULL) {
		spares->first = first->next;
		spares->count--;
		return (char *)first;
	}
	p = malloc(n);
	if (p == NULL)
		out_of_memory();
	return p;
}

void chunk_give(char *p, size_t n)
{
	struct spare_chunks *spares;
	struct spare_chunk *spare = (struct spare_chunk *)(void *)p;

	if (p == NULL)
		return;
	spares = spares_of(n);
	if (spares == NULL || spares->count == SPARE_MAX) {
		free(p);
		return;
	}
	spare->next = spares->first;
	spares->first = spare;
	spares->count++;
}

static void drop(struct spare_chunks *spares)
{
	struct spare_chunk *spare;

	while ((spare = spares->first) != NULL) {
		spares->first = spare->next;
		free(spare);
	}
	spares->count = 0;
}

void chunk_drop_all(struct scheduler *s)
{
	drop(&s->small_chunks);
	drop(&s->large_chunks);
}
