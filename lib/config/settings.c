/* SPDX-License-Identifier: ISC */
#include "config/settings.h"

#include "base/buffer.h"
#include "base/check.h"
#include "base/map.h"
#include "config/expand.h"
#include "config/host.h"
#include "config/main_cf.h"
#include "config/parameter.h"
#include "config/source.h"
#include "os/process.h"

#include <errno.h>

/* One name that was given a value: by the file, by -o, or by the program itself. */
struct setting {
	struct slice name;
	struct slice value; /* unexpanded */
	struct slice file;  /* absent: not from the file */
	unsigned line;
};

struct config {
	struct arena *arena; /* of the whole snapshot */
	struct map *given;   /* name → struct setting */
	struct setting *list; /* the same, in order */
	size_t count;
	struct slice host_name, host_domain, host_networks; /* defaults asked from the machine */
};

static struct slice host_default(const struct config *config, const char *name)
{
	if (strcmp(name, "myhostname") == 0)
		return config->host_name;
	if (strcmp(name, "mydomain") == 0)
		return config->host_domain;
	return config->host_networks;
}

/* raw_value - unexpanded, wherever it comes from; the absent slice for an unknown name. */
static struct slice raw_value(void *context, struct slice name)
{
	const struct config *config = context;
	const struct setting *given = map_get(config->given, name);
	const struct parameter *p;
	struct slice transport;

	if (given)
		return given->value;
	p = parameter_find(name);
	if (p == NULL)
		p = parameter_find_template(name, &transport);
	if (p == NULL)
		return SL_NULL;
	if (p->origin == ORIGIN_HOST)
		return host_default(config, p->name);
	return slice_str(p->initial);
}

static const char *expand(const struct config *config, struct slice text, struct arena *arena,
			  struct slice *out)
{
	struct expansion how = {.lookup = raw_value, .context = (void *)(uintptr_t)config};

	return expand_text(&how, text, arena, out);
}

/* ---- what is given */

static void give(struct config *config, struct setting setting)
{
	struct setting *old = map_get(config->given, setting.name);

	if (old) {
		*old = setting;
		return;
	}
	config->list[config->count] = setting;
	map_put(config->given, setting.name, &config->list[config->count++]);
}

static void give_file(struct config *config, const struct main_cf *cf)
{
	for (size_t i = 0; i < cf->count; i++)
		give(config, (struct setting){.name = cf->entries[i].name,
					      .value = cf->entries[i].value,
					      .file = cf->file,
					      .line = cf->entries[i].line});
}

static void give_overrides(struct config *config, const struct slice *overrides, size_t count,
			   struct config_problems *problems)
{
	for (size_t i = 0; i < count; i++) {
		struct slice text = slice_trim(overrides[i]);
		struct setting setting = {.name = SL_NULL};
		const char *wrong;

		if (text.n >= 2 && text.p[0] == '{' && text.p[text.n - 1] == '}')
			text = slice_trim(slice_sub(text, 1, text.n - 1));
		text = arena_dup(config->arena, text);
		wrong = main_cf_split(text, &setting.name, &setting.value);
		if (wrong)
			config_problem_add(problems, true, SL("-o"), 0, SL_NULL,
					   "%s: \"%.*s\" (allowed: name=value, { name = value })",
					   wrong, SL_ARG(text));
		else
			give(config, setting);
	}
}

static void give_own(struct config *config, const char *dir)
{
	struct arena *arena = config->arena;

	give(config, (struct setting){.name = SL("config_directory"),
				      .value = arena_dup(arena, slice_str(dir))});
	if (!map_get(config->given, SL("process_name")))
		give(config, (struct setting){.name = SL("process_name"),
					      .value = arena_dup(arena, slice_str(
									program_invocation_short_name))});
	if (!map_get(config->given, SL("process_id")))
		give(config, (struct setting){.name = SL("process_id"),
					      .value = arena_printf(arena, "%d", (int)os_pid())});
}

/* ask_host - one after the other, because a later one may refer to an earlier one. */
static void ask_host(struct config *config)
{
	struct arena *arena = config->arena;
	struct os_interface *interfaces;
	size_t count;
	struct slice domain = SL("localdomain");
	struct slice name = SL_NULL;
	struct slice style = SL_NULL;
	struct slice wanted = SL_NULL;
	struct slice protocols = SL_NULL;

	if (map_get(config->given, SL("mydomain")))
		(void)expand(config, SL("$mydomain"), arena, &domain);
	config->host_name = host_default_name(arena, os_host_name(arena), domain);
	(void)expand(config, SL("$myhostname"), arena, &name);
	config->host_domain = arena_dup(arena, host_default_domain(name));
	if (map_get(config->given, SL("mynetworks")))
		return;
	/* What cannot be expanded is reported when its own parameter is read. */
	(void)expand(config, SL("$mynetworks_style"), arena, &style);
	(void)expand(config, SL("$inet_interfaces"), arena, &wanted);
	(void)expand(config, SL("$inet_protocols"), arena, &protocols);
	count = os_interfaces(arena, &interfaces);
	config->host_networks =
	    host_default_networks(arena, interfaces, count, style, wanted, protocols);
}

/* ---- text to members */

/* evaluate - the value as the parameter's type wants it: expanded, or as written. */
static const char *evaluate(const struct config *config, const struct parameter *p,
			    struct slice raw, struct arena *arena, struct slice *out)
{
	if (p->type != PARAM_RAW)
		return expand(config, raw, arena, out);
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

static const char *store(const struct config *config, const struct parameter *p, struct slice raw,
			 void *where)
{
	struct slice text = SL_NULL;
	const char *wrong = evaluate(config, p, raw, config->arena, &text);

	if (wrong)
		return wrong;
	return parameter_store(p, slice_trim(text), config->arena, where);
}

/* check_given - a value from the file or -o, into its member if it has one. */
static void check_given(const struct setting *given, struct settings *settings,
			struct config_problems *problems)
{
	const struct parameter *p = parameter_find(given->name);
	struct slice transport;
	union member unused;
	const char *wrong = NULL; /* user-defined names count where they are used */

	if (p && !p->template) {
		wrong = store(settings->config, p, given->value, (char *)settings + p->offset);
	} else {
		p = parameter_find_template(given->name, &transport);
		if (p)
			wrong = store(settings->config, p, given->value, &unused);
	}
	if (wrong)
		config_problem_add(problems, true, given->file, given->line, given->name, "%s",
				   wrong);
}

/*
 * fill_defaults - the members that nothing was given for. Defaults are right by themselves (a test
 * says so); one that is wrong now refers to a given value that is, or cannot be its type.
 */
static void fill_defaults(struct settings *settings, struct config_problems *problems)
{
	const struct config *config = settings->config;
	bool quiet = problems->fatal > 0;

	for (size_t i = 0; i < parameter_count; i++) {
		const struct parameter *p = &parameters[i];
		struct slice name = slice_str(p->name);
		union member unused;
		const char *wrong;

		if (map_get(config->given, name))
			continue;
		wrong = store(config, p, raw_value(settings->config, name),
			      p->template ? (void *)&unused : (char *)settings + p->offset);
		if (wrong && !quiet)
			config_problem_add(problems, true, SL_NULL, 0, name,
					   "%s (from the default: %s)", wrong, p->initial);
	}
}

/* ---- the snapshot */

static struct settings *settings_create(size_t room)
{
	struct arena *arena = arena_create();
	struct settings *settings = ARENA_NEW(arena, struct settings);

	settings->config = ARENA_NEW(arena, struct config);
	settings->config->arena = arena;
	settings->config->given = map_create();
	settings->config->list = ARENA_ARRAY(arena, room, struct setting);
	return settings;
}

void settings_destroy(struct settings **settings)
{
	if (*settings) {
		struct arena *arena = (*settings)->config->arena;

		map_destroy(&(*settings)->config->given);
		arena_destroy(&arena);
	}
	*settings = NULL;
}

static enum result build(struct slice text, struct slice file, const char *dir,
			 const struct slice *overrides, size_t count,
			 struct config_problems *problems, struct settings **out)
{
	size_t fatal_before = problems->fatal;
	struct main_cf cf;
	struct settings *settings;
	struct config *config;

	main_cf_parse(text, file, problems->arena, problems, &cf);
	settings = settings_create(cf.count + count + 3); /* three of give_own */
	config = settings->config;
	for (size_t i = 0; i < cf.count; i++) {
		cf.entries[i].name = arena_dup(config->arena, cf.entries[i].name);
		cf.entries[i].value = arena_dup(config->arena, cf.entries[i].value);
	}
	cf.file = arena_dup(config->arena, file);
	give_file(config, &cf);
	give_overrides(config, overrides, count, problems);
	give_own(config, dir);
	ask_host(config);
	for (size_t i = 0; i < config->count; i++)
		check_given(&config->list[i], settings, problems);
	fill_defaults(settings, problems);
	if (problems->fatal > fatal_before)
		settings_destroy(&settings);
	*out = settings;
	return settings ? RES_OK : RES_PERM;
}

enum result settings_parse(struct slice text, const char *dir, const struct slice *overrides,
			   size_t count, struct config_problems *problems, struct settings **out)
{
	return build(text, arena_printf(problems->arena, "%s/main.cf", dir), dir, overrides, count,
		     problems, out);
}

enum result settings_load(const char *dir, const struct slice *overrides, size_t count,
			  struct config_problems *problems, struct settings **out)
{
	struct slice file;
	struct slice text = SL_NULL;
	enum result rc;

	*out = NULL;
	rc = config_read(dir, "main.cf", problems->arena, problems, &file, &text);
	if (rc != RES_OK)
		return rc;
	return build(text, file, dir, overrides, count, problems, out);
}

/* ---- by name */

bool settings_has(const struct settings *settings, struct slice name)
{
	return map_get(settings->config->given, name) != NULL;
}

bool settings_get(const struct settings *settings, struct slice name, struct arena *arena,
		  struct slice *value)
{
	struct slice raw = raw_value(settings->config, name);
	const struct parameter *p = parameter_find(name);

	if (slice_is_null(raw))
		return false;
	if (p && p->type == PARAM_RAW) {
		*value = arena_dup(arena, raw);
		return true;
	}
	return expand(settings->config, raw, arena, value) == NULL;
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

int settings_transport_int(const struct settings *settings, struct slice transport, const char *what)
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

const char *settings_expand(const struct settings *settings, struct slice text,
			    struct arena *arena, struct slice *out)
{
	return expand(settings->config, text, arena, out);
}
