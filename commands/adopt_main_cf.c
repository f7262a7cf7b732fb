/* SPDX-License-Identifier: ISC */
#include "base/buffer.h"
#include "commands/adopt.h"
#include "config/main_cf.h"

#include <string.h>

#define TEXT_MOST ((size_t)64 << 20)

/* Where Postfix's own parts lie, and under which accounts they run: ours have other places and names. */
static const char *const installation[] = {
    "command_directory", "config_directory",  "daemon_directory", "data_directory", "html_directory",
    "mail_owner",	 "mail_release_date", "mail_version",	  "mailq_path",	    "manpage_directory",
    "meta_directory",	 "newaliases_path",   "queue_directory",  "readme_directory", "sample_directory",
    "sendmail_path",	 "setgid_group",      "shlib_directory"};

static bool is_installation(struct slice name)
{
	for (size_t i = 0; i < sizeof(installation) / sizeof(installation[0]); i++)
		if (slice_eq(name, slice_str(installation[i])))
			return true;
	return false;
}

static bool in_name(char c)
{
	return ascii_isalnum(c) || strchr("_-.", c) != NULL;
}

/* is_there - `from` as a whole at this place of the text, not as a part of a longer name. */
static bool is_there(struct slice text, size_t at, struct slice from)
{
	struct slice rest = slice_from(text, at);

	if (!slice_starts(rest, from) || (rest.n > from.n && in_name(rest.p[from.n])))
		return false;
	return at == 0 || !(in_name(text.p[at - 1]) || text.p[at - 1] == '/');
}

struct slice adopt_translate(struct adopt *a, struct slice text)
{
	struct slice from = slice_str(a->from), result;
	struct buffer out;

	buffer_init(&out, TEXT_MOST);
	for (size_t i = 0; i < text.n;) {
		if (text.p[i] == from.p[0] && is_there(text, i, from)) {
			buffer_append_str(&out, a->to);
			i += from.n;
		} else {
			buffer_append_byte(&out, text.p[i++]);
		}
	}
	result = arena_dup(a->arena, buffer_slice(&out));
	buffer_free(&out);
	return result;
}

/* comment_out - every physical line of it. */
static void comment_out(struct buffer *out, struct slice lines)
{
	while (lines.n > 0) {
		ssize_t end = slice_find(lines, '\n');
		size_t n = end < 0 ? lines.n : (size_t)end + 1;

		buffer_append_str(out, "#adopt: ");
		buffer_append(out, slice_sub(lines, 0, n));
		lines = slice_from(lines, n);
	}
}

static void one_line(struct adopt *a, struct slice file, const struct logical_line *line, struct slice bytes,
		     struct buffer *out)
{
	struct slice name, value;

	if (main_cf_split(line->text, &name, &value) != NULL) {
		buffer_append(out, bytes);
		return;
	}
	if (is_installation(name)) {
		comment_out(out, bytes);
		config_problem_add(&a->left_out, false, file, line->first, name, "%.*s", SL_ARG(value));
		return;
	}
	a->parameters++;
	buffer_append(out, bytes);
}

struct slice adopt_main_cf(struct adopt *a, struct slice text, struct slice path)
{
	struct line_reader reader;
	struct logical_line line;
	struct buffer out;
	struct slice result;
	size_t done = 0;

	buffer_init(&out, TEXT_MOST);
	line_reader_init(&reader, text);
	while (line_reader_next(&reader, a->arena, &line)) {
		buffer_append(&out, slice_sub(text, done, line.begin));
		one_line(a, path, &line, slice_sub(text, line.begin, line.end), &out);
		done = line.end;
	}
	buffer_append(&out, slice_from(text, done));
	result = arena_dup(a->arena, buffer_slice(&out));
	buffer_free(&out);
	return result;
}
