/* SPDX-License-Identifier: ISC */
#include "smtp/session.h"
#include "base/check.h"
#include "log/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

/* What is kept of a reply's text; of its lines. */
#define REPLY_TEXT_MAX ((size_t)8192)
#define REPLY_LINE_LIMIT ((size_t)4096)
#define REPLY_MAX_LINES 1000
#define GOODBYE_TIME (2 * OS_SECOND)

/* ---- replies */

static enum stream_status dead(struct session *s, enum stream_status status)
{
	s->alive = false;
	return status;
}

enum stream_status session_reply(struct session *s, int64_t timeout, struct smtp_reply *reply)
{
	int64_t deadline = os_deadline(timeout);
	enum stream_line_end end;
	struct slice line;
	enum reply_step step = REPLY_MORE;

	reply_parser_begin(&s->parser, &s->reply_text, REPLY_MAX_LINES);
	while (step == REPLY_MORE) {
		enum stream_status status =
		    stream_read_line(&s->stream, REPLY_LINE_LIMIT, deadline, &line, &end);

		if (status == STREAM_TOO_LONG) {
			step = reply_parser_line(&s->parser, line, reply);
			status = stream_skip_line(&s->stream, deadline);
		} else if (status == STREAM_OK) {
			step = reply_parser_line(&s->parser, line, reply);
		}
		if (status != STREAM_OK)
			return dead(s, status);
	}
	if (step == REPLY_BAD) {
		s->stream.error = EPROTO;
		return dead(s, STREAM_ERROR);
	}
	if (reply->code == 421)
		s->alive = false; /* RFC 5321 3.8: the server ends the session */
	return STREAM_OK;
}

enum stream_status session_say(struct session *s, int64_t timeout, struct smtp_reply *reply,
			       const char *format, ...)
{
	struct buffer line;
	enum stream_status status;
	va_list ap;

	buffer_init(&line, 4096);
	va_start(ap, format);
	buffer_vprintf(&line, format, ap);
	va_end(ap);
	buffer_append(&line, SL("\r\n"));
	status = stream_write(&s->stream, buffer_slice(&line), os_deadline(timeout));
	buffer_free(&line);
	return status == STREAM_OK ? session_reply(s, timeout, reply) : dead(s, status);
}

/* ---- failures */

void session_complete(const struct session *s, struct arena *arena, struct failure *f)
{
	f->relay = arena_dup(arena, s->relay);
	f->connected = s->connected;
	f->conn_use = s->uses + 1;
}

struct failure session_failure(struct session *s, struct arena *arena, enum stream_status status)
{
	struct failure f;

	if (status == STREAM_TIMEOUT)
		f = failure_make(arena, "4.4.2", "conversation with %.*s timed out while %s",
				 SL_ARG(s->host_addr), s->stage);
	else if (status == STREAM_ERROR && s->stream.error == EPROTO && !s->tls)
		f = failure_make(arena, "4.5.0", "protocol error in reply from %.*s while %s",
				 SL_ARG(s->host_addr), s->stage);
	else if (status == STREAM_ERROR && s->stream.error == EIO)
		f = failure_make(arena, "4.3.0", "local data error while talking to %.*s",
				 SL_ARG(s->host_addr));
	else if (status == STREAM_CANCELLED)
		f = failure_make(arena, "4.3.2", "mail system stops while %s to %.*s", s->stage,
				 SL_ARG(s->host_addr));
	else
		f = failure_make(arena, "4.4.2", "lost connection with %.*s while %s",
				 SL_ARG(s->host_addr), s->stage);
	f.destination = status != STREAM_CANCELLED && s->stream.error != EIO;
	session_complete(s, arena, &f);
	return f;
}

/* ---- life */

static struct session *session_create(const struct session_setting *setting, int fd)
{
	const struct target *t = setting->target;
	struct arena *arena = arena_create();
	struct session *s = ARENA_NEW(arena, struct session);
	char text[IP_TEXT_SIZE];
	struct slice addr = ip_format(&t->addr, text);

	s->conf = setting->conf;
	s->arena = arena;
	s->local = t->addr.bits == 0;
	s->host = arena_dup(arena, s->local ? setting->conf->settings->myhostname : t->host);
	if (s->local)
		addr = t->host;
	s->port = t->port;
	s->host_addr = arena_printf(arena, "%.*s[%.*s]", SL_ARG(s->host), SL_ARG(addr));
	s->relay = s->local ? s->host_addr
			    : arena_printf(arena, "%.*s:%u", SL_ARG(s->host_addr), t->port);
	s->destination = arena_dup(arena, setting->destination);
	s->connected = os_wall();
	s->begun = os_now();
	s->alive = true;
	buffer_init(&s->reply_text, REPLY_TEXT_MAX);
	stream_init(&s->stream, fd);
	stream_set_why(&s->stream, "next hop", "next hop");
	return s;
}

struct session *session_open(const struct session_setting *setting, struct arena *arena,
			     struct failure *failure, bool *greeted)
{
	int fd = target_connect(setting->conf, setting->target, arena, failure);
	struct session *s;

	*greeted = false;
	if (fd < 0)
		return NULL;
	s = session_create(setting, fd);
	if (session_hello(s, setting, arena, failure) == RES_OK) {
		s->connected = os_wall();
		*greeted = true;
		return s;
	}
	session_complete(s, arena, failure);
	*greeted = s->esmtp;
	session_close(&s, true);
	return NULL;
}

/* say_goodbye - whatever happens, it does not matter any more. */
static void say_goodbye(struct session *s)
{
	struct smtp_reply reply;
	int64_t timeout = s->conf->quit_timeout;

	if (fiber_cancelled()) {
		fiber_uncancel();
		timeout = timeout < GOODBYE_TIME ? timeout : GOODBYE_TIME;
	}
	s->stage = "sending QUIT";
	if (!s->conf->skip_quit_response)
		(void)session_say(s, timeout, &reply, "QUIT");
	else if (stream_write(&s->stream, SL("QUIT\r\n"), os_deadline(GOODBYE_TIME)) == STREAM_OK)
		(void)stream_flush(&s->stream, os_deadline(GOODBYE_TIME));
}

void session_close(struct session **session, bool polite)
{
	struct session *s = *session;
	struct arena *arena;
	bool cancelled = fiber_cancelled();

	if (s == NULL)
		return;
	*session = NULL;
	if (polite && s->alive)
		say_goodbye(s);
	(void)stream_close(&s->stream, 0);
	buffer_free(&s->reply_text);
	if (cancelled)
		fiber_cancel(fiber_self());
	arena = s->arena;
	arena_destroy(&arena);
}

/* input_came - replies to nothing: 421 and the like, or the end. */
static bool input_came(struct session *s)
{
	struct slice bytes;

	return stream_pending_input(&s->stream) ||
	       stream_peek(&s->stream, 0, &bytes) != STREAM_TIMEOUT;
}

bool session_usable(struct session *s)
{
	const struct client_conf *conf = s->conf;
	int64_t now = os_now();

	if (!s->alive || !conf->reuse || conf->cache_time <= 0)
		return false;
	if (conf->reuse_count > 0 && s->uses > (unsigned)conf->reuse_count)
		return false;
	if (conf->reuse_time > 0 && now - s->begun > conf->reuse_time)
		return false;
	return !input_came(s);
}
