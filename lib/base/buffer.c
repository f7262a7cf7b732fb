/* SPDX-License-Identifier: ISC */
#include "base/buffer.h"
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

#define FIRST_SIZE 64

void buffer_init(struct buffer *b, size_t limit)
{
	*b = (struct buffer){.limit = limit};
}

void buffer_free(struct buffer *b)
{
	free(b->data);
	buffer_init(b, b->limit);
}

void buffer_reset(struct buffer *b)
{
	b->len = 0;
	b->overflow = false;
}

bool buffer_reserve(struct buffer *b, size_t n)
{
	size_t need, size;
	char *data;

	if (__builtin_add_overflow(b->len, n, &need) || need > b->limit) {
		b->overflow = true;
		return false;
	}
	if (need <= b->size)
		return true;
	size = b->size > 0 ? b->size : FIRST_SIZE;
	while (size < need)
		size = size > SIZE_MAX / 2 ? need : size * 2;
	if (size > b->limit)
		size = b->limit;
	data = realloc(b->data, size);
	if (data == NULL)
		out_of_memory();
	b->data = data;
	b->size = size;
	return true;
}

bool buffer_append(struct buffer *b, struct slice s)
{
	if (!buffer_reserve(b, s.n))
		return false;
	if (s.n > 0)
		memcpy(b->data + b->len, s.p, s.n);
	b->len += s.n;
	return true;
}

bool buffer_append_byte(struct buffer *b, char c)
{
	return buffer_append(b, slice(&c, 1));
}

bool buffer_append_str(struct buffer *b, const char *str)
{
	return buffer_append(b, slice_str(str));
}

bool buffer_vprintf(struct buffer *b, const char *format, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	CHECK(n >= 0);
	/* vsnprintf wants room for a NUL that is not part of the text */
	if (b->limit - b->len < (size_t)n) {
		b->overflow = true;
		return false;
	}
	char *text = malloc((size_t)n + 1);
	if (text == NULL)
		out_of_memory();
	vsnprintf(text, (size_t)n + 1, format, ap);
	bool ok = buffer_append(b, slice(text, (size_t)n));
	free(text);
	return ok;
}

bool buffer_printf(struct buffer *b, const char *format, ...)
{
	va_list ap;
	bool ok;

	va_start(ap, format);
	ok = buffer_vprintf(b, format, ap);
	va_end(ap);
	return ok;
}

void buffer_consume(struct buffer *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (n > 0 && n < b->len)
		memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

void buffer_truncate(struct buffer *b, size_t n)
{
	if (n < b->len)
		b->len = n;
}
