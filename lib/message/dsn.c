/* SPDX-License-Identifier: ISC */
#include "message/dsn.h"
#include "address/utf8.h"

#include <stdio.h>

#define ENVID_MAX 100 /* RFC 3461 4.4 */

static const struct {
	const char *name;
	unsigned bit;
} notify_names[] = {
    {"NEVER", DSN_NOTIFY_NEVER},
    {"SUCCESS", DSN_NOTIFY_SUCCESS},
    {"FAILURE", DSN_NOTIFY_FAILURE},
    {"DELAY", DSN_NOTIFY_DELAY},
};

#define NOTIFY_COUNT (sizeof(notify_names) / sizeof(notify_names[0]))

static unsigned notify_bit(struct slice word)
{
	for (size_t i = 0; i < NOTIFY_COUNT; i++)
		if (slice_caseeq(word, slice_str(notify_names[i].name)))
			return notify_names[i].bit;
	return 0;
}

bool dsn_notify_parse(struct slice text, unsigned *mask)
{
	unsigned all = 0, bit;

	for (;;) {
		ssize_t comma = slice_find(text, ',');

		bit = notify_bit(slice_trim(comma < 0 ? text : slice_sub(text, 0, (size_t)comma)));
		if (bit == 0)
			return false;
		all |= bit;
		if (comma < 0)
			break;
		text = slice_from(text, (size_t)comma + 1);
	}
	if ((all & DSN_NOTIFY_NEVER) && all != DSN_NOTIFY_NEVER)
		return false;
	*mask = all;
	return true;
}

struct slice dsn_notify_format(struct arena *arena, unsigned mask)
{
	struct slice made = SL("");

	for (size_t i = 0; i < NOTIFY_COUNT; i++)
		if (mask & notify_names[i].bit)
			made = arena_printf(arena, "%.*s%s%s", SL_ARG(made), made.n > 0 ? "," : "",
					    notify_names[i].name);
	return made;
}

bool dsn_ret_parse(struct slice text, enum dsn_ret *ret)
{
	if (slice_caseeq(text, SL("FULL")))
		*ret = DSN_RET_FULL;
	else if (slice_caseeq(text, SL("HDRS")))
		*ret = DSN_RET_HDRS;
	else
		return false;
	return true;
}

const char *dsn_ret_name(enum dsn_ret ret)
{
	return ret == DSN_RET_FULL ? "FULL" : ret == DSN_RET_HDRS ? "HDRS" : NULL;
}

static bool is_xchar(char c)
{
	return c > ' ' && c < 127 && c != '+' && c != '=';
}

struct slice xtext_encode(struct arena *arena, struct slice text)
{
	static const char hex[] = "0123456789ABCDEF";
	char *p = arena_alloc(arena, 3 * text.n + 1), *q = p;

	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (is_xchar(text.p[i])) {
			*q++ = text.p[i];
		} else {
			*q++ = '+';
			*q++ = hex[c >> 4];
			*q++ = hex[c & 15];
		}
	}
	return slice(p, (size_t)(q - p));
}

/* hex_digit - upper case only in xtext, any case in \x{}; -1: none. */
static int hex_digit(char c, bool lower_too)
{
	if (ascii_isdigit(c))
		return c - '0';
	if (lower_too)
		c = c >= 'a' && c <= 'f' ? (char)(c - 32) : c;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool xtext_decode(struct arena *arena, struct slice xtext, struct slice *text)
{
	char *p = arena_alloc(arena, xtext.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < xtext.n; i++) {
		char c = xtext.p[i];
		int high, low;

		if (c == '+') {
			if (xtext.n - i < 3)
				return false;
			/* Lower case is against the RFC, but harmless and seen. */
			high = hex_digit(xtext.p[i + 1], true);
			low = hex_digit(xtext.p[i + 2], true);
			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		} else if (!is_xchar(c)) {
			return false;
		}
		p[n++] = c;
	}
	*text = slice(p, n);
	return true;
}

static bool all_printable(struct slice s, bool eight_bit)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_isprint(s.p[i]) && !(eight_bit && (unsigned char)s.p[i] > 127))
			return false;
	return true;
}

bool envid_parse(struct arena *arena, struct slice xtext, struct slice *envid)
{
	return xtext.n > 0 && xtext.n <= ENVID_MAX && xtext_decode(arena, xtext, envid) &&
	       all_printable(*envid, false);
}

/* put_utf8 - one code point; false when there is none such. */
static bool put_utf8(char *p, size_t *n, uint32_t code)
{
	if (code < 0x80) {
		p[(*n)++] = (char)code;
	} else if (code < 0x800) {
		p[(*n)++] = (char)(0xc0 | code >> 6);
		p[(*n)++] = (char)(0x80 | (code & 63));
	} else if (code < 0x10000) {
		p[(*n)++] = (char)(0xe0 | code >> 12);
		p[(*n)++] = (char)(0x80 | (code >> 6 & 63));
		p[(*n)++] = (char)(0x80 | (code & 63));
	} else if (code < 0x110000) {
		p[(*n)++] = (char)(0xf0 | code >> 18);
		p[(*n)++] = (char)(0x80 | (code >> 12 & 63));
		p[(*n)++] = (char)(0x80 | (code >> 6 & 63));
		p[(*n)++] = (char)(0x80 | (code & 63));
	}
	return code < 0x110000 && (code < 0xd800 || code > 0xdfff);
}

/* embedded_code - "\x{HEX}" of RFC 6533 3 at the front of s; its length, or 0. */
static size_t embedded_code(struct slice s, uint32_t *code)
{
	size_t i = 3;

	*code = 0;
	if (!slice_starts(s, SL("\\x{")))
		return 0;
	for (; i < s.n && i < 9 && hex_digit(s.p[i], true) >= 0; i++)
		*code = *code * 16 + (uint32_t)hex_digit(s.p[i], true);
	return i > 4 && i < s.n && s.p[i] == '}' ? i + 1 : 0;
}

/* utf8_address_decode - utf-8-addr-xtext and utf-8-addr-unitext; RFC 6533 3. */
static bool utf8_address_decode(struct arena *arena, struct slice s, bool eight_bit,
				struct slice *out)
{
	char *p = arena_alloc(arena, s.n + 8);
	size_t n = 0;

	while (s.n > 0) {
		size_t taken = 1;
		uint32_t code;

		if (s.p[0] == '\\') {
			taken = embedded_code(s, &code);
			if (taken == 0 || !put_utf8(p, &n, code))
				return false;
		} else if (is_xchar(s.p[0]) || (eight_bit && (unsigned char)s.p[0] > 127)) {
			p[n++] = s.p[0];
		} else {
			return false;
		}
		s = slice_from(s, taken);
	}
	*out = slice(p, n);
	return true;
}

static bool is_atom_byte(char c)
{
	return ascii_isalnum(c) || c == '-';
}

bool orcpt_parse(struct arena *arena, struct slice value, bool smtputf8, struct orcpt *out)
{
	ssize_t semicolon = slice_find(value, ';');
	struct slice coded = slice_from(value, (size_t)semicolon + 1);

	if (semicolon < 1 || coded.n == 0)
		return false;
	out->type = arena_lower(arena, slice_sub(value, 0, (size_t)semicolon));
	for (size_t i = 0; i < out->type.n; i++)
		if (!is_atom_byte(out->type.p[i]))
			return false;
	if (slice_eq(out->type, SL("utf-8")))
		return utf8_address_decode(arena, coded, smtputf8, &out->address) &&
		       all_printable(out->address, true) && utf8_valid(out->address);
	return xtext_decode(arena, coded, &out->address) && all_printable(out->address, false);
}

/* code_point - of the UTF-8 sequence at the front of s; its length (1 for a bad byte). */
static size_t code_point(struct slice s, uint32_t *code)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	*code = n == 1 ? c : c & (0xffu >> (n + 1));
	if (n > s.n)
		return 1;
	for (size_t i = 1; i < n; i++)
		*code = *code << 6 | ((unsigned char)s.p[i] & 63);
	return n;
}

static struct slice utf8_address_encode(struct arena *arena, struct slice s, bool eight_bit)
{
	char *p = arena_alloc(arena, 12 * s.n + 1);
	size_t n = 0;

	while (s.n > 0) {
		uint32_t code;
		size_t taken = code_point(s, &code);

		if (eight_bit && code > 127)
			memcpy(p + n, s.p, taken), n += taken;
		else if (code < 127 && is_xchar((char)code) && code != '\\')
			p[n++] = (char)code;
		else
			n += (size_t)snprintf(p + n, 12, "\\x{%02X}", (unsigned)code);
		s = slice_from(s, taken);
	}
	return slice(p, n);
}

struct slice orcpt_format(struct arena *arena, const struct orcpt *o, bool smtputf8)
{
	struct slice coded;

	if (slice_caseeq(o->type, SL("utf-8")))
		coded = utf8_address_encode(arena, o->address, smtputf8);
	else
		coded = xtext_encode(arena, o->address);
	return arena_printf(arena, "%.*s;%.*s", SL_ARG(o->type), SL_ARG(coded));
}

struct slice orcpt_join(struct arena *arena, const struct orcpt *o)
{
	return arena_printf(arena, "%.*s;%.*s", SL_ARG(o->type), SL_ARG(o->address));
}

bool orcpt_split(struct slice stored, struct orcpt *out)
{
	ssize_t semicolon = slice_find(stored, ';');

	if (semicolon < 1)
		return false;
	out->type = slice_sub(stored, 0, (size_t)semicolon);
	out->address = slice_from(stored, (size_t)semicolon + 1);
	return true;
}
