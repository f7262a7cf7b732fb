/* SPDX-License-Identifier: ISC */
/* postconf_show - parameters and their values. */
#include "commands/postconf.h"

#include <stdlib.h>

#define FOLD_COLUMN 72

/* squeeze - runs of white space as one space, or a line break where folding wants one. */
static void put_words(struct postconf *pc, size_t column, struct slice text)
{
	struct slice word;
	bool first = true;

	while (slice_next(&text, " \t\r\n\v\f", &word)) {
		if (!first && pc->fold && column + 1 + word.n > FOLD_COLUMN) {
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

static struct slice shown_value(struct postconf *pc, struct slice name, struct slice value)
{
	struct slice expanded;
	const char *wrong;

	if (!pc->expand)
		return value;
	wrong = values_expand(&pc->values, value, pc->arena, &expanded);
	if (wrong)
		postconf_fatal("%.*s: %s", SL_ARG(name), wrong);
	return expanded;
}

static void show(struct postconf *pc, struct slice name, struct slice value)
{
	size_t start = pc->out.len;

	if (pc->names_only) {
		buffer_printf(&pc->out, "%.*s\n", SL_ARG(name));
		return;
	}
	if (!pc->values_only)
		buffer_printf(&pc->out, "%.*s =", SL_ARG(name));
	value = slice_trim(shown_value(pc, name, value));
	if (!pc->values_only && value.n > 0)
		buffer_append_byte(&pc->out, ' ');
	put_words(pc, pc->out.len - start, value);
	buffer_append_byte(&pc->out, '\n');
}

/* is_own - given by this program, not by a file or the user. */
static bool is_own(const struct postconf *pc, const struct given_value *given)
{
	if (slice_eq(given->name, SL("config_directory")))
		return !pc->dir_given;
	return slice_is_null(given->file) && (slice_eq(given->name, SL("process_name")) ||
					      slice_eq(given->name, SL("process_id")));
}

static const struct given_value *given_by_user(const struct postconf *pc, struct slice name)
{
	const struct given_value *given = values_given(&pc->values, name);

	return given && !is_own(pc, given) ? given : NULL;
}

void postconf_show_names(struct postconf *pc, char **names, int count)
{
	for (int i = 0; i < count; i++) {
		struct slice name = slice_str(names[i]);
		struct slice value = values_raw(&pc->values, name);

		if (slice_is_null(value))
			postconf_warn("%s: unknown parameter", names[i]);
		else if (!pc->only_given || given_by_user(pc, name))
			show(pc, name, value);
	}
}

/* ---- all of them */

struct names {
	struct slice *items;
	size_t count;
};

static int by_name(const void *a, const void *b)
{
	return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* is_delivery - such a service has a set of parameters made from the templates. */
static bool is_delivery(const struct master_service *service)
{
	static const char *const agents[] = {"smtp",  "lmtp",  "local",	  "virtual",
					     "error", "retry", "discard", "pipe"};

	if (service->type != SERVICE_UNIX)
		return false;
	for (size_t i = 0; i < sizeof(agents) / sizeof(agents[0]); i++)
		if (slice_eq(service->command, slice_str(agents[i])))
			return true;
	return false;
}

static void add_declared(const struct postconf *pc, struct names *names)
{
	for (size_t i = 0; i < parameter_count; i++) {
		struct slice name = parameter_slice(parameters[i].name);

		if (!parameters[i].template && (!pc->only_given || given_by_user(pc, name)))
			names->items[names->count++] = name;
	}
}

static void add_templates(const struct postconf *pc, const struct master_service *service,
			  struct names *names)
{
	for (size_t i = 0; i < parameter_count; i++) {
		struct slice suffix =
		    slice_from(parameter_slice(parameters[i].name), sizeof("transport") - 1);
		struct slice name;

		if (!parameters[i].template || (slice_eq(suffix, SL("_time_limit")) &&
						!slice_eq(service->command, SL("pipe"))))
			continue;
		name = arena_printf(pc->arena, "%.*s%.*s", SL_ARG(service->name), SL_ARG(suffix));
		if (!parameter_find(name) && (!pc->only_given || given_by_user(pc, name)))
			names->items[names->count++] = name;
	}
}

/* add_own_names - what main.cf itself defines, if something uses it. */
static void add_user_names(struct postconf *pc, struct names *names)
{
	struct map *used = postconf_used_names(pc, false);

	for (size_t i = 0; i < pc->values.count; i++) {
		struct slice name = pc->values.given[i].name;

		if (!parameter_find(name) && map_get(used, name))
			names->items[names->count++] = name;
	}
	map_destroy(&used);
}

void postconf_show_all(struct postconf *pc)
{
	size_t room = parameter_count * (1 + pc->master_cf.count) + pc->values.count;
	struct names names = {.items = ARENA_ARRAY(pc->arena, room, struct slice)};

	add_declared(pc, &names);
	for (size_t i = 0; i < pc->master_cf.count; i++)
		if (is_delivery(&pc->master_cf.services[i]))
			add_templates(pc, &pc->master_cf.services[i], &names);
	if (!pc->defaults)
		add_user_names(pc, &names);
	qsort(names.items, names.count, sizeof(names.items[0]), by_name);
	for (size_t i = 0; i < names.count; i++)
		if (i == 0 || !slice_eq(names.items[i], names.items[i - 1]))
			show(pc, names.items[i], values_raw(&pc->values, names.items[i]));
}
