/* SPDX-License-Identifier: ISC */
/* map_content - postmap -F: values that hold files, in base64 (RFC 4648). */
#include "base/buffer.h"
#include "commands/map_tool.h"
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

bool map_decode(struct slice text, struct arena *arena, struct slice *out)
{
	char *bytes = arena_alloc(arena, text.n / 4 * 3 + 4);
	uint32_t word = 0;
	unsigned bits = 0;
	size_t n = 0;

	while (text.n > 0 && text.p[text.n - 1] == '=')
		text.n--;
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

/* append_file - the whole of it. */
static void append_file(struct buffer *all, const char *name)
{
	char part[8192];
	ssize_t n;
	int fd = os_openat(AT_FDCWD, name, O_RDONLY, 0);

	if (fd < 0)
		map_fatal("open %s: %s", name, strerror(errno));
	while ((n = os_read(fd, part, sizeof(part))) > 0)
		if (!buffer_append(all, slice(part, (size_t)n)))
			map_fatal("%s is too large", name);
	if (n < 0)
		map_fatal("read %s: %s", name, strerror(errno));
	os_close(fd);
}

struct slice map_encode_files(struct slice names, struct arena *arena)
{
	struct buffer all;
	struct slice name, encoded;

	buffer_init(&all, CONTENT_LIMIT);
	while (slice_next(&names, " \t\r\n,", &name)) {
		if (all.len > 0)
			buffer_append_byte(&all, '\n');
		append_file(&all, arena_str(arena, name));
	}
	encoded = encode(buffer_slice(&all), arena);
	buffer_free(&all);
	return encoded;
}
