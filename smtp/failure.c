/* SPDX-License-Identifier: ISC */
#include "smtp/failure.h"

#include <stdarg.h>

#define TEXT_LIMIT ((size_t)4000)

static enum result class_result(char class)
{
	return class == '5' ? RES_PERM : RES_TEMP;
}

struct failure failure_make(struct arena *arena, const char *dsn, const char *format, ...)
{
	struct failure f = {.result = class_result(dsn[0]), .dsn = slice_str(dsn)};
	struct buffer text;
	va_list ap;

	buffer_init(&text, TEXT_LIMIT);
	va_start(ap, format);
	buffer_vprintf(&text, format, ap);
	va_end(ap);
	f.text = arena_dup(arena, buffer_slice(&text));
	buffer_free(&text);
	return f;
}

struct slice reply_line(struct arena *arena, const struct smtp_reply *reply)
{
	struct slice rest = reply->text, line, joined;
	struct buffer out;
	ssize_t lf;

	buffer_init(&out, TEXT_LIMIT);
	do {
		lf = slice_find(rest, '\n');
		line = lf < 0 ? rest : slice_sub(rest, 0, (size_t)lf);
		rest = lf < 0 ? SL_NULL : slice_from(rest, (size_t)lf + 1);
		buffer_printf(&out, "%s%03u", out.len > 0 ? " " : "", reply->code);
		buffer_append_byte(&out, lf < 0 ? ' ' : '-');
		if (reply->status.n > 0)
			buffer_printf(&out, "%.*s ", SL_ARG(reply->status));
		buffer_append(&out, line);
	} while (lf >= 0);
	joined = arena_dup(arena, slice_rtrim(buffer_slice(&out)));
	buffer_free(&out);
	return joined;
}

/* status_of - the enhanced code of a reply, made from its class where it has none. */
static struct slice status_of(struct arena *arena, const struct smtp_reply *reply)
{
	if (reply->code / 100 != 4 && reply->code / 100 != 5)
		return SL("5.5.0");
	if (reply->status.n > 0)
		return arena_dup(arena, reply->status);
	return reply->code / 100 == 4 ? SL("4.0.0") : SL("5.0.0");
}

static struct failure spoken(struct arena *arena, struct slice name, const struct smtp_reply *reply,
			     struct slice line)
{
	struct failure f = {.dsn = status_of(arena, reply)};

	f.result = class_result(f.dsn.p[0]);
	f.mta = arena_printf(arena, "smtp; %.*s", SL_ARG(line));
	f.remote = arena_dup(arena, name);
	return f;
}

struct failure failure_reply(struct arena *arena, struct slice host, struct slice name,
			     const struct smtp_reply *reply, const char *command)
{
	struct slice line = reply_line(arena, reply);
	struct failure f = spoken(arena, name, reply, line);
	bool wrong = reply->code / 100 != 4 && reply->code / 100 != 5;

	f.text = arena_printf(arena, "%shost %.*s said: %.*s (in reply to %s)",
			      wrong ? "Protocol error: " : "", SL_ARG(host), SL_ARG(line), command);
	return f;
}

struct failure failure_refused(struct arena *arena, struct slice host, struct slice name,
			       const struct smtp_reply *reply)
{
	struct slice line = reply_line(arena, reply);
	struct failure f = spoken(arena, name, reply, line);

	f.text = arena_printf(arena, "host %.*s refused to talk to me: %.*s", SL_ARG(host),
			      SL_ARG(line));
	f.destination = true;
	return f;
}

void failure_soften(struct arena *arena, struct failure *f)
{
	f->result = RES_TEMP;
	if (f->dsn.n > 0 && f->dsn.p[0] == '5')
		f->dsn = arena_printf(arena, "4%.*s", SL_ARG(slice_from(f->dsn, 1)));
}
