/* SPDX-License-Identifier: ISC */
/* hello - from the greeting to the extensions (RFC 5321 4.1.1.1, 4.3.1; RFC 2033 for LHLO). */
#include "log/log.h"
#include "smtp/session.h"

static enum result lost(struct session *s, struct arena *arena, enum stream_status status,
			struct failure *failure)
{
	*failure = session_failure(s, arena, status);
	return failure->result;
}

static enum result refused(struct session *s, struct arena *arena, const struct smtp_reply *reply,
			   struct failure *failure)
{
	*failure = failure_refused(arena, s->host_addr, s->host, reply);
	return failure->result;
}

static enum result read_greeting(struct session *s, struct arena *arena, struct failure *failure)
{
	struct smtp_reply reply;
	enum stream_status status;
	enum result rc;

	s->stage = "receiving the initial server greeting";
	status = session_reply(s, s->conf->helo_timeout, &reply);
	if (status != STREAM_OK)
		return lost(s, arena, status, failure);
	if (reply.code / 100 == 2)
		return RES_OK;
	rc = refused(s, arena, &reply, failure);
	if (reply.code / 100 == 5 && s->conf->skip_5xx_greeting) {
		failure_soften(arena, failure);
		rc = RES_TEMP;
	}
	return rc;
}

/* is_myself - the host names itself as we do (RFC 5321 6.3: loops are to be found). */
static bool is_myself(const struct session *s, const struct smtp_reply *reply)
{
	struct slice rest = reply->text, name;

	return slice_next(&rest, " \t\n", &name) &&
	       slice_caseeq(name, s->conf->settings->myhostname);
}

/* say_helo - without extensions. */
static enum result say_helo(struct session *s, struct arena *arena, struct failure *failure)
{
	struct smtp_reply reply;
	enum stream_status status;

	s->stage = "performing the HELO handshake";
	status = session_say(s, s->conf->helo_timeout, &reply, "HELO %.*s",
			     SL_ARG(s->conf->helo_name));
	if (status != STREAM_OK)
		return lost(s, arena, status, failure);
	if (reply.code / 100 != 2)
		return refused(s, arena, &reply, failure);
	s->ehlo = (struct ehlo){0};
	return RES_OK;
}

static enum result say_ehlo(struct session *s, const struct session_setting *setting,
			    struct arena *arena, struct failure *failure)
{
	const struct client_conf *conf = s->conf;
	struct smtp_reply reply;
	enum stream_status status;

	s->stage = conf->lmtp ? "performing the LHLO handshake" : "performing the EHLO handshake";
	status = session_say(s, conf->helo_timeout, &reply, "%s %.*s", conf->lmtp ? "LHLO" : "EHLO",
			     SL_ARG(conf->helo_name));
	if (status != STREAM_OK)
		return lost(s, arena, status, failure);
	if (reply.code / 100 != 2 && !conf->lmtp && s->alive)
		return say_helo(s, arena, failure);
	if (reply.code / 100 != 2)
		return refused(s, arena, &reply, failure);
	ehlo_parse(&reply, conf->discard, s->arena, &s->ehlo);
	if (is_myself(s, &reply) && setting->detect_loops) {
		log_warning_text("host %.*s replied to HELO/EHLO with my own hostname %.*s",
				 SL_ARG(s->host_addr), SL_ARG(conf->settings->myhostname));
		*failure = failure_make(arena, "5.4.6", "mail for %.*s loops back to myself",
					SL_ARG(setting->destination));
		return RES_PERM;
	}
	return RES_OK;
}

static enum result say_hello(struct session *s, const struct session_setting *setting,
			     struct arena *arena, struct failure *failure)
{
	return s->conf->never_ehlo ? say_helo(s, arena, failure)
				   : say_ehlo(s, setting, arena, failure);
}

enum result session_hello(struct session *s, const struct session_setting *setting,
			  struct arena *arena, struct failure *failure)
{
	enum result rc = RES_OK;

	if (s->conf->tls_wrapper && !s->local)
		rc = session_handshake(s, setting, arena, failure);
	if (rc == RES_OK)
		rc = read_greeting(s, arena, failure);
	if (rc == RES_OK)
		rc = say_hello(s, setting, arena, failure);
	if (rc != RES_OK)
		return rc;
	s->esmtp = true;
	rc = session_start_tls(s, setting, arena, failure);
	if (rc == RES_OK && s->tls && !s->conf->tls_wrapper)
		rc = say_hello(s, setting, arena, failure);
	return rc;
}
