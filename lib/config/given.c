/* SPDX-License-Identifier: ISC */
/* given - what a configuration gives, whoever reads it. */
#include "config/parameter.h"
#include "config/settings.h"
#include "config/values.h"

/* as_file - the values that were given, as they would stand in a file. */
static struct main_cf as_file(const struct config_values *values, struct arena *arena)
{
	struct main_cf cf = {.file = SL("main.cf"), .count = values->count};

	cf.entries = ARENA_ARRAY(arena, values->count + 1, struct main_cf_entry);
	for (size_t i = 0; i < values->count; i++)
		cf.entries[i] = (struct main_cf_entry){
		    values->given[i].name, values->given[i].value, values->given[i].line};
	return cf;
}

void settings_visit_given(const struct settings *settings, const struct slice *overrides,
			  size_t count, settings_visitor *visit, void *arg)
{
	struct arena *arena = arena_create();
	struct main_cf cf = as_file(settings->values, arena);
	struct config_problems problems;
	struct config_values values;
	struct slice text;

	config_problems_init(&problems, arena);
	values_init(&values, arena, &cf, settings->config_directory.p, overrides, count, &problems);
	for (size_t i = 0; i < values.count; i++) {
		const struct parameter *p = parameter_find(values.given[i].name);

		if (p != NULL && p->type == PARAM_RAW)
			continue;
		if (values_expand(&values, values.given[i].value, arena, &text) == NULL)
			visit(arg, values.given[i].name, text);
	}
	values_free(&values);
	arena_destroy(&arena);
}
