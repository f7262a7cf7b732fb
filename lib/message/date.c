/* SPDX-License-Identifier: ISC */
#include "message/date.h"

#define DAY_SECONDS 86400

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char day_names[] = "SunMonTueWedThuFriSat";

struct civil {
	int64_t year;
	unsigned month, day;
};

/* Days are counted in years that begin in March, so that the leap day is the last. */
int64_t date_from_civil(int64_t year, unsigned month, unsigned day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year =
	    (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;

	return (era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468) *
	       DAY_SECONDS;
}

static struct civil civil_of(int64_t days)
{
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * of_year + 2) / 153;
	struct civil c;

	c.day = (unsigned)(of_year - (153 * m + 2) / 5 + 1);
	c.month = (unsigned)(m < 10 ? m + 3 : m - 9);
	c.year = y + era * 400 + (c.month <= 2);
	return c;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

struct slice date_format(struct arena *arena, int64_t seconds, int offset_minutes,
			 struct slice zone)
{
	int64_t local = seconds + (int64_t)offset_minutes * 60;
	int64_t days = floor_div(local, DAY_SECONDS);
	unsigned rest = (unsigned)(local - days * DAY_SECONDS);
	struct civil c = civil_of(days);
	unsigned weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
	int offset = offset_minutes < 0 ? -offset_minutes : offset_minutes;
	struct slice date;

	date = arena_printf(arena, "%.3s, %2u %.3s %lld %02u:%02u:%02u %c%02d%02d",
			    day_names + 3 * weekday, c.day, month_names + 3 * (c.month - 1),
			    (long long)c.year, rest / 3600, rest / 60 % 60, rest % 60,
			    offset_minutes < 0 ? '-' : '+', offset / 60, offset % 60);
	if (zone.n == 0)
		return date;
	return arena_printf(arena, "%.*s (%.*s)", SL_ARG(date), SL_ARG(zone));
}

/* ---- reading: words of digits, letters, and single marks; comments and blanks are skipped */

struct reader {
	struct slice rest;
};

static void skip_comment(struct reader *r)
{
	size_t depth = 0, i = 0;

	for (; i < r->rest.n; i++) {
		char c = r->rest.p[i];

		if (c == '\\')
			i++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			break;
	}
	r->rest = slice_from(r->rest, i + 1);
}

static void skip_space(struct reader *r)
{
	while (r->rest.n > 0) {
		if (r->rest.p[0] == '(')
			skip_comment(r);
		else if (ascii_isspace(r->rest.p[0]) || r->rest.p[0] == ',')
			r->rest = slice_from(r->rest, 1);
		else
			return;
	}
}

static struct slice take_while(struct reader *r, bool (*accepts)(char))
{
	size_t n = 0;
	struct slice word;

	while (n < r->rest.n && accepts(r->rest.p[n]))
		n++;
	word = slice_sub(r->rest, 0, n);
	r->rest = slice_from(r->rest, n);
	return word;
}

static bool take_number(struct reader *r, size_t max_digits, uint64_t *out, size_t *digits)
{
	struct slice word;

	skip_space(r);
	word = take_while(r, ascii_isdigit);
	if (digits)
		*digits = word.n;
	return word.n <= max_digits && slice_u64(word, out);
}

static bool take_mark(struct reader *r, char mark)
{
	if (r->rest.n == 0 || r->rest.p[0] != mark)
		return false;
	r->rest = slice_from(r->rest, 1);
	return true;
}

static unsigned month_number(struct slice word)
{
	for (unsigned m = 0; m < 12; m++)
		if (slice_caseeq(slice_sub(word, 0, 3), slice(month_names + 3 * m, 3)))
			return m + 1;
	return 0;
}

static bool take_date(struct reader *r, int64_t *seconds)
{
	uint64_t day, year;
	unsigned month;
	size_t digits;

	skip_space(r);
	take_while(r, ascii_isalpha); /* the weekday says nothing new */
	if (!take_number(r, 2, &day, NULL))
		return false;
	take_mark(r, '-');
	skip_space(r);
	month = month_number(take_while(r, ascii_isalpha));
	take_mark(r, '-');
	if (month == 0 || !take_number(r, 4, &year, &digits) || day < 1 || day > 31)
		return false;
	if (digits == 2)
		year += year < 50 ? 2000 : 1900; /* RFC 5322 4.3 */
	else if (digits == 3)
		year += 1900;
	*seconds = date_from_civil((int64_t)year, month, (unsigned)day);
	return true;
}

static bool take_time(struct reader *r, int64_t *seconds)
{
	uint64_t hour, minute, second = 0;

	if (!take_number(r, 2, &hour, NULL))
		return false;
	skip_space(r);
	if (!take_mark(r, ':') || !take_number(r, 2, &minute, NULL))
		return false;
	skip_space(r);
	if (take_mark(r, ':') && !take_number(r, 2, &second, NULL))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	*seconds += (int64_t)(hour * 3600 + minute * 60 + second);
	return true;
}

static int named_zone_minutes(struct slice word)
{
	static const struct {
		const char *name;
		int minutes;
	} zones[] = {{"EST", -300}, {"EDT", -240}, {"CST", -360}, {"CDT", -300}, {"MST", -420},
		     {"MDT", -360}, {"PST", -480}, {"PDT", -420}, {"CET", 60},	 {"CEST", 120}};

	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (slice_caseeq(word, slice_str(zones[i].name)))
			return zones[i].minutes;
	return 0; /* UT, GMT, Z, and what nobody knows */
}

static bool take_zone(struct reader *r, int64_t *seconds)
{
	int64_t sign, minutes;
	uint64_t value;
	size_t digits;

	skip_space(r);
	sign = take_mark(r, '-') ? -1 : take_mark(r, '+') ? 1 : 0;
	if (sign == 0) {
		*seconds -= named_zone_minutes(take_while(r, ascii_isalpha)) * 60;
		return true;
	}
	if (!take_number(r, 4, &value, &digits) || digits != 4 || value % 100 > 59)
		return false;
	minutes = (int64_t)(value / 100 * 60 + value % 100);
	*seconds -= sign * minutes * 60;
	return true;
}

bool date_parse(struct slice text, int64_t *seconds)
{
	struct reader r = {text};
	int64_t t;

	if (!take_date(&r, &t) || !take_time(&r, &t) || !take_zone(&r, &t))
		return false;
	*seconds = t;
	return true;
}
