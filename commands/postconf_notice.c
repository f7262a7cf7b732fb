/* SPDX-License-Identifier: ISC */
/*
 * postconf_notice - the texts of delivery status notifications, as templates (-t) or as they read
 * (-b); the form of a template file is that of bounce(5): NAME_template = <<WORD, header lines,
 * text, WORD.
 */
#include "commands/postconf.h"

#include "bounce/wording.h"
#include "config/expand.h"
#include "config/source.h"

#define CHARSET "us-ascii"
#define FROM "MAILER-DAEMON (Mail Delivery System)"

struct template
{
	struct slice name;
	struct slice body; /* absent: not in the file */
};

static bool next_line(struct slice *text, struct slice *line)
{
	ssize_t at = slice_find(*text, '\n');

	if (text->n == 0)
		return false;
	*line = at < 0 ? *text : slice_sub(*text, 0, (size_t)at);
	*text = slice_from(*text, at < 0 ? text->n : (size_t)at + 1);
	return true;
}

/* take_body - up to the line that is the word alone. */
static bool take_body(struct slice *text, struct slice word, struct slice *body)
{
	struct slice start = *text;
	struct slice line;

	while (next_line(text, &line))
		if (slice_eq(slice_rtrim(line), word)) {
			*body = slice_sub(start, 0, (size_t)(line.p - start.p));
			return true;
		}
	return false;
}

static struct template *find(struct template *all, struct slice name)
{
	for (size_t i = 0; i < WORDING_COUNT; i++)
		if (slice_eq(all[i].name, name))
			return &all[i];
	return NULL;
}

static void take_template(struct slice path, unsigned number, struct slice line, struct slice *text,
			  struct template *all)
{
	struct slice name, value, body;
	struct template *t;

	if (main_cf_split(line, &name, &value) || !slice_starts(value, SL("<<")) || value.n < 3)
		postconf_fatal("%.*s, line %u: \"%.*s\" (allowed: name_template = <<WORD)",
			       SL_ARG(path), number, SL_ARG(line));
	t = find(all, name);
	if (t == NULL)
		postconf_fatal(
		    "%.*s, line %u: unknown template name: %.*s (allowed: failure_template "
		    "delay_template success_template verify_template)",
		    SL_ARG(path), number, SL_ARG(name));
	if (!take_body(text, slice_trim(slice_from(value, 2)), &body))
		postconf_fatal("%.*s, line %u: no line \"%.*s\" ends the text", SL_ARG(path),
			       number, SL_ARG(slice_from(value, 2)));
	t->body = body;
}

static void parse(struct slice path, struct slice text, struct template *all)
{
	struct slice line;
	struct slice start = text;

	while (next_line(&text, &line)) {
		struct slice seen = slice_trim(line);
		unsigned number = 1;

		if (seen.n == 0 || seen.p[0] == '#')
			continue;
		for (const char *p = start.p; p < line.p; p++)
			number += *p == '\n';
		take_template(path, number, line, &text, all);
	}
}

static struct slice built_in(struct postconf *pc, const struct wording *w)
{
	return arena_printf(pc->arena,
			    "Charset: " CHARSET "\nFrom: " FROM
			    "\nSubject: %s\nPostmaster-Subject: Postmaster Copy: %s\n\n%s",
			    w->subject, w->subject, w->text);
}

/* ---- -b */

/* unit_of - what a name such as delay_warning_time_hours is told in; its first part goes to *name.
 */
static int64_t unit_of(struct slice *name)
{
	static const struct {
		const char *suffix;
		int64_t seconds;
	} units[] = {{"_seconds", 1},
		     {"_minutes", 60},
		     {"_hours", 3600},
		     {"_days", 86400},
		     {"_weeks", 604800}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct slice suffix = slice_str(units[i].suffix);
		struct slice first = slice_sub(*name, 0, name->n - suffix.n * (name->n > suffix.n));

		if (!slice_ends(*name, suffix) || (!slice_eq(first, SL("delay_warning_time")) &&
						   !slice_eq(first, SL("maximal_queue_lifetime"))))
			continue;
		*name = first;
		return units[i].seconds;
	}
	return 0;
}

static struct slice look_up(void *context, struct slice name)
{
	struct postconf *pc = context;
	int64_t unit = unit_of(&name);
	struct slice text;
	int64_t time;

	if (unit == 0)
		return values_raw(&pc->values, name);
	if (values_expand(&pc->values, values_raw(&pc->values, name), pc->arena, &text) != NULL ||
	    parameter_time(parameter_find(name), text, pc->arena, &time) != NULL)
		return SL_NULL;
	return arena_printf(pc->arena, "%lld", (long long)(time / 1000000 / unit));
}

static struct slice text_of(struct slice body)
{
	struct slice rest = body;
	struct slice line;

	/* header lines, up to the first empty one */
	while (next_line(&rest, &line))
		if (slice_trim(line).n == 0)
			return rest;
	return SL("");
}

static void show_expanded(struct postconf *pc, const struct template *t, const char *name)
{
	struct expansion how = {.lookup = look_up, .context = pc};
	struct slice text;
	const char *wrong = expand_text(&how, text_of(t->body), pc->arena, &text);

	if (wrong)
		postconf_fatal("%.*s: %s", SL_ARG(t->name), wrong);
	buffer_printf(&pc->out, "expanded_%s_text = <<EOF\n%.*sEOF\n\n", name, SL_ARG(text));
}

void postconf_show_notices(struct postconf *pc, char **args, int count)
{
	struct template all[WORDING_COUNT];
	struct slice path = SL_NULL, text = SL_NULL;
	const char *wrong =
	    values_expand(&pc->values, SL("$bounce_template_file"), pc->arena, &path);

	if (wrong)
		postconf_fatal("bounce_template_file: %s", wrong);
	if (count > 0)
		path = slice_str(args[0]);
	for (size_t i = 0; i < WORDING_COUNT; i++)
		all[i] = (struct template){
		    .name = arena_printf(pc->arena, "%s_template", wordings[i].name)};
	if (path.n > 0) {
		ssize_t slash = slice_rfind(path, '/');
		struct slice dir = slash < 0 ? SL(".") : slice_sub(path, 0, (size_t)slash + 1);

		if (config_read(arena_dup(pc->arena, dir).p,
				slice_from(path, (size_t)(slash + 1)).p, pc->arena, &pc->problems,
				&dir, &text) != RES_OK)
			postconf_fatal("%s",
				       config_problem_text(pc->arena, &pc->problems.items[0]).p);
		parse(path, text, all);
	}
	for (size_t i = 0; i < WORDING_COUNT; i++) {
		if (slice_is_null(all[i].body))
			all[i].body = built_in(pc, &wordings[i]);
		if (pc->mode == MODE_NOTICE)
			show_expanded(pc, &all[i], wordings[i].name);
		else
			buffer_printf(&pc->out, "%.*s = <<EOF\n%.*sEOF\n\n", SL_ARG(all[i].name),
				      SL_ARG(all[i].body));
	}
}
