/* SPDX-License-Identifier: ISC */
/*
 * alias - virtual_alias_maps (virtual(5)): a recipient becomes others, and those again, until nothing
 * more is found or an address names itself. A list of what is left to look up takes the place of
 * recursion; its length and depth are bounded.
 */
#include "cleanup/cleanup.h"
#include "address/address.h"
#include "address/list.h"
#include "log/events.h"

struct work {
	struct slice address;
	int depth;
};

struct expansion {
	struct message *m;
	const struct cleanup_envelope_rcpt *rcpt;
	struct work *todo;
	size_t count;
	size_t room; /* of todo */
	size_t limit;
	struct slice *results;
	size_t result_count;
	size_t result_room;
};

static void refuse_size(struct expansion *x, const char *what)
{
	LOG(warning, .text = arena_printf(x->m->arena, "%s: unreasonable virtual_alias_maps %s for %.*s",
					  x->m->envelope.id.text, what, SL_ARG(x->rcpt->address)));
	message_refuse(x->m, CLEANUP_OUTCOME_TEMP, 451, SL("4.6.0"), SL("Alias expansion error"));
}

static bool push(struct expansion *x, struct slice address, int depth)
{
	if (x->count + x->result_count >= x->limit) {
		refuse_size(x, "map expansion size");
		return false;
	}
	if (x->count == x->room) {
		size_t room = x->room > 0 ? x->room * 2 : 4;
		struct work *more = ARENA_ARRAY(x->m->arena, room, struct work);

		if (x->count > 0)
			memcpy(more, x->todo, x->count * sizeof(*more));
		x->todo = more;
		x->room = room;
	}
	x->todo[x->count++] = (struct work){address, depth};
	return true;
}

static void push_result(struct expansion *x, struct slice address)
{
	if (x->result_count == x->result_room) {
		size_t room = x->result_room > 0 ? x->result_room * 2 : 4;
		struct slice *more = ARENA_ARRAY(x->m->arena, room, struct slice);

		if (x->result_count > 0)
			memcpy(more, x->results, x->result_count * sizeof(*more));
		x->results = more;
		x->result_room = room;
	}
	x->results[x->result_count++] = address;
}

/* with_extension - user@domain and "+ext": user+ext@domain. */
static struct slice with_extension(struct arena *arena, struct slice address, struct slice extension)
{
	struct address_parts parts = address_split(address);
	struct slice local =
	    arena_printf(arena, "%.*s%.*s", SL_ARG(parts.local), SL_ARG(extension));

	return address_join(arena, local, parts.domain);
}

/* push_results - the addresses of a table's value; the address itself is final. */
static void push_results(struct expansion *x, const struct work *from, struct slice value,
			 struct slice extension)
{
	struct message *m = x->m;
	struct address_list list;

	address_list_parse(m->arena, value, x->limit, &list);
	/* from the last to the first, for the list is worked off from its end */
	for (size_t i = list.count; i > 0 && !message_refused(m); i--) {
		struct slice address;

		route_rewrite(m->process->route, list.items[i - 1].address, ROUTE_CONTEXT_LOCAL, m->arena,
			      &address);
		if (extension.n > 0 && m->process->propagate_extension)
			address = with_extension(m->arena, address, extension);
		if (address.n > (size_t)m->process->settings->virtual_alias_address_length_limit) {
			refuse_size(x, "address length");
		} else if (slice_caseeq(address, from->address)) {
			push_result(x, address);
		} else {
			push(x, address, from->depth + 1);
		}
	}
	if (list.count == 0)
		refuse_size(x, "empty result");
}

static void expand_one(struct expansion *x, const struct work *w)
{
	struct cleanup *p = x->m->process;
	struct slice value, extension = SL_NULL;

	if (w->depth > p->settings->virtual_alias_recursion_limit) {
		refuse_size(x, "map nesting");
		return;
	}
	switch (address_find(p->virtual_alias_maps, w->address, FIND_DEFAULT, route_address_find(p->route),
			     x->m->arena, &value, &extension)) {
	case TABLE_FOUND:
		push_results(x, w, value, extension);
		break;
	case TABLE_MISSING:
		push_result(x, w->address);
		break;
	case TABLE_TEMP:
		LOG(table_problem, .table = SL("virtual_alias_maps"), .problem = value);
		message_refuse(x->m, CLEANUP_OUTCOME_TEMP, 451, SL("4.3.0"),
			       SL("Error: temporary lookup failure"));
		break;
	}
}

/*
 * add_results - who asked for news of success hears that the alias stands for others, and no more of
 * success from those (RFC 3461 5.2.7.1).
 */
static void add_results(struct expansion *x, struct slice address)
{
	struct cleanup_envelope_rcpt rcpt = *x->rcpt;
	bool same = x->result_count == 1 && slice_eq(x->results[0], address);

	if (!same && (rcpt.notify & MAIL_NOTIFY_SUCCESS) && !rcpt.bcc) {
		envelope_add_expanded(x->m, x->rcpt, address);
		rcpt.notify &= ~(uint32_t)MAIL_NOTIFY_SUCCESS;
		if (rcpt.notify == 0)
			rcpt.notify = MAIL_NOTIFY_NEVER;
	}
	for (size_t i = 0; i < x->result_count; i++)
		envelope_add(x->m, &rcpt, x->results[i]);
}

void alias_expand(struct message *m, const struct cleanup_envelope_rcpt *rcpt, struct slice address)
{
	struct expansion x = {.m = m, .rcpt = rcpt};

	x.limit = (size_t)m->process->settings->virtual_alias_expansion_limit;
	push(&x, address, 0);
	while (x.count > 0 && !message_refused(m)) {
		struct work w = x.todo[--x.count];

		expand_one(&x, &w);
	}
	if (!message_refused(m))
		add_results(&x, address);
}
