/* SPDX-License-Identifier: ISC */
/* envelope - sender and recipients in standard form, without duplicates. */
#include "cleanup/cleanup.h"
#include "address/address.h"

static struct slice standard_form(struct message *m, struct slice address)
{
	struct slice out;

	if (address.n == 0)
		return address;
	route_rewrite(m->process->route, address, ROUTE_CONTEXT_LOCAL, m->arena, &out);
	return out;
}

static uint32_t flags_of(const struct cleanup_envelope_begin *f)
{
	uint32_t flags = 0;

	if (f->hold)
		flags |= QUEUE_HOLD;
	if (f->body == CLEANUP_BODY_EIGHTBITMIME)
		flags |= QUEUE_BODY_8BITMIME;
	if (f->origin == CLEANUP_ORIGIN_BOUNCE)
		flags |= QUEUE_BOUNCE;
	if (f->verify)
		flags |= QUEUE_VERIFY;
	if (f->record)
		flags |= QUEUE_RECORD;
	if (f->no_address_mapping)
		flags |= QUEUE_UNREWRITTEN;
	return flags;
}

static struct slice origin_name(const struct cleanup_envelope_begin *f)
{
	static const char *const names[] = {[CLEANUP_ORIGIN_SMTP] = "smtpd",
					    [CLEANUP_ORIGIN_LOCAL] = "pickup",
					    [CLEANUP_ORIGIN_BOUNCE] = "bounce",
					    [CLEANUP_ORIGIN_FORWARD] = "local"};

	return f->origin_name.n > 0 ? f->origin_name : slice_str(names[f->origin]);
}

static struct slice port_text(struct message *m, uint16_t port)
{
	return port > 0 ? arena_printf(m->arena, "%u", port) : SL_NULL;
}

static void client_facts(struct message *m, struct queue_envelope *e)
{
	const struct cleanup_envelope_begin *f = &m->facts;

	e->client_name = f->client.name;
	e->client_address = f->client.addr;
	e->client_port = port_text(m, f->client.port);
	e->reverse_client_name = f->client.reverse_name;
	e->helo = f->client.helo;
	e->protocol = f->client.proto;
	e->server_address = f->server_addr;
	e->server_port = port_text(m, f->server_port);
	e->sasl_method = f->sasl.method;
	e->sasl_username = f->sasl.username;
	e->sasl_sender = f->sasl.sender;
}

void envelope_begin(struct message *m)
{
	const struct cleanup_envelope_begin *f = &m->facts;
	struct queue_envelope *e = &m->envelope;
	int64_t now;

	queue_writer_id(m->process->writer, &e->id, &now);
	e->arrival = f->arrival > 0 ? f->arrival : now;
	e->flags = flags_of(f);
	e->ret = (enum queue_ret)f->ret;
	e->sender = standard_form(m, f->sender.p != NULL ? f->sender : SL(""));
	e->envid = f->envid;
	client_facts(m, e);
	e->log_ident = f->log_ident;
	e->rewrite_context = f->context == CLEANUP_CONTEXT_LOCAL ? SL("local") : SL("remote");
	e->content_filter = f->filter;
	e->redirect = f->redirect;
	e->origin = origin_name(f);
	e->login_sender = f->login_sender;
	e->full_name = f->full_name;
}

/* is_known - the duplicate filter: same recipient, and the same original one where that is kept. */
static bool is_known(struct message *m, struct slice address, struct slice original)
{
	const struct settings *s = m->process->settings;
	struct slice key = address_fold(m->arena, address);

	if (s->enable_original_recipient)
		key = arena_printf(m->arena, "%.*s%c%.*s", SL_ARG(key), '\n',
				   SL_ARG(address_fold(m->arena, original)));
	if (map_get(m->known, key) != NULL)
		return true;
	if (s->duplicate_filter_limit <= 0 || map_count(m->known) < (size_t)s->duplicate_filter_limit)
		map_put(m->known, key, m);
	return false;
}

static struct queue_recipient *next_recipient(struct message *m)
{
	struct queue_envelope *e = &m->envelope;

	if (e->recipient_count == m->recipient_room) {
		size_t room = m->recipient_room > 0 ? m->recipient_room * 2 : 4;
		struct queue_recipient *more = ARENA_ARRAY(m->arena, room, struct queue_recipient);

		if (e->recipient_count > 0)
			memcpy(more, e->recipients, e->recipient_count * sizeof(*more));
		e->recipients = more;
		m->recipient_room = room;
	}
	return &e->recipients[e->recipient_count++];
}

/* put_recipient - `address` is final. */
static struct queue_recipient *put_recipient(struct message *m, const struct cleanup_envelope_rcpt *rcpt,
					     struct slice address)
{
	struct slice original = rcpt->orig.n > 0 ? rcpt->orig : rcpt->address;
	struct queue_recipient *r = next_recipient(m);

	*r = (struct queue_recipient){
	    .address = arena_dup(m->arena, address),
	    .original = slice_eq(original, address) ? SL_NULL : arena_dup(m->arena, original),
	    .orcpt = rcpt->orcpt.n > 0 ? arena_dup(m->arena, rcpt->orcpt) : SL_NULL,
	    .notify = rcpt->bcc ? QUEUE_NOTIFY_NEVER : rcpt->notify,
	};
	if (address_has_8bit(address))
		m->envelope.flags |= QUEUE_SMTPUTF8;
	return r;
}

void envelope_add(struct message *m, const struct cleanup_envelope_rcpt *rcpt, struct slice address)
{
	if (!is_known(m, address, rcpt->orig.n > 0 ? rcpt->orig : rcpt->address))
		put_recipient(m, rcpt, address);
}

void envelope_add_expanded(struct message *m, const struct cleanup_envelope_rcpt *rcpt,
			   struct slice address)
{
	put_recipient(m, rcpt, address)->expanded = true;
}

void envelope_recipient(struct message *m, const struct cleanup_envelope_rcpt *rcpt)
{
	struct slice address;

	if (message_refused(m))
		return;
	m->rcpt_count++;
	m->only_recipient = m->rcpt_count == 1 ? arena_dup(m->arena, rcpt->address) : SL_NULL;
	address = standard_form(m, rcpt->address);
	if (m->facts.no_address_mapping || table_list_empty(m->process->virtual_alias_maps))
		envelope_add(m, rcpt, address);
	else
		alias_expand(m, rcpt, address);
}
