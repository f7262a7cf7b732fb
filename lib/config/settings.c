/* SPDX-License-Identifier: ISC */
#include "config/settings.h"

#include "base/check.h"
#include "config/parameter.h"
#include "config/source.h"
#include "config/values.h"

/* ---- text to members */

/* evaluate - the value as the parameter's type wants it: expanded, or as written. */
static const char *evaluate(const struct config_values *values, const struct parameter *p,
			    struct slice raw, struct arena *arena, struct slice *out)
{
	if (p->type != PARAM_RAW)
		return values_expand(values, raw, arena, out);
	*out = raw;
	return NULL;
}

/* Room for any member. */
union member {
	bool b;
	int i;
	uint64_t u;
	int64_t t;
	struct slice s;
};

static const char *store(const struct config_values *values, const struct parameter *p,
			 struct slice raw, void *where)
{
	struct slice text = SL_NULL;
	const char *wrong = evaluate(values, p, raw, values->arena, &text);

	if (wrong)
		return wrong;
	return parameter_store(p, slice_trim(text), values->arena, where);
}

/* What is made, and what is wrong with it. */
struct filling {
	struct settings *settings;
	bool *filled;	   /* by place of the parameter: its member has a value */
	bool for_command;  /* parameters that only daemons read may be wrong */
	struct config_problems *problems;
};

/* check_given - a value from the file or -o, into its member if it has one. */
static void check_given(const struct given_value *given, const struct filling *f)
{
	struct settings *settings = f->settings;
	const struct parameter *p = parameter_find(given->name);
	struct slice transport;
	union member unused;
	const char *wrong = NULL; /* user-defined names count where they are used */

	if (p && !p->template) {
		wrong = store(settings->values, p, given->value, (char *)settings + p->offset);
		f->filled[p - parameters] = wrong == NULL || p->commands || !f->for_command;
	} else {
		p = parameter_find_template(given->name, &transport);
		if (p)
			wrong = store(settings->values, p, given->value, &unused);
	}
	if (wrong)
		config_problem_add(f->problems, p->commands || !f->for_command, given->file, given->line,
				   given->name, "%s", wrong);
}

/* cause_of - what was given among the names that a default refers to; NULL when nothing was. */
static const struct given_value *cause_of(const struct config_values *values, struct slice text)
{
	for (size_t i = 0; i < values->count; i++) {
		const struct given_value *given = &values->given[i];

		if (!slice_is_null(given->file) && slice_search(text, given->name) >= 0)
			return given;
	}
	return NULL;
}

static void complain_of_default(const struct config_values *values, const struct parameter *p,
				bool fatal, const char *wrong, struct config_problems *problems)
{
	struct slice name = parameter_slice(p->name);
	struct slice initial = parameter_slice(p->initial);
	const struct given_value *cause = cause_of(values, initial);

	if (cause)
		config_problem_add(problems, fatal, cause->file, cause->line, cause->name,
				   "%s (for %.*s, whose default is %.*s)", wrong, SL_ARG(name),
				   SL_ARG(initial));
	else
		config_problem_add(problems, fatal, SL_NULL, 0, name, "%s (from the default: %.*s)",
				   wrong, SL_ARG(initial));
}

/*
 * fill_default - of a parameter that nothing was given for. A default is right by itself (a test says
 * so); one that is wrong now refers to a given value that is, or cannot be its type.
 */
static void fill_default(const struct parameter *p, const struct filling *f, bool quiet)
{
	struct settings *settings = f->settings;
	const struct config_values *values = settings->values;
	struct slice name = parameter_slice(p->name);
	union member unused;
	void *where = p->template ? (void *)&unused : (char *)settings + p->offset;
	const char *wrong;

	if (p->fixed) {
		parameter_store_fixed(p, where);
		return;
	}
	wrong = store(values, p, values_default(values, name), where);
	if (wrong && !quiet)
		complain_of_default(values, p, p->commands || !f->for_command, wrong, f->problems);
}

static void fill(struct settings *settings, bool for_command, struct config_problems *problems)
{
	const struct config_values *values = settings->values;
	struct filling f = {settings, ARENA_ARRAY(values->arena, parameter_count, bool), for_command, problems};
	bool quiet;

	for (size_t i = 0; i < values->count; i++)
		check_given(&values->given[i], &f);
	quiet = problems->fatal > 0;
	for (size_t i = 0; i < parameter_count; i++)
		if (!f.filled[i])
			fill_default(&parameters[i], &f, quiet);
}

/* ---- the snapshot */

void settings_destroy(struct settings **settings)
{
	if (*settings) {
		struct arena *arena = (*settings)->values->arena;

		values_free((*settings)->values);
		arena_destroy(&arena);
	}
	*settings = NULL;
}

static enum result build(struct slice text, struct slice file, const char *dir,
			 const struct slice *overrides, size_t count, bool for_command,
			 struct config_problems *problems, struct settings **out)
{
	struct arena *arena = arena_create();
	struct settings *settings = ARENA_NEW(arena, struct settings);
	size_t fatal_before = problems->fatal;
	struct main_cf cf;

	main_cf_parse(text, file, problems->arena, problems, &cf);
	settings->values = ARENA_NEW(arena, struct config_values);
	values_init(settings->values, arena, &cf, dir, overrides, count, problems);
	fill(settings, for_command, problems);
	if (problems->fatal > fatal_before)
		settings_destroy(&settings);
	*out = settings;
	return settings ? RES_OK : RES_PERM;
}

enum result settings_parse(struct slice text, const char *dir, const struct slice *overrides,
			   size_t count, struct config_problems *problems, struct settings **out)
{
	return build(text, arena_printf(problems->arena, "%s/main.cf", dir), dir, overrides, count, false,
		     problems, out);
}

static enum result load(const char *dir, const struct slice *overrides, size_t count, bool for_command,
			struct config_problems *problems, struct settings **out)
{
	struct slice file;
	struct slice text = SL_NULL;
	enum result rc;

	*out = NULL;
	rc = config_read(dir, "main.cf", problems->arena, problems, &file, &text);
	if (rc != RES_OK)
		return rc;
	return build(text, file, dir, overrides, count, for_command, problems, out);
}

enum result settings_load(const char *dir, const struct slice *overrides, size_t count,
			  struct config_problems *problems, struct settings **out)
{
	return load(dir, overrides, count, false, problems, out);
}

enum result settings_load_for_command(const char *dir, struct config_problems *problems,
				      struct settings **out)
{
	return load(dir, NULL, 0, true, problems, out);
}

/* ---- by name */

bool settings_has(const struct settings *settings, struct slice name)
{
	return values_given(settings->values, name) != NULL;
}

bool settings_get(const struct settings *settings, struct slice name, struct arena *arena,
		  struct slice *value)
{
	struct slice raw = values_raw(settings->values, name);
	const struct parameter *p = parameter_find(name);

	if (slice_is_null(raw))
		return false;
	if (p && p->type == PARAM_RAW) {
		*value = arena_dup(arena, raw);
		return true;
	}
	return values_expand(settings->values, raw, arena, value) == NULL;
}

static void transport_value(const struct settings *settings, struct slice transport,
			    const char *what, enum parameter_type type, void *out)
{
	struct arena *arena = arena_create();
	struct slice name = arena_printf(arena, "transport_%s", what);
	const struct parameter *p = parameter_find(name);
	struct slice text = SL_NULL;

	CHECK(p != NULL && p->template && p->type == type);
	name = arena_printf(arena, "%.*s_%s", SL_ARG(transport), what);
	CHECK(settings_get(settings, name, arena, &text));
	CHECK(parameter_store(p, slice_trim(text), arena, out) == NULL);
	arena_destroy(&arena);
}

int settings_transport_int(const struct settings *settings, struct slice transport,
			   const char *what)
{
	int value = 0;

	transport_value(settings, transport, what, PARAM_INT, &value);
	return value;
}

int64_t settings_transport_time(const struct settings *settings, struct slice transport,
				const char *what)
{
	int64_t value = 0;

	transport_value(settings, transport, what, PARAM_TIME, &value);
	return value;
}

const char *settings_expand(const struct settings *settings, struct slice text, struct arena *arena,
			    struct slice *out)
{
	return values_expand(settings->values, text, arena, out);
}
