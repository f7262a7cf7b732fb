/* SPDX-License-Identifier: ISC */
/* postrider_values - what can be known only by looking: that the tables that main.cf names can be
 * opened. */
#include "commands/postrider_values.h"

#include "config/parameter.h"
#include "config/settings.h"
#include "table/remote.h"

struct looking {
	const struct given_value *given; /* whose value is looked at */
	struct config_problems *problems;
};

/* hear - a bad line of a table's source, or why it cannot be used. */
static void hear(void *data, struct slice text)
{
	const struct looking *l = data;

	config_problem_add(l->problems, false, l->given->file, l->given->line, l->given->name,
			   "%.*s", SL_ARG(text));
}

/*
 * open_tables - each type:name of the value; what else stands in a list of tables is no business of
 * ours, and what is not local proxymap's (postrider_remote.h).
 */
static void open_tables(struct looking *l, struct slice list)
{
	struct table_config config = {.warn = hear, .data = l};
	struct table_set *set = table_set_create(&config);
	struct slice word, remote;

	while (settings_next_word(&list, &word))
		if (slice_find(word, ':') > 0 && !slice_starts(word, SL("!")) &&
		    !table_remote_spec(word, &remote))
			(void)table_open(set, word, TABLE_FOLD);
	table_set_destroy(&set);
}

/* check_directory - a place that several programs must understand alike. */
static void check_directory(struct looking *l, struct slice value)
{
	static const char *const names[] = {"queue_directory", "data_directory", "daemon_directory",
					    "command_directory"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_eq(l->given->name, slice_str(names[i])) && !slice_starts(value, SL("/")))
			config_problem_add(
			    l->problems, true, l->given->file, l->given->line, l->given->name,
			    "bad path \"%.*s\": a name that begins with / is allowed",
			    SL_ARG(value));
}

void postrider_check_values(const struct config_values *values, struct arena *arena,
			    struct config_problems *problems)
{
	for (size_t i = 0; i < values->count; i++) {
		const struct given_value *given = &values->given[i];
		const struct parameter *p = parameter_find(given->name);
		struct looking l = {.given = given, .problems = problems};
		struct slice value;

		if (slice_is_null(given->file) || p == NULL || p->effect != EFFECT_ACTS ||
		    values_expand(values, given->value, arena, &value) != NULL)
			continue;
		if (p->type == PARAM_TABLES)
			open_tables(&l, value);
		else if (p->type == PARAM_PATH)
			check_directory(&l, value);
	}
}

/* overrides_of - the service's -o as settings_load wants them; how many. */
static size_t overrides_of(const struct master_service *service, struct arena *arena,
			   struct slice *out)
{
	struct slice name, value;
	size_t count = 0;
	size_t at = 0;

	while (master_service_override(service, &at, &name, &value))
		out[count++] = arena_printf(arena, "%.*s=%.*s", SL_ARG(name), SL_ARG(value));
	return count;
}

/* check_service - what main.cf itself says is told elsewhere: only what has no file comes from
 * here. */
static void check_service(const char *dir, const struct master_cf *cf,
			  const struct master_service *service, struct arena *arena,
			  struct config_problems *problems)
{
	struct slice *overrides = ARENA_ARRAY(arena, service->arg_count + 1, struct slice);
	size_t count = overrides_of(service, arena, overrides);
	struct config_problems told;
	struct settings *settings;

	if (count == 0)
		return;
	config_problems_init(&told, arena);
	(void)settings_load(dir, overrides, count, &told, &settings);
	settings_destroy(&settings);
	for (size_t i = 0; i < told.count; i++)
		if (slice_is_null(told.items[i].file))
			config_problem_add(problems, told.items[i].fatal, cf->file, service->line,
					   told.items[i].parameter, "%.*s (-o of service %.*s)",
					   SL_ARG(told.items[i].text), SL_ARG(service->name));
}

void postrider_check_overrides(const char *dir, const struct master_cf *cf, struct arena *arena,
			       struct config_problems *problems)
{
	for (size_t i = 0; i < cf->count; i++)
		check_service(dir, cf, &cf->services[i], arena, problems);
}
