/* SPDX-License-Identifier: ISC */
/* postconf_put - pieces of output: words, lines that are folded, names with values, JSON. */
#include "commands/postconf.h"

#include "config/expand.h"

#define LAST_COLUMN 80

void postconf_put_words(struct postconf *pc, size_t column, struct slice text)
{
	struct slice word;
	bool first = column == 0;

	while (slice_next(&text, " \t\r\n\v\f", &word)) {
		if (!first && pc->fold && column + 1 + word.n > LAST_COLUMN) {
			buffer_append_str(&pc->out, "\n    ");
			column = 4;
		} else if (!first) {
			buffer_append_byte(&pc->out, ' ');
			column++;
		}
		buffer_append(&pc->out, word);
		column += word.n;
		first = false;
	}
}

/* sequence_length - of the UTF-8 sequence that s begins with; 0 when it is none (RFC 3629). */
static size_t sequence_length(struct slice s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
	unsigned char next;

	if (n < 2)
		return n;
	if (n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
	next = (unsigned char)s.p[1];
	if ((c == 0xe0 && next < 0xa0) || (c == 0xed && next > 0x9f) ||
	    (c == 0xf0 && next < 0x90) || (c == 0xf4 && next > 0x8f))
		return 0;
	return n;
}

void postconf_put_json(struct buffer *out, struct slice text)
{
	buffer_append_byte(out, '"');
	while (text.n > 0) {
		size_t n = sequence_length(text);
		unsigned char c = (unsigned char)text.p[0];

		if (n == 0)
			buffer_append_str(out, "\xef\xbf\xbd");
		else if (c == '"' || c == '\\')
			buffer_printf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buffer_printf(out, "\\u%04x", c);
		else
			buffer_append(out, slice_sub(text, 0, n));
		text = slice_from(text, n > 0 ? n : 1);
	}
	buffer_append_byte(out, '"');
}

void postconf_put_pair(struct postconf *pc, struct slice name, struct slice value)
{
	size_t start = pc->out.len;

	value = slice_trim(value);
	if (pc->json) {
		buffer_append_str(&pc->out, pc->values_only ? "{" : "{\"name\": ");
		if (!pc->values_only)
			postconf_put_json(&pc->out, name);
		if (!pc->names_only) {
			buffer_append_str(&pc->out,
					  pc->values_only ? "\"value\": " : ", \"value\": ");
			postconf_put_json(&pc->out, value);
		}
		buffer_append_str(&pc->out, "}\n");
		return;
	}
	if (pc->names_only) {
		buffer_printf(&pc->out, "%.*s\n", SL_ARG(name));
		return;
	}
	if (!pc->values_only)
		buffer_printf(&pc->out, "%.*s =", SL_ARG(name));
	postconf_put_words(pc, pc->out.len - start, value);
	buffer_append_byte(&pc->out, '\n');
}

/* service_value - of a name, as the service's process would see it; the absent slice when it has no
 * own. */
static struct slice service_value(const struct master_service *service, struct slice name)
{
	struct slice found = SL_NULL;
	struct slice one, value;
	size_t at = 0;

	if (slice_eq(name, SL("service_name")))
		found = service->name;
	else if (slice_eq(name, SL("process_name")))
		found = service->command;
	while (master_service_override(service, &at, &one, &value))
		if (slice_eq(one, name))
			found = value;
	return found;
}

static struct slice look_up(void *context, struct slice name)
{
	const struct postconf *pc = context;
	struct slice value = pc->scope ? service_value(pc->scope, name) : SL_NULL;

	return slice_is_null(value) ? values_raw(&pc->values, name) : value;
}

struct slice postconf_expanded(struct postconf *pc, struct slice place, struct slice text)
{
	struct expansion how = {.lookup = look_up, .context = pc};
	struct slice expanded;
	const char *wrong;

	if (!pc->expand)
		return text;
	wrong = expand_text(&how, text, pc->arena, &expanded);
	if (wrong)
		postconf_fatal("%.*s: %s", SL_ARG(place), wrong);
	return expanded;
}
