/* SPDX-License-Identifier: ISC */
#include "commands/map_tool.h"
#include "config/directory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *program = "postmap";

static void complain(const char *kind, const char *format, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "%s: %s: ", program, kind);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void map_warn(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	complain("warning", format, ap);
	va_end(ap);
}

void map_fatal(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	complain("fatal", format, ap);
	va_end(ap);
	exit(1);
}

static void warn_table(void *data, struct slice text)
{
	(void)data;
	map_warn("%.*s", SL_ARG(text));
}

static _Noreturn void usage(const struct map_tool *tool)
{
	map_fatal("usage: %s %s", tool->name, tool->usage);
}

static void take_option(struct map_tool *tool, int option)
{
	switch (option) {
	case 'b':
		tool->input = MAP_BODY;
		break;
	case 'c':
		tool->config_dir = optarg;
		break;
	case 'd':
		tool->delete = optarg;
		break;
	case 'f':
		tool->keep_case = true;
		break;
	case 'F':
		tool->file_content = true;
		break;
	case 'h':
		tool->input = MAP_HEADERS;
		break;
	case 'i':
		tool->incremental = true;
		break;
	case 'N':
		tool->nul = true;
		tool->no_nul = false;
		break;
	case 'n':
		tool->no_nul = true;
		tool->nul = false;
		break;
	case 'o':
		tool->keep_root = true;
		break;
	case 'p':
		tool->default_mode = true;
		break;
	case 'q':
		tool->query = optarg;
		break;
	case 'r':
		tool->replace = true;
		tool->ignore_existing = false;
		break;
	case 's':
		tool->list = true;
		break;
	case 'w':
		tool->ignore_existing = true;
		tool->replace = false;
		break;
	case 'm': /* MIME structure is not looked at */
	case 'u':
	case 'U':
	case 'v':
		break;
	default:
		usage(tool);
	}
}

static void read_options(struct map_tool *tool, int argc, char **argv)
{
	unsigned modes = 0;
	int option;

	while ((option = getopt(argc, argv, tool->options)) >= 0) {
		modes += option == 'q' || option == 'd' || option == 's';
		take_option(tool, option);
	}
	if (modes > 1)
		map_fatal("specify only one of -s -q or -d");
}

static void load_settings(struct map_tool *tool)
{
	struct config_problems problems;
	const char *dir = NULL;
	enum result rc;

	config_problems_init(&problems, tool->arena);
	rc = config_directory_for(tool->config_dir, getenv("MAIL_CONFIG"), false, &problems, &dir);
	if (rc == RES_OK)
		rc = settings_load(dir, NULL, 0, &problems, &tool->settings);
	for (size_t i = 0; i < problems.count; i++) {
		struct slice text = config_problem_text(tool->arena, &problems.items[i]);

		if (rc != RES_OK)
			map_fatal("%.*s", SL_ARG(text));
		map_warn("%.*s", SL_ARG(text));
	}
	if (rc != RES_OK)
		map_fatal("the configuration cannot be read");
}

static void create_set(struct map_tool *tool)
{
	struct table_config config = {.warn = warn_table,
				      .errors_unheard = true,
				      .default_type = tool->settings->default_database_type,
				      .may_block = true};

	tool->set = table_set_create(&config);
}

/* finish - output that could not be written is a failure too. */
static int finish(struct map_tool *tool, int status)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		map_fatal("write to standard output failed");
	table_set_destroy(&tool->set);
	settings_destroy(&tool->settings);
	arena_destroy(&tool->arena);
	return status;
}

int map_tool_main(struct map_tool *tool, int argc, char **argv)
{
	static char name[32];
	char **maps;

	snprintf(name, sizeof(name), "%s", tool->name);
	argv[0] = name; /* getopt complains under it */
	program = tool->name;
	tool->arena = arena_create();
	read_options(tool, argc, argv);
	load_settings(tool);
	create_set(tool);
	maps = argv + optind;
	if (*maps == NULL)
		usage(tool);
	if (tool->query != NULL)
		return finish(tool, map_query(tool, maps));
	if (tool->delete != NULL)
		return finish(tool, map_delete(tool, maps));
	if (tool->list)
		return finish(tool, map_list(tool, maps));
	for (; *maps != NULL; maps++)
		map_build(tool, *maps);
	return finish(tool, 0);
}
