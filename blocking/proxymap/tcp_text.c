/* SPDX-License-Identifier: ISC */
#include "blocking/proxymap/tcp_text.h"

static bool is_plain(char c)
{
	return c > ' ' && c < 127 && c != '%';
}

bool tcp_request(struct slice key, struct buffer *out)
{
	bool fits = buffer_append(out, SL("get "));

	for (size_t i = 0; i < key.n && fits; i++)
		fits = is_plain(key.p[i]) ? buffer_append_byte(out, key.p[i])
					  : buffer_printf(out, "%%%02X", (unsigned char)key.p[i]);
	return fits && buffer_append_byte(out, '\n');
}

static int hex_digit(char c)
{
	if (ascii_isdigit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* decode - %XX back to bytes; false: a % without two digits. */
static bool decode(struct slice text, struct arena *arena, struct slice *out)
{
	char *p = arena_alloc(arena, text.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		int high, low;

		if (text.p[i] != '%') {
			p[n++] = text.p[i];
			continue;
		}
		high = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
		low = i + 2 < text.n ? hex_digit(text.p[i + 2]) : -1;
		if (high < 0 || low < 0)
			return false;
		p[n++] = (char)(high * 16 + low);
		i += 2;
	}
	*out = slice(p, n);
	return true;
}

enum module_result tcp_reply(struct slice line, struct arena *arena, struct slice *value)
{
	struct slice code, text;

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	code = slice_sub(line, 0, 3);
	if (line.n > 3 && line.p[3] != ' ')
		return MODULE_LOST;
	if (!decode(slice_from(line, 4), arena, &text))
		return MODULE_LOST;
	if (slice_eq(code, SL("500")))
		return MODULE_MISSING;
	*value = text;
	if (slice_eq(code, SL("400")))
		return MODULE_TEMP;
	return slice_eq(code, SL("200")) && line.n > 3 ? MODULE_FOUND : MODULE_LOST;
}
