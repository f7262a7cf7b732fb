/* SPDX-License-Identifier: ISC */
#include "base/slice.h"

static bool caseeq_bytes(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

bool slice_caseeq(struct slice a, struct slice b)
{
	return a.n == b.n && caseeq_bytes(a.p, b.p, a.n);
}

int slice_cmp(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int r = n > 0 ? memcmp(a.p, b.p, n) : 0;

	if (r != 0)
		return r;
	return (a.n > b.n) - (a.n < b.n);
}

bool slice_starts(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && slice_eq(slice_sub(s, 0, prefix.n), prefix);
}

bool slice_casestarts(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && caseeq_bytes(s.p, prefix.p, prefix.n);
}

bool slice_ends(struct slice s, struct slice suffix)
{
	return s.n >= suffix.n && slice_eq(slice_from(s, s.n - suffix.n), suffix);
}

bool slice_caseends(struct slice s, struct slice suffix)
{
	return s.n >= suffix.n && slice_caseeq(slice_from(s, s.n - suffix.n), suffix);
}

ssize_t slice_find(struct slice s, char c)
{
	const char *hit = s.n > 0 ? memchr(s.p, c, s.n) : NULL;

	return hit ? hit - s.p : -1;
}

ssize_t slice_rfind(struct slice s, char c)
{
	const char *hit = s.n > 0 ? memrchr(s.p, c, s.n) : NULL;

	return hit ? hit - s.p : -1;
}

ssize_t slice_search(struct slice s, struct slice needle)
{
	const char *hit;

	if (needle.n == 0)
		return 0;
	hit = s.n > 0 ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
	return hit ? hit - s.p : -1;
}

struct slice slice_rtrim(struct slice s)
{
	while (s.n > 0 && ascii_isspace(s.p[s.n - 1]))
		s.n--;
	return s;
}

struct slice slice_trim(struct slice s)
{
	while (s.n > 0 && ascii_isspace(s.p[0])) {
		s.p++;
		s.n--;
	}
	return slice_rtrim(s);
}

static bool is_separator(const char *separators, char c)
{
	return c != '\0' && strchr(separators, c) != NULL;
}

bool slice_next(struct slice *rest, const char *separators, struct slice *word)
{
	size_t from = 0, to;

	while (from < rest->n && is_separator(separators, rest->p[from]))
		from++;
	to = from;
	while (to < rest->n && !is_separator(separators, rest->p[to]))
		to++;
	*word = slice_sub(*rest, from, to);
	*rest = slice_from(*rest, to);
	return word->n > 0;
}

bool slice_u64(struct slice s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_isdigit(s.p[i]))
			return false;
		if (__builtin_mul_overflow(v, (uint64_t)10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	*out = v;
	return true;
}

bool slice_i64(struct slice s, int64_t *out)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	uint64_t v;

	if (!slice_u64(slice_from(s, negative ? 1 : 0), &v) || v > INT64_MAX)
		return false;
	*out = negative ? -(int64_t)v : (int64_t)v;
	return true;
}
