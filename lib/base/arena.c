/* SPDX-License-Identifier: ISC */
#include "base/arena.h"
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* With its header not more than glibc's malloc serves from a thread's own cache (1032). */
#define FIRST_BLOCK (1024 - sizeof(struct block))
#define LARGEST_BLOCK 65536
#define ALIGNMENT _Alignof(max_align_t)
_Static_assert(ALIGNMENT <= 16, "arena_room");

struct block {
	struct block *next; /* older */
	size_t size; /* as `used`, a multiple of ALIGNMENT */
	size_t used;
	_Alignas(max_align_t) char data[];
};

struct arena {
	struct block *top;
	size_t used;
};

static struct block *block_create(size_t size, struct block *next)
{
	struct block *b = malloc(sizeof(*b) + size);

	if (b == NULL)
		out_of_memory();
	b->next = next;
	b->size = size;
	b->used = 0;
	return b;
}

struct arena *arena_create(void)
{
	struct arena *arena = malloc(sizeof(*arena));

	if (arena == NULL)
		out_of_memory();
	arena->top = NULL;
	arena->used = 0;
	return arena;
}

void arena_destroy(struct arena **arena)
{
	struct block *b, *next;

	if (*arena == NULL)
		return;
	for (b = (*arena)->top; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	free(*arena);
	*arena = NULL;
}

void arena_reset(struct arena *arena)
{
	struct block *b = arena->top, *next;

	arena->used = 0;
	if (b == NULL)
		return;
	while ((next = b->next) != NULL) {
		free(b);
		b = next;
	}
	b->used = 0;
	arena->top = b;
}

size_t arena_used(const struct arena *arena)
{
	return arena->used;
}

/* next_block_size - double the last one up to LARGEST_BLOCK, and always room for n. */
static size_t next_block_size(const struct arena *arena, size_t n)
{
	size_t size = FIRST_BLOCK;

	if (arena->top != NULL)
		size = arena->top->size < LARGEST_BLOCK / 2 ? arena->top->size * 2 : LARGEST_BLOCK;
	return size < n ? n : size;
}

static size_t round_up(size_t n)
{
	return (n + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
}

/* take - the next n (rounded) bytes of the newest block. */
static void *take(struct arena *arena, size_t n)
{
	struct block *b = arena->top;
	void *p = b->data + b->used;

	b->used += n;
	arena->used += n;
	return p;
}

void arena_reserve(struct arena *arena, size_t n)
{
	const struct block *b = arena->top;

	if (b == NULL || b->size - b->used < n)
		arena->top = block_create(round_up(n), arena->top);
}

void *arena_alloc(struct arena *arena, size_t n)
{
	struct block *b = arena->top;
	size_t rounded;
	void *p;

	if (n > SIZE_MAX - sizeof(struct block) - ALIGNMENT)
		out_of_memory();
	rounded = round_up(n);
	if (b == NULL || b->size - b->used < rounded)
		arena->top = block_create(next_block_size(arena, rounded), b);
	p = take(arena, rounded);
	memset(p, 0, n);
	return p;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		out_of_memory();
	return arena_alloc(arena, n);
}

struct slice arena_dup(struct arena *arena, struct slice s)
{
	char *p = arena_alloc(arena, s.n + 1);

	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return slice(p, s.n);
}

char *arena_str(struct arena *arena, struct slice s)
{
	char *p;

	if (slice_find(s, '\0') >= 0)
		return NULL;
	p = arena_alloc(arena, s.n + 1);
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p;
}

/* room_of - what the newest block still has. */
static size_t room_of(const struct arena *arena)
{
	return arena->top != NULL ? arena->top->size - arena->top->used : 0;
}

struct slice arena_printf(struct arena *arena, const char *format, ...)
{
	size_t room = room_of(arena);
	char *p = room > 0 ? arena->top->data + arena->top->used : NULL;
	va_list ap;
	int n;

	/* mostly it fits where the next allocation will lie anyway */
	va_start(ap, format);
	n = vsnprintf(p, room, format, ap);
	va_end(ap);
	CHECK(n >= 0);
	if ((size_t)n < room) {
		take(arena, round_up((size_t)n + 1));
		return slice(p, (size_t)n);
	}
	p = arena_alloc(arena, (size_t)n + 1);
	va_start(ap, format);
	vsnprintf(p, (size_t)n + 1, format, ap);
	va_end(ap);
	return slice(p, (size_t)n);
}

struct slice arena_lower(struct arena *arena, struct slice s)
{
	char *p = arena_alloc(arena, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = ascii_lower(s.p[i]);
	return slice(p, s.n);
}
