/* SPDX-License-Identifier: ISC */
/*
 * slice - text as pointer and length. It owns nothing, NUL bytes are data, and nothing follows the
 * last byte. An empty slice may have a null pointer; slice_is_null() tells "absent" from "empty".
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

struct slice {
	const char *p;
	size_t n;
};

/* SL - a slice of a string literal, without its NUL. */
#define SL(literal) ((struct slice){"" literal, sizeof(literal) - 1})
/* SL_NULL - the absent slice. */
#define SL_NULL ((struct slice){NULL, 0})
/* SL_ARG - the two arguments of a "%.*s" (for messages to people only). */
#define SL_ARG(s) (int)((s).n), ((s).p ? (s).p : "")

static inline struct slice slice(const void *p, size_t n)
{
	return (struct slice){p, n};
}

/* slice_str - of a NUL-terminated string; a null pointer gives the absent slice. */
static inline struct slice slice_str(const char *str)
{
	return (struct slice){str, str ? strlen(str) : 0};
}

static inline bool slice_is_null(struct slice s)
{
	return s.p == NULL;
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* slice_sub - the part from byte `from` up to, not including, byte `to`; both are clamped. */
static inline struct slice slice_sub(struct slice s, size_t from, size_t to)
{
	if (to > s.n)
		to = s.n;
	if (from > to)
		from = to;
	return (struct slice){s.p ? s.p + from : NULL, to - from};
}

static inline struct slice slice_from(struct slice s, size_t from)
{
	return slice_sub(s, from, s.n);
}

/* ASCII case folding only; bytes above 127 compare as they are. */
bool slice_caseeq(struct slice a, struct slice b);
int slice_cmp(struct slice a, struct slice b);
bool slice_starts(struct slice s, struct slice prefix);
bool slice_casestarts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
bool slice_caseends(struct slice s, struct slice suffix);

/* slice_find, slice_rfind - index of a byte, or -1. slice_search - index of a substring, or -1. */
ssize_t slice_find(struct slice s, char c);
ssize_t slice_rfind(struct slice s, char c);
ssize_t slice_search(struct slice s, struct slice needle);

/* slice_trim - without ASCII white space (space, tab, CR, LF, VT, FF) at either end. */
struct slice slice_trim(struct slice s);
struct slice slice_rtrim(struct slice s);

/*
 * slice_next - cut the next word off the front of *rest: bytes of `separators` are skipped, the run
 * up to the next of them goes to *word. False when nothing is left.
 */
bool slice_next(struct slice *rest, const char *separators, struct slice *word);

/*
 * slice_u64 - decimal digits only, all of the slice; false on anything else and on overflow.
 * slice_i64 - the same with an optional '-' in front.
 */
bool slice_u64(struct slice s, uint64_t *out);
bool slice_i64(struct slice s, int64_t *out);

/* ascii_lower - A-Z to a-z, anything else as it is, whatever the locale. */
static inline char ascii_lower(char c)
{
	return (c >= 'A' && c <= 'Z') ? (char)(c + 32) : c;
}

static inline bool ascii_isspace(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool ascii_isdigit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool ascii_isalpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool ascii_isalnum(char c)
{
	return ascii_isalpha(c) || ascii_isdigit(c);
}

/* ascii_isprint - space to tilde. */
static inline bool ascii_isprint(char c)
{
	return c >= ' ' && c <= '~';
}

#endif
