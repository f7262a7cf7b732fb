/* SPDX-License-Identifier: ISC */
#include "local/copy.h"
#include "address/address.h"

static struct slice from_line(struct arena *arena, const struct copy_head *head)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	const struct tm *t = head->now;
	struct slice sender =
	    head->sender.n > 0 ? address_quote(arena, head->sender) : SL("MAILER-DAEMON");

	return arena_printf(arena, "From %.*s  %.3s %.3s %2d %02d:%02d:%02d %d\n", SL_ARG(sender),
			    days + 3 * t->tm_wday, months + 3 * t->tm_mon, t->tm_mday, t->tm_hour,
			    t->tm_min, t->tm_sec, t->tm_year + 1900);
}

static struct slice address_line(struct arena *arena, const char *name, struct slice address)
{
	if (slice_is_null(address))
		return SL("");
	return arena_printf(arena, "%s: %.*s\n", name, SL_ARG(address_quote(arena, address)));
}

struct slice copy_head(struct arena *arena, enum copy_format format, const struct copy_head *head)
{
	struct slice from = format == COPY_MAILDIR ? SL("") : from_line(arena, head);
	struct slice original = address_line(arena, "X-Original-To", head->original);
	struct slice delivered = address_line(arena, "Delivered-To", head->delivered);

	return arena_printf(arena, "%.*sReturn-Path: <%.*s>\n%.*s%.*s", SL_ARG(from),
			    SL_ARG(address_quote(arena, head->sender)), SL_ARG(original),
			    SL_ARG(delivered));
}

static void put_line(struct copy *c, struct slice line, struct buffer *out)
{
	if (c->format == COPY_MBOX && !c->in_line && slice_starts(line, SL("From ")))
		buffer_append_byte(out, '>');
	buffer_append(out, line);
}

/* whole_line - with its line end, of whatever kind. */
static void whole_line(struct copy *c, struct slice line, struct buffer *out)
{
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	put_line(c, line, out);
	buffer_append_byte(out, '\n');
	c->in_line = false;
}

/* part_line - what there is of a line without end, but for what cannot be judged yet. */
static size_t part_line(struct copy *c, struct slice part, bool last, struct buffer *out)
{
	size_t n = part.n;

	if (n == 0)
		return 0;
	if (last) {
		whole_line(c, part, out);
		return n;
	}
	if (!c->in_line && n < SL("From ").n)
		return 0;
	if (part.p[n - 1] == '\r')
		n--;
	put_line(c, slice_sub(part, 0, n), out);
	c->in_line = true;
	return n;
}

size_t copy_some(struct copy *c, struct slice in, bool last, struct buffer *out)
{
	size_t done = 0;

	for (;;) {
		struct slice rest = slice_from(in, done);
		ssize_t end = slice_find(rest, '\n');

		if (end < 0) {
			done += part_line(c, rest, last, out);
			break;
		}
		whole_line(c, slice_sub(rest, 0, (size_t)end), out);
		done += (size_t)end + 1;
	}
	if (last && c->format == COPY_MBOX)
		buffer_append_byte(out, '\n');
	return done;
}
