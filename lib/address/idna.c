/* SPDX-License-Identifier: ISC */
#include "address/idna.h"
#include "address/utf8.h"

#include <idn2.h>

#define NAME_MAX_BYTES 1024

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 127)
			return false;
	return true;
}

static bool take_result(struct arena *arena, int rc, char *made, struct slice *out)
{
	if (rc != IDN2_OK)
		return false;
	*out = arena_dup(arena, slice_str(made));
	idn2_free(made);
	return true;
}

bool idna_to_ascii(struct arena *arena, struct slice utf8, struct slice *ascii)
{
	char *text, *made = NULL;
	int rc;

	if (is_ascii(utf8)) {
		*ascii = utf8;
		return true;
	}
	text = utf8.n <= NAME_MAX_BYTES && utf8_valid(utf8) ? arena_str(arena, utf8) : NULL;
	if (!text)
		return false;
	rc = idn2_to_ascii_8z(text, &made, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	return take_result(arena, rc, made, ascii);
}

static bool has_a_label(struct slice name)
{
	for (size_t i = 0; i + 4 <= name.n; i++)
		if ((i == 0 || name.p[i - 1] == '.') &&
		    slice_casestarts(slice_from(name, i), SL("xn--")))
			return true;
	return false;
}

bool idna_to_utf8(struct arena *arena, struct slice ascii, struct slice *utf8)
{
	char *text, *made = NULL;
	int rc;

	if (!has_a_label(ascii)) {
		*utf8 = ascii;
		return true;
	}
	text = ascii.n <= NAME_MAX_BYTES && utf8_valid(ascii) ? arena_str(arena, ascii) : NULL;
	if (!text)
		return false;
	rc = idn2_to_unicode_8z8z(text, &made, 0);
	return take_result(arena, rc, made, utf8);
}
