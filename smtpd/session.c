/* SPDX-License-Identifier: ISC */
/* session - one client's connection, from greeting to disconnect. */
#include "address/utf8.h"
#include "log/events.h"
#include "message/header.h"
#include "smtpd/smtpd.h"

/* What a session may hold beside its buffers; no honest client comes near it. */
#define MEMORY_MAX ((size_t)4 << 20)
/* For the last words to a client, when the session is over. */
#define GOODBYE_PATIENCE (2 * OS_SECOND)
#define HELO_MAX 512

#define FLAG_LIMIT 1u	/* junk, when no mail comes between */
#define FLAG_PRE_TLS 2u /* allowed before a mandatory STARTTLS */
#define FLAG_LAST 4u	/* the client must wait for the reply: RFC 2920 3.1 */

static const struct verb {
	bool (*run)(struct session *s, const struct smtp_command *c);
	enum session_count count;
	unsigned flags;
} verbs[SMTP_VERB_COUNT] = {
    [SMTP_UNKNOWN] = {NULL, COUNT_UNKNOWN, 0},
    [SMTP_AUTH] = {command_refused, COUNT_AUTH, 0},
    [SMTP_BDAT] = {command_bdat, COUNT_BDAT, 0},
    [SMTP_DATA] = {command_data, COUNT_DATA, FLAG_LAST},
    [SMTP_EHLO] = {command_ehlo, COUNT_EHLO, FLAG_LIMIT | FLAG_PRE_TLS | FLAG_LAST},
    [SMTP_ETRN] = {command_refused, COUNT_ETRN, FLAG_LIMIT},
    [SMTP_EXPN] = {NULL, COUNT_UNKNOWN, 0},
    [SMTP_HELO] = {command_helo, COUNT_HELO, FLAG_LIMIT | FLAG_PRE_TLS | FLAG_LAST},
    [SMTP_HELP] = {command_help, COUNT_HELP, FLAG_PRE_TLS},
    [SMTP_LHLO] = {NULL, COUNT_UNKNOWN, 0},
    [SMTP_MAIL] = {command_mail, COUNT_MAIL, 0},
    [SMTP_NOOP] = {command_noop, COUNT_NOOP, FLAG_LIMIT | FLAG_PRE_TLS | FLAG_LAST},
    [SMTP_QUIT] = {command_quit, COUNT_QUIT, FLAG_PRE_TLS},
    [SMTP_RCPT] = {command_rcpt, COUNT_RCPT, 0},
    [SMTP_RSET] = {command_rset, COUNT_RSET, FLAG_LIMIT},
    [SMTP_STARTTLS] = {command_starttls, COUNT_STARTTLS, FLAG_PRE_TLS | FLAG_LAST},
    [SMTP_VRFY] = {command_vrfy, COUNT_VRFY, FLAG_LIMIT | FLAG_LAST},
    [SMTP_XCLIENT] = {NULL, COUNT_UNKNOWN, 0},
    [SMTP_XFORWARD] = {NULL, COUNT_UNKNOWN, 0},
};

static const char *const count_names[COUNT_COUNT] = {
    "helo", "ehlo", "starttls", "auth", "mail", "rcpt",	   "data",     "bdat",	  "rset",
    "noop", "vrfy", "etrn",	"quit", "help", "xclient", "xforward", "unknown",
};

int64_t session_deadline(const struct session *s)
{
	return os_deadline(s->p->settings->smtpd_timeout);
}

struct slice session_proto(const struct session *s)
{
	if (s->helo.len == 0)
		return SL_NULL;
	return s->esmtp ? SL("ESMTP") : SL("SMTP");
}

struct slice session_queue_id(struct session *s)
{
	if (s->txn.intake == NULL || receive_open(s, NULL) != RES_OK)
		return SL_NULL;
	return intake_id(s->txn.intake);
}

void session_bad_address(struct session *s, const char *verb, struct slice args)
{
	ssize_t colon = slice_find(args, ':'), end;

	if (strcmp(verb, "VRFY") != 0 && colon >= 0)
		args = slice_trim(slice_from(args, (size_t)colon + 1));
	end = slice_find(args, '>');
	if (end >= 0)
		args = slice_sub(args, 0, (size_t)end + 1);
	LOG(address_illegal, .name = s->client.name, .addr = s->client.addr, .verb = slice_str(verb),
	    .address = slice_sub(args, 0, 100));
}

void session_io(struct session *s, enum stream_status status)
{
	if (status == STREAM_OK || s->end != END_NONE)
		return;
	switch (status) {
	case STREAM_TIMEOUT:
		s->end = END_TIMEOUT;
		break;
	case STREAM_CANCELLED:
		s->end = END_LOCAL;
		break;
	default:
		s->end = END_LOST;
		break;
	}
}

void session_reset(struct session *s)
{
	struct transaction *t = &s->txn;
	struct arena *arena = t->arena;

	intake_end(&t->intake);
	bdat_release(t);
	if (arena != NULL)
		arena_destroy(&arena);
	*t = (struct transaction){.open = false};
}

/* ---- one command */

static bool is_forbidden(const struct session *s, struct slice name)
{
	/* a table that cannot be asked cuts nobody off */
	return match_list_string(s->p->forbidden_commands, name, s->scratch, NULL) == TABLE_FOUND;
}

static bool is_noop(const struct session *s, struct slice name)
{
	struct slice list = s->p->settings->smtpd_noop_commands, word;

	while (settings_next_word(&list, &word))
		if (slice_caseeq(word, name))
			return true;
	return false;
}

/* is_header - "Subject: x": mail, sent by who did not wait for the reply to DATA */
static bool is_header(struct slice line)
{
	struct header_field field;

	return header_next(&line, true, &field) == HEADER_FIELD;
}

static bool unknown_command(struct session *s, const struct smtp_command *c, struct slice line)
{
	if (is_header(line) || is_forbidden(s, c->name)) {
		LOG(client_not_smtp, .name = s->client.name, .addr = s->client.addr,
		    .input = slice_sub(line, 0, 100));
		reply(s, 221, "2.7.0", SL("Error: I can break rules, too. Goodbye."));
		s->closing = true;
		return false;
	}
	return reply_bad(s, 500, "5.5.2", SL("Error: command not recognized"));
}

/* may_speak - has the client sent more than it may before it has our reply? False: hang up. */
static bool may_speak(struct session *s, const struct smtp_command *c, unsigned flags)
{
	const char *head;
	struct slice ahead = SL_NULL;

	if (!(flags & FLAG_LAST) || s->pipelined_early || !stream_pending_input(&s->stream))
		return true;
	s->pipelined_early = true;
	if (stream_buffered(&s->stream) > 0)
		stream_peek(&s->stream, 0, &ahead);
	head = smtp_verb_name(c->verb);
	LOG(client_improper_pipelining, .stage = slice_str(head), .name = s->client.name,
	    .addr = s->client.addr, .input = slice_sub(ahead, 0, 100));
	if (!s->p->settings->smtpd_forbid_unauth_pipelining)
		return true;
	reply(s, 554, "5.5.0", SL("Error: SMTP protocol synchronization"));
	s->closing = true;
	return false;
}

static bool run_verb(struct session *s, const struct smtp_command *c, const struct verb *v,
		     struct slice line)
{
	bool unheard = s->p->tls_required && s->tls == NULL && !(v->flags & FLAG_PRE_TLS);

	if ((s->denied || unheard) && c->verb == SMTP_BDAT && !bdat_skip(s, c))
		return false;
	if (s->denied && c->verb != SMTP_QUIT)
		return reply_bad(s, 503, "5.7.0",
				 arena_printf(s->scratch, "Error: access denied for %.*s",
					      SL_ARG(s->client.full)));
	if (unheard)
		return reply_bad(s, 530, "5.7.0", SL("Must issue a STARTTLS command first"));
	if (v->run == NULL && is_noop(s, c->name))
		return command_noop(s, c);
	if (v->run == NULL)
		return unknown_command(s, c, line);
	if (!may_speak(s, c, v->flags))
		return false;
	return v->run(s, c);
}

static void run_command(struct session *s, struct slice line)
{
	struct smtp_command c;
	const struct verb *v;

	smtp_command_parse(line, &c);
	if (s->daemon != NULL)
		daemon_session_note(s->daemon, line);
	if (c.name.n == 0) {
		s->errors++;
		reply(s, 500, "5.5.2", SL("Error: bad syntax"));
		return;
	}
	if (s->p->settings->smtputf8_enable && !utf8_valid(line)) {
		s->errors++;
		reply(s, 500, "5.5.2", SL("Error: bad UTF-8 syntax"));
		return;
	}
	v = &verbs[c.verb];
	s->where = smtp_verb_name(c.verb);
	s->counts[v->count].all++;
	/* counted before it runs, so that the reply is already slowed down */
	if ((v->flags & FLAG_LIMIT) &&
	    s->junk++ > (unsigned)s->p->settings->smtpd_junk_command_limit)
		s->errors++;
	s->forgiven = false;
	if (run_verb(s, &c, v, line))
		s->counts[v->count].good++;
	else if (!s->forgiven)
		s->errors++;
}

/* next_line - false: the session is over, or the line was too long and that was said. */
static bool next_line(struct session *s, struct slice *line)
{
	enum stream_line_end end;
	enum stream_status status;
	int64_t deadline = session_deadline(s);

	status = stream_read_line(&s->stream, (size_t)s->p->settings->line_length_limit, deadline,
				  line, &end);
	if (status == STREAM_TOO_LONG) {
		LOG(command_too_long, .name = s->client.name, .addr = s->client.addr,
		    .limit = (uint64_t)s->p->settings->line_length_limit,
		    .input = arena_dup(s->scratch, slice_sub(*line, 0, 30)));
		session_io(s, stream_skip_line(&s->stream, deadline));
		s->errors++;
		reply(s, 500, "5.5.2", SL("Error: line too long"));
		return false;
	}
	session_io(s, status);
	if (status == STREAM_OK && end == LINE_LF && bare_lf_refused(s))
		return false;
	return status == STREAM_OK;
}

static bool within_memory(struct session *s)
{
	size_t used = arena_used(s->arena) + arena_used(s->scratch);

	if (s->txn.arena != NULL)
		used += arena_used(s->txn.arena);
	return used <= MEMORY_MAX;
}

static void serve_commands(struct session *s)
{
	struct slice line;

	while (s->end == END_NONE && !s->closing) {
		if (s->errors >= (unsigned)s->p->settings->smtpd_hard_error_limit) {
			reply(s, 421, "4.7.0",
			      arena_printf(s->scratch, "%.*s Error: too many errors",
					   SL_ARG(s->p->settings->myhostname)));
			s->end = s->end == END_NONE ? END_ERRORS : s->end;
			return;
		}
		if (!within_memory(s)) {
			reply(s, 421, "4.3.1", SL("Insufficient system resources"));
			s->closing = true;
			return;
		}
		arena_reset(s->scratch);
		if (next_line(s, &line))
			run_command(s, arena_dup(s->scratch, line));
	}
}

/* ---- beginning and end */

static bool greet(struct session *s)
{
	if (!client_admit(s)) {
		s->where = "CONNECT";
		reply(s, 421, "4.7.0",
		      arena_printf(s->scratch, "%.*s Error: too many connections from %.*s",
				   SL_ARG(s->p->settings->myhostname), SL_ARG(s->client.addr)));
		s->closing = true;
		return false;
	}
	if (s->p->settings->smtpd_tls_wrappermode && !tls_begin(s))
		return false;
	if (!check_client(s)) {
		s->denied = true;
		s->errors++;
		reply_verdict(s);
		return !s->closing;
	}
	reply(s, 220, NULL, s->p->settings->smtpd_banner);
	return s->end == END_NONE;
}

/* say_goodbye - tell a client that is still there why it is cut off. */
static void say_goodbye(struct session *s)
{
	struct smtp_reply r;
	struct buffer out;

	if (s->end == END_TIMEOUT)
		r = smtp_reply(421, "4.4.2",
			       arena_printf(s->scratch, "%.*s Error: timeout exceeded",
					    SL_ARG(s->p->settings->myhostname)));
	else if (s->end == END_LOCAL)
		r = smtp_reply(421, "4.3.2",
			       arena_printf(s->scratch, "%.*s Service shutting down",
					    SL_ARG(s->p->settings->myhostname)));
	else
		return;
	fiber_uncancel();
	buffer_init(&out, REPLY_LINE_MAX);
	if (smtp_reply_format(&out, &r, false))
		stream_write(&s->stream, buffer_slice(&out), os_deadline(GOODBYE_PATIENCE));
	buffer_free(&out);
}

static void log_end(struct session *s)
{
	struct slice stage = slice_str(s->where);

	if ((s->txn.intake != NULL || s->txn.content > 0) &&
	    (slice_eq(stage, SL("DATA")) || slice_eq(stage, SL("BDAT"))))
		stage = arena_printf(s->scratch, "%s (%llu bytes)", s->where,
				     (unsigned long long)s->txn.content);
	if (s->end == END_LOST || (s->end == END_LOCAL && s->txn.intake != NULL))
		LOG(client_lost, .stage = stage, .name = s->client.name, .addr = s->client.addr);
	else if (s->end == END_TIMEOUT)
		LOG(client_timeout, .stage = stage, .name = s->client.name, .addr = s->client.addr);
	else if (s->end == END_ERRORS)
		LOG(client_too_many_errors, .stage = stage, .name = s->client.name,
		    .addr = s->client.addr);
}

static void log_disconnect(struct session *s)
{
	struct log_count counts[COUNT_COUNT];
	size_t n = 0;

	for (size_t i = 0; i < COUNT_COUNT; i++)
		if (s->counts[i].all > 0)
			counts[n++] =
			    (struct log_count){count_names[i], s->counts[i].good, s->counts[i].all};
	LOG(client_disconnect, .name = s->client.name, .addr = s->client.addr, .commands = counts,
	    .commands_count = n);
}

static void session_end(struct session *s)
{
	log_end(s);
	say_goodbye(s);
	session_reset(s);
	stream_close(&s->stream, os_deadline(GOODBYE_PATIENCE));
	log_disconnect(s);
	client_leave(s);
	buffer_free(&s->helo);
	arena_destroy(&s->scratch);
	arena_destroy(&s->arena);
}

void session_serve(struct smtpd *p, int fd, const struct os_addr *peer,
		   struct daemon_session *daemon)
{
	struct session s = {.p = p, .daemon = daemon, .where = "CONNECT"};

	stream_init(&s.stream, fd);
	stream_set_why(&s.stream, "client's next command", "client takes the reply");
	/* we speak first: the poller will tell when there is something to read */
	fiber_fd_blocked(&s.stream.fd, OS_READABLE);
	s.arena = arena_create();
	s.scratch = arena_create();
	buffer_init(&s.helo, HELO_MAX);
	process_check_tables(p);
	client_identify(&s, peer);
	LOG(client_connect, .name = s.client.name, .addr = s.client.addr);
	if (greet(&s))
		serve_commands(&s);
	session_end(&s);
}

void smtpd_session(struct daemon_context *context, struct daemon_session *session)
{
	session_serve(context->state, session->fd, &session->peer, session);
}
