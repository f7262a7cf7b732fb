/* SPDX-License-Identifier: ISC */
#include "message/generated.h"
#include "base/buffer.h"
#include "message/date.h"

#include <time.h>

#define RECEIVED_MAX 16384
#define WORD_COLUMNS 75 /* RFC 2047 2 */

struct slice message_id_make(struct arena *arena, int64_t seconds, struct slice queue_id,
			     struct slice host)
{
	time_t t = (time_t)seconds;
	struct tm tm = {0};

	gmtime_r(&t, &tm);
	return arena_printf(arena, "<%04d%02d%02d%02d%02d%02d.%.*s@%.*s>", tm.tm_year + 1900,
			    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			    SL_ARG(queue_id), SL_ARG(host));
}

/* put_safe - what a stranger said, without control bytes and without a way out of a comment. */
static void put_safe(struct buffer *b, struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		buffer_append_byte(b, c < ' ' || c == 127 ? '?' : s.p[i]);
	}
}

/* put_comment - one folded line that holds (text); LF in the text folds again. */
static void put_comment(struct buffer *b, const char *label, struct slice text)
{
	bool first = true;
	struct slice line;

	if (slice_is_null(text))
		return;
	buffer_append_str(b, "\t(");
	buffer_append_str(b, label);
	while (slice_next(&text, "\r\n", &line)) {
		if (!first)
			buffer_append_str(b, "\r\n\t ");
		put_safe(b, slice_trim(line));
		first = false;
	}
	buffer_append_str(b, ")\r\n");
}

static void put_smtp(struct buffer *b, const struct received *r)
{
	buffer_append_str(b, "Received: from ");
	put_safe(b, r->helo);
	buffer_append_str(b, " (");
	put_safe(b, r->client_name);
	buffer_append_str(b, " [");
	put_safe(b, r->client_address);
	buffer_append_str(b, "])\r\n");
	put_comment(b, "", r->tls);
	put_comment(b, "", r->client_cert);
	put_comment(b, "Authenticated sender: ", r->authenticated);
	buffer_printf(b, "\tby %.*s (%.*s) with %.*s id %.*s", SL_ARG(r->host),
		      SL_ARG(r->mail_name), SL_ARG(r->protocol), SL_ARG(r->queue_id));
	if (slice_is_null(r->recipient)) {
		buffer_append_str(b, ";\r\n\t");
	} else {
		buffer_append_str(b, "\r\n\tfor <");
		put_safe(b, r->recipient);
		buffer_append_str(b, ">; ");
	}
}

struct slice received_compose(struct arena *arena, const struct received *r)
{
	struct buffer b;
	struct slice made;

	buffer_init(&b, RECEIVED_MAX);
	if (slice_is_null(r->helo) && r->own)
		buffer_printf(&b, "Received: by %.*s (%.*s)\r\n\tid %.*s; ", SL_ARG(r->host),
			      SL_ARG(r->mail_name), SL_ARG(r->queue_id));
	else if (slice_is_null(r->helo))
		buffer_printf(&b, "Received: by %.*s (%.*s, from userid %lu)\r\n\tid %.*s; ",
			      SL_ARG(r->host), SL_ARG(r->mail_name), (unsigned long)r->uid,
			      SL_ARG(r->queue_id));
	else
		put_smtp(&b, r);
	put_safe(&b, r->date);
	buffer_append_str(&b, "\r\n");
	made = arena_dup(arena, buffer_slice(&b));
	buffer_free(&b);
	return made;
}

static bool is_phrase_atom(char c)
{
	return ascii_isalnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~ ", c) != NULL);
}

static struct slice quote_phrase(struct arena *arena, struct slice name)
{
	char *p = arena_alloc(arena, 2 * name.n + 3), *q = p;

	*q++ = '"';
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c == '"' || c == '\\')
			*q++ = '\\';
		*q++ = ascii_isprint(c) ? c : ' ';
	}
	*q++ = '"';
	return slice(p, (size_t)(q - p));
}

struct slice full_name_encode(struct arena *arena, struct slice name, struct slice charset)
{
	bool plain = true;

	name = slice_trim(name);
	for (size_t i = 0; i < name.n; i++) {
		if ((unsigned char)name.p[i] > 127)
			return encoded_words(arena, name, charset);
		plain = plain && is_phrase_atom(name.p[i]);
	}
	return plain ? name : quote_phrase(arena, name);
}

/* character_length - bytes that must stay together: a UTF-8 sequence, or one byte. */
static size_t character_length(struct slice s)
{
	size_t n = 1;

	if ((unsigned char)s.p[0] >= 0xc0)
		while (n < s.n && n < 4 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
			n++;
	return n;
}

/* put_q - RFC 2047 5 (3): in a phrase only letters, digits and "!*+-/" stand for themselves. */
static void put_q(struct buffer *b, char c)
{
	if (ascii_isalnum(c) || (c != '\0' && strchr("!*+-/", c) != NULL))
		buffer_append_byte(b, c);
	else if (c == ' ')
		buffer_append_byte(b, '_');
	else
		buffer_printf(b, "=%02X", (unsigned char)c);
}

struct slice encoded_words(struct arena *arena, struct slice text, struct slice charset)
{
	struct slice made, open;
	struct buffer b;
	size_t start = 0;

	if (slice_is_null(charset))
		charset = SL("utf-8");
	open = arena_printf(arena, "=?%.*s?Q?", SL_ARG(charset));
	buffer_init(&b, 16 * text.n + 256 + 2 * open.n * (text.n + 1));
	buffer_append(&b, open);
	while (text.n > 0) {
		size_t n = character_length(text);

		/* Room for the widest form of this character and the closing "?=". */
		if (b.len - start + 3 * n + 2 > WORD_COLUMNS) {
			buffer_append_str(&b, "?=\r\n ");
			start = b.len;
			buffer_append(&b, open);
		}
		for (size_t i = 0; i < n; i++)
			put_q(&b, text.p[i]);
		text = slice_from(text, n);
	}
	buffer_append_str(&b, "?=");
	made = arena_dup(arena, buffer_slice(&b));
	buffer_free(&b);
	return made;
}
