/* SPDX-License-Identifier: ISC */
#include "address/path.h"
#include "address/address.h"
#include "address/domain.h"
#include "address/utf8.h"
#include "address/list.h"

static size_t skip_blanks(struct slice s, size_t at)
{
	while (at < s.n && (s.p[at] == ' ' || s.p[at] == '\t'))
		at++;
	return at;
}

/* angle_end - the index behind the ">" that closes the "<" at `at`; 0 when none does. */
static size_t angle_end(struct slice s, size_t at, bool strict)
{
	size_t depth = 0;

	while (at < s.n) {
		char c = s.p[at];

		if (c == '"' || c == '[' || (c == '(' && !strict)) {
			at = address_list_skip(s, at);
			continue;
		}
		if (c == '\\' && at + 1 < s.n)
			at++;
		else if (c == '<')
			depth++;
		else if (c == '>' && --depth == 0)
			return at + 1;
		at++;
	}
	return 0;
}

/* bare_end - the end of a path without <>: the first blank outside quotes and comments. */
static size_t bare_end(struct slice s, size_t at)
{
	while (at < s.n && s.p[at] != ' ' && s.p[at] != '\t') {
		if (s.p[at] == '\\' && at + 1 < s.n)
			at += 2;
		else
			at = address_list_skip(s, at);
	}
	return at;
}

/* without_route - "@a,@b:user@dom" without what stands before and with the colon; RFC 5321 app. C.
 */
static struct slice without_route(struct slice s, bool *routed)
{
	ssize_t colon = slice_find(s, ':');

	if (s.n == 0 || s.p[0] != '@' || colon < 0)
		return s;
	*routed = true;
	return slice_from(s, (size_t)colon + 1);
}

/* quoted_string_end - behind the quoted string at the front of s; 0 when it is none. */
static size_t quoted_string_end(struct slice s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return 0;
}

/* is_bare_domain - without what only the tolerant reader takes; its syntax is looked at later. */
static bool is_bare_domain(struct slice domain)
{
	for (size_t i = 0; i < domain.n; i++)
		if (ascii_isspace(domain.p[i]) || strchr("(),;<>\"\\", domain.p[i]) != NULL)
			return false;
	return true;
}

/* is_plain - Local-part ["@" Domain] with nothing around it: what RFC 5321 4.1.2 allows. */
static bool is_plain(struct arena *arena, struct slice s)
{
	struct address_parts parts = address_split(s);
	struct slice local = parts.local;
	size_t end;

	if (!is_bare_domain(parts.domain))
		return false;
	if (s.n > 0 && s.p[0] == '"') {
		end = quoted_string_end(s);
		return end > 2 && (end == s.n || s.p[end] == '@') &&
		       slice_rfind(s, '@') <= (ssize_t)end;
	}
	return local.n > 0 && address_quote_local(arena, local).p == local.p;
}

/* domain_problem - *domain is changed to what we store: no trailing dot, numbers in brackets. */
static enum path_error domain_problem(struct slice *domain, unsigned flags, struct arena *arena)
{
	struct ip_addr ip;

	if (domain->n > PATH_DOMAIN_MAX)
		return PATH_TOO_LONG;
	if (domain_is_literal(*domain))
		return domain_parse_literal(*domain, &ip) ? PATH_OK : PATH_SYNTAX;
	if (ip_parse(*domain, &ip) && ip.bits == 32 && (flags & PATH_NUMERIC) && arena) {
		*domain = arena_printf(arena, "[%.*s]", SL_ARG(*domain));
		return PATH_OK;
	}
	if (!(flags & PATH_STRICT) && arena && domain->n > 1 && domain->p[domain->n - 1] == '.')
		domain->n--;
	return (flags & PATH_UTF8 ? domain_valid_utf8(*domain) : domain_valid(*domain))
		   ? PATH_OK
		   : PATH_SYNTAX;
}

/* bytes_problem - what concerns the address as a string of bytes. */
static enum path_error bytes_problem(struct slice internal, unsigned flags)
{
	for (size_t i = 0; i < internal.n; i++)
		if ((unsigned char)internal.p[i] < ' ' || internal.p[i] == 127)
			return PATH_SYNTAX;
	if (!address_has_8bit(internal))
		return PATH_OK;
	if (!utf8_valid(internal))
		return PATH_SYNTAX;
	return flags & PATH_UTF8 ? PATH_OK : PATH_NEEDS_UTF8;
}

static enum path_error finish(struct slice *internal, unsigned flags, struct arena *arena)
{
	struct address_parts parts = address_split(*internal);
	struct slice domain = parts.domain;
	enum path_error error;

	if (internal->n == 0)
		return PATH_OK;
	error = bytes_problem(*internal, flags);
	if (error != PATH_OK)
		return error;
	if (parts.local.n == 0)
		return PATH_SYNTAX;
	if (parts.local.n > PATH_LOCAL_MAX)
		return PATH_TOO_LONG;
	if (slice_is_null(domain))
		return PATH_OK;
	error = domain_problem(&domain, flags, arena);
	if (error == PATH_OK && domain.p != parts.domain.p)
		*internal = address_join(arena, parts.local, domain);
	else if (error == PATH_OK)
		internal->n = parts.local.n + 1 + domain.n;
	return error;
}

enum path_error path_check(struct slice internal, unsigned flags)
{
	return finish(&internal, flags, NULL);
}

/* read_tolerant - one address somewhere among comments, phrases and white space. */
static enum path_error read_tolerant(struct slice inner, struct arena *arena, struct smtp_path *out)
{
	struct address_list list;

	address_list_parse(arena, inner, 0, &list);
	if (list.malformed || list.count > 1)
		return PATH_SYNTAX;
	if (list.count == 1) {
		out->address = list.items[0].address;
		return PATH_OK;
	}
	/* No address at all is right only when there is nothing else either: "<>", "< >", "<<>>".
	 */
	for (size_t i = 0; i < inner.n; i++)
		if (!ascii_isspace(inner.p[i]) && inner.p[i] != '<' && inner.p[i] != '>')
			return PATH_SYNTAX;
	return PATH_OK;
}

static enum path_error read_inner(struct slice inner, unsigned flags, struct arena *arena,
				  struct smtp_path *out)
{
	enum path_error error = PATH_OK;

	inner = without_route(inner, &out->routed);
	if (inner.n == 0)
		return out->routed ? PATH_SYNTAX : PATH_OK;
	if (is_plain(arena, inner))
		out->address = address_unquote(arena, inner);
	else if (flags & PATH_STRICT)
		return PATH_SYNTAX;
	else
		error = read_tolerant(inner, arena, out);
	if (error == PATH_OK)
		error = finish(&out->address, flags, arena);
	out->utf8 = address_has_8bit(out->address);
	out->external = address_quote(arena, out->address);
	return error;
}

enum path_error path_parse(struct slice text, unsigned flags, struct arena *arena,
			   struct smtp_path *out, struct slice *rest)
{
	bool strict = flags & PATH_STRICT;
	size_t start = skip_blanks(text, 0), end;
	struct slice inner;

	*out = (struct smtp_path){.address = SL(""), .external = SL("")};
	*rest = SL_NULL;
	if (start == text.n)
		return PATH_MISSING;
	if (text.p[start] == '<') {
		end = angle_end(text, start, strict);
		if (end == 0 || (end < text.n && text.p[end] != ' ' && text.p[end] != '\t'))
			return PATH_SYNTAX;
		inner = slice_sub(text, start + 1, end - 1);
	} else if (strict) {
		return PATH_SYNTAX;
	} else {
		end = bare_end(text, start);
		inner = slice_sub(text, start, end);
	}
	out->raw = slice_sub(text, start, end);
	*rest = slice_from(text, end);
	return read_inner(strict ? inner : slice_trim(inner), flags, arena, out);
}
