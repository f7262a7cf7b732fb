/* SPDX-License-Identifier: ISC */
/*
 * arena - memory of one session, message or lookup, given back whole.
 * Nothing in an arena is freed by itself. Blocks grow from 1 kB upwards, so that an idle session
 * stays small; a request larger than a block gets a block of its own.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

struct arena;

/* arena_create - never NULL: running out of memory ends the process. */
struct arena *arena_create(void);
/* arena_destroy - frees all, sets *arena to NULL; NULL is allowed. */
void arena_destroy(struct arena **arena);
/* arena_reset - everything allocated is gone; the first block is kept for the next use. */
void arena_reset(struct arena *arena);
/* arena_used - bytes handed out since the last reset: what a memory cap looks at. */
size_t arena_used(const struct arena *arena);

/*
 * arena_reserve - the next n bytes come from one block, which is made for them and no larger: for what many
 * keep for long. Of each object `arena_room` is taken.
 */
void arena_reserve(struct arena *arena, size_t n);
static inline size_t arena_room(size_t n)
{
	return (n + 15) & ~(size_t)15;
}

/* arena_alloc - n zeroed bytes, aligned for any object. */
void *arena_alloc(struct arena *arena, size_t n);
/* arena_array - count * size zeroed bytes; an overflow ends the process. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* arena_dup - a copy; the bytes are followed by a NUL that does not count. */
struct slice arena_dup(struct arena *arena, struct slice s);
/* arena_str - a NUL-terminated copy for a system call; NULL when s itself holds a NUL. */
char *arena_str(struct arena *arena, struct slice s);
/* arena_printf - formatted text as a slice, NUL behind it. */
struct slice arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* arena_lower - a copy with A-Z made lower case. */
struct slice arena_lower(struct arena *arena, struct slice s);

#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, count, type) ((type *)arena_array((arena), (count), sizeof(type)))

#endif
