/* SPDX-License-Identifier: ISC */
/* alias - alias_maps (aliases(5)): a name becomes other destinations. */
#include "local/local.h"
#include "address/address.h"
#include "log/events.h"

/* How deep aliases may lead into each other. */
#define DEPTH_MAX 100
/* An alias met so often on the way from the recipient goes in circles; through a .forward twice is
 * right. */
#define SAME_ALIAS_MAX 3
#define UNAVAILABLE SL("alias database unavailable")

/* find - *table is the one that has it. */
static enum table_result find(struct delivery *d, struct slice name, struct slice *value,
			      const struct alias_table **table)
{
	struct local *p = d->p;
	struct slice key = address_quote_local(d->arena, name);

	for (size_t i = 0; i < p->alias_count; i++) {
		enum table_result rc = table_lookup(p->aliases[i].table, key, d->arena, value);

		if (rc == TABLE_TEMP)
			LOG(table_problem, .table = table_name(p->aliases[i].table),
			    .problem = *value);
		*table = &p->aliases[i];
		if (rc != TABLE_MISSING)
			return rc;
	}
	return TABLE_MISSING;
}

enum table_result alias_owner(struct delivery *d, struct slice name, struct slice *value)
{
	const struct alias_table *table;

	if (!d->p->settings->owner_request_special)
		return TABLE_MISSING;
	return find(d, arena_printf(d->arena, "owner-%.*s", SL_ARG(name)), value, &table);
}

static bool loops(const struct task *t, struct slice name)
{
	int same = 0;

	for (const struct task *up = t; up != NULL; up = up->parent)
		if (up->kind == FROM_ALIAS && slice_caseeq(up->from, name))
			same++;
	return t->depth > DEPTH_MAX || same >= SAME_ALIAS_MAX;
}

/*
 * set_owner - mail that goes on from an alias with an owner has the owner as its sender, so that
 * the one who keeps the list hears of its problems.
 */
static bool set_owner(struct delivery *d, struct slice name, struct task *how)
{
	const struct settings *s = d->p->settings;
	struct slice owner, value;

	switch (alias_owner(d, name, &value)) {
	case TABLE_FOUND:
		owner = s->expand_owner_alias ? address_unquote(d->arena, value)
					      : arena_printf(d->arena, "owner-%.*s", SL_ARG(name));
		route_rewrite(d->p->route, owner, ROUTE_CONTEXT_LOCAL, d->arena, &owner);
		how->owner = how->sender = owner;
		/* RFC 3461 5.2.7.3: what the sender wants to hear ends at the list */
		how->notify = 0;
		d->list = true;
		return true;
	case TABLE_MISSING:
		if (s->reset_owner_alias)
			how->owner = SL_NULL;
		return true;
	case TABLE_TEMP:
		break;
	}
	return false;
}

/* set_rights - of the table's owner; root's are nobody's. */
static bool set_rights(struct delivery *d, const struct alias_table *table, struct task *how)
{
	struct account *owner = ARENA_NEW(d->arena, struct account);

	how->rights = NULL;
	if (table->owner == 0)
		return true;
	if (account_by_uid(d->arena, table->owner, owner) != RES_OK)
		return false;
	how->rights = owner;
	return true;
}

static void expand(struct delivery *d, const struct task *t, struct slice name, struct slice value,
		   struct task *how)
{
	struct tokens list;

	token_list(d->arena, value, EXPAND_DESTINATIONS, &list);
	if (list.count == 0) {
		LOG(warning,
		    .text = arena_printf(d->arena, "no recipient in alias lookup result for %.*s",
					 SL_ARG(name)));
		delivery_failed(d, t, SL("5.3.5"), SL("mail system configuration error"));
		return;
	}
	d->expanded = true;
	expand_tokens(d, how, &list);
}

/* to_children - what the destinations have in common. */
static struct task to_children(struct delivery *d, const struct task *t, struct slice name,
			       struct slice unmatched)
{
	struct task how = *t;

	how.parent = (struct task *)t;
	how.depth = t->depth + 1;
	how.from = name;
	how.kind = FROM_ALIAS;
	how.path = SL_NULL;
	how.unmatched = d->p->propagate & FROM_ALIAS ? unmatched : SL_NULL;
	if (how.notify == MAIL_NOTIFY_SUCCESS)
		how.notify = MAIL_NOTIFY_NEVER;
	how.notify &= ~(uint32_t)MAIL_NOTIFY_SUCCESS;
	if (!d->p->settings->frozen_delivered_to)
		how.delivered = t->address;
	return how;
}

bool alias_deliver(struct delivery *d, const struct task *t, struct slice name,
		   struct slice unmatched)
{
	const struct alias_table *table;
	struct slice value;
	struct task how;
	enum table_result rc;

	/* an alias that names itself means the user */
	if (!slice_is_null(t->from) && slice_caseeq(t->from, name))
		return false;
	rc = find(d, name, &value, &table);
	if (rc == TABLE_MISSING)
		return false;
	how = to_children(d, t, name, unmatched);
	if (rc == TABLE_TEMP || !set_owner(d, name, &how)) {
		delivery_failed(d, t, SL("4.3.0"), UNAVAILABLE);
	} else if (!set_rights(d, table, &how)) {
		delivery_failed(d, t, SL("4.3.0"), SL("cannot find alias database owner"));
	} else if (loops(t, name)) {
		LOG(warning,
		    .text = arena_printf(d->arena, "alias database loop for %.*s", SL_ARG(name)));
		delivery_failed(
		    d, t, SL("5.4.6"),
		    arena_printf(d->arena, "alias database loop for %.*s", SL_ARG(name)));
	} else {
		expand(d, t, name, value, &how);
	}
	return true;
}
