/* SPDX-License-Identifier: ISC */
/*
 * postconf_edit - change main.cf as a person would: each named line where it stands, comments and
 * order as they are, new ones at the end.
 */
#include "commands/postconf.h"

struct edit {
	struct slice name;
	struct slice value;
	size_t hits;
};

static void parse_edits(enum edit_action action, char **args, int count, struct edit *edits)
{
	for (int i = 0; i < count; i++) {
		struct slice arg = slice_trim(slice_str(args[i]));
		const char *wrong;

		if (slice_find(arg, '\n') >= 0)
			postconf_fatal("-e, -X, or -# accepts no multi-line input");
		if (action != EDIT_SET) {
			if (arg.n == 0 || slice_find(arg, '=') >= 0 || slice_find(arg, ' ') >= 0)
				postconf_fatal("-X or -# requires names without value");
			edits[i].name = arg;
			continue;
		}
		if (arg.n > 0 && arg.p[0] == '#')
			postconf_fatal("-e accepts no comment input");
		wrong = main_cf_split(arg, &edits[i].name, &edits[i].value);
		if (wrong)
			postconf_fatal("%s: \"%.*s\"", wrong, SL_ARG(arg));
	}
}

static struct edit *find_edit(struct edit *edits, int count, struct slice name)
{
	/* The last one wins, as with -o. */
	for (int i = count; i-- > 0;)
		if (slice_eq(edits[i].name, name))
			return &edits[i];
	return NULL;
}

/* put_rest - a replaced line's own pieces are gone, but the comments between them stay. */
static void put_comments(struct postconf *pc, struct slice text)
{
	while (text.n > 0) {
		ssize_t at = slice_find(text, '\n');
		size_t n = at < 0 ? text.n : (size_t)at + 1;
		struct slice line = slice_sub(text, 0, n);
		struct slice seen = slice_trim(line);

		if (seen.n == 0 || seen.p[0] == '#')
			buffer_append(&pc->out, line);
		text = slice_from(text, n);
	}
}

static void put_commented(struct postconf *pc, struct slice text)
{
	while (text.n > 0) {
		ssize_t at = slice_find(text, '\n');
		size_t n = at < 0 ? text.n : (size_t)at + 1;
		struct slice line = slice_sub(text, 0, n);

		if (slice_trim(line).n > 0 && line.p[0] != '#')
			buffer_append_byte(&pc->out, '#');
		buffer_append(&pc->out, line);
		text = slice_from(text, n);
	}
}

static void put_edited(struct postconf *pc, enum edit_action action, struct edit *edit,
		       struct slice source)
{
	edit->hits++;
	if (action == EDIT_COMMENT) {
		put_commented(pc, source);
		return;
	}
	if (action == EDIT_SET)
		buffer_printf(&pc->out, "%.*s = %.*s\n", SL_ARG(edit->name), SL_ARG(edit->value));
	put_comments(pc, source);
}

/* rewrite - the new text of main.cf into pc->out. */
static void rewrite(struct postconf *pc, enum edit_action action, struct edit *edits, int count,
		    struct slice file, struct slice text)
{
	struct line_reader reader;
	struct logical_line line;
	size_t done = 0;

	line_reader_init(&reader, text);
	while (line_reader_next(&reader, pc->arena, &line)) {
		struct slice name;
		struct slice value;
		struct edit *edit;

		buffer_append(&pc->out, slice_sub(text, done, line.begin));
		done = line.end;
		if (main_cf_split(line.text, &name, &value) == NULL &&
		    (edit = find_edit(edits, count, name)) != NULL)
			put_edited(pc, action, edit, slice_sub(text, line.begin, line.end));
		else
			buffer_append(&pc->out, slice_sub(text, line.begin, line.end));
	}
	buffer_append(&pc->out, slice_from(text, done));
	if (pc->out.len > 0 && pc->out.data[pc->out.len - 1] != '\n')
		buffer_append_byte(&pc->out, '\n');
	for (int i = 0; i < count; i++) {
		struct edit *last = find_edit(edits, count, edits[i].name);

		if (edits[i].hits > 1)
			postconf_warn("%.*s: multiple entries for \"%.*s\"", SL_ARG(file),
				      SL_ARG(edits[i].name));
		if (action == EDIT_SET && last == &edits[i] && edits[i].hits == 0)
			buffer_printf(&pc->out, "%.*s = %.*s\n", SL_ARG(edits[i].name),
				      SL_ARG(edits[i].value));
	}
}

void postconf_edit_main(struct postconf *pc, char **args, int count)
{
	struct edit *edits = ARENA_ARRAY(pc->arena, (size_t)count + 1, struct edit);
	struct edited_file file;

	if (count == 0)
		postconf_fatal("-e requires name=value argument");
	parse_edits(pc->edit, args, count, edits);
	edited_file_open(pc, "main.cf", &file);
	rewrite(pc, pc->edit, edits, count, file.path, file.text);
	edited_file_commit(pc, &file);
}
