/* SPDX-License-Identifier: ISC */
#include "commands/map_tool.h"
#include "os/process.h"
#include "table/remote.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Whose words they are, for what is said deep down. */
static const struct command *speaker;

void map_warn(const char *format, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	fflush(stdout);
	if (n >= 0)
		command_warn(speaker, "%s", text);
	free(text);
}

void map_fatal(const char *format, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vasprintf(&text, format, ap);
	va_end(ap);
	command_fatal(speaker, "%s", n >= 0 ? text : "out of memory");
}

static void warn_table(void *data, struct slice text)
{
	(void)data;
	map_warn("%.*s", SL_ARG(text));
}

static _Noreturn void usage(const struct map_tool *tool)
{
	map_fatal("usage: %s %s", tool->command.name, tool->usage);
}

static void take_option(struct map_tool *tool, int option)
{
	switch (option) {
	case 'b':
		tool->body = true;
		break;
	case 'c':
		tool->command.config_dir = optarg;
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
		tool->headers = true;
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
	case 'j':
		tool->json = true;
		break;
	case 'm':
		tool->mime = true;
		break;
	case 'u':
		tool->no_utf8 = true;
		break;
	case 'U':
		tool->utf8_content = true;
		break;
	case 'v': /* there is nothing more to say */
		break;
	default:
		usage(tool);
	}
}

static void read_options(struct map_tool *tool, int argc, char **argv)
{
	unsigned modes = 0;
	int option;

	while ((option = command_option(&tool->command, argc, argv, tool->options)) >= 0) {
		modes += option == 'q' || option == 'd' || option == 's';
		take_option(tool, option);
	}
	if (modes > 1)
		map_fatal("specify only one of -s -q or -d");
	if ((tool->headers || tool->body || tool->mime) &&
	    (tool->query == NULL || strcmp(tool->query, "-") != 0))
		map_fatal("specify -b -h or -m only with \"-q -\"");
	if (tool->mime && !tool->headers && !tool->body)
		map_warn("ignoring -m without -b or -h");
}

bool map_checks_utf8(const struct map_tool *tool)
{
	return tool->command.settings->smtputf8_enable && !tool->no_utf8 &&
	       (tool->utf8_content || (!tool->headers && !tool->body));
}

/* ask_program - tables that are not local are asked by a proxymap of our own, with our rights. */
static struct table_remote *ask_program(struct map_tool *tool)
{
	const struct settings *settings = tool->command.settings;
	struct slice path = arena_printf(tool->command.arena, "%.*s/proxymap",
					    SL_ARG(settings->daemon_directory));

	return table_remote_create_program(path.p, tool->command.config_dir,
					   settings->proxymap_lookup_timeout + TABLE_REMOTE_GRACE);
}

static void create_set(struct map_tool *tool)
{
	struct table_config config = {.warn = warn_table,
				      .remote = ask_program(tool),
				      .errors_unheard = true,
				      .default_type = tool->command.settings->default_database_type,
				      .may_block = true};

	tool->set = table_set_create(&config);
	tool->remote = config.remote;
}

/* finish - output that could not be written is a failure too. */
static int finish(struct map_tool *tool, int status)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		map_fatal("write to standard output failed");
	table_set_destroy(&tool->set);
	table_remote_destroy(&tool->remote);
	command_close(&tool->command);
	return status;
}

int map_tool_main(struct map_tool *tool, int argc, char **argv)
{
	char **maps;

	speaker = &tool->command;
	os_signal_ignore(SIGXFSZ); /* a limit on a file's size is an error like a full disk */
	read_options(tool, argc, argv);
	command_load(&tool->command);
	command_open_log(&tool->command);
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
