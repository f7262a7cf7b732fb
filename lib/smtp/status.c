/* SPDX-License-Identifier: ISC */
#include "smtp/status.h"

/* take_number - 1 to 3 digits off the front. */
static bool take_number(struct slice *s, uint16_t *out)
{
	size_t n = 0;
	uint64_t value;

	while (n < s->n && n < 4 && ascii_isdigit(s->p[n]))
		n++;
	if (n == 0 || n > 3 || !slice_u64(slice_sub(*s, 0, n), &value))
		return false;
	*out = (uint16_t)value;
	*s = slice_from(*s, n);
	return true;
}

static bool take_dot(struct slice *s)
{
	if (s->n == 0 || s->p[0] != '.')
		return false;
	*s = slice_from(*s, 1);
	return true;
}

bool enhanced_parse(struct slice s, struct enhanced_status *out, struct slice *rest)
{
	uint16_t class;

	if (!take_number(&s, &class) || (class != 2 && class != 4 && class != 5))
		return false;
	if (!take_dot(&s) || !take_number(&s, &out->subject))
		return false;
	if (!take_dot(&s) || !take_number(&s, &out->detail))
		return false;
	if (s.n > 0 && s.p[0] != ' ' && s.p[0] != '\t')
		return false;
	out->class = (uint8_t) class;
	*rest = slice_from(s, 1);
	return true;
}

const char *enhanced_meaning(const struct enhanced_status *status)
{
	for (size_t i = 0; i < enhanced_table_size; i++)
		if (enhanced_table[i].subject == status->subject &&
		    enhanced_table[i].detail == status->detail)
			return enhanced_table[i].text;
	return NULL;
}

enum result enhanced_result(const struct enhanced_status *status)
{
	return status->class == 2 ? RES_OK : status->class == 5 ? RES_PERM : RES_TEMP;
}

const struct reply_meaning *reply_meaning(unsigned code)
{
	for (size_t i = 0; i < reply_table_size; i++)
		if (reply_table[i].code == code)
			return &reply_table[i];
	return NULL;
}
