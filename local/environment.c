/* SPDX-License-Identifier: ISC */
/* environment - the recipient's name in its parts, `$name` in settings, and what commands find
 * around them. */
#include "address/address.h"
#include "config/expand.h"
#include "local/local.h"
#include "log/events.h"

struct recipient_name recipient_name(struct delivery *d, const struct task *t)
{
	const struct settings *s = d->p->settings;
	struct address_parts parts = address_split(t->address);
	struct recipient_name n = {.address = t->address, .extension = SL_NULL};
	struct slice user, extension;

	n.local = arena_lower(d->arena, parts.local);
	n.domain = parts.domain.p != NULL ? arena_dup(d->arena, parts.domain) : SL("");
	n.user = n.local;
	if (s->recipient_delimiter.n == 0 ||
	    !address_split_extension(n.local, s->recipient_delimiter, s->owner_request_special,
				     s->double_bounce_sender, &user, &extension))
		return n;
	n.user = arena_dup(d->arena, user);
	if (slice_find(extension, '/') >= 0)
		LOG(warning,
		    .text = arena_printf(d->arena, "%.*s: address with illegal extension: %.*s",
					 SL_ARG(d->request->queue_id), SL_ARG(n.local)));
	else
		n.extension = arena_dup(d->arena, extension);
	return n;
}

struct names {
	struct delivery *d;
	const struct recipient_name *name;
	const struct account *user;
	struct slice filter;
};

static struct slice filtered(struct arena *arena, struct slice value, struct slice allowed)
{
	struct slice copy = arena_dup(arena, value);
	char *p = (char *)copy.p;

	for (size_t i = 0; i < copy.n && allowed.p != NULL; i++)
		if (slice_find(allowed, p[i]) < 0)
			p[i] = '_';
	return copy;
}

static struct slice name_value(const struct names *n, struct slice name)
{
	const struct settings *s = n->d->p->settings;

	if (slice_eq(name, SL("user")))
		return n->name->user;
	if (slice_eq(name, SL("home")))
		return n->user != NULL ? n->user->home : SL_NULL;
	if (slice_eq(name, SL("shell")))
		return n->user != NULL ? n->user->shell : SL_NULL;
	if (slice_eq(name, SL("recipient")))
		return n->name->address;
	if (slice_eq(name, SL("domain")))
		return n->name->domain;
	if (slice_eq(name, SL("local")))
		return n->name->local;
	if (slice_eq(name, SL("extension")))
		return n->name->extension;
	if (slice_eq(name, SL("recipient_delimiter"))) {
		/* the one that was there */
		size_t at = n->name->user.n;

		if (n->name->extension.p != NULL && at < n->name->local.n)
			return slice_sub(n->name->local, at, at + 1);
		return slice_sub(s->recipient_delimiter, 0, 1);
	}
	return SL_NULL;
}

static struct slice look_up(void *context, struct slice name)
{
	const struct names *n = context;
	struct slice value = name_value(n, name);

	return slice_is_null(value) ? value : filtered(n->d->arena, value, n->filter);
}

bool expand_names(struct delivery *d, const struct task *t, const struct account *user,
		  struct slice text, struct slice filter, struct slice *out)
{
	struct recipient_name name = recipient_name(d, t);
	struct names names = {d, &name, user, filter};
	struct expansion how = {.lookup = look_up, .context = &names, .once = true};
	const char *wrong = expand_text(&how, text, d->arena, out);

	if (wrong != NULL)
		LOG(warning,
		    .text = arena_printf(d->arena, "bad parameter value syntax for \"%.*s\": %s",
					 SL_ARG(text), wrong));
	else
		*out = arena_dup(d->arena, *out);
	return wrong == NULL;
}

struct environment {
	struct delivery *d;
	char **list;
	size_t count;
	size_t room;
};

#define ENVIRONMENT_MAX 64

static void put(struct environment *e, const char *name, struct slice value)
{
	struct slice allowed = e->d->p->settings->command_expansion_filter;
	struct slice text;

	if (slice_is_null(value) || e->count + 1 >= e->room)
		return;
	text = filtered(e->d->arena, value, allowed);
	e->list[e->count++] = (char *)arena_printf(e->d->arena, "%s=%.*s", name, SL_ARG(text)).p;
}

static void put_client(struct environment *e)
{
	const struct delivery_deliver *r = e->d->request;

	put(e, "CLIENT_HOSTNAME", r->client.name);
	put(e, "CLIENT_ADDRESS", r->client.addr);
	put(e, "CLIENT_HELO", r->client.helo);
	put(e, "CLIENT_PROTOCOL", r->client.proto);
	put(e, "SASL_METHOD", r->sasl.method);
	put(e, "SASL_USERNAME", r->sasl.username);
	put(e, "SASL_SENDER", r->sasl.sender);
}

/* for_user - the account that a mailbox belongs to; not whose rights a command merely borrows. */
static void put_user(struct environment *e, const struct recipient_name *name,
		     const struct account *user)
{
	bool own = user != NULL;

	put(e, "USER", name->user);
	put(e, "LOGNAME", name->user);
	if (own && user->home.n > 0)
		put(e, "HOME", user->home);
	if (own)
		put(e, "SHELL", user->shell.n > 0 ? user->shell : SL("/bin/sh"));
}

char *const *command_environment(struct delivery *d, const struct task *t,
				 const struct account *user)
{
	struct recipient_name name = recipient_name(d, t);
	struct environment e = {.d = d, .room = ENVIRONMENT_MAX};
	struct slice original = d->rcpt->orig.n > 0 ? d->rcpt->orig : d->rcpt->address;
	char *const *import = d->p->import_environment;

	e.list = ARENA_ARRAY(d->arena, e.room, char *);
	e.list[e.count++] = (char *)"PATH=/usr/bin:/bin";
	for (size_t i = 0; import[i] != NULL && e.count + 24 < e.room; i++)
		e.list[e.count++] = import[i];
	put_user(&e, &name, user);
	put(&e, "EXTENSION", name.extension);
	put(&e, "DOMAIN", name.domain);
	put(&e, "LOCAL", name.local);
	put(&e, "RECIPIENT", name.address);
	put(&e, "ORIGINAL_RECIPIENT", original);
	put(&e, "SENDER", slice_is_null(t->sender) ? SL("") : t->sender);
	put_client(&e);
	return e.list;
}
