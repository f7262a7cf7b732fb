/* SPDX-License-Identifier: ISC */
#include "address/address.h"

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 127;
}

/* Specials of RFC 5321 atext; bytes above 127 are atoms under RFC 6531. */
static bool is_atext(char c)
{
	return ascii_isalnum(c) || (unsigned char)c > 127 ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_dot_string(struct slice s)
{
	bool want_atom = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && want_atom)
			return false;
		if (s.p[i] != '.' && !is_atext(s.p[i]))
			return false;
		want_atom = s.p[i] == '.';
	}
	return !want_atom;
}

static bool has_control(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_control(s.p[i]))
			return true;
	return false;
}

struct address_parts address_split(struct slice internal)
{
	ssize_t at = slice_rfind(internal, '@');

	if (at < 0)
		return (struct address_parts){internal, SL_NULL};
	return (struct address_parts){slice_sub(internal, 0, (size_t)at),
				      slice_from(internal, (size_t)at + 1)};
}

struct address_parts address_split_external(struct slice external)
{
	struct address_parts parts = {external, SL_NULL};
	bool quoted = false;

	for (size_t i = 0; i < external.n; i++) {
		char c = external.p[i];

		if (c == '"')
			quoted = !quoted;
		else if (c == '\\')
			i++;
		else if (c == '@' && !quoted)
			parts = (struct address_parts){slice_sub(external, 0, i),
						       slice_from(external, i + 1)};
	}
	return parts;
}

struct slice address_join(struct arena *arena, struct slice local, struct slice domain)
{
	size_t n = local.n + 1 + domain.n;
	char *p;

	if (slice_is_null(domain))
		return local;
	p = arena_alloc(arena, n + 1);
	if (local.n > 0)
		memcpy(p, local.p, local.n);
	p[local.n] = '@';
	if (domain.n > 0)
		memcpy(p + local.n + 1, domain.p, domain.n);
	return slice(p, n);
}

struct slice address_fold(struct arena *arena, struct slice internal)
{
	return arena_lower(arena, internal);
}

bool address_has_8bit(struct slice address)
{
	for (size_t i = 0; i < address.n; i++)
		if ((unsigned char)address.p[i] > 127)
			return true;
	return false;
}

struct slice address_quote_local(struct arena *arena, struct slice local)
{
	char *p, *q;

	if (is_dot_string(local))
		return local;
	p = q = arena_alloc(arena, 2 * local.n + 3);
	*q++ = '"';
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			*q++ = '\\';
		*q++ = is_control(local.p[i]) ? '?' : local.p[i];
	}
	*q++ = '"';
	return slice(p, (size_t)(q - p));
}

static struct slice without_controls(struct arena *arena, struct slice s)
{
	char *p;

	if (!has_control(s))
		return s;
	p = arena_alloc(arena, s.n + 1);
	for (size_t i = 0; i < s.n; i++)
		p[i] = is_control(s.p[i]) ? '?' : s.p[i];
	return slice(p, s.n);
}

struct slice address_quote(struct arena *arena, struct slice internal)
{
	struct address_parts parts = address_split(internal);
	struct slice local, domain;

	if (internal.n == 0)
		return internal;
	local = address_quote_local(arena, parts.local);
	domain = without_controls(arena, parts.domain);
	if (local.p == parts.local.p && domain.p == parts.domain.p)
		return internal;
	return address_join(arena, local, domain);
}

struct slice address_unquote(struct arena *arena, struct slice external)
{
	bool quoted = false;
	char *p;
	size_t n = 0;

	if (slice_find(external, '"') < 0 && slice_find(external, '\\') < 0)
		return external;
	p = arena_alloc(arena, external.n + 1);
	for (size_t i = 0; i < external.n; i++) {
		char c = external.p[i];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (c == '\\' && i + 1 < external.n)
			c = external.p[++i];
		p[n++] = c;
	}
	return slice(p, n);
}

static bool never_split(struct slice local, struct slice delimiters, bool owner_request,
			struct slice keep)
{
	if (slice_caseeq(local, SL("postmaster")) || slice_caseeq(local, SL("mailer-daemon")))
		return true;
	if (keep.n > 0 && slice_caseeq(local, keep))
		return true;
	if (!owner_request || slice_find(delimiters, '-') < 0)
		return false;
	return slice_casestarts(local, SL("owner-")) ||
	       (local.n > strlen("-request") && slice_caseends(local, SL("-request")));
}

bool address_split_extension(struct slice local, struct slice delimiters, bool owner_request,
			     struct slice keep, struct slice *user, struct slice *extension)
{
	size_t i = 0;

	if (delimiters.n == 0 || never_split(local, delimiters, owner_request, keep))
		return false;
	while (i < local.n && slice_find(delimiters, local.p[i]) < 0)
		i++;
	if (i == 0 || i == local.n)
		return false;
	*user = slice_sub(local, 0, i);
	*extension = slice_from(local, i + 1);
	return true;
}
