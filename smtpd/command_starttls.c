/* SPDX-License-Identifier: ISC */
/* STARTTLS - RFC 3207 */
#include "log/events.h"
#include "smtpd/smtpd.h"

static void log_established(const struct session *s)
{
	const struct tls_facts *t = s->tls;

	if (s->p->settings->smtpd_tls_loglevel < 1)
		return;
	LOG(tls_server_established, .trust = slice_str(tls_trust(t)), .name = s->client.name,
	    .addr = s->client.addr, .protocol = slice_str(t->protocol), .cipher = t->cipher,
	    .cipher_used = (uint64_t)t->cipher_bits, .cipher_bits = (uint64_t)t->cipher_all_bits,
	    .details = t->details);
}

static void failed(struct session *s, enum stream_status status, struct slice problem)
{
	struct slice reason = problem;

	if (reason.n == 0)
		reason = status == STREAM_EOF ? SL("lost connection")
					      : slice_str(stream_status_text(status));
	LOG(tls_server_failed, .name = s->client.name, .addr = s->client.addr, .reason = reason);
	/* nothing can be said in the clear any more; a timeout's 421 would be read as TLS */
	s->end = END_LOST;
}

bool tls_begin(struct session *s)
{
	struct tls_want want = {.level = s->p->tls_required ? TLS_LEVEL_ENCRYPT : TLS_LEVEL_MAY};
	int64_t deadline = os_deadline(s->p->settings->smtpd_starttls_timeout);
	struct tls_facts *facts = ARENA_NEW(s->arena, struct tls_facts);
	struct slice problem = SL_NULL;
	enum stream_status status;

	if (s->p->tls == NULL) {
		s->end = END_LOST;
		return false;
	}
	tickets_refresh(s->p);
	status =
	    tls_start_server(s->p->tls, &s->stream, &want, deadline, s->arena, facts, &problem);
	if (status != STREAM_OK) {
		failed(s, status, problem);
		return false;
	}
	s->tls = facts;
	log_established(s);
	return true;
}

/* certificate_wanted - smtpd_tls_req_ccert: who shows none that is trusted goes no further. */
static bool certificate_wanting(const struct session *s)
{
	return s->p->settings->smtpd_tls_req_ccert && s->p->tls_required && !s->tls->trusted;
}

bool command_starttls(struct session *s, const struct smtp_command *c)
{
	if (c->args.n > 0)
		return reply_bad(s, 501, "5.5.4", SL("Syntax: STARTTLS"));
	if (s->tls != NULL)
		return reply_bad(s, 554, "5.5.1", SL("Error: TLS already active"));
	if (!s->p->tls_wanted || (s->ehlo_discard & EHLO_STARTTLS))
		return reply_bad(s, 502, "5.5.1", SL("Error: command not implemented"));
	if (s->p->tls == NULL)
		return reply_bad(s, 454, "4.7.0", SL("TLS not available due to local problem"));
	reply(s, 220, "2.0.0", SL("Ready to start TLS"));
	session_io(s, stream_flush(&s->stream, session_deadline(s)));
	if (s->end != END_NONE)
		return false;
	/* what came with STARTTLS came in the clear, and from whom nobody knows */
	stream_discard_input(&s->stream);
	if (!tls_begin(s))
		return false;
	/* RFC 3207 4.2: all that was said before is forgotten */
	session_reset(s);
	buffer_reset(&s->helo);
	s->esmtp = false;
	s->pipelined_early = false;
	if (certificate_wanting(s)) {
		LOG(tls_client_untrusted, .name = s->client.name, .addr = s->client.addr,
		    .reason = SL("Client certificate not trusted"));
		reply(s, 421, "4.7.1",
		      arena_printf(s->scratch, "%.*s Error: Client TLS not authenticated",
				   SL_ARG(s->p->settings->myhostname)));
		s->closing = true;
		return false;
	}
	return true;
}
