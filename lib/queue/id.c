/* SPDX-License-Identifier: ISC */
#include "queue/queue.h"

#include "base/check.h"

/* digits, then consonants in both cases: no words come out by chance, and 'z' is the last */
static const char alphabet[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";

#define SECONDS_DIGITS 6
#define MICRO_DIGITS 4
#define SEPARATOR 'z'

/* put_number - at least `width` digits of `base`; returns the end. */
static char *put_number(char *to, uint64_t number, unsigned base, unsigned width)
{
	char digits[24];
	unsigned n = 0;

	while (number > 0 || n < width) {
		digits[n++] = alphabet[number % base];
		number /= base;
	}
	while (n > 0)
		*to++ = digits[--n];
	return to;
}

void queue_id_make(int64_t wall_us, uint64_t serial, struct queue_id *id)
{
	char *p = id->text;

	CHECK(wall_us >= 0);
	memset(id, 0, sizeof(*id));
	p = put_number(p, (uint64_t)(wall_us / 1000000), 52, SECONDS_DIGITS);
	p = put_number(p, (uint64_t)(wall_us % 1000000), 52, MICRO_DIGITS);
	*p++ = SEPARATOR;
	put_number(p, serial, 51, 1);
}

/* get_number - false when a byte is no digit of the base, or the number too large. */
static bool get_number(struct slice s, unsigned base, uint64_t *number)
{
	*number = 0;
	for (size_t i = 0; i < s.n; i++) {
		const char *digit = s.p[i] != '\0' ? strchr(alphabet, s.p[i]) : NULL;

		if (digit == NULL || (unsigned)(digit - alphabet) >= base ||
		    __builtin_mul_overflow(*number, (uint64_t)base, number) ||
		    __builtin_add_overflow(*number, (uint64_t)(digit - alphabet), number))
			return false;
	}
	return s.n > 0;
}

bool queue_id_parse(struct slice text, struct queue_id *id, int64_t *wall_us, uint64_t *serial)
{
	ssize_t z = slice_rfind(text, SEPARATOR);
	uint64_t seconds, micro, number;

	if (text.n >= QUEUE_ID_SIZE || z < SECONDS_DIGITS + MICRO_DIGITS ||
	    z > 8 + MICRO_DIGITS)
		return false;
	if (!get_number(slice_sub(text, 0, (size_t)z - MICRO_DIGITS), 52, &seconds) ||
	    !get_number(slice_sub(text, (size_t)z - MICRO_DIGITS, (size_t)z), 52, &micro) ||
	    !get_number(slice_from(text, (size_t)z + 1), 51, &number) || micro >= 1000000)
		return false;
	memset(id, 0, sizeof(*id));
	memcpy(id->text, text.p, text.n);
	if (wall_us != NULL)
		*wall_us = (int64_t)(seconds * 1000000 + micro);
	if (serial != NULL)
		*serial = number;
	return true;
}
