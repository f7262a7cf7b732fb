/* SPDX-License-Identifier: ISC */
/* postconf_show - parameters and their values. */
#include "commands/postconf.h"

#include <stdlib.h>

static void show(struct postconf *pc, struct slice name, struct slice value)
{
	const struct parameter *p = parameter_declared(name);
	bool raw = p && p->type == PARAM_RAW; /* its `$` is for the program that reads it */

	postconf_put_pair(pc, name,
			  raw || pc->names_only ? value : postconf_expanded(pc, name, value));
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

static void warn_unknown(struct slice name)
{
	struct slice nearest = parameter_nearest(name);

	if (slice_is_null(nearest))
		postconf_warn("%.*s: unknown parameter", SL_ARG(name));
	else
		postconf_warn("%.*s: unknown parameter (is %.*s meant?)", SL_ARG(name),
			      SL_ARG(nearest));
}

void postconf_show_names(struct postconf *pc, char **names, int count)
{
	for (int i = 0; i < count; i++) {
		struct slice name = slice_str(names[i]);
		struct slice value = values_raw(&pc->values, name);

		if (slice_is_null(value))
			warn_unknown(name);
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
	static const char *const agents[] = {"smtp",  "lmtp",  "local", "virtual",
					     "error", "retry", "pipe"};

	if (service->type != SERVICE_UNIX)
		return false;
	for (size_t i = 0; i < sizeof(agents) / sizeof(agents[0]); i++)
		if (slice_eq(service->command, slice_str(agents[i])))
			return true;
	return false;
}

/* is_service_name - made from a template for a transport of master.cf, even if it is declared by
 * itself. */
static bool is_service_name(const struct postconf *pc, struct slice name)
{
	struct slice transport;

	if (parameter_find_template(name, &transport) == NULL)
		return false;
	for (size_t i = 0; i < pc->master_cf.count; i++)
		if (is_delivery(&pc->master_cf.services[i]) &&
		    slice_eq(pc->master_cf.services[i].name, transport))
			return true;
	return false;
}

static void add_declared(const struct postconf *pc, struct names *names)
{
	for (size_t i = 0; i < parameter_count; i++) {
		struct slice name = parameter_slice(parameters[i].name);
		unsigned class = pc->classes == CLASS_ALL    ? CLASS_ALL
				 : is_service_name(pc, name) ? CLASS_SERVICE
							     : CLASS_BUILTIN;

		if (!parameters[i].template && (pc->classes & class) &&
		    (!pc->only_given || given_by_user(pc, name)))
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

/* add_user_names - what main.cf itself defines, if something uses it, and what -o defines. */
static void add_user_names(struct postconf *pc, struct names *names)
{
	struct usage usage;

	usage_find(&pc->values, pc->main_cf.file, &pc->master_cf, pc->arena, NULL, &usage);
	for (size_t i = 0; i < pc->values.count; i++) {
		const struct given_value *given = &pc->values.given[i];

		if (parameter_declared(given->name) == NULL &&
		    (usage_has(&usage, given->name) || slice_is_null(given->file)))
			names->items[names->count++] = given->name;
	}
	usage_free(&usage);
}

/* add_other_services - what main.cf sets for transports that master.cf does not have. */
static void add_other_services(const struct postconf *pc, struct names *names)
{
	for (size_t i = 0; i < pc->values.count; i++) {
		struct slice name = pc->values.given[i].name;

		if (parameter_declared(name) != NULL && parameter_find(name) == NULL)
			names->items[names->count++] = name;
	}
}

void postconf_show_all(struct postconf *pc)
{
	size_t room = parameter_count * (1 + pc->master_cf.count) + 2 * pc->values.count;
	struct names names = {.items = ARENA_ARRAY(pc->arena, room, struct slice)};

	add_declared(pc, &names);
	for (size_t i = 0; i < pc->master_cf.count && (pc->classes & CLASS_SERVICE); i++)
		if (is_delivery(&pc->master_cf.services[i]))
			add_templates(pc, &pc->master_cf.services[i], &names);
	if (!pc->defaults && (pc->classes & CLASS_SERVICE))
		add_other_services(pc, &names);
	if (!pc->defaults && (pc->classes & CLASS_USER))
		add_user_names(pc, &names);
	qsort(names.items, names.count, sizeof(names.items[0]), by_name);
	for (size_t i = 0; i < names.count; i++)
		if (i == 0 || !slice_eq(names.items[i], names.items[i - 1]))
			show(pc, names.items[i], values_raw(&pc->values, names.items[i]));
}
