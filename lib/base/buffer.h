/* SPDX-License-Identifier: ISC */
/*
 * buffer - bytes that grow up to a limit set at birth. An append that would pass the limit adds
 * nothing and is remembered: buffer_overflowed() stays true until buffer_reset(), so that a run of
 * appends can be checked once at its end.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/slice.h"

#include <stdarg.h>

struct buffer {
	char *data;
	size_t len;
	size_t size;  /* allocated */
	size_t limit; /* len never passes it */
	bool overflow;
};

/* buffer_init - empty, nothing allocated yet. */
void buffer_init(struct buffer *b, size_t limit);
/* buffer_free - gives the memory back; the buffer is as after buffer_init. */
void buffer_free(struct buffer *b);
/* buffer_reset - empty again, memory kept. */
void buffer_reset(struct buffer *b);

/* All appends return false, and change nothing, when the limit would be passed. */
bool buffer_append(struct buffer *b, struct slice s);
bool buffer_append_byte(struct buffer *b, char c);
bool buffer_append_str(struct buffer *b, const char *str);
/* buffer_append_number - in decimal, with zeros in front up to this many digits (at most 20). */
bool buffer_append_number(struct buffer *b, uint64_t value, unsigned digits);
bool buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool buffer_vprintf(struct buffer *b, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* buffer_reserve - room for n more bytes at b->data + b->len; raise b->len after writing there. */
bool buffer_reserve(struct buffer *b, size_t n);
/* buffer_consume - drop n bytes from the front. */
void buffer_consume(struct buffer *b, size_t n);
/* buffer_truncate - keep the first n bytes. */
void buffer_truncate(struct buffer *b, size_t n);

static inline bool buffer_overflowed(const struct buffer *b)
{
	return b->overflow;
}

/* buffer_slice - what is in it; valid until the next append. */
static inline struct slice buffer_slice(const struct buffer *b)
{
	return (struct slice){b->data, b->len};
}

#endif
