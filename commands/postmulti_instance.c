/* SPDX-License-Identifier: ISC */
#include "commands/postmulti.h"
#include "config/source.h"
#include "os/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const char *text_parameter(const struct postmulti *p, const struct instance *i, const char *name)
{
	return arena_dup(p->command.arena, instance_parameter(p, i, name)).p;
}

struct slice instance_parameter(const struct postmulti *p, const struct instance *i, const char *name)
{
	struct slice value = SL("");
	const char *wrong = values_expand(&i->values, values_raw(&i->values, slice_str(name)),
					  p->command.arena, &value);

	if (wrong != NULL)
		command_fatal(&p->command, "%s/main.cf: %s: %s", i->dir, name, wrong);
	return value;
}

void instance_read(struct postmulti *p, const char *dir, struct instance *out)
{
	struct arena *arena = p->command.arena;
	struct config_problems problems;
	struct slice path, text;
	struct main_cf cf;

	config_problems_init(&problems, arena);
	if (config_read(dir, "main.cf", arena, &problems, &path, &text) != RES_OK)
		command_fatal(&p->command, "%.*s", SL_ARG(config_problem_text(arena, &problems.items[0])));
	main_cf_parse(text, path, arena, &problems, &cf);
	*out = (struct instance){.dir = dir};
	values_init(&out->values, arena, &cf, dir, NULL, 0, &problems);
	out->queue = text_parameter(p, out, "queue_directory");
	out->data = text_parameter(p, out, "data_directory");
	out->name = instance_parameter(p, out, "multi_instance_name");
	out->group = instance_parameter(p, out, "multi_instance_group");
	out->enabled = slice_caseeq(instance_parameter(p, out, "multi_instance_enable"), SL("yes"));
}

static size_t count_words(struct slice list)
{
	struct slice word;
	size_t n = 0;

	while (settings_next_word(&list, &word))
		n++;
	return n;
}

void instances_load(struct postmulti *p)
{
	struct instance primary;
	struct slice rest, word;

	instance_read(p, p->command.config_dir, &primary);
	primary.primary = true;
	rest = instance_parameter(p, &primary, "multi_instance_directories");
	p->list = ARENA_ARRAY(p->command.arena, count_words(rest) + 1, struct instance);
	p->list[p->count++] = primary;
	while (settings_next_word(&rest, &word))
		instance_read(p, arena_dup(p->command.arena, word).p, &p->list[p->count++]);
}

void instances_free(struct postmulti *p)
{
	for (size_t i = 0; i < p->count; i++)
		values_free(&p->list[i].values);
}

static bool has_name(const struct instance *i, const char *name)
{
	if (strcmp(name, "-") == 0)
		return i->primary;
	return strcmp(i->dir, name) == 0 || (i->name.n > 0 && slice_eq(i->name, slice_str(name)));
}

bool instance_is_selected(const struct postmulti *p, const struct instance *i)
{
	if (p->select_name != NULL && !has_name(i, p->select_name))
		return false;
	return p->select_group == NULL || slice_eq(i->group, slice_str(p->select_group));
}

static void export(const struct postmulti *p, const struct instance *i)
{
	static const char *const names[] = {"command_directory",   "daemon_directory", "config_directory",
					    "queue_directory",	   "data_directory",   "multi_instance_name",
					    "multi_instance_group", "multi_instance_enable"};

	setenv("MAIL_CONFIG", i->dir, 1);
	for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++)
		setenv(names[n], text_parameter(p, i, names[n]), 1);
}

static _Noreturn void in_child(const struct postmulti *p, const struct instance *i, char *const argv[],
			       bool search)
{
	extern char **environ;
	struct slice folder = instance_parameter(p, i, "command_directory");

	export(p, i);
	if (search)
		(void)os_exec_search(argv);
	else
		(void)os_exec(arena_printf(p->command.arena, "%.*s/%s", SL_ARG(folder), argv[0]).p, argv,
			      environ);
	command_warn(&p->command, "execute %s: %s", argv[0], strerror(errno));
	os_exit_now(1);
}

int instance_run(const struct postmulti *p, const struct instance *i, char *const argv[], bool search)
{
	pid_t pid = os_fork();
	int status;

	if (pid == 0)
		in_child(p, i, argv, search);
	if (pid < 0 || os_wait(pid, &status) < 0)
		command_fatal(&p->command, "fork %s: %s", argv[0], strerror(errno));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
