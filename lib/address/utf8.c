/* SPDX-License-Identifier: ISC */
#include "address/utf8.h"

/* sequence_length - of the UTF-8 sequence that begins with c; 0 when none does. */
static size_t sequence_length(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c >= 0xc2 && c < 0xe0)
		return 2;
	if (c >= 0xe0 && c < 0xf0)
		return 3;
	return c >= 0xf0 && c < 0xf5 ? 4 : 0;
}

/* second_in_range - what the second byte must be, for shortest form, no surrogates, the last plane.
 */
static bool second_in_range(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second < 0xa0;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second < 0x90;
	default:
		return true;
	}
}

bool utf8_valid(struct slice s)
{
	for (size_t i = 0; i < s.n;) {
		size_t n = sequence_length((unsigned char)s.p[i]);

		if (n == 0 || n > s.n - i)
			return false;
		if (n > 1 && !second_in_range((unsigned char)s.p[i], (unsigned char)s.p[i + 1]))
			return false;
		for (size_t k = 1; k < n; k++)
			if (((unsigned char)s.p[i + k] & 0xc0) != 0x80)
				return false;
		i += n;
	}
	return true;
}
