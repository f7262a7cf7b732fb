/* SPDX-License-Identifier: ISC */
/* starttls - RFC 3207, as far as the security level asks for it. */
#include "log/events.h"
#include "smtp/session.h"

#define NAMES_MAX 16

/* expand_name - words of smtp_tls_verify_cert_match: hostname, nexthop, dot-nexthop, or a name. */
static struct slice expand_name(const struct session *s, const struct session_setting *setting,
				struct slice word)
{
	if (slice_eq(word, SL("hostname")))
		return s->host;
	if (slice_eq(word, SL("nexthop")))
		return setting->domain;
	if (slice_eq(word, SL("dot-nexthop")))
		return arena_printf(s->arena, ".%.*s", SL_ARG(setting->domain));
	return word;
}

static size_t list_names(const struct session *s, const struct session_setting *setting,
			 struct slice names[NAMES_MAX])
{
	struct slice rest = setting->policy->names, word;
	size_t count = 0;

	while (count < NAMES_MAX && slice_next(&rest, ":, \t\r\n", &word))
		names[count++] = expand_name(s, setting, word);
	return count;
}

static size_t list_fingerprints(const struct session_setting *setting, struct slice prints[NAMES_MAX])
{
	struct slice rest = setting->policy->fingerprints, word;
	size_t count = 0;

	while (count < NAMES_MAX && slice_next(&rest, "|, \t\r\n", &word))
		prints[count++] = word;
	return count;
}

static struct slice server_name(const struct session *s, const struct session_setting *setting)
{
	struct slice name = setting->policy->servername;

	if (slice_eq(name, SL("hostname")))
		return s->host;
	if (slice_eq(name, SL("nexthop")))
		return setting->domain;
	return name.n > 0 ? name : SL_NULL;
}

static void log_established(const struct session *s, const struct session_setting *setting,
			    const struct tls_facts *facts)
{
	char text[IP_TEXT_SIZE];

	if (s->conf->tls_loglevel < 1)
		return;
	LOG(tls_client_established, .trust = slice_str(tls_trust(facts)), .name = s->host,
	    .addr = ip_format(&setting->target->addr, text), .port = s->port,
	    .protocol = slice_str(facts->protocol), .cipher = facts->cipher,
	    .cipher_used = (uint64_t)facts->cipher_bits,
	    .cipher_bits = (uint64_t)facts->cipher_all_bits,
	    .details = facts->details.n > 0 ? facts->details : SL_NULL);
}

static void log_failed(const struct session *s, const struct session_setting *setting,
		       struct slice problem, enum stream_status status)
{
	char text[IP_TEXT_SIZE];

	LOG(tls_client_failed, .name = s->host, .addr = ip_format(&setting->target->addr, text),
	    .port = s->port,
	    .reason = problem.n > 0 ? problem : slice_str(stream_status_text(status)));
}

/* judge - is the certificate what the level wants? */
static enum result judge(struct session *s, enum tls_level level, const struct tls_facts *facts,
			 struct arena *arena, struct failure *failure)
{
	if (level < TLS_LEVEL_FINGERPRINT || facts->verified)
		return RES_OK;
	s->alive = false; /* nothing more is said to whom we do not know */
	*failure = failure_make(arena, "4.7.5", facts->trusted || level == TLS_LEVEL_FINGERPRINT
						   ? "Server certificate not verified"
						   : "Server certificate not trusted");
	failure->destination = true;
	return RES_TEMP;
}

enum result session_handshake(struct session *s, const struct session_setting *setting,
			      struct arena *arena, struct failure *failure)
{
	struct slice names[NAMES_MAX], prints[NAMES_MAX], problem = SL_NULL;
	struct tls_want want = {.level = setting->policy->level, .server_name = server_name(s, setting)};
	struct tls_facts facts;
	enum stream_status status;

	if (setting->tls == NULL) {
		*failure = failure_make(arena, "4.7.5", "TLS is required, but our TLS engine is unavailable");
		return RES_TEMP;
	}
	want.names = names;
	want.name_count = list_names(s, setting, names);
	want.fingerprints = prints;
	want.fingerprint_count = list_fingerprints(setting, prints);
	want.session_key = arena_printf(arena, "%.*s&%d", SL_ARG(s->relay), (int)want.level);
	status = tls_start_client(setting->tls, &s->stream, &want, os_deadline(s->conf->starttls_timeout),
				  s->arena, &facts, &problem);
	if (status != STREAM_OK) {
		s->alive = false;
		log_failed(s, setting, problem, status);
		*failure = failure_make(arena, "4.7.5", "Cannot start TLS: handshake failure");
		failure->destination = failure->handshake = true;
		return RES_TEMP;
	}
	s->tls = true;
	log_established(s, setting, &facts);
	return judge(s, want.level, &facts, arena, failure);
}

/* not_offered - STARTTLS is not among the extensions. */
static enum result not_offered(struct session *s, enum tls_level level, struct arena *arena,
			       struct failure *failure)
{
	if (level <= TLS_LEVEL_MAY)
		return RES_OK;
	*failure = failure_make(arena, "4.7.4", "TLS is required, but was not offered by host %.*s",
				SL_ARG(s->host_addr));
	failure->destination = true;
	return RES_TEMP;
}

static enum result not_taken(struct session *s, enum tls_level level, struct arena *arena,
			     const struct smtp_reply *reply, struct failure *failure)
{
	struct slice line;

	if (level <= TLS_LEVEL_MAY && s->alive)
		return RES_OK;
	*failure = failure_refused(arena, s->host_addr, s->host, reply);
	line = reply_line(arena, reply);
	failure->text =
	    arena_printf(arena, "TLS is required, but host %.*s refused to start TLS: %.*s",
			 SL_ARG(s->host_addr), SL_ARG(line));
	return failure->result;
}

enum result session_start_tls(struct session *s, const struct session_setting *setting,
			      struct arena *arena, struct failure *failure)
{
	enum tls_level level = setting->policy->level;
	bool offered = s->ehlo.flags & EHLO_STARTTLS;
	struct smtp_reply reply;
	enum stream_status status;

	if (s->tls || s->local || setting->plain)
		return RES_OK;
	if (level == TLS_LEVEL_NONE) {
		if (offered && s->conf->tls_note_offer)
			log_info_text("Host offered STARTTLS: [%.*s]", SL_ARG(s->host));
		return RES_OK;
	}
	if (!offered || (setting->tls == NULL && level <= TLS_LEVEL_MAY))
		return not_offered(s, level, arena, failure);
	s->stage = "receiving the STARTTLS response";
	status = session_say(s, s->conf->starttls_timeout, &reply, "STARTTLS");
	if (status != STREAM_OK) {
		*failure = session_failure(s, arena, status);
		return failure->result;
	}
	if (reply.code / 100 != 2)
		return not_taken(s, level, arena, &reply, failure);
	/* RFC 3207 6: what came in the clear behind the reply is not the server's word. */
	(void)stream_discard_input(&s->stream);
	s->ehlo = (struct ehlo){0};
	return session_handshake(s, setting, arena, failure);
}
