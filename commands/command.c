/* SPDX-License-Identifier: ISC */
#include "commands/command.h"
#include "config/directory.h"
#include "log/log.h"
#include "os/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool command_is_guarded(void)
{
	return getuid() != 0 && (getuid() != geteuid() || getgid() != getegid());
}

static void print_problems(const struct command *c, const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		if (problems->items[i].fatal)
			fprintf(stderr, "%s: fatal: %.*s\n", c->name,
				SL_ARG(config_problem_text(c->arena, &problems->items[i])));
}

void command_load(struct command *c)
{
	struct config_problems problems;

	if (c->arena == NULL)
		c->arena = arena_create();
	config_problems_init(&problems, c->arena);
	if (config_directory_for(c->config_dir, getenv("MAIL_CONFIG"), command_is_guarded(), &problems,
				 &c->config_dir) == RES_OK &&
	    settings_load(c->config_dir, NULL, 0, &problems, &c->settings) == RES_OK)
		return;
	print_problems(c, &problems);
	exit(c->failure);
}

void command_open_log(const struct command *c)
{
	const struct settings *s = c->settings;
	struct log_options options = {
	    .syslog_name = s->syslog_name,
	    .program = slice_str(c->name),
	    .hostname = s->myhostname,
	    .syslog_facility = s->syslog_facility,
	    .maillog_file = s->maillog_file,
	    .queue_directory = s->queue_directory,
	    .service = s->postlog_service_name,
	    .delay_resolution = s->delay_logging_resolution_limit,
	    .direct = getuid() == 0,
	};

	log_open(&options);
}

void command_fatal(const struct command *c, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fprintf(stderr, "%s: fatal: %s\n", c->name, text);
	if (c->settings != NULL) {
		log_fatal_text("%s", text);
		log_close();
	}
	exit(c->failure);
}
