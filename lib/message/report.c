/* SPDX-License-Identifier: ISC */
#include "message/report.h"
#include "address/address.h"
#include "message/header.h"

#define BOUNDARY_MAX 70

const char *report_action_name(enum report_action action)
{
	static const char *const names[] = {"failed", "delayed", "delivered", "relayed",
					    "expanded", "deliverable", "undeliverable"};

	return names[action];
}

/* is_boundary_byte - bchars of RFC 2046 5.1.1 without the blank. */
static bool is_boundary_byte(char c)
{
	return ascii_isalnum(c) || (c != '\0' && strchr("'()+_,-./:=?", c) != NULL);
}

struct slice report_boundary(struct arena *arena, struct slice queue_id, int64_t seconds,
			     struct slice host)
{
	struct slice made = arena_printf(arena, "%.*s.%lld/%.*s", SL_ARG(queue_id),
					 (long long)seconds, SL_ARG(host));
	char *p = arena_alloc(arena, made.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < made.n && n < BOUNDARY_MAX; i++)
		if (is_boundary_byte(made.p[i]))
			p[n++] = made.p[i];
	return slice(p, n);
}

void report_top_headers(struct buffer *out, struct slice boundary, bool global)
{
	buffer_printf(out,
		      "MIME-Version: 1.0\r\n"
		      "Content-Type: multipart/report; report-type=%sdelivery-status;\r\n"
		      "\tboundary=\"%.*s\"\r\n",
		      global ? "global-" : "", SL_ARG(boundary));
}

void report_part(struct buffer *out, struct slice boundary, struct slice description,
		 struct slice type, struct slice charset, bool eight_bit)
{
	buffer_printf(out, "\r\n--%.*s\r\n", SL_ARG(boundary));
	header_append(out, SL("Content-Description"), description);
	if (slice_is_null(charset))
		buffer_printf(out, "Content-Type: %.*s\r\n", SL_ARG(type));
	else
		buffer_printf(out, "Content-Type: %.*s; charset=%.*s\r\n", SL_ARG(type),
			      SL_ARG(charset));
	if (eight_bit)
		buffer_append_str(out, "Content-Transfer-Encoding: 8bit\r\n");
	buffer_append_str(out, "\r\n");
}

void report_close(struct buffer *out, struct slice boundary)
{
	buffer_printf(out, "\r\n--%.*s--\r\n", SL_ARG(boundary));
}

/* put_typed - "Name: type; value"; a null value writes nothing. */
static void put_typed(struct buffer *out, struct slice name, struct slice type, struct slice value)
{
	struct buffer body;

	if (slice_is_null(value))
		return;
	buffer_init(&body, type.n + value.n + 2);
	buffer_append(&body, type);
	buffer_append(&body, SL("; "));
	buffer_append(&body, value);
	header_append(out, name, buffer_slice(&body));
	buffer_free(&body);
}

static void put_plain(struct buffer *out, struct slice name, struct slice value)
{
	if (!slice_is_null(value))
		header_append(out, name, value);
}

static struct slice address_type(struct slice address, bool global)
{
	return global && address_has_8bit(address) ? SL("utf-8") : SL("rfc822");
}

/* put_named - "X-MAILNAME-suffix: ..."; the name may hold what a field name may not. */
static void put_named(struct buffer *out, struct slice mail_name, const char *suffix,
		      struct slice type, struct slice value)
{
	struct buffer name;

	buffer_init(&name, mail_name.n + 32);
	buffer_append(&name, SL("X-"));
	for (size_t i = 0; i < mail_name.n; i++)
		buffer_append_byte(&name, header_valid_name(slice_sub(mail_name, i, i + 1))
					      ? mail_name.p[i]
					      : '-');
	buffer_append_str(&name, suffix);
	if (slice_is_null(type))
		put_plain(out, buffer_slice(&name), value);
	else
		put_typed(out, buffer_slice(&name), type, value);
	buffer_free(&name);
}

void report_message_fields(struct buffer *out, const struct report_message *m)
{
	put_typed(out, SL("Reporting-MTA"), SL("dns"), m->reporting_mta);
	put_plain(out, SL("Original-Envelope-Id"), m->envid);
	put_named(out, m->mail_name, "-Queue-ID", SL_NULL, m->queue_id);
	put_named(out, m->mail_name, "-Sender", address_type(m->sender, m->global), m->sender);
	put_plain(out, SL("Arrival-Date"), m->arrival_date);
}

/* put_original_recipient - without a blank behind the type, as Postfix writes it. */
static void put_original_recipient(struct buffer *out, struct slice type, struct slice address)
{
	struct buffer body;

	buffer_init(&body, type.n + address.n + 1);
	buffer_append(&body, type);
	buffer_append_byte(&body, ';');
	buffer_append(&body, address);
	header_append(out, SL("Original-Recipient"), buffer_slice(&body));
	buffer_free(&body);
}

static void put_original(struct buffer *out, const struct report_recipient *r, bool global)
{
	struct orcpt o;

	if (!slice_is_null(r->orcpt) && orcpt_split(r->orcpt, &o))
		put_original_recipient(out, o.type, o.address);
	else if (!slice_is_null(r->orig_rcpt))
		put_original_recipient(out, address_type(r->orig_rcpt, global), r->orig_rcpt);
}

void report_recipient_fields(struct buffer *out, const struct report_recipient *r, bool global)
{
	buffer_append_str(out, "\r\n");
	put_typed(out, SL("Final-Recipient"), address_type(r->recipient, global), r->recipient);
	put_original(out, r, global);
	put_plain(out, SL("Action"), slice_str(report_action_name(r->action)));
	put_plain(out, SL("Status"), r->status);
	put_typed(out, SL("Remote-MTA"), SL("dns"), r->remote_mta);
	if (!slice_is_null(r->diagnostic_type))
		put_typed(out, SL("Diagnostic-Code"), r->diagnostic_type, r->diagnostic);
	put_plain(out, SL("Will-Retry-Until"), r->will_retry_until);
}
