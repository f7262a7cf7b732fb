/* SPDX-License-Identifier: ISC */
/*
 * postconf_edit_master - change master.cf: whole services (-M), their columns (-F), what their -o
 * set
 * (-P). Lines that are not named stay as they are, byte for byte, and so do comments.
 */
#include "commands/postconf.h"

struct edit {
	struct service_pattern where;
	struct slice request; /* as given, for messages */
	struct slice value;
	struct master_service line; /* -M -e: the new line */
	bool done;
};

static unsigned parts_wanted(const struct postconf *pc)
{
	return pc->mode == MODE_SERVICES ? 2 : 3;
}

static const char *form_wanted(const struct postconf *pc)
{
	switch (pc->mode) {
	case MODE_SERVICES:
		return "-Me, -MX or -M# requires service_name/type";
	case MODE_FIELDS:
		return "-Fe requires service_name/type/field_name";
	default:
		return "-Pe or -PX requires service_name/type/parameter_name";
	}
}

/* parse_line - the text of one service; ends the program when it is none. */
static struct master_service parse_line(struct postconf *pc, struct slice text)
{
	struct config_problems problems;
	struct master_cf cf;

	config_problems_init(&problems, pc->arena);
	master_cf_parse(text, SL_NULL, NULL, pc->arena, &problems, &cf);
	for (size_t i = 0; i < problems.count; i++)
		if (problems.items[i].fatal || cf.count != 1)
			postconf_fatal("%.*s", SL_ARG(problems.items[i].text));
	if (cf.count != 1)
		postconf_fatal("bad field count in \"%.*s\" (allowed: one service)", SL_ARG(text));
	return cf.services[0];
}

static void check_value(struct postconf *pc, struct edit *edit)
{
	if (pc->mode == MODE_SERVICES) {
		edit->line = parse_line(pc, edit->value);
		return;
	}
	if (slice_eq(edit->where.what, SL("*")))
		postconf_fatal("-%ce does not accept wild-card %s name",
			       pc->mode == MODE_FIELDS ? 'F' : 'P',
			       pc->mode == MODE_FIELDS ? "field" : "parameter");
	for (size_t i = 0; pc->mode == MODE_FIELDS && i < edit->value.n; i++)
		if (ascii_isspace(edit->value.p[i]) && !slice_eq(edit->where.what, SL("command")))
			postconf_fatal("-Fe does not accept whitespace in field value: \"%.*s\"",
				       SL_ARG(edit->value));
	if (pc->mode == MODE_FIELDS && edit->value.n == 0)
		postconf_fatal(
		    "-Fe does not accept an empty field value (write - for the default)");
}

static void parse_edits(struct postconf *pc, char **args, int count, struct edit *edits)
{
	for (int i = 0; i < count; i++) {
		struct edit *edit = &edits[i];
		struct slice arg = slice_trim(slice_str(args[i]));
		const char *wrong;

		edit->request = arg;
		if (slice_find(arg, '\n') >= 0)
			postconf_fatal("-e, -X, or -# accepts no multi-line input");
		if (pc->edit == EDIT_SET) {
			if (arg.n > 0 && arg.p[0] == '#')
				postconf_fatal("-e accepts no comment input");
			wrong = main_cf_split(arg, &arg, &edit->value);
			if (wrong)
				postconf_fatal("%s: \"%s\"", wrong, args[i]);
		} else if (slice_find(arg, '=') >= 0) {
			postconf_fatal("-X or -# requires names without value");
		}
		edit->where = service_pattern_parse(pc, arg, parts_wanted(pc));
		if (edit->where.parts != parts_wanted(pc))
			postconf_fatal("%s", form_wanted(pc));
		if (pc->edit == EDIT_SET)
			check_value(pc, edit);
		else if (pc->mode == MODE_PARAMETERS && slice_eq(edit->where.what, SL("*")))
			postconf_fatal("-PX does not accept wild-card parameter name");
	}
}

/* ---- one service */

/* set_field - one column; the line is parsed again, for the new text may be wrong there. */
static void set_field(struct postconf *pc, struct master_service *service, const struct edit *edit)
{
	unsigned field = master_field(edit->where.what);
	struct slice text = SL("");

	for (unsigned i = 0; i < MASTER_COLUMNS; i++)
		text = arena_printf(pc->arena, "%.*s%.*s ", SL_ARG(text),
				    SL_ARG(i == field ? edit->value : service->columns[i]));
	if (field == MASTER_COLUMNS) {
		*service = parse_line(
		    pc, arena_printf(pc->arena, "%.*s%.*s", SL_ARG(text), SL_ARG(edit->value)));
		return;
	}
	(void)parse_line(pc, arena_printf(pc->arena, "%.*sx", SL_ARG(text)));
	service->columns[field] = edit->value;
	if (field == 0)
		service->name = edit->value;
}

/* option_end - how many of the arguments are options, with what belongs to them. */
static size_t option_end(const struct master_service *service)
{
	size_t i = 0;

	while (i < service->arg_count && service->args[i].n > 1 && service->args[i].p[0] == '-')
		i += slice_eq(service->args[i], SL("-o")) ? 2 : 1;
	return i < service->arg_count ? i : service->arg_count;
}

/* drop_parameter - all -o of this name; where the first one stood, or SIZE_MAX. */
static size_t drop_parameter(struct master_service *service, struct slice name)
{
	size_t first = SIZE_MAX;
	size_t kept = 0;

	for (size_t i = 0; i < service->arg_count; i++) {
		struct slice one, value;

		if (i + 1 < service->arg_count && slice_eq(service->args[i], SL("-o")) &&
		    main_cf_split(service->args[i + 1], &one, &value) == NULL &&
		    slice_eq(one, name)) {
			first = first == SIZE_MAX ? kept : first;
			i++;
			continue;
		}
		service->args[kept++] = service->args[i];
	}
	service->arg_count = kept;
	return first;
}

static void set_parameter(struct postconf *pc, struct master_service *service,
			  const struct edit *edit)
{
	size_t at = drop_parameter(service, edit->where.what);
	struct slice *args = ARENA_ARRAY(pc->arena, service->arg_count + 2, struct slice);
	size_t count = 0;

	if (pc->edit == EDIT_DELETE)
		return;
	if (at == SIZE_MAX)
		at = option_end(service);
	for (size_t i = 0; i <= service->arg_count; i++) {
		if (i == at) {
			args[count++] = SL("-o");
			args[count++] = arena_printf(pc->arena, "%.*s=%.*s",
						     SL_ARG(edit->where.what), SL_ARG(edit->value));
		}
		if (i < service->arg_count)
			args[count++] = service->args[i];
	}
	service->args = args;
	service->arg_count = count;
}

/* ---- the file */

static void each_line(struct postconf *pc, struct slice text, bool comments)
{
	while (text.n > 0) {
		ssize_t at = slice_find(text, '\n');
		size_t n = at < 0 ? text.n : (size_t)at + 1;
		struct slice line = slice_sub(text, 0, n);
		struct slice seen = slice_trim(line);
		bool is_comment = seen.n == 0 || seen.p[0] == '#';

		if (!comments && !is_comment)
			buffer_append_byte(&pc->out, '#');
		if (!comments || is_comment)
			buffer_append(&pc->out, line);
		text = slice_from(text, n);
	}
}

/* edit_service - `source`: its bytes in the file; what it becomes goes to the output. */
static void edit_service(struct postconf *pc, struct edit *edits, int count,
			 struct master_service *service, struct slice source)
{
	bool changed = false;

	for (int i = 0; i < count; i++) {
		struct edit *edit = &edits[i];

		if (!service_pattern_matches(&edit->where, service))
			continue;
		if (pc->mode == MODE_SERVICES) {
			if (pc->edit == EDIT_COMMENT) {
				each_line(pc, source, false);
			} else {
				if (pc->edit == EDIT_SET && !edit->done)
					postconf_put_service(pc, &edit->line, true);
				each_line(pc, source, true);
			}
			edit->done = true;
			return;
		}
		if (pc->mode == MODE_FIELDS)
			set_field(pc, service, edit);
		else
			set_parameter(pc, service, edit);
		edit->done = changed = true;
	}
	if (!changed) {
		buffer_append(&pc->out, source);
		return;
	}
	each_line(pc, source, true);
	postconf_put_service(pc, service, true);
}

static void end_line(struct postconf *pc)
{
	if (pc->out.len > 0 && pc->out.data[pc->out.len - 1] != '\n')
		buffer_append_byte(&pc->out, '\n');
}

static void rewrite(struct postconf *pc, struct edit *edits, int count, struct slice text)
{
	struct line_reader reader;
	struct logical_line line;
	size_t done = 0;

	line_reader_init(&reader, text);
	while (line_reader_next(&reader, pc->arena, &line)) {
		struct slice source = slice_sub(text, line.begin, line.end);
		struct master_service service = parse_line(pc, line.text);

		buffer_append(&pc->out, slice_sub(text, done, line.begin));
		done = line.end;
		edit_service(pc, edits, count, &service, source);
		end_line(pc);
	}
	buffer_append(&pc->out, slice_from(text, done));
	end_line(pc);
	for (int i = 0; i < count; i++) {
		if (edits[i].done)
			continue;
		if (pc->mode == MODE_SERVICES && pc->edit == EDIT_SET)
			postconf_put_service(pc, &edits[i].line, true);
		else if (pc->mode != MODE_SERVICES)
			postconf_warn("unmatched service_name/type: \"%.*s\"",
				      SL_ARG(edits[i].request));
	}
}

void postconf_edit_master(struct postconf *pc, char **args, int count)
{
	struct edit *edits = ARENA_ARRAY(pc->arena, (size_t)count + 1, struct edit);
	struct edited_file file;

	if (count == 0)
		postconf_fatal(pc->edit == EDIT_SET ? "-e requires name=value argument"
						    : "-X or -# requires name argument");
	pc->expand = false;
	parse_edits(pc, args, count, edits);
	edited_file_open(pc, "master.cf", &file);
	rewrite(pc, edits, count, file.text);
	edited_file_commit(pc, &file);
}
