/* SPDX-License-Identifier: ISC */
/* postconf - show and edit the configuration; postconf(1). */
#include "commands/postconf.h"

#include "config/directory.h"
#include "config/source.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OUTPUT_LIMIT ((size_t)64 << 20)
#define OVERRIDES_LIMIT 256

static void __attribute__((format(printf, 2, 0)))
complain(const char *kind, const char *format, va_list ap)
{
	fprintf(stderr, "postconf: %s: ", kind);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void postconf_warn(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	complain("warning", format, ap);
	va_end(ap);
}

void postconf_fatal(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	complain("fatal", format, ap);
	va_end(ap);
	exit(1);
}

enum action { ACTION_MAIN, ACTION_EDIT, ACTION_MASTER, ACTION_LOCKS, ACTION_MAPS };

struct request {
	enum action action;
	enum edit_action edit;
	const char *dir;
	struct slice overrides[OVERRIDES_LIMIT];
	size_t override_count;
};

static _Noreturn void usage(void)
{
	postconf_fatal(
	    "usage: postconf [-c config_dir] [-d (parameter defaults)] [-e (edit "
	    "configuration)] [-f (fold lines)] [-h (no names)] [-H (no values)] [-l (lock "
	    "types)] [-m (map types)] [-M (master.cf)] [-n (non-default parameters)] [-o "
	    "name=value (override parameter value)] [-p (main.cf, default)] [-v (verbose)] "
	    "[-x (expand parameter values)] [-X (exclude)] [-# (comment-out)] [name...]");
}

static void want_edit(struct request *request, enum edit_action edit)
{
	request->action = ACTION_EDIT;
	request->edit = edit;
}

static void take_option(struct postconf *pc, struct request *request, int option)
{
	switch (option) {
	case 'c':
		request->dir = optarg;
		break;
	case 'd':
		pc->defaults = true;
		break;
	case 'e':
		want_edit(request, EDIT_SET);
		break;
	case 'X':
		want_edit(request, EDIT_DELETE);
		break;
	case '#':
		want_edit(request, EDIT_COMMENT);
		break;
	case 'f':
		pc->fold = true;
		break;
	case 'h':
		pc->values_only = true;
		break;
	case 'H':
		pc->names_only = true;
		break;
	case 'l':
		request->action = ACTION_LOCKS;
		break;
	case 'm':
		request->action = ACTION_MAPS;
		break;
	case 'M':
		request->action = ACTION_MASTER;
		break;
	case 'n':
		pc->only_given = true;
		break;
	case 'o':
		if (request->override_count == OVERRIDES_LIMIT)
			postconf_fatal("more than %d -o options", OVERRIDES_LIMIT);
		request->overrides[request->override_count++] = slice_str(optarg);
		break;
	case 'x':
		pc->expand = true;
		break;
	case 'p':
	case 'v':
		break;
	default:
		usage();
	}
}

static void take_options(struct postconf *pc, struct request *request, int argc, char **argv)
{
	int option;

	/* `+`: what follows the first name is a name, as in Postfix. */
	argv[0] = (char *)"postconf"; /* getopt complains under it */
	while ((option = getopt(argc, argv, "+c:deX#fhHlmMno:pvx")) >= 0)
		take_option(pc, request, option);
	if (pc->defaults && pc->only_given)
		postconf_fatal("specify one of -d -n");
	if (request->action == ACTION_MASTER && (pc->values_only || pc->names_only))
		postconf_fatal("with option -M, do not specify -%c", pc->values_only ? 'h' : 'H');
}

/* report - main.cf's problems, fatal ones last, for they end the program. */
static void report(struct postconf *pc)
{
	for (size_t i = 0; i < pc->problems.count; i++)
		if (!pc->problems.items[i].fatal)
			postconf_warn("%s",
				      config_problem_text(pc->arena, &pc->problems.items[i]).p);
	for (size_t i = 0; i < pc->problems.count; i++)
		if (pc->problems.items[i].fatal)
			postconf_fatal("%s",
				       config_problem_text(pc->arena, &pc->problems.items[i]).p);
	pc->problems.count = 0;
}

static void load_main(struct postconf *pc, const struct request *request)
{
	struct slice text = SL_NULL;

	if (!pc->defaults) {
		(void)config_read(pc->dir, "main.cf", pc->arena, &pc->problems, &pc->main_cf.file,
				  &text);
		report(pc);
		main_cf_parse(text, pc->main_cf.file, pc->arena, &pc->problems, &pc->main_cf);
	}
	values_init(&pc->values, pc->arena, &pc->main_cf, pc->defaults ? CONFIG_DIRECTORY : pc->dir,
		    request->overrides, request->override_count, &pc->problems);
	report(pc);
}

/* load_master - a master.cf that is missing or wrong matters only to who asked for it. */
static void load_master(struct postconf *pc, bool wanted)
{
	(void)master_cf_load(pc->dir, NULL, pc->arena, &pc->problems, &pc->master_cf);
	if (wanted)
		report(pc);
	pc->problems.count = 0;
}

static void flush_output(struct postconf *pc)
{
	if (buffer_overflowed(&pc->out))
		postconf_fatal("the output is too large");
	if (os_write_full(STDOUT_FILENO, pc->out.data, pc->out.len) < 0)
		postconf_fatal("write to standard output: %m");
}

static void show_master(struct postconf *pc, char **patterns, int count)
{
	struct map *used = postconf_used_names(pc, true);

	postconf_show_master(pc, patterns, count);
	flush_output(pc);
	postconf_warn_unused(pc, used);
	map_destroy(&used);
}

static void show_main(struct postconf *pc, char **names, int count)
{
	struct map *used = postconf_used_names(pc, !pc->defaults);

	if (count > 0)
		postconf_show_names(pc, names, count);
	else
		postconf_show_all(pc);
	flush_output(pc);
	if (!pc->defaults)
		postconf_warn_unused(pc, used);
	map_destroy(&used);
}

static void show_words(struct postconf *pc, const char *words)
{
	struct slice rest = slice_str(words);
	struct slice word;

	while (slice_next(&rest, " ", &word))
		buffer_printf(&pc->out, "%.*s\n", SL_ARG(word));
	flush_output(pc);
}

static void run(struct postconf *pc, const struct request *request, char **args, int count)
{
	switch (request->action) {
	case ACTION_EDIT:
		postconf_edit(pc, request->edit, args, count);
		return;
	case ACTION_LOCKS:
		show_words(pc, "flock fcntl dotlock");
		return;
	case ACTION_MAPS:
		show_words(pc,
			   "btree cdb cidr environ fail hash inline internal lmdb pcre pipemap randmap "
			   "regexp static texthash unionmap unix");
		return;
	case ACTION_MASTER:
		load_main(pc, request);
		load_master(pc, true);
		show_master(pc, args, count);
		return;
	case ACTION_MAIN:
		load_main(pc, request);
		load_master(pc, false);
		show_main(pc, args, count);
		return;
	}
}

int main(int argc, char **argv)
{
	struct postconf pc = {.arena = arena_create()};
	struct request request = {.action = ACTION_MAIN};
	const char *environment = getenv("MAIL_CONFIG");

	buffer_init(&pc.out, OUTPUT_LIMIT);
	config_problems_init(&pc.problems, pc.arena);
	take_options(&pc, &request, argc, argv);
	pc.dir_given = request.dir != NULL || environment != NULL;
	if (config_directory_for(request.dir, environment, false, &pc.problems, &pc.dir) != RES_OK)
		report(&pc);
	run(&pc, &request, argv + optind, argc - optind);
	values_free(&pc.values);
	buffer_free(&pc.out);
	arena_destroy(&pc.arena);
	return 0;
}
