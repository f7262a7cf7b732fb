/* SPDX-License-Identifier: ISC */
/* stream_internal - what the reading and the writing half share. */
#ifndef FIBER_STREAM_INTERNAL_H
#define FIBER_STREAM_INTERNAL_H

#include "fiber/stream.h"

/* The least and most that one read asks for; the former is what a session of commands needs. */
#define STREAM_CHUNK_MIN ((size_t)4096)
#define STREAM_CHUNK_MAX ((size_t)65536)
/* Output gathers up to this much before it is sent. */
#define STREAM_OUT_SIZE ((size_t)16384)

/* stream_failure - the status for errno; remembers it. */
enum stream_status stream_failure(struct stream *s);
/* chunk_take - n bytes, never NULL; chunk_give - back, with the same n (NULL: no effect). */
char *chunk_take(size_t n);
void chunk_give(char *p, size_t n);

ssize_t stream_raw_read(struct stream *s, void *buf, size_t n, int64_t deadline);
ssize_t stream_raw_write(struct stream *s, const void *buf, size_t n, int64_t deadline);

#endif
