/* SPDX-License-Identifier: ISC */
/* postconf_master - the services of master.cf: their lines, their columns, what their -o set. */
#include "commands/postconf.h"

#include <stdlib.h>

/* Where columns 2 to 8 begin, if what stands before them leaves room. */
static const size_t columns[MASTER_COLUMNS] = {11, 17, 25, 33, 41, 49, 57};

#define LAST_COLUMN 79 /* when folding */

static const char *const field_names[MASTER_COLUMNS + 1] = {
    "service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command",
};

unsigned master_field(struct slice name)
{
	for (unsigned i = 0; i <= MASTER_COLUMNS; i++)
		if (slice_eq(name, slice_str(field_names[i])))
			return i;
	postconf_fatal("invalid service attribute name: \"%.*s\" (allowed: service type private "
		       "unprivileged chroot wakeup process_limit command)",
		       SL_ARG(name));
}

/* ---- requests */

struct service_pattern service_pattern_parse(struct postconf *pc, struct slice text, unsigned most)
{
	static const char *const forms[] = {"", "", "[/type]", "[/type[/field]]"};
	struct service_pattern p = {.service = SL("*"), .type = SL("*"), .what = SL("*")};
	struct slice *parts[] = {&p.service, &p.type, &p.what};
	struct slice rest = text;

	while (!slice_is_null(rest)) {
		ssize_t slash = slice_find(rest, '/');
		struct slice part = slash < 0 ? rest : slice_sub(rest, 0, (size_t)slash);

		if (p.parts == most)
			postconf_fatal("-%c option requires service_name%s, not \"%.*s\"",
				       pc->mode == MODE_SERVICES ? 'M'
				       : pc->mode == MODE_FIELDS ? 'F'
								 : 'P',
				       forms[most], SL_ARG(text));
		if (part.n > 0)
			*parts[p.parts] = part;
		p.parts++;
		rest = slash < 0 ? SL_NULL : slice_from(rest, (size_t)slash + 1);
	}
	if (pc->mode == MODE_FIELDS && !slice_eq(p.what, SL("*")))
		(void)master_field(p.what);
	return p;
}

static bool fits(struct slice pattern, struct slice text)
{
	return slice_eq(pattern, SL("*")) || slice_eq(pattern, text);
}

bool service_pattern_matches(const struct service_pattern *p, const struct master_service *service)
{
	return fits(p->service, service->name) && fits(p->type, service->columns[1]);
}

/* ---- the command column */

static bool has_space(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (ascii_isspace(s.p[i]))
			return true;
	return s.n == 0;
}

static bool is_option(struct slice arg)
{
	return arg.n > 1 && arg.p[0] == '-';
}

/* What stands before an argument, for folding. */
enum before { BEFORE_OTHER, BEFORE_O, BEFORE_VALUE };

/* begins_line - each -o does, with what belongs to it, and so does what stands behind that. */
static bool begins_line(enum before before, struct slice arg)
{
	return slice_eq(arg, SL("-o")) || before == BEFORE_VALUE;
}

static void put_argument(struct postconf *pc, bool break_line, struct slice text, size_t *start)
{
	if (break_line) {
		buffer_append_byte(&pc->out, '\n');
		*start = pc->out.len;
		buffer_append_str(&pc->out, "    ");
	} else {
		buffer_append_byte(&pc->out, ' ');
	}
	buffer_append(&pc->out, text);
}

/* put_command - the program and its arguments; `start`: where in the output the line began. */
static void put_command(struct postconf *pc, const struct master_service *service, bool folded,
			size_t start)
{
	enum before before = BEFORE_OTHER;
	bool options = true; /* what begins with a dash behind the first other word is not ours */

	buffer_append(&pc->out, service->command);
	for (size_t i = 0; i < service->arg_count; i++) {
		struct slice arg = service->args[i];
		bool is_value = options && before == BEFORE_O;
		struct slice text = is_value ? postconf_expanded(pc, service->name, arg) : arg;
		bool begins = options && !is_value && begins_line(before, arg);
		bool wide;

		options = options && (is_value || is_option(arg));
		if (has_space(text))
			text = arena_printf(pc->arena, "{%.*s}", SL_ARG(text));
		wide = !is_value && pc->out.len - start + 1 + text.n > LAST_COLUMN;
		put_argument(pc, folded && (wide || begins), text, &start);
		before = is_value		   ? BEFORE_VALUE
			 : slice_eq(arg, SL("-o")) ? BEFORE_O
						   : BEFORE_OTHER;
	}
}

void postconf_put_service(struct postconf *pc, const struct master_service *service, bool folded)
{
	size_t start = pc->out.len;

	for (int i = 0; i < MASTER_COLUMNS; i++) {
		buffer_append(&pc->out, service->columns[i]);
		do
			buffer_append_byte(&pc->out, ' ');
		while (!buffer_overflowed(&pc->out) && pc->out.len - start < columns[i]);
	}
	put_command(pc, service, folded, start);
	buffer_append_byte(&pc->out, '\n');
}

/* ---- -M */

static void put_service_json(struct postconf *pc, const struct master_service *service)
{
	for (int i = 0; i < MASTER_COLUMNS; i++) {
		buffer_printf(&pc->out, "%s\"%s\": ", i == 0 ? "{" : ", ", field_names[i]);
		postconf_put_json(&pc->out, service->columns[i]);
	}
	buffer_append_str(&pc->out, ", \"command\": ");
	postconf_put_json(&pc->out, service->command);
	buffer_append_str(&pc->out, ", \"arguments\": [");
	for (size_t i = 0; i < service->arg_count; i++) {
		if (i > 0)
			buffer_append_str(&pc->out, ", ");
		postconf_put_json(&pc->out, service->args[i]);
	}
	buffer_append_str(&pc->out, "]}\n");
}

static bool show_service(struct postconf *pc, const struct master_service *service,
			 const struct service_pattern *p)
{
	(void)p;
	if (pc->json)
		put_service_json(pc, service);
	else
		postconf_put_service(pc, service, pc->fold);
	return true;
}

/* ---- -F, -P */

static struct slice full_name(struct postconf *pc, const struct master_service *service,
			      struct slice what)
{
	return arena_printf(pc->arena, "%.*s/%.*s/%.*s", SL_ARG(service->name),
			    SL_ARG(service->columns[1]), SL_ARG(what));
}

/* put_field_json - an object that names service, type and the rest, so that nobody has to cut. */
static void put_json(struct postconf *pc, const struct master_service *service, struct slice what,
		     struct slice value)
{
	buffer_append_str(&pc->out, "{\"service\": ");
	postconf_put_json(&pc->out, service->name);
	buffer_append_str(&pc->out, ", \"type\": ");
	postconf_put_json(&pc->out, service->columns[1]);
	buffer_append_str(&pc->out,
			  pc->mode == MODE_FIELDS ? ", \"field\": " : ", \"parameter\": ");
	postconf_put_json(&pc->out, what);
	buffer_append_str(&pc->out, ", \"value\": ");
	postconf_put_json(&pc->out, value);
	buffer_append_str(&pc->out, "}\n");
}

/* take_command - what put_command writes, as text of its own: the output is only borrowed. */
static struct slice take_command(struct postconf *pc, const struct master_service *service)
{
	size_t before = pc->out.len;
	struct slice text;

	put_command(pc, service, false, before);
	text = arena_dup(pc->arena, slice_from(buffer_slice(&pc->out), before));
	buffer_truncate(&pc->out, before);
	return text;
}

static void put_command_field(struct postconf *pc, const struct master_service *service)
{
	size_t start = pc->out.len;
	struct slice name = full_name(pc, service, SL("command"));

	if (pc->names_only) {
		postconf_put_pair(pc, name, SL(""));
		return;
	}
	if (!pc->values_only)
		buffer_printf(&pc->out, "%.*s = ", SL_ARG(name));
	put_command(pc, service, pc->fold, start);
	buffer_append_byte(&pc->out, '\n');
}

static bool show_fields(struct postconf *pc, const struct master_service *service,
			const struct service_pattern *p)
{
	for (unsigned i = 0; i <= MASTER_COLUMNS; i++) {
		struct slice field = slice_str(field_names[i]);

		if (!fits(p->what, field))
			continue;
		if (pc->json)
			put_json(pc, service, field,
				 i < MASTER_COLUMNS ? service->columns[i]
						    : take_command(pc, service));
		else if (i < MASTER_COLUMNS)
			postconf_put_pair(pc, full_name(pc, service, field), service->columns[i]);
		else
			put_command_field(pc, service);
	}
	return true;
}

struct setting {
	struct slice name, value;
	size_t place; /* the later one counts */
};

static int by_name(const void *a, const void *b)
{
	const struct setting *x = a, *y = b;
	int order = slice_cmp(x->name, y->name);

	return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static bool show_parameters(struct postconf *pc, const struct master_service *service,
			    const struct service_pattern *p)
{
	struct setting *all = ARENA_ARRAY(pc->arena, service->arg_count + 1, struct setting);
	size_t count = 0, at = 0;
	bool found = false;

	while (master_service_override(service, &at, &all[count].name, &all[count].value)) {
		all[count].place = at;
		count++;
	}
	qsort(all, count, sizeof(*all), by_name);
	for (size_t i = 0; i < count; i++) {
		struct slice name, value;

		if ((i + 1 < count && slice_eq(all[i].name, all[i + 1].name)) ||
		    !fits(p->what, all[i].name))
			continue;
		found = true;
		name = full_name(pc, service, all[i].name);
		value = postconf_expanded(pc, name, all[i].value);
		if (pc->json)
			put_json(pc, service, all[i].name, value);
		else
			postconf_put_pair(pc, name, value);
	}
	return found;
}

/* ---- all three */

static bool show(struct postconf *pc, const struct master_service *service,
		 const struct service_pattern *p)
{
	pc->scope = service;
	if (pc->mode == MODE_SERVICES)
		return show_service(pc, service, p);
	return pc->mode == MODE_FIELDS ? show_fields(pc, service, p)
				       : show_parameters(pc, service, p);
}

static bool show_matching(struct postconf *pc, const struct service_pattern *p)
{
	bool found = false;

	for (size_t s = 0; s < pc->master_cf.count; s++)
		if (service_pattern_matches(p, &pc->master_cf.services[s]) &&
		    show(pc, &pc->master_cf.services[s], p))
			found = true;
	return found;
}

void postconf_show_master(struct postconf *pc, char **requests, int count)
{
	const struct service_pattern all = {.service = SL("*"), .type = SL("*"), .what = SL("*")};

	if (count == 0)
		(void)show_matching(pc, &all);
	for (int i = 0; i < count; i++) {
		struct service_pattern p = service_pattern_parse(pc, slice_str(requests[i]),
								 pc->mode == MODE_SERVICES ? 2 : 3);

		if (!show_matching(pc, &p))
			postconf_warn("unmatched request: \"%s\"", requests[i]);
	}
}
