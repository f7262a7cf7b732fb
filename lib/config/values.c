/* SPDX-License-Identifier: ISC */
#include "config/values.h"

#include "config/expand.h"
#include "config/host.h"
#include "config/parameter.h"
#include "os/process.h"

#include <errno.h>

static struct slice host_default(const struct config_values *values, struct slice name)
{
	if (slice_eq(name, SL("myhostname")))
		return values->host_name;
	if (slice_eq(name, SL("mydomain")))
		return values->host_domain;
	return values->host_networks;
}

static struct given_value *given_for(const struct config_values *values, const struct parameter *p,
				     struct slice name)
{
	return p != NULL ? values->declared[p - parameters] : map_get(values->map, name);
}

const struct given_value *values_given(const struct config_values *values, struct slice name)
{
	return given_for(values, parameter_find(name), name);
}

/* default_for - `p`: the parameter of this name, if one is declared. */
static struct slice default_for(const struct config_values *values, const struct parameter *p,
				struct slice name)
{
	struct slice transport;

	if (p == NULL)
		p = parameter_find_template(name, &transport);
	if (p == NULL)
		return SL_NULL;
	return p->origin == ORIGIN_HOST ? host_default(values, parameter_slice(p->name))
					: parameter_slice(p->initial);
}

struct slice values_default(const struct config_values *values, struct slice name)
{
	return default_for(values, parameter_find(name), name);
}

struct slice values_raw(const struct config_values *values, struct slice name)
{
	const struct parameter *p = parameter_find(name);
	const struct given_value *given = given_for(values, p, name);

	return given ? given->value : default_for(values, p, name);
}

static struct slice look_up(void *context, struct slice name)
{
	return values_raw(context, name);
}

const char *values_expand(const struct config_values *values, struct slice text,
			  struct arena *arena, struct slice *out)
{
	struct expansion how = {.lookup = look_up, .context = (void *)(uintptr_t)values};

	return expand_text(&how, text, arena, out);
}

static void give(struct config_values *values, struct given_value given)
{
	const struct parameter *p = parameter_find(given.name);
	struct given_value *old = given_for(values, p, given.name);

	given.name = arena_dup(values->arena, given.name);
	given.value = arena_dup(values->arena, given.value);
	if (old) {
		*old = given;
		return;
	}
	values->given[values->count] = given;
	if (p != NULL)
		values->declared[p - parameters] = &values->given[values->count++];
	else
		map_put(values->map, given.name, &values->given[values->count++]);
}

static void give_file(struct config_values *values, const struct main_cf *cf)
{
	struct slice file = arena_dup(values->arena, cf->file);

	for (size_t i = 0; i < cf->count; i++)
		give(values, (struct given_value){.name = cf->entries[i].name,
						  .value = cf->entries[i].value,
						  .file = file,
						  .line = cf->entries[i].line});
}

static void give_overrides(struct config_values *values, const struct slice *overrides,
			   size_t count, struct config_problems *problems)
{
	for (size_t i = 0; i < count; i++) {
		struct slice text = slice_trim(overrides[i]);
		struct given_value given = {.line = 0};
		const char *wrong;

		if (text.n >= 2 && text.p[0] == '{' && text.p[text.n - 1] == '}')
			text = slice_trim(slice_sub(text, 1, text.n - 1));
		wrong = main_cf_split(text, &given.name, &given.value);
		if (wrong)
			config_problem_add(problems, true, SL("-o"), 0, SL_NULL,
					   "%s: \"%.*s\" (allowed: name=value, { name = value })",
					   wrong, SL_ARG(text));
		else
			give(values, given);
	}
}

/* give_own - what the program knows better than any file. */
static void give_own(struct config_values *values, const char *dir)
{
	give(values, (struct given_value){.name = SL("config_directory"), .value = slice_str(dir)});
	if (!values_given(values, SL("process_name")))
		give(values,
		     (struct given_value){.name = SL("process_name"),
					  .value = slice_str(program_invocation_short_name)});
	if (!values_given(values, SL("process_id")))
		give(values, (struct given_value){
				 .name = SL("process_id"),
				 .value = arena_printf(values->arena, "%d", (int)os_pid())});
}

/* quietly - expanded; what cannot be expanded is reported when its own parameter is read. */
static struct slice quietly(const struct config_values *values, struct slice text)
{
	struct slice result = SL_NULL;

	return values_expand(values, text, values->arena, &result) ? SL_NULL : result;
}

/* ask_host - one after the other, because a later one may refer to an earlier one. */
static void ask_host(struct config_values *values)
{
	struct arena *arena = values->arena;
	struct os_interface *interfaces;
	struct slice domain = SL("localdomain");
	size_t count;

	if (values_given(values, SL("mydomain")))
		domain = quietly(values, SL("$mydomain"));
	values->host_name = host_default_name(arena, os_host_name(arena), domain);
	values->host_domain =
	    arena_dup(arena, host_default_domain(quietly(values, SL("$myhostname"))));
	if (values_given(values, SL("mynetworks")))
		return;
	count = os_interfaces(arena, &interfaces);
	values->host_networks = host_default_networks(
	    arena, interfaces, count, quietly(values, SL("$mynetworks_style")),
	    quietly(values, SL("$inet_interfaces")), quietly(values, SL("$inet_protocols")));
}

void values_init(struct config_values *values, struct arena *arena, const struct main_cf *cf,
		 const char *dir, const struct slice *overrides, size_t count,
		 struct config_problems *problems)
{
	*values = (struct config_values){.arena = arena, .map = map_create()};
	values->declared = ARENA_ARRAY(arena, parameter_count, struct given_value *);
	values->given = ARENA_ARRAY(arena, cf->count + count + 3, struct given_value);
	give_file(values, cf);
	give_overrides(values, overrides, count, problems);
	give_own(values, dir);
	ask_host(values);
}

void values_free(struct config_values *values)
{
	map_destroy(&values->map);
}
