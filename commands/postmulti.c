/* SPDX-License-Identifier: ISC */
#include "commands/postmulti.h"
#include "config/directory.h"
#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void usage(const struct postmulti *p)
{
	command_fatal(&p->command,
		      "usage: postmulti -l [-aRv] [-g group] [-i instance] | postmulti -p [-av] [-g group] "
		      "[-i instance] command... | postmulti -x [-aRv] [-g group] [-i instance] command... | "
		      "postmulti -e action [-av] [-g group] [-i instance] [-G group] [-I name] [param=value ...]");
}

/* ---- -l, -p, -x */

static void print_instance(const struct instance *i)
{
	struct slice none = SL("-");
	struct slice name = i->name.n > 0 ? i->name : none, group = i->group.n > 0 ? i->group : none;

	printf("%-15.*s %-15.*s %-9s %s\n", SL_ARG(name), SL_ARG(group), i->enabled ? "y" : "n", i->dir);
}

/* in_list - is -p's command one of those that a parameter of the primary instance names? */
static bool in_list(const struct postmulti *p, const char *parameter)
{
	return settings_list_has(instance_parameter(p, &p->list[0], parameter), slice_str(p->words[0]));
}

/* control - an instance that is not enabled is not started, stopped or told anything. */
static int control(const struct postmulti *p, const struct instance *i)
{
	char **argv = ARENA_ARRAY(p->command.arena, p->word_count + 4, char *);
	size_t n = 0;

	argv[n++] = (char *)"postrider";
	argv[n++] = (char *)"-c";
	argv[n++] = (char *)(uintptr_t)i->dir;
	if (!i->enabled && in_list(p, "postmulti_start_commands")) {
		argv[n++] = (char *)"check";
		return instance_run(p, i, argv, false);
	}
	if (!i->enabled &&
	    (in_list(p, "postmulti_stop_commands") || in_list(p, "postmulti_control_commands")))
		return 0;
	for (size_t w = 0; w < p->word_count; w++)
		argv[n++] = p->words[w];
	return instance_run(p, i, argv, false);
}

static int apply(const struct postmulti *p, const struct instance *i)
{
	if (p->mode == 'p')
		return control(p, i);
	if (p->mode == 'x')
		return instance_run(p, i, p->words, true);
	print_instance(i);
	return 0;
}

int postmulti_iterate(struct postmulti *p)
{
	bool reverse = p->reverse || (p->mode == 'p' && in_list(p, "postmulti_stop_commands"));
	size_t selected = 0;
	int status = 0;

	for (size_t n = 0; n < p->count; n++) {
		const struct instance *i = &p->list[reverse ? p->count - 1 - n : n];
		int one;

		if (!instance_is_selected(p, i))
			continue;
		selected++;
		fflush(stdout);
		one = apply(p, i);
		status = one != 0 ? one : status;
	}
	if (selected == 0)
		command_fatal(&p->command, "no matching instance: -i takes a name, a configuration directory, or "
					   "- for the primary one; -g a group; postmulti -l names them");
	return status;
}

/* ---- arguments */

static void take_mode(struct postmulti *p, int mode)
{
	if (p->mode != 0)
		usage(p);
	p->mode = (char)mode;
}

static void take_option(struct postmulti *p, int option)
{
	switch (option) {
	case 'a':
		p->all = true;
		break;
	case 'e':
		p->action = optarg;
		take_mode(p, option);
		break;
	case 'g':
		p->select_group = optarg;
		break;
	case 'i':
		p->select_name = optarg;
		break;
	case 'G':
		p->new_group = optarg;
		break;
	case 'I':
		p->new_name = optarg;
		break;
	case 'l':
	case 'p':
	case 'x':
		take_mode(p, option);
		break;
	case 'R':
		p->reverse = true;
		break;
	case 'v':
		break;
	default:
		usage(p);
	}
}

static void parse_arguments(struct postmulti *p, int argc, char **argv)
{
	int option;

	while ((option = command_option(&p->command, argc, argv, "+ae:g:i:G:I:lpRvx")) > 0)
		take_option(p, option);
	p->words = argv + optind;
	p->word_count = (size_t)(argc - optind);
	if (p->mode == 0 || (p->mode == 'l' && p->word_count > 0) ||
	    ((p->mode == 'p' || p->mode == 'x') && p->word_count == 0))
		usage(p);
	if (p->reverse && (p->mode == 'p' || p->mode == 'e'))
		usage(p);
	if (p->all + (p->select_name != NULL) + (p->select_group != NULL) > 1)
		command_fatal(&p->command, "-a, -g and -i choose instances: only one of them is allowed");
	if (p->mode != 'e' && (p->new_name != NULL || p->new_group != NULL))
		command_fatal(&p->command, "-I and -G are allowed with -e only");
}

/* require_default - the list of instances is that of the default configuration. */
static void require_default(struct postmulti *p)
{
	const char *environment = getenv("MAIL_CONFIG"), *built_in;
	struct config_problems problems;

	config_problems_init(&problems, p->command.arena);
	if (config_directory_for(NULL, NULL, false, &problems, &built_in) != RES_OK)
		command_fatal(&p->command, "%.*s",
			      SL_ARG(config_problem_text(p->command.arena, &problems.items[0])));
	if (environment != NULL && strcmp(environment, built_in) != 0)
		command_fatal(&p->command, "Non-default configuration directory: MAIL_CONFIG=%s; %s is allowed",
			      environment, built_in);
	p->command.config_dir = built_in;
}

int main(int argc, char **argv)
{
	struct postmulti p = {.command = {.name = "postmulti", .failure = 1}};
	int status;

	p.command.arena = arena_create();
	parse_arguments(&p, argc, argv);
	require_default(&p);
	instances_load(&p);
	status = p.mode == 'e' ? postmulti_edit(&p) : postmulti_iterate(&p);
	if (fflush(stdout) != 0 || ferror(stdout))
		command_fatal(&p.command, "output write error: %s", strerror(errno));
	instances_free(&p);
	arena_destroy(&p.command.arena);
	return status;
}
