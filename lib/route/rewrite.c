/* SPDX-License-Identifier: ISC */
/* rewrite - addresses to standard form (ADDRESS_REWRITING_README, "rewrite to standard form"). */
#include "route/route_state.h"

/* An address taken apart for rewriting: the domain is absent or begins after the "@". */
struct form {
	struct slice local;
	struct slice domain;
};

/* strip_source_route - "@a,@b:user@c" is user@c (RFC 5321 appendix C). */
static struct slice strip_source_route(struct slice address)
{
	ssize_t colon;

	while (address.n > 0 && address.p[0] == '@' && (colon = slice_find(address, ':')) >= 0)
		address = slice_from(address, (size_t)colon + 1);
	return address;
}

static void take_apart(struct slice address, struct form *form)
{
	ssize_t at = slice_rfind(address, '@');

	form->local = at < 0 ? address : slice_sub(address, 0, (size_t)at);
	form->domain = at < 0 ? SL_NULL : slice_from(address, (size_t)at + 1);
}

/* turn_bang_path - "site!user" is user@site. */
static void turn_bang_path(struct form *form)
{
	ssize_t bang = slice_find(form->local, '!');

	if (bang <= 0)
		return;
	form->domain = slice_sub(form->local, 0, (size_t)bang);
	form->local = slice_from(form->local, (size_t)bang + 1);
}

/* turn_percent - "user%site" is user@site. */
static void turn_percent(struct form *form)
{
	ssize_t percent = slice_rfind(form->local, '%');

	if (percent <= 0)
		return;
	form->domain = slice_from(form->local, (size_t)percent + 1);
	form->local = slice_sub(form->local, 0, (size_t)percent);
}

static struct slice complete_domain(const struct settings *settings, struct slice domain,
				    struct slice parent, struct arena *arena)
{
	if (settings->append_dot_mydomain && parent.n > 0 && domain.n > 0 && domain.p[0] != '[' &&
	    slice_find(domain, '.') < 0)
		return arena_printf(arena, "%.*s.%.*s", SL_ARG(domain), SL_ARG(parent));
	/* one trailing dot says "complete as it is"; more are a mistake, not ours to mend */
	if (domain.n > 1 && domain.p[domain.n - 1] == '.' && domain.p[domain.n - 2] != '.')
		domain.n--;
	return domain;
}

void route_rewrite(const struct route *route, struct slice address, enum route_context context,
		   struct arena *arena, struct slice *out)
{
	const struct settings *settings = route->settings;
	bool local = context == ROUTE_CONTEXT_LOCAL;
	struct slice origin = local ? settings->myorigin : settings->remote_header_rewrite_domain;
	struct slice parent = local ? settings->mydomain : settings->remote_header_rewrite_domain;
	struct form form;

	*out = address;
	if (address.n == 0)
		return;
	take_apart(strip_source_route(address), &form);
	if (slice_is_null(form.domain) && settings->swap_bangpath)
		turn_bang_path(&form);
	if (slice_is_null(form.domain) && settings->allow_percent_hack)
		turn_percent(&form);
	if (slice_is_null(form.domain) && settings->append_at_myorigin && origin.n > 0)
		form.domain = origin;
	else if (!slice_is_null(form.domain))
		form.domain = complete_domain(settings, form.domain, parent, arena);
	if (slice_is_null(form.domain))
		*out = arena_dup(arena, form.local);
	else
		*out = arena_printf(arena, "%.*s@%.*s", SL_ARG(form.local), SL_ARG(form.domain));
}
