/* SPDX-License-Identifier: ISC */
/*
 * expand - from a recipient to what is delivered. A list of tasks takes the place of recursion: one
 * is taken off its end, and either ends as a delivery or becomes other tasks.
 */
#include "address/address.h"
#include "address/list.h"
#include "local/local.h"
#include "log/events.h"
#include "os/file.h"
#include "queue/envelope.h"

#include <errno.h>

bool delivery_once(struct delivery *d, const char *what, struct slice name)
{
	struct slice key = arena_printf(d->arena, "%s %.*s", what, SL_ARG(name));

	return map_put(d->seen, key, d) == NULL;
}

/* ---- outcomes */

static void as_probe(struct outcome *o)
{
	o->status = o->status == DELIVERY_STATUS_SENT ? DELIVERY_STATUS_DELIVERABLE
						      : DELIVERY_STATUS_UNDELIVERABLE;
}

static struct agent_outcome agent_outcome(struct delivery *d, const struct outcome *o,
					  struct slice to)
{
	struct agent_outcome a = {
	    .status = o->status, .dsn = o->dsn, .text = o->text, .relay = SL("local")};

	if (o->diagnostic.n > 0)
		a.mta = arena_printf(d->arena, "x-unix; %.*s", SL_ARG(o->diagnostic));
	if (to.n > 0 && !slice_caseeq(to, d->rcpt->address))
		a.final = to;
	return a;
}

static int badness(enum delivery_status status)
{
	switch (status) {
	case DELIVERY_STATUS_DEFERRED:
	case DELIVERY_STATUS_UNDELIVERABLE:
		return 2;
	case DELIVERY_STATUS_BOUNCED:
		return 1;
	default:
		return 0;
	}
}

void delivery_counts(struct delivery *d, const struct task *t, const struct outcome *o)
{
	if (o->status == DELIVERY_STATUS_DEFERRED)
		d->deferred = true;
	if (d->outcomes++ > 0 && badness(o->status) <= badness(d->worst.status))
		return;
	d->worst = *o;
	d->worst_to = t->address;
}

void delivery_ended(struct delivery *d, const struct task *t, const struct outcome *outcome)
{
	struct outcome o = *outcome;
	struct agent_outcome a;

	if (d->probe)
		as_probe(&o);
	a = agent_outcome(d, &o, t->address);
	agent_log(d->agent, t->address, d->rcpt->orig.n > 0 ? d->rcpt->orig : d->rcpt->address, &a);
	delivery_counts(d, t, &o);
}

void delivery_failed(struct delivery *d, const struct task *t, struct slice dsn, struct slice text)
{
	struct outcome o = outcome_failed(dsn, text);

	delivery_ended(d, t, &o);
}

/* conclude - what qmgr hears: the worst of all, for that decides what happens to the recipient. */
static void conclude(struct delivery *d)
{
	struct agent_outcome a;

	if (d->passed)
		return;
	if (d->outcomes == 0)
		d->worst = outcome_sent(SL("alias expanded"));
	a = agent_outcome(d, &d->worst, d->worst_to);
	/* RFC 3461 5.2.7: who asked for news of success hears that there are several now, or that a
	 * mailing list has it */
	if (a.status == DELIVERY_STATUS_SENT && d->expanded &&
	    (d->rcpt->notify & MAIL_NOTIFY_SUCCESS)) {
		if (!d->list)
			a.status = DELIVERY_STATUS_EXPANDED;
		a.text = SL("alias expanded");
		a.final = SL_NULL;
	}
	agent_tell(d->agent, d->position, &a);
}

/* ---- tasks */

static void push(struct delivery *d, const struct task *how, const struct token *token)
{
	struct task *t = ARENA_NEW(d->arena, struct task);

	if (d->todo_count == d->todo_room) {
		size_t room = d->todo_room > 0 ? 2 * d->todo_room : 8;
		struct task **more = ARENA_ARRAY(d->arena, room, struct task *);

		if (d->todo_count > 0)
			memcpy(more, d->todo, d->todo_count * sizeof(struct task *));
		d->todo = more;
		d->todo_room = room;
	}
	*t = *how;
	t->token = *token;
	d->todo[d->todo_count++] = t;
}

void expand_tokens(struct delivery *d, const struct task *how, const struct tokens *list)
{
	/* from the last to the first, for the list of tasks is worked off from its end */
	for (size_t i = list->count; i > 0; i--)
		push(d, how, &list->items[i - 1]);
}

/* ---- users of this machine */

static enum result find_user(struct delivery *d, const struct task *t,
			     const struct recipient_name *name, struct account *user)
{
	struct address_parts parts = address_split(t->address);
	enum result rc = account_recall(&d->p->memory, d->arena, name->user, user);

	/* names in lower case are the rule, but not everywhere */
	if (rc == RES_PERM && name->extension.p == NULL && !slice_eq(parts.local, name->local))
		rc = account_by_name(d->arena, parts.local, user);
	if (rc == RES_TEMP) {
		LOG(warning,
		    .text = arena_printf(d->arena, "error looking up passwd info for %.*s: %s",
					 SL_ARG(name->user), strerror(errno)));
		delivery_failed(d, t, SL("4.3.0"), SL("user lookup error"));
	}
	return rc;
}

/* transport_for - from the maps or the setting; absent: none. False: a table cannot be asked. */
static bool transport_for(struct delivery *d, const struct task *t, struct table_list *maps,
			  struct slice otherwise, struct slice user, struct slice *transport)
{
	switch (table_list_lookup(maps, user, false, d->arena, transport)) {
	case TABLE_FOUND:
		return true;
	case TABLE_MISSING:
		*transport = otherwise;
		return true;
	case TABLE_TEMP:
		LOG(table_problem, .table = SL("transport maps"), .problem = *transport);
		delivery_failed(d, t, SL("4.3.0"), SL("table lookup failure"));
		return false;
	}
	return false;
}

static bool is_required_name(struct slice user)
{
	return slice_caseeq(user, SL("postmaster")) || slice_caseeq(user, SL("mailer-daemon"));
}

/* relay_unknown - luser_relay; false when there is none, or it brought us here. */
static bool relay_unknown(struct delivery *d, const struct task *t)
{
	const struct settings *s = d->p->settings;
	struct task how = *t;
	struct address_list list;
	struct slice text;

	if (s->luser_relay.n == 0 || t->relayed ||
	    !expand_names(d, t, NULL, s->luser_relay, SL_NULL, &text))
		return false;
	/* nothing but addresses: what a stranger wrote into one must not become a command */
	address_list_parse(d->arena, text, 1, &list);
	if (list.count == 0)
		return false;
	how.parent = (struct task *)t;
	how.depth = t->depth + 1;
	how.unmatched = SL_NULL;
	how.relayed = true;
	push(d, &how, &(struct token){TOKEN_ADDRESS, list.items[0].address});
	return true;
}

static void deliver_unknown(struct delivery *d, const struct task *t,
			    const struct recipient_name *name)
{
	const struct local *p = d->p;
	struct slice transport;

	if (!transport_for(d, t, p->fallback_transport_maps, p->settings->fallback_transport,
			   name->user, &transport))
		return;
	if (transport.n > 0) {
		pass_on(d, t, transport);
	} else if (relay_unknown(d, t)) {
		return;
	} else if (is_required_name(name->user)) {
		struct outcome o = outcome_sent(SL("discarded"));

		LOG(warning, .text = arena_printf(d->arena, "required alias not found: %.*s",
						  SL_ARG(name->user)));
		delivery_ended(d, t, &o);
	} else {
		delivery_failed(
		    d, t, SL("5.1.1"),
		    arena_printf(d->arena, "unknown user: \"%.*s\"", SL_ARG(name->user)));
	}
}

static bool home_is_there(struct delivery *d, const struct task *t, const struct account *user)
{
	struct stat st;

	if (!d->p->settings->require_home_directory ||
	    os_fstatat(AT_FDCWD, user->home.p, &st, 0) == 0)
		return true;
	delivery_failed(d, t, SL("4.3.0"),
			arena_printf(d->arena, "cannot access home directory %.*s: %s",
				     SL_ARG(user->home), strerror(errno)));
	return false;
}

/* deliver_mailbox - of a user who may or may not exist; once, whoever asks. */
static void deliver_mailbox(struct delivery *d, const struct task *t,
			    const struct recipient_name *name, const struct account *user)
{
	const struct local *p = d->p;
	struct slice transport;

	if (!delivery_once(d, "mailbox", name->local))
		return;
	if (!transport_for(d, t, p->mailbox_transport_maps, p->settings->mailbox_transport,
			   name->user, &transport))
		return;
	if (transport.n > 0)
		pass_on(d, t, transport);
	else if (user != NULL)
		deliver_user(d, t, name, user);
	else
		deliver_unknown(d, t, name);
}

static void deliver_local_user(struct delivery *d, const struct task *t,
			       const struct recipient_name *name)
{
	struct account *user = ARENA_NEW(d->arena, struct account);
	bool literal = t->token.kind == TOKEN_LITERAL;

	switch (find_user(d, t, name, user)) {
	case RES_OK:
		if (!home_is_there(d, t, user))
			return;
		if (literal || !forward_deliver(d, t, name, user))
			deliver_mailbox(d, t, name, user);
		break;
	case RES_PERM:
		deliver_mailbox(d, t, name, NULL);
		break;
	case RES_TEMP:
		break;
	}
}

/* deliver_local - an address of this machine. */
static void deliver_local(struct delivery *d, const struct task *t)
{
	struct recipient_name name = recipient_name(d, t);
	bool other = !slice_is_null(t->owner) && !slice_caseeq(t->owner, name.user);
	struct task own = *t;

	if (map_get(d->delivered_to, arena_lower(d->arena, t->address)) != NULL) {
		delivery_failed(
		    d, t, SL("5.4.6"),
		    arena_printf(d->arena, "mail forwarding loop for %.*s", SL_ARG(t->address)));
		return;
	}
	if (name.user.n == 0) {
		delivery_failed(
		    d, t, SL("5.1.3"),
		    arena_printf(d->arena, "null username in \"%.*s\"", SL_ARG(t->address)));
		return;
	}
	if (t->token.kind != TOKEN_LITERAL) {
		if (alias_deliver(d, t, name.local, SL_NULL))
			return;
		if (name.extension.p != NULL && alias_deliver(d, t, name.user, name.extension))
			return;
	}
	own.rights = NULL;
	/* mail that one user or list sends on to another gets a record of its own in the queue */
	if (other || t->kind == FROM_INCLUDE)
		resend_add(d, t, t->address);
	else
		deliver_local_user(d, &own, &name);
}

/* with_unmatched - user@domain and "ext": user+ext@domain. */
static struct slice with_unmatched(struct delivery *d, struct slice address, struct slice extension)
{
	struct address_parts parts = address_split(address);
	struct slice delimiter = slice_sub(d->p->settings->recipient_delimiter, 0, 1);

	if (extension.n == 0 || delimiter.n == 0)
		return address;
	return address_join(d->arena,
			    arena_printf(d->arena, "%.*s%.*s%.*s", SL_ARG(parts.local),
					 SL_ARG(delimiter), SL_ARG(extension)),
			    parts.domain);
}

/* deliver_address - of this machine, or of anywhere. */
static void deliver_address(struct delivery *d, struct task *t)
{
	struct slice address, reason = SL_NULL;
	struct route_target target;

	route_rewrite(d->p->route, t->token.text, ROUTE_CONTEXT_LOCAL, d->arena, &address);
	t->address = arena_dup(d->arena, with_unmatched(d, address, t->unmatched));
	if (route_resolve(d->p->route, t->sender, t->address, d->arena, &target, &reason) !=
	    RES_OK) {
		LOG(warning, .text = reason);
		delivery_failed(d, t, SL("4.3.0"), SL("address resolver failure"));
		return;
	}
	if (slice_eq(target.transport, d->request->transport)) {
		t->address = arena_dup(d->arena, target.recipient);
		deliver_local(d, t);
	} else {
		resend_add(d, t, t->address);
	}
}

static void handle(struct delivery *d, struct task *t)
{
	switch (t->token.kind) {
	case TOKEN_ADDRESS:
	case TOKEN_LITERAL:
		if (t->parent == NULL)
			deliver_local(d, t);
		else
			deliver_address(d, t);
		break;
	case TOKEN_COMMAND:
		deliver_command(d, t);
		break;
	case TOKEN_FILE:
		deliver_file(d, t);
		break;
	case TOKEN_INCLUDE:
		include_deliver(d, t);
		break;
	}
}

/* first_task - the recipient itself; "\user" as a recipient means the mailbox. */
static void first_task(struct delivery *d)
{
	struct slice address = d->rcpt->address;
	bool literal = address.n > 1 && address.p[0] == '\\';
	struct task t = {.address = literal ? slice_from(address, 1) : address,
			 .sender = d->request->sender,
			 .delivered = address,
			 .kind = FROM_RECIPIENT,
			 .notify = d->rcpt->notify};

	push(d, &t, &(struct token){literal ? TOKEN_LITERAL : TOKEN_ADDRESS, t.address});
}

void expand_recipient(struct agent_delivery *agent, struct local *p, size_t position,
		      struct map *delivered_to)
{
	struct delivery d = {.p = p,
			     .agent = agent,
			     .arena = agent->arena,
			     .request = agent->request,
			     .rcpt = &agent->request->recipients[position],
			     .position = position,
			     .seen = map_create(),
			     .delivered_to = delivered_to,
			     .probe = (agent->request->flags & QUEUE_VERIFY) != 0};

	first_task(&d);
	while (d.todo_count > 0) {
		struct task *t = d.todo[--d.todo_count];

		if (d.handled++ < EXPAND_DESTINATIONS) {
			handle(&d, t);
			continue;
		}
		delivery_failed(&d, t, SL("4.6.0"), SL("too many destinations"));
		break;
	}
	resend_all(&d);
	conclude(&d);
	map_destroy(&d.seen);
}
