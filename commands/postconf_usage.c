/* SPDX-License-Identifier: ISC */
/*
 * postconf_usage - which user-defined names are used. A declared parameter is; so is what a used
 * value refers to with `$`, a restriction class, and a template's name for a service of master.cf.
 */
#include "commands/postconf.h"

static char mark; /* the maps are sets: what a name maps to says nothing */

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

/* mark_name - remember it; true when it is a user-defined one seen for the first time. */
static bool mark_name(struct postconf *pc, struct map *used, struct slice name, struct slice file,
		      bool warn)
{
	if (map_get(used, name))
		return false;
	map_put(used, name, &mark);
	if (warn && slice_is_null(values_raw(&pc->values, name)))
		postconf_warn("%.*s: undefined parameter: %.*s", SL_ARG(file), SL_ARG(name));
	return true;
}

/* mark_text - all that a value refers to; returns how many names were new. */
static size_t mark_text(struct postconf *pc, struct map *used, struct slice text, struct slice file,
			bool warn)
{
	struct slice name;
	size_t count = 0;

	while (next_reference(&text, &name))
		count += mark_name(pc, used, name, file, warn);
	return count;
}

static void mark_classes(struct postconf *pc, struct map *used, bool warn)
{
	struct slice list = values_raw(&pc->values, SL("smtpd_restriction_classes"));
	struct slice word;

	while (settings_next_word(&list, &word))
		mark_name(pc, used, word, pc->main_cf.file, warn);
}

/* override_text - the value and name of an -o argument; false when argument i is none. */
static bool override_at(const struct master_service *service, size_t i, struct slice *name,
			struct slice *value)
{
	if (i == 0 || !slice_eq(service->args[i - 1], SL("-o")))
		return false;
	return main_cf_split(service->args[i], name, value) == NULL;
}

static bool is_declared(struct slice name)
{
	struct slice transport;

	return parameter_find(name) || parameter_find_template(name, &transport);
}

static void mark_master(struct postconf *pc, struct map *used, bool warn)
{
	for (size_t s = 0; s < pc->master_cf.count; s++) {
		const struct master_service *service = &pc->master_cf.services[s];

		for (size_t i = 0; i < service->arg_count; i++) {
			struct slice name;
			struct slice value;

			if (override_at(service, i, &name, &value))
				mark_text(pc, used, value, pc->master_cf.file, warn);
		}
	}
}

struct map *postconf_used_names(struct postconf *pc, bool warn)
{
	struct map *used = map_create();
	size_t before;

	mark_classes(pc, used, warn);
	mark_master(pc, used, warn);
	/* Names lead to names: until a round finds nothing new. */
	do {
		before = map_count(used);
		for (size_t i = 0; i < pc->values.count; i++) {
			const struct given_value *given = &pc->values.given[i];

			if (!is_raw(given->name) &&
			    (is_declared(given->name) || map_get(used, given->name)))
				mark_text(pc, used, given->value, pc->main_cf.file, warn);
		}
	} while (map_count(used) != before);
	return used;
}

void postconf_warn_unused(struct postconf *pc, const struct map *used)
{
	for (size_t i = 0; i < pc->values.count; i++) {
		const struct given_value *given = &pc->values.given[i];

		if (!slice_is_null(given->file) && !is_declared(given->name) &&
		    !map_get(used, given->name))
			postconf_warn("%.*s: unused parameter: %.*s=%.*s", SL_ARG(given->file),
				      SL_ARG(given->name), SL_ARG(given->value));
	}
	for (size_t s = 0; s < pc->master_cf.count; s++) {
		const struct master_service *service = &pc->master_cf.services[s];

		for (size_t i = 0; i < service->arg_count; i++) {
			struct slice name;
			struct slice value;

			if (override_at(service, i, &name, &value) && !is_declared(name) &&
			    !map_get(used, name))
				postconf_warn("%.*s: unused parameter: %.*s=%.*s",
					      SL_ARG(pc->master_cf.file), SL_ARG(name),
					      SL_ARG(value));
		}
	}
}
