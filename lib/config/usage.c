/* SPDX-License-Identifier: ISC */
#include "config/usage.h"

#include "config/database.h"
#include "config/parameter.h"
#include "config/settings.h"
#include "config/source.h"

#include <errno.h>

static char mark; /* the maps are sets: what a name maps to says nothing */

const struct parameter *parameter_declared(struct slice name)
{
	const struct parameter *p = parameter_find(name);
	struct slice transport;

	return p && !p->template ? p : parameter_find_template(name, &transport);
}

/* next_reference - the name behind the next `$` in *text, however it is bracketed. */
static bool next_reference(struct slice *text, struct slice *name)
{
	for (ssize_t at; (at = slice_find(*text, '$')) >= 0;) {
		size_t n = 0;

		*text = slice_from(*text, (size_t)at + 1);
		if (text->n > 0 && text->p[0] == '$') {
			*text = slice_from(*text, 1);
			continue;
		}
		if (text->n > 0 && (text->p[0] == '{' || text->p[0] == '('))
			*text = slice_from(*text, 1);
		while (text->n > 0 && ascii_isspace(text->p[0]))
			*text = slice_from(*text, 1);
		while (n < text->n && (ascii_isalnum(text->p[n]) || text->p[n] == '_'))
			n++;
		*name = slice_sub(*text, 0, n);
		*text = slice_from(*text, n);
		if (n > 0)
			return true;
	}
	return false;
}

static bool is_raw(struct slice name)
{
	const struct parameter *p = parameter_find(name);

	return p && p->type == PARAM_RAW;
}

/* service_defines - one of its -o sets this name. */
static bool service_defines(const struct master_service *service, struct slice name)
{
	struct slice one, value;
	size_t at = 0;

	while (master_service_override(service, &at, &one, &value))
		if (slice_eq(one, name))
			return true;
	return false;
}

static bool any_service_defines(const struct usage *u, struct slice name)
{
	for (size_t s = 0; s < u->master->count; s++)
		if (service_defines(&u->master->services[s], name))
			return true;
	return false;
}

static void tell_undefined(struct usage *u, struct slice file, unsigned line, struct slice name)
{
	if (u->undefined == NULL || map_put(u->warned, name, &mark) != NULL)
		return;
	config_problem_add(u->undefined, false, file, line, SL_NULL, "undefined parameter: %.*s",
			   SL_ARG(name));
}

static void use(struct map *set, struct slice name)
{
	map_put(set, name, &mark);
}

/* use_from_main - what a value of main.cf refers to. */
static void use_from_main(struct usage *u, const struct given_value *given)
{
	struct slice text = given->value;
	struct slice name;

	while (next_reference(&text, &name))
		use(u->used, name);
}

/* use_from_service - what an -o value refers to: another -o of the service, or main.cf's. */
static void use_from_service(struct usage *u, size_t s, struct slice text)
{
	const struct master_service *service = &u->master->services[s];
	struct slice name;

	while (next_reference(&text, &name)) {
		use(u->local[s], name);
		if (service_defines(service, name))
			continue;
		use(u->used, name);
		if (slice_is_null(values_raw(u->values, name)))
			tell_undefined(u, u->master->file, service->line, name);
	}
}

/* use_classes - the names of smtpd_restriction_classes; `service`: the one whose -o says so, or
 * NULL. */
static void use_classes(struct usage *u, const struct master_service *service, struct slice list)
{
	struct slice file = service ? u->master->file : u->main_file;
	struct slice word;

	while (settings_next_word(&list, &word)) {
		use(u->used, word);
		if (slice_is_null(values_raw(u->values, word)) &&
		    (service == NULL || !service_defines(service, word)))
			tell_undefined(u, file, service ? service->line : 0, word);
	}
}

static void use_services(struct usage *u)
{
	for (size_t s = 0; s < u->master->count; s++) {
		struct slice name, value;
		size_t at = 0;

		while (master_service_override(&u->master->services[s], &at, &name, &value)) {
			if (slice_eq(name, SL("smtpd_restriction_classes")))
				use_classes(u, &u->master->services[s], value);
			if (!is_raw(name))
				use_from_service(u, s, value);
		}
	}
}

/* database_file - look into the file of a table, once: that it is there, and that its names are
 * known. */
static void database_file(struct usage *u, const struct database_table *table)
{
	struct slice base = slice_from(table->name, (size_t)(slice_rfind(table->name, '/') + 1));
	struct slice dir = slice_sub(table->name, 0, table->name.n - base.n);
	struct slice key =
	    arena_printf(u->arena, "%.*s:%.*s", SL_ARG(table->type), SL_ARG(table->name));
	struct config_problems ignored;
	struct slice path, text;
	struct main_cf cf;

	if (u->undefined == NULL || map_put(u->warned, key, &mark) != NULL)
		return;
	config_problems_init(&ignored, u->arena);
	/* in a list, more follows both names */
	if (config_read(arena_dup(u->arena, dir).p, arena_dup(u->arena, base).p, u->arena, &ignored,
			&path, &text) != RES_OK) {
		config_problem_add(u->undefined, false, SL_NULL, 0, SL_NULL,
				   "open \"%.*s\" configuration \"%.*s\": %s", SL_ARG(table->type),
				   SL_ARG(table->name), strerror(errno));
		return;
	}
	main_cf_parse(text, table->name, u->arena, u->undefined, &cf);
	for (size_t i = 0; i < cf.count; i++)
		if (!database_knows(table->type, cf.entries[i].name))
			config_problem_add(u->undefined, false, key, 0, SL_NULL,
					   "unused parameter: %.*s=%.*s",
					   SL_ARG(cf.entries[i].name), SL_ARG(cf.entries[i].value));
}

/* use_databases - main.cf's parameters of the tables that a value names. */
static void use_databases(struct usage *u, const struct given_value *given)
{
	struct database_table table;
	struct slice text;

	if (is_raw(given->name) || slice_find(given->value, ':') < 0 ||
	    values_expand(u->values, given->value, u->arena, &text) != NULL)
		return;
	while (database_next(&text, &table)) {
		struct slice all = database_parameters(table.type);
		struct slice one;

		if (database_in_file(&table)) {
			database_file(u, &table);
			continue;
		}
		while (slice_next(&all, " ", &one))
			use(u->used,
			    arena_printf(u->arena, "%.*s_%.*s", SL_ARG(table.name), SL_ARG(one)));
	}
}

/* find_undefined - in all of main.cf, used or not. */
static void find_undefined(struct usage *u)
{
	for (size_t i = 0; i < u->values->count; i++) {
		const struct given_value *given = &u->values->given[i];
		struct slice text = is_raw(given->name) ? SL("") : given->value;
		struct slice name;

		while (next_reference(&text, &name))
			if (slice_is_null(values_raw(u->values, name)) &&
			    !any_service_defines(u, name))
				tell_undefined(
				    u, slice_is_null(given->file) ? u->main_file : given->file,
				    given->line, name);
	}
}

bool usage_has(const struct usage *u, struct slice name)
{
	return parameter_declared(name) != NULL || map_get(u->used, name) != NULL;
}

/* use_main - in Postfix what refers to a name need not be used itself. */
static void use_main(struct usage *u)
{
	for (size_t i = 0; i < u->values->count; i++) {
		const struct given_value *given = &u->values->given[i];

		use_databases(u, given);
		if (!is_raw(given->name))
			use_from_main(u, given);
	}
}

void usage_find(const struct config_values *values, struct slice main_file,
		const struct master_cf *master, struct arena *arena,
		struct config_problems *undefined, struct usage *out)
{
	*out = (struct usage){.arena = arena,
			      .values = values,
			      .master = master,
			      .main_file = main_file,
			      .used = map_create(),
			      .local = ARENA_ARRAY(arena, master->count + 1, struct map *),
			      .warned = map_create(),
			      .undefined = undefined};
	for (size_t s = 0; s < master->count; s++)
		out->local[s] = map_create();
	use_classes(out, NULL, values_raw(values, SL("smtpd_restriction_classes")));
	use_services(out);
	use_main(out);
	if (undefined)
		find_undefined(out);
}

void usage_free(struct usage *u)
{
	for (size_t s = 0; s < u->master->count; s++)
		map_destroy(&u->local[s]);
	map_destroy(&u->used);
	map_destroy(&u->warned);
}

static void add_unused(struct config_problems *problems, struct slice file, unsigned line,
		       struct slice name, struct slice value)
{
	struct slice nearest = parameter_nearest(name);

	if (slice_is_null(nearest))
		config_problem_add(problems, false, file, line, SL_NULL,
				   "unused parameter: %.*s=%.*s", SL_ARG(name), SL_ARG(value));
	else
		config_problem_add(problems, false, file, line, SL_NULL,
				   "unused parameter: %.*s=%.*s (is %.*s meant?)", SL_ARG(name),
				   SL_ARG(value), SL_ARG(nearest));
}

/* for_each_given - all that main.cf and master.cf's -o set, each with its place. */
struct visit {
	const struct usage *usage;
	struct config_problems *problems;
	void (*visit)(const struct visit *v, size_t service, struct slice file, unsigned line,
		      struct slice name, struct slice value);
};

#define NO_SERVICE SIZE_MAX

static void for_each_given(const struct visit *v)
{
	const struct usage *u = v->usage;

	for (size_t i = 0; i < u->values->count; i++) {
		const struct given_value *given = &u->values->given[i];

		if (!slice_is_null(given->file))
			v->visit(v, NO_SERVICE, given->file, given->line, given->name,
				 given->value);
	}
	for (size_t s = 0; s < u->master->count; s++) {
		const struct master_service *service = &u->master->services[s];
		struct slice name, value;
		size_t at = 0;

		while (master_service_override(service, &at, &name, &value))
			v->visit(v, s, u->master->file, service->line, name, value);
	}
}

static void visit_unused(const struct visit *v, size_t service, struct slice file, unsigned line,
			 struct slice name, struct slice value)
{
	if (!usage_has(v->usage, name) &&
	    (service == NO_SERVICE || map_get(v->usage->local[service], name) == NULL))
		add_unused(v->problems, file, line, name, value);
}

void usage_unused(const struct usage *u, struct config_problems *problems)
{
	for_each_given(&(struct visit){.usage = u, .problems = problems, .visit = visit_unused});
}

static void visit_deprecated(const struct visit *v, size_t service, struct slice file,
			     unsigned line, struct slice name, struct slice value)
{
	const struct parameter *p = parameter_find(name);

	(void)service;
	(void)value;
	if (p && p->instead.n > 0)
		config_problem_add(v->problems, false, file, line, SL_NULL,
				   "support for parameter \"%.*s\" will be removed; instead, %.*s",
				   SL_ARG(name), SL_ARG(parameter_slice(p->instead)));
}

void usage_deprecated(const struct usage *u, struct config_problems *problems)
{
	for_each_given(
	    &(struct visit){.usage = u, .problems = problems, .visit = visit_deprecated});
}

static void visit_effect(const struct visit *v, size_t service, struct slice file, unsigned line,
			 struct slice name, struct slice value)
{
	const struct parameter *p = parameter_declared(name);

	(void)service;
	(void)value;
	if (p == NULL || p->effect == EFFECT_ACTS)
		return;
	if (p->effect == EFFECT_NEEDLESS)
		config_problem_add(v->problems, false, file, line, name,
				   "has no effect, by design: %.*s",
				   SL_ARG(parameter_slice(p->note)));
	else
		config_problem_add(v->problems, false, file, line, name,
				   "has no effect: what it is about is not built yet");
}

void usage_without_effect(const struct usage *u, struct config_problems *problems)
{
	for_each_given(&(struct visit){.usage = u, .problems = problems, .visit = visit_effect});
}
