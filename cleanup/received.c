/* SPDX-License-Identifier: ISC */
/* received - the header fields that the suite adds on the way in. */
#include "cleanup/cleanup.h"
#include "address/address.h"
#include "daemon/mail_date.h"
#include "log/events.h"
#include "message/generated.h"
#include "message/header.h"
#include "os/clock.h"

#define FIELD_MAX 4096

/* with_protocol - RFC 3848, RFC 6531: ESMTP, ESMTPS, ESMTPA, ESMTPSA, UTF8SMTP... */
static struct slice with_protocol(struct message *m)
{
	const struct cleanup_envelope_begin *f = &m->facts;
	struct slice base = f->client.proto;

	if (!slice_caseeq(base, SL("ESMTP")))
		return base;
	if (f->smtputf8)
		base = SL("UTF8SMTP");
	return arena_printf(m->arena, "%.*s%s%s", SL_ARG(base), f->tls.protocol.n > 0 ? "S" : "",
			    f->sasl.method.n > 0 ? "A" : "");
}

static struct slice tls_text(struct message *m)
{
	const struct mail_tls *t = &m->facts.tls;

	if (t->protocol.n == 0 || !m->process->settings->smtpd_tls_received_header)
		return SL_NULL;
	return arena_printf(m->arena, "using %.*s with cipher %.*s (%u/%u bits)", SL_ARG(t->protocol),
			    SL_ARG(t->cipher), t->cipher_used, t->cipher_bits);
}

static struct slice certificate_text(struct message *m)
{
	const struct mail_tls *t = &m->facts.tls;

	if (t->protocol.n == 0 || !m->process->settings->smtpd_tls_received_header)
		return SL_NULL;
	if (t->peer_cn.n == 0)
		return SL("No client certificate requested");
	return arena_printf(m->arena, "Client CN \"%.*s\", Issuer \"%.*s\" (verified OK)", SL_ARG(t->peer_cn),
			    SL_ARG(t->issuer_cn));
}

static struct slice client_address(struct message *m)
{
	struct slice addr = m->facts.client.addr;

	if (slice_find(addr, ':') < 0)
		return addr;
	return arena_printf(m->arena, "IPv6:%.*s", SL_ARG(addr));
}

struct slice received_header(struct message *m)
{
	const struct settings *s = m->process->settings;
	const struct cleanup_envelope_begin *f = &m->facts;
	/* what was requeued keeps its arrival, but came here only now */
	int64_t came = f->origin == CLEANUP_ORIGIN_LOCAL ? os_wall() : m->envelope.arrival;
	struct received r = {
	    .client_cert = certificate_text(m),
	    .tls = tls_text(m),
	    .host = s->myhostname,
	    .mail_name = s->mail_name,
	    .queue_id = queue_id_slice(&m->envelope.id),
	    .date = mail_date(m->arena, came),
	    .uid = f->uid,
	    .own = f->origin == CLEANUP_ORIGIN_BOUNCE || f->origin == CLEANUP_ORIGIN_FORWARD,
	};

	if (f->origin == CLEANUP_ORIGIN_SMTP) {
		r.helo = f->client.helo;
		r.client_name = f->client.name;
		r.client_address = client_address(m);
		r.protocol = with_protocol(m);
		if (s->smtpd_sasl_authenticated_header && f->sasl.username.n > 0)
			r.authenticated = f->sasl.username;
		if (m->only_recipient.n > 0)
			r.recipient = address_quote(m->arena, m->only_recipient);
	}
	return received_compose(m->arena, &r);
}

static void add_field(struct message *m, const char *name, struct slice body)
{
	struct slice full = arena_printf(m->arena, "%s%s", m->resent ? "Resent-" : "", name);
	struct buffer out;

	buffer_init(&out, FIELD_MAX);
	if (header_append(&out, full, body))
		store(m, buffer_slice(&out));
	buffer_free(&out);
}

static void add_message_id(struct message *m)
{
	const struct settings *s = m->process->settings;
	struct slice id = message_id_make(m->arena, m->envelope.arrival / OS_SECOND,
					  queue_id_slice(&m->envelope.id), s->myhostname);

	add_field(m, "Message-Id", id);
	LOG(message_id, .queue_id = queue_id_slice(&m->envelope.id),
	    .prefix = m->resent ? SL("resent-") : SL_NULL, .message_id = id);
	if (!m->resent)
		m->envelope.message_id = id;
}

/* add_from - header_from_format: "Full Name <address>" or "address (Full Name)". */
static void add_from(struct message *m)
{
	struct slice address = m->envelope.sender.n > 0
				   ? address_quote(m->arena, m->envelope.sender)
				   : SL("MAILER-DAEMON");
	struct slice name = m->facts.full_name;

	if (name.n > 0 && m->envelope.sender.n > 0)
		address = arena_printf(m->arena, "%.*s <%.*s>",
				       SL_ARG(full_name_encode(m->arena, name, SL_NULL)), SL_ARG(address));
	else if (m->envelope.sender.n == 0)
		address = SL("MAILER-DAEMON (Mail Delivery System)");
	add_field(m, "From", address);
}

/* for_our_own - local_header_rewrite_clients: only what our own people send is completed. */
static bool for_our_own(const struct message *m)
{
	return m->facts.context == CLEANUP_CONTEXT_LOCAL || m->process->settings->always_add_missing_headers;
}

static bool has_recipient_field(const struct message *m)
{
	return m->seen[HEADER_TO] || m->seen[HEADER_CC] || m->seen[HEADER_BCC] || m->seen[HEADER_RESENT_TO] ||
	       m->seen[HEADER_RESENT_CC] || m->seen[HEADER_RESENT_BCC];
}

static void add_undisclosed(struct message *m)
{
	struct slice text = m->process->settings->undisclosed_recipients_header;
	struct buffer out;
	ssize_t colon = slice_find(text, ':');

	if (colon <= 0 || has_recipient_field(m))
		return;
	buffer_init(&out, FIELD_MAX);
	if (header_append(&out, slice_sub(text, 0, (size_t)colon),
			  slice_trim(slice_from(text, (size_t)colon + 1))))
		store(m, buffer_slice(&out));
	buffer_free(&out);
}

void missing_headers(struct message *m)
{
	if (message_refused(m))
		return;
	if (for_our_own(m)) {
		if (!m->seen[m->resent ? HEADER_RESENT_MESSAGE_ID : HEADER_MESSAGE_ID])
			add_message_id(m);
		if (!m->seen[m->resent ? HEADER_RESENT_DATE : HEADER_DATE])
			add_field(m, "Date", mail_date(m->arena, m->envelope.arrival));
		if (!m->seen[m->resent ? HEADER_RESENT_FROM : HEADER_FROM])
			add_from(m);
	}
	if (m->envelope.message_id.n == 0 && !m->seen[HEADER_MESSAGE_ID])
		LOG(message_id, .queue_id = queue_id_slice(&m->envelope.id), .message_id = SL("<>"));
	add_undisclosed(m);
}
