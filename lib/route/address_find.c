/* SPDX-License-Identifier: ISC */
#include "route/address_find.h"
#include "address/address.h"

/* One search under way. */
struct search {
	struct table_list *list;
	const struct address_find *how;
	struct arena *arena;
	struct slice *value;
	struct slice local;  /* with extension, internal form */
	struct slice user;   /* without */
	struct slice domain; /* lower case; absent: a bare name */
	bool has_extension;
	struct slice extension; /* delimiter included */
	struct slice taken;     /* what the key that was found went without */
};

/* try_key - a key made of a local part, an optional domain, and what is between them. */
static enum table_result try_key(struct search *search, struct slice local, const char *at,
				 struct slice domain, bool partial)
{
	struct slice quoted = local.n == 0 ? local : address_quote_local(search->arena, local);
	struct slice key = arena_printf(search->arena, "%.*s%s%.*s", SL_ARG(quoted), at,
					SL_ARG(domain));

	return table_list_lookup(search->list, arena_lower(search->arena, key), partial,
				 search->arena, search->value);
}

/* try_both - the local part with its extension, then without. */
static enum table_result try_both(struct search *search, const char *at)
{
	enum table_result result = try_key(search, search->local, at, SL_NULL, true);

	if (result != TABLE_MISSING || !search->has_extension)
		return result;
	result = try_key(search, search->user, at, SL_NULL, true);
	if (result == TABLE_FOUND)
		search->taken = search->extension;
	return result;
}

static enum table_result is_local(struct search *search)
{
	if (slice_is_null(search->domain) || search->how->is_local == NULL)
		return TABLE_MISSING;
	return search->how->is_local(search->how->data, search->domain, search->arena,
				     search->value);
}

static enum table_result find_full(struct search *search, unsigned what)
{
	enum table_result result = TABLE_MISSING;
	const char *at = slice_is_null(search->domain) ? "" : "@";

	if (what & FIND_FULL)
		result = try_key(search, search->local, at, search->domain, false);
	if (result != TABLE_MISSING || !(what & FIND_NO_EXTENSION) || !search->has_extension)
		return result;
	result = try_key(search, search->user, at, search->domain, true);
	if (result == TABLE_FOUND)
		search->taken = search->extension;
	return result;
}

static enum table_result find_localpart(struct search *search, unsigned what)
{
	enum table_result result = TABLE_MISSING;
	bool wanted = (what & FIND_LOCALPART) != 0;

	/* a bare name was looked up as it is already */
	if (slice_is_null(search->domain))
		return TABLE_MISSING;
	if (!wanted && (what & FIND_LOCALPART_IF_LOCAL)) {
		result = is_local(search);
		if (result == TABLE_TEMP)
			return result;
		wanted = result == TABLE_FOUND;
	}
	result = wanted ? try_both(search, "") : TABLE_MISSING;
	if (result == TABLE_MISSING && (what & FIND_LOCALPART_AT))
		result = try_both(search, "@");
	return result;
}

static enum table_result lookup_part(struct search *search, struct slice key)
{
	return table_list_lookup(search->list, key, true, search->arena, search->value);
}

static enum table_result find_domain(struct search *search, unsigned what)
{
	struct slice domain = search->domain;
	enum table_result result;
	ssize_t dot;

	result = lookup_part(search, domain);
	while (result == TABLE_MISSING && (what & (FIND_PARENTS | FIND_DOT_PARENTS))) {
		dot = domain.n > 0 ? slice_find(slice_from(domain, 1), '.') : -1;
		if (dot < 0 || domain.p[0] == '[')
			break;
		domain = slice_from(domain, (size_t)dot + 1 + ((what & FIND_PARENTS) ? 1 : 0));
		result = lookup_part(search, domain);
	}
	return result;
}

static void split(struct search *search, struct slice address)
{
	struct address_parts parts = address_split(address);
	struct slice extension;

	search->local = search->user = parts.local;
	if (!slice_is_null(parts.domain))
		search->domain = arena_lower(search->arena, parts.domain);
	if (search->how->delimiters.n == 0)
		return;
	search->has_extension =
	    address_split_extension(parts.local, search->how->delimiters,
				    search->how->owner_request, search->how->keep, &search->user,
				    &extension);
	if (search->has_extension)
		search->extension = slice_from(parts.local, search->user.n);
	else
		search->user = parts.local;
}

enum table_result address_find(struct table_list *list, struct slice address, unsigned what,
			       const struct address_find *how, struct arena *arena,
			       struct slice *value, struct slice *extension)
{
	struct search search = {.list = list, .how = how, .arena = arena, .value = value};
	enum table_result result;

	*value = SL_NULL;
	if (extension != NULL)
		*extension = SL_NULL;
	if (table_list_empty(list))
		return TABLE_MISSING;
	split(&search, address);
	result = find_full(&search, what);
	if (result == TABLE_MISSING)
		result = find_localpart(&search, what);
	if (result == TABLE_MISSING && (what & FIND_AT_DOMAIN) && !slice_is_null(search.domain))
		result = try_key(&search, SL_NULL, "@", search.domain, true);
	if (result == TABLE_MISSING && (what & FIND_DOMAIN) && !slice_is_null(search.domain))
		result = find_domain(&search, what);
	if (result == TABLE_FOUND && extension != NULL)
		*extension = search.taken;
	return result;
}
