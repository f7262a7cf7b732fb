/* SPDX-License-Identifier: ISC */
#include "table/file_value.h"
#include "base/buffer.h"
#include "os/file.h"

#include <errno.h>

#define CONTENT_LIMIT ((size_t)64 * 1024 * 1024)

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static struct slice encode(struct slice in, struct arena *arena)
{
	char *out = arena_alloc(arena, in.n / 3 * 4 + 5);
	size_t n = 0;

	for (size_t i = 0; i < in.n; i += 3) {
		uint32_t word = (uint32_t)(uint8_t)in.p[i] << 16;

		if (i + 1 < in.n)
			word |= (uint32_t)(uint8_t)in.p[i + 1] << 8;
		if (i + 2 < in.n)
			word |= (uint8_t)in.p[i + 2];
		out[n++] = digits[word >> 18];
		out[n++] = digits[word >> 12 & 63];
		out[n++] = i + 1 < in.n ? digits[word >> 6 & 63] : '=';
		out[n++] = i + 2 < in.n ? digits[word & 63] : '=';
	}
	return slice(out, n);
}

bool file_value_decode(struct slice text, struct arena *arena, struct slice *out)
{
	char *bytes = arena_alloc(arena, text.n / 4 * 3 + 4);
	uint32_t word = 0;
	unsigned bits = 0;
	size_t n = 0;

	for (int pad = 0; pad < 2 && text.n > 0 && text.p[text.n - 1] == '='; pad++)
		text.n--;
	if (text.n % 4 == 1)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		const char *digit = text.p[i] ? strchr(digits, text.p[i]) : NULL;

		if (digit == NULL)
			return false;
		word = word << 6 | (uint32_t)(digit - digits);
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[n++] = (char)(uint8_t)(word >> bits);
		}
	}
	*out = slice(bytes, n);
	return true;
}

/* append_file - the whole of it; false with errno. */
static bool append_file(struct buffer *all, const char *name)
{
	char part[8192];
	ssize_t n = 1;
	int error, fd = os_openat(AT_FDCWD, name, O_RDONLY | O_NOCTTY, 0);

	if (fd < 0)
		return false;
	while (n > 0 && (n = os_read(fd, part, sizeof(part))) > 0)
		if (!buffer_append(all, slice(part, (size_t)n))) {
			errno = EFBIG;
			n = -1;
		}
	error = errno;
	os_close(fd);
	errno = error;
	return n == 0;
}

bool file_value_encode(struct slice names, struct arena *arena, struct slice *out)
{
	struct buffer all;
	struct slice name;
	bool good = true;

	buffer_init(&all, CONTENT_LIMIT);
	for (bool first = true; good && slice_next(&names, " \t\r\n,", &name); first = false) {
		const char *path = arena_str(arena, name);

		if (!first)
			buffer_append_byte(&all, '\n');
		errno = EINVAL;
		good = path != NULL && append_file(&all, path);
		if (!good)
			*out = arena_printf(arena, "open %.*s: %s", SL_ARG(name), strerror(errno));
	}
	if (good)
		*out = encode(buffer_slice(&all), arena);
	buffer_free(&all);
	return good;
}
