/* SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "config/source.h"
#include "master/master.h"
#include "os/file.h"

#include <stdlib.h>
#include <unistd.h>

/* Programs of Postfix whose work is done elsewhere in this suite. */
static const char needless[] = "trivial-rewrite scache tlsproxy dnsblog anvil flush verify";

static bool is_needless(struct slice program)
{
	struct slice rest = slice_str(needless), word;

	while (slice_next(&rest, " ", &word))
		if (slice_eq(word, program))
			return true;
	return false;
}

static bool has_program(const struct configuration *conf, struct slice program)
{
	struct slice path = arena_printf(conf->arena, "%s/%.*s", conf->settings->daemon_directory.p,
					 SL_ARG(program));

	return access(path.p, X_OK) == 0;
}

/* keep - whether master can run the service; says why not. */
static bool keep(const struct configuration *conf, const struct master_service *s,
		 struct config_problems *problems)
{
	const struct privileges *row = privileges_find(s->command);

	if (row != NULL && (row->kind == KIND_FIBERS || row->kind == KIND_POOL) &&
	    has_program(conf, s->command))
		return true;
	if (is_needless(s->command))
		config_problem_add(problems, false, conf->cf.file, s->line, s->name,
				   "service needs no process here (%.*s): ignored",
				   SL_ARG(s->command));
	else
		config_problem_add(problems, false, conf->cf.file, s->line, s->name,
				   "there is no program %.*s in %s: service is not available",
				   SL_ARG(s->command), conf->settings->daemon_directory.p);
	return false;
}

/* fits - "inet", "smtp/inet", or, as Postfix once wrote it, "smtp.inet" and ".inet". */
static bool fits(struct slice pattern, const struct master_service *s)
{
	struct slice type = slice_str(service_type_name(s->type)), name;
	ssize_t slash = slice_rfind(pattern, '/');
	ssize_t cut = slash >= 0 ? slash : slice_rfind(pattern, '.');

	if (cut < 0)
		return slice_caseeq(pattern, SL("all")) || slice_eq(pattern, type);
	name = slice_sub(pattern, 0, (size_t)cut);
	return slice_eq(slice_from(pattern, (size_t)cut + 1), type) && (name.n == 0 || slice_eq(name, s->name));
}

/* is_disabled - by the first pattern of master_service_disable that fits; !pattern: it is not. */
static bool is_disabled(const struct settings *settings, const struct master_service *s)
{
	struct slice rest = settings->master_service_disable, word;

	while (settings_next_word(&rest, &word)) {
		bool negated = word.p[0] == '!';

		if (fits(negated ? slice_from(word, 1) : word, s))
			return !negated;
	}
	return false;
}

/* What a master.cf written for Postfix may lack, and the suite cannot do without. */
static const struct master_service builtin[] = {
    {.name = {"resolver", 8}, .type = SERVICE_UNIX, .private = true, .unprivileged = true,
     .process_limit = 1, .command = {"resolver", 8}},
    {.name = {"proxymap", 8}, .type = SERVICE_UNIX, .private = true, .unprivileged = true,
     .command = {"proxymap", 8}},
    {.name = {"postlog", 7}, .type = SERVICE_UNIX_DGRAM, .unprivileged = true, .process_limit = 1,
     .command = {"postlogd", 8}},
};
#define BUILTIN_COUNT (sizeof(builtin) / sizeof(builtin[0]))

/* builtin_at - under the name by which others call it. */
static struct master_service builtin_at(const struct configuration *conf, size_t i)
{
	struct master_service s = builtin[i];

	if (slice_eq(s.command, SL("proxymap")))
		s.name = conf->settings->proxymap_service_name;
	return s;
}

/* is_lacking - there is none of that name, and it would have something to do. */
static bool is_lacking(const struct configuration *conf, const struct master_service *s)
{
	if (master_cf_find(&conf->cf, s->name, s->type) != NULL || !has_program(conf, s->command))
		return false;
	return s->type != SERVICE_UNIX_DGRAM || conf->settings->maillog_file.n > 0;
}

/* complete - the services that can run, and those that a foreign master.cf does not know of. */
static void complete(struct configuration *conf, struct config_problems *problems)
{
	struct master_service *all =
	    ARENA_ARRAY(conf->arena, conf->cf.count + BUILTIN_COUNT, struct master_service);
	size_t count = 0;

	for (size_t i = 0; i < conf->cf.count; i++)
		if (!is_disabled(conf->settings, &conf->cf.services[i]) &&
		    keep(conf, &conf->cf.services[i], problems))
			all[count++] = conf->cf.services[i];
	for (size_t i = 0; i < BUILTIN_COUNT; i++) {
		struct master_service s = builtin_at(conf, i);

		if (is_lacking(conf, &s))
			all[count++] = s;
	}
	conf->cf.services = all;
	conf->cf.count = count;
}

/* make - `conf` has its arena and the text of main.cf; *out, or conf is gone. */
static enum result make(struct configuration *conf, const char *dir, struct slice master_path,
			struct slice master_text, struct config_problems *problems,
			struct configuration **out)
{
	enum result rc = settings_parse(conf->main_cf, dir, NULL, 0, problems, &conf->settings);

	if (rc == RES_OK)
		rc = master_cf_parse(master_text, master_path, conf->settings, conf->arena, problems,
				     &conf->cf);
	if (rc != RES_OK) {
		configuration_destroy(&conf);
		return rc;
	}
	complete(conf, problems);
	*out = conf;
	return RES_OK;
}

static struct configuration *configuration_create(void)
{
	struct configuration *conf = calloc(1, sizeof(*conf));

	if (conf == NULL)
		out_of_memory();
	conf->arena = arena_create();
	return conf;
}

enum result configuration_load(const char *dir, struct config_problems *problems,
			       struct configuration **out)
{
	struct configuration *conf = configuration_create();
	struct slice path, master_path, master_text;
	enum result rc = config_read(dir, "main.cf", conf->arena, problems, &path, &conf->main_cf);

	*out = NULL;
	if (rc == RES_OK)
		rc = config_read(dir, "master.cf", conf->arena, problems, &master_path, &master_text);
	if (rc == RES_OK)
		return make(conf, dir, master_path, master_text, problems, out);
	configuration_destroy(&conf);
	return rc;
}

enum result configuration_parse(const char *dir, struct slice main_cf, struct slice master_cf,
				struct config_problems *problems, struct configuration **out)
{
	struct configuration *conf = configuration_create();

	*out = NULL;
	conf->main_cf = arena_dup(conf->arena, main_cf);
	return make(conf, dir, arena_printf(conf->arena, "%s/master.cf", dir),
		    arena_dup(conf->arena, master_cf), problems, out);
}

void configuration_destroy(struct configuration **conf)
{
	if (*conf == NULL)
		return;
	settings_destroy(&(*conf)->settings);
	arena_destroy(&(*conf)->arena);
	free(*conf);
	*conf = NULL;
}
