/* SPDX-License-Identifier: ISC */
#include "commands/queue_tool.h"

#include "config/directory.h"
#include "log/log.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void say(const struct queue_tool *tool, const char *level, const char *format, va_list ap)
{
	va_list again;
	struct buffer text;

	va_copy(again, ap);
	fprintf(stderr, "%s: %s", tool->name, level);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	if (tool->to_log) {
		buffer_init(&text, 4000);
		buffer_vprintf(&text, format, again);
		if (level[0] == 'f')
			log_fatal_text("%.*s", SL_ARG(buffer_slice(&text)));
		else if (level[0] == 'w')
			log_warning_text("%.*s", SL_ARG(buffer_slice(&text)));
		else
			log_info_text("%.*s", SL_ARG(buffer_slice(&text)));
		buffer_free(&text);
	}
	va_end(again);
}

void tool_fatal(const struct queue_tool *tool, const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, format);
	say(tool, "fatal: ", format, ap);
	va_end(ap);
	if (tool->to_log)
		log_close();
	exit(tool->fatal_status);
}

void tool_warn(const struct queue_tool *tool, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(tool, "warning: ", format, ap);
	va_end(ap);
}

void tool_info(const struct queue_tool *tool, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(tool, "", format, ap);
	va_end(ap);
}

static bool guarded(void)
{
	return (os_uid() != os_euid() || os_gid() != os_egid()) && os_uid() != 0;
}

static void tell_problems(const struct queue_tool *tool, const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		struct slice text = config_problem_text(tool->arena, &problems->items[i]);

		tool_warn(tool, "%.*s", SL_ARG(text));
	}
}

static void open_log(struct queue_tool *tool)
{
	const struct settings *st = tool->settings;
	struct log_options options = {.syslog_name = st->syslog_name,
				      .program = slice_str(tool->name),
				      .hostname = st->myhostname,
				      .syslog_facility = st->syslog_facility,
				      .maillog_file = st->maillog_file,
				      .queue_directory = st->queue_directory,
				      .service = st->postlog_service_name,
				      .delay_resolution = st->delay_logging_resolution_limit,
				      .direct = os_euid() == 0};

	(void)log_open(&options);
}

void tool_open(struct queue_tool *tool, const char *option)
{
	struct config_problems problems;
	const char *dir;
	bool to_log = tool->to_log;

	tool->to_log = false;
	tool->arena = arena_create();
	config_problems_init(&problems, tool->arena);
	if (config_directory_for(option, getenv("MAIL_CONFIG"), guarded(), &problems, &dir) !=
		RES_OK ||
	    settings_load(dir, NULL, 0, &problems, &tool->settings) != RES_OK) {
		tell_problems(tool, &problems);
		tool_fatal(tool, "cannot use the configuration");
	}
	tool->queue_fd = os_openat(AT_FDCWD, tool->settings->queue_directory.p,
				   O_RDONLY | O_DIRECTORY, 0);
	if (tool->queue_fd < 0 || os_chdir(tool->settings->queue_directory.p) < 0)
		tool_fatal(tool, "chdir %s: %s", tool->settings->queue_directory.p,
			   strerror(errno));
	if (to_log) {
		open_log(tool);
		tool->to_log = true;
	}
}
