/* SPDX-License-Identifier: ISC */
/*
 * receive - a message's way to cleanup, the same for DATA and BDAT. 250 is said only here.
 *
 * A message begins at DATA, not at the first RCPT as in Postfix: by then it is settled whether it is
 * held or thrown away. So refusals of single recipients are logged as NOQUEUE, always. That cleanup
 * cannot be reached is said in reply to DATA. But it hears of the message, and gives it a queue id, when
 * it is whole, or larger than a chunk, or to be refused with its id in the log; so one that fits
 * a chunk costs one exchange, a client that dawdles holds no connection, and one that goes away costs
 * cleanup nothing. What cleanup has against the envelope (no space) the client then hears at
 * the end of the data; of a message that says it is large, at DATA.
 */
#include "log/events.h"
#include "smtpd/smtpd.h"

static enum cleanup_body body_of(enum smtp_body body)
{
	switch (body) {
	case SMTP_BODY_7BIT:
		return CLEANUP_BODY_SEVENBIT;
	case SMTP_BODY_8BITMIME:
		return CLEANUP_BODY_EIGHTBITMIME;
	case SMTP_BODY_NONE:
		break;
	}
	return CLEANUP_BODY_UNSET;
}

static enum mail_ret ret_of(enum dsn_ret ret)
{
	switch (ret) {
	case DSN_RET_FULL:
		return MAIL_RET_FULL;
	case DSN_RET_HDRS:
		return MAIL_RET_HDRS;
	case DSN_RET_NONE:
		break;
	}
	return MAIL_RET_UNSET;
}

static struct mail_tls tls_of(const struct session *s)
{
	const struct tls_facts *t = s->tls;

	if (t == NULL)
		return (struct mail_tls){.protocol = SL_NULL};
	return (struct mail_tls){
	    .protocol = slice_str(t->protocol),
	    .cipher = t->cipher,
	    .cipher_used = (uint16_t)t->cipher_bits,
	    .cipher_bits = (uint16_t)t->cipher_all_bits,
	    .peer_cn = t->trusted ? t->peer_subject : SL_NULL,
	    .issuer_cn = t->trusted ? t->peer_issuer : SL_NULL,
	};
}

static struct mail_client client_of(const struct session *s)
{
	return (struct mail_client){
	    .name = s->client.name,
	    .addr = s->client.addr,
	    .port = s->client.port,
	    .reverse_name = s->client.reverse,
	    .helo = buffer_slice(&s->helo),
	    .proto = session_proto(s),
	};
}

static struct cleanup_envelope_begin envelope(struct session *s)
{
	const struct transaction *t = &s->txn;
	const struct smtpd *p = s->p;

	return (struct cleanup_envelope_begin){
	    .origin = CLEANUP_ORIGIN_SMTP,
	    .context = check_local_client(s) ? CLEANUP_CONTEXT_LOCAL : CLEANUP_CONTEXT_REMOTE,
	    .no_address_mapping = p->no_address_mappings,
	    .no_header_body_checks = p->no_header_body_checks,
	    .no_milters = p->no_milters,
	    .received = true,
	    .hold = t->hold,
	    .discard = t->discard,
	    .smtputf8 = t->smtputf8,
	    .body = body_of(t->body),
	    .sender = t->sender,
	    .ret = ret_of(t->ret),
	    .envid = t->envid,
	    .size_hint = t->size,
	    .arrival = t->arrival,
	    .client = client_of(s),
	    .tls = tls_of(s),
	    .filter = t->filter,
	    .redirect = t->redirect,
	    .origin_name = SL("smtpd"),
	};
}

static void reply_intake(struct session *s, const struct intake_result *result)
{
	struct slice text = result->text.n > 0 ? result->text : SL("Error: queue file write error");
	const char *status = arena_dup(s->scratch, result->dsn).p;
	unsigned code = result->code >= 400 && result->code <= 599 ? result->code : 451;

	reply(s, code, status, text);
}

bool receive_begin(struct session *s)
{
	struct cleanup_envelope_begin begin = envelope(s);
	int64_t deadline = os_deadline(s->p->settings->ipc_timeout);
	struct intake_result failure;

	if (intake_begin(s->p->cleanup, &begin, deadline, &s->txn.intake, &failure) != RES_OK) {
		reply_intake(s, &failure);
		return false;
	}
	for (const struct recipient *r = s->txn.first; r != NULL; r = r->next)
		intake_recipient(s->txn.intake,
				 &(struct cleanup_envelope_rcpt){
				     .address = r->address, .orcpt = r->orcpt, .notify = r->notify},
				 deadline);
	if (s->txn.size > INTAKE_CHUNK && receive_open(s, &failure) != RES_OK) {
		reply_intake(s, &failure);
		intake_end(&s->txn.intake);
		return false;
	}
	return true;
}

/*
 * log_client - once, as soon as there is an id to log it with. `at` is when cleanup was not told yet:
 * log readers expect this line before cleanup's and qmgr's of the same message.
 */
static void log_client(struct session *s, int64_t at)
{
	struct slice id = intake_id(s->txn.intake);

	if (s->txn.id_logged || id.n == 0)
		return;
	s->txn.id_logged = true;
	LOG_AT(at, client_message, .queue_id = id, .name = s->client.name, .addr = s->client.addr);
}

enum result receive_open(struct session *s, struct intake_result *failure)
{
	int64_t at = os_wall();
	enum result rc =
	    intake_open(s->txn.intake, os_deadline(s->p->settings->ipc_timeout), failure);

	log_client(s, at);
	return rc;
}

void receive_content(struct session *s, struct slice bytes)
{
	int64_t at = s->txn.id_logged ? 0 : os_wall();

	intake_content(s->txn.intake, bytes, os_deadline(s->p->settings->ipc_timeout));
	log_client(s, at);
}

bool bare_lf_refused(struct session *s)
{
	const struct settings *c = s->p->settings;

	if (!s->p->bare_lf_reject ||
	    match_list_address(s->p->bare_newline_exclusions, s->client.name, s->client.addr,
			       s->scratch, NULL) == TABLE_FOUND)
		return false;
	reply(s, (unsigned)c->smtpd_forbid_bare_newline_reject_code, "5.5.2",
	      arena_printf(s->scratch, "%.*s Error: bare <LF> received", SL_ARG(c->myhostname)));
	s->closing = true;
	return true;
}

/* refused - what is known without cleanup to be wrong with the content; the client has been told.
 */
static bool refused(struct session *s, bool bare_lf)
{
	if (s->txn.too_big) {
		LOG(size_exceeded, .queue_id = session_queue_id(s));
		reply(s, 552, "5.3.4", SL("Error: message file too big"));
		return true;
	}
	if (bare_lf && bare_lf_refused(s))
		return true;
	if (!check_end_of_data(s)) {
		reply_verdict(s);
		return true;
	}
	return false;
}

static enum result commit(struct session *s, struct intake_result *result)
{
	int64_t at = os_wall();
	enum result rc;

	/* decided at the end of the data: cleanup does not know, but has an id for the reply */
	if (s->txn.discard)
		return receive_open(s, result);
	rc = intake_commit(s->txn.intake, os_deadline(s->p->settings->ipc_timeout), result);
	log_client(s, at);
	return rc;
}

static bool commit_and_reply(struct session *s)
{
	struct intake_result result;

	if (commit(s, &result) != RES_OK) {
		reply_intake(s, &result);
		return false;
	}
	s->junk = 0;
	reply(s, 250, "2.0.0",
	      arena_printf(s->scratch, "Ok: queued as %.*s", SL_ARG(intake_id(s->txn.intake))));
	return true;
}

bool receive_finish(struct session *s, bool bare_lf)
{
	bool good;

	s->where = "END-OF-MESSAGE";
	good = !refused(s, bare_lf) && commit_and_reply(s);
	session_reset(s);
	return good;
}
