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
	if (b->len >= b->size && !buffer_reserve(b, 1))
		return false;
	b->data[b->len++] = c;
	return true;
}

bool buffer_append_str(struct buffer *b, const char *str)
{
	return buffer_append(b, slice_str(str));
}

bool buffer_append_number(struct buffer *b, uint64_t value, unsigned digits)
{
	char text[20];
	size_t at = sizeof(text);

	if (digits > sizeof(text))
		digits = sizeof(text);
	do {
		text[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	while (sizeof(text) - at < digits)
		text[--at] = '0';
	return buffer_append(b, slice(text + at, sizeof(text) - at));
}

/* print_aside - where the NUL that vsnprintf adds would not fit the limit any more. */
static bool __attribute__((format(printf, 3, 0)))
print_aside(struct buffer *b, size_t n, const char *format, va_list ap)
{
	char *text = malloc(n + 1);
	bool ok;

	if (text == NULL)
		out_of_memory();
	vsnprintf(text, n + 1, format, ap);
	ok = buffer_append(b, slice(text, n));
	free(text);
	return ok;
}

bool buffer_vprintf(struct buffer *b, const char *format, va_list ap)
{
	size_t room = b->size - b->len;
	va_list again;
	bool ok;
	int n;

	va_copy(again, ap);
	n = vsnprintf(room > 0 ? b->data + b->len : NULL, room, format, ap);
	CHECK(n >= 0);
	if ((size_t)n < room) {
		ok = true;
		b->len += (size_t)n;
	} else if (b->limit - b->len <= (size_t)n) {
		ok = print_aside(b, (size_t)n, format, again);
	} else {
		ok = buffer_reserve(b, (size_t)n + 1);
		vsnprintf(b->data + b->len, (size_t)n + 1, format, again);
		b->len += (size_t)n;
	}
	va_end(again);
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
