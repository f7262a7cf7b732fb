/* SPDX-License-Identifier: ISC */
/*
 * header - the fields of a message's header, one by one as they come: some are dropped, addresses of
 * our own clients are completed, the others keep their bytes.
 */
#include "cleanup/cleanup.h"
#include "address/list.h"
#include "base/check.h"
#include "log/events.h"
#include "message/header.h"

#define FIELD_MAX 65536 /* one address field that is rewritten, at most: what does not fit stays as it is */

/* rewrite_context - are addresses of this client's headers completed, and with whose names? */
static bool rewrite_context(const struct message *m, enum route_context *context)
{
	if (m->facts.context == CLEANUP_CONTEXT_LOCAL) {
		*context = ROUTE_CONTEXT_LOCAL;
		return true;
	}
	*context = ROUTE_CONTEXT_REMOTE;
	return m->process->settings->remote_header_rewrite_domain.n > 0;
}

/* rewrite_list - true when an address changed. */
static bool rewrite_list(struct message *m, enum route_context context, struct address_list *list)
{
	bool changed = false;

	for (size_t i = 0; i < list->count; i++) {
		struct address_item *item = &list->items[i];
		struct slice out;

		route_rewrite(m->process->route, item->address, context, m->arena, &out);
		if (slice_eq(out, item->address))
			continue;
		item->replacement = out;
		changed = true;
	}
	return changed;
}

/* rewritten - the field with its addresses in standard form; absent when no byte changes. */
static struct slice rewritten(struct message *m, const struct header_field *field)
{
	int limit = m->process->settings->header_address_token_limit;
	enum route_context context;
	struct address_list list;
	struct buffer out;
	struct slice copy;

	if (!rewrite_context(m, &context))
		return SL_NULL;
	address_list_parse(m->arena, field->body, limit > 0 ? (size_t)limit : 0, &list);
	if (list.truncated || !rewrite_list(m, context, &list))
		return SL_NULL;
	buffer_init(&out, FIELD_MAX + field->raw.n);
	header_append(&out, field->name, slice_trim(address_list_render(m->arena, &list)));
	copy = buffer_overflowed(&out) ? SL_NULL : arena_dup(m->arena, buffer_slice(&out));
	buffer_free(&out);
	return copy;
}

static void remember_message_id(struct message *m, const struct header_info *info,
				const struct header_field *field)
{
	bool resent = info->id == HEADER_RESENT_MESSAGE_ID;
	/* copied: what needs no unfolding still lies in m->pending */
	struct slice id = arena_dup(m->arena, header_unfold(m->arena, field->body));

	LOG(message_id, .queue_id = queue_id_slice(&m->envelope.id),
	    .prefix = resent ? SL("resent-") : SL_NULL, .message_id = id);
	if (!resent && m->envelope.message_id.n == 0)
		m->envelope.message_id = id;
}

static bool is_dropped(const struct message *m, const struct header_field *field)
{
	return map_get(m->process->dropped_headers, arena_lower(m->arena, field->name)) != NULL;
}

/* store_field - blanks between name and colon (obsolete, RFC 5322 4.5) are dropped. */
static void store_field(struct message *m, const struct header_field *field)
{
	struct slice rest = slice_from(field->raw, (size_t)(field->body.p - field->raw.p) - 1);

	if (rest.n + field->name.n == field->raw.n) {
		store(m, field->raw);
		return;
	}
	store(m, field->name);
	store(m, rest);
}

static bool has_8bit(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] & 0x80)
			return true;
	return false;
}

static void take_field(struct message *m, const struct header_field *field)
{
	const struct header_info *info = header_lookup(field->name);
	struct slice out = SL_NULL;

	m->seen[info->id] = true;
	if (info->flags & HEADER_IS_RESENT)
		m->resent = true;
	if (is_dropped(m, field))
		return;
	if (info->id == HEADER_RECEIVED)
		m->envelope.hop_count++;
	if (info->id == HEADER_MESSAGE_ID || info->id == HEADER_RESENT_MESSAGE_ID)
		remember_message_id(m, info, field);
	if (info->flags & HEADER_IS_ADDRESS)
		out = rewritten(m, field);
	if (has_8bit(field->raw))
		m->header_8bit = true;
	if (out.n > 0)
		store(m, out);
	else
		store_field(m, field);
}

static void check_hops(struct message *m)
{
	int limit = m->process->settings->hopcount_limit;

	if (limit > 0 && m->envelope.hop_count >= (uint32_t)limit)
		message_refuse(m, CLEANUP_OUTCOME_PERM, 554, SL("5.4.0"), SL("Error: too many hops"));
}

/* end_header - behind the last field, before the empty line. */
static void end_header(struct message *m)
{
	check_hops(m);
	missing_headers(m);
	if (m->header_8bit && m->facts.smtputf8)
		m->envelope.flags |= QUEUE_SMTPUTF8;
	store(m, SL("\r\n"));
	m->in_body = true;
}

static void begin_header(struct message *m)
{
	if (m->header_begun)
		return;
	m->header_begun = true;
	if (m->facts.received) {
		m->envelope.hop_count++;
		store(m, received_header(m));
	}
}

/*
 * take_mbox_line - a mailbox's separator in front of the header, from a careless program: kept as a
 * field. False: there is none, or it is not whole yet (*more).
 */
static bool take_mbox_line(struct message *m, struct slice *input, bool last, bool *more)
{
	ssize_t lf;

	*more = false;
	if (!slice_starts(*input, SL("From ")) && !slice_starts(*input, SL(">From ")))
		return false;
	lf = slice_find(*input, '\n');
	if (lf < 0 && !last) {
		*more = true;
		return false;
	}
	lf = lf < 0 ? (ssize_t)input->n - 1 : lf;
	store(m, SL("X-Mailbox-Line: "));
	store(m, slice_sub(*input, 0, (size_t)lf + 1));
	*input = slice_from(*input, (size_t)lf + 1);
	return true;
}

/* over_long - Postfix cuts such a field; half a field says something else, so it is refused. */
static bool over_long(const struct message *m, struct slice input)
{
	return input.n > m->process->settings->header_size_limit;
}

static void refuse_over_long(struct message *m)
{
	message_refuse(m, CLEANUP_OUTCOME_PERM, 552, SL("5.3.4"),
		       SL("Error: message header is too long (header_size_limit)"));
}

/* take_fields - as many as are whole; true when the body begins at *input. */
static bool take_fields(struct message *m, struct slice *input, bool last)
{
	struct header_field field;
	bool more;

	while (!message_refused(m)) {
		if (take_mbox_line(m, input, last, &more))
			continue;
		if (more)
			return false;
		switch (header_next(input, last, &field)) {
		case HEADER_FIELD:
			if (over_long(m, field.raw))
				refuse_over_long(m);
			else
				take_field(m, &field);
			break;
		case HEADER_EMPTY:
		case HEADER_BODY:
			return true;
		case HEADER_MORE:
			return false;
		}
	}
	return false;
}

void header_feed(struct message *m, struct slice bytes)
{
	struct slice input;

	begin_header(m);
	if (message_refused(m))
		return;
	if (!buffer_append(&m->pending, bytes)) {
		refuse_over_long(m);
		return;
	}
	input = buffer_slice(&m->pending);
	if (take_fields(m, &input, false)) {
		end_header(m);
		store(m, input);
		buffer_free(&m->pending);
	} else if (over_long(m, input)) {
		refuse_over_long(m);
	} else if (!message_refused(m)) {
		buffer_consume(&m->pending, m->pending.len - input.n);
	}
}

void header_finish(struct message *m)
{
	struct slice input;

	begin_header(m);
	if (message_refused(m))
		return;
	input = buffer_slice(&m->pending);
	take_fields(m, &input, true);
	end_header(m);
	store(m, input);
	buffer_free(&m->pending);
}
