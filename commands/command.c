/* SPDX-License-Identifier: ISC */
#include "commands/command.h"
#include "config/directory.h"
#include "config/environment.h"
#include "log/log.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TEXT_LIMIT 65536

enum level { LEVEL_INFO, LEVEL_WARNING, LEVEL_FATAL };

/* say - to standard error, and to the log unless that echoes there itself. */
static void __attribute__((format(printf, 3, 0)))
say(const struct command *c, enum level level, const char *format, va_list ap)
{
	static const char *const words[] = {"", "warning: ", "fatal: "};
	struct buffer text;

	buffer_init(&text, TEXT_LIMIT);
	buffer_vprintf(&text, format, ap);
	if (!c->logs || !c->echo)
		fprintf(stderr, "%s: %s%.*s\n", c->name, words[level], SL_ARG(buffer_slice(&text)));
	if (c->logs && level == LEVEL_FATAL)
		log_fatal_text("%.*s", SL_ARG(buffer_slice(&text)));
	else if (c->logs && level == LEVEL_WARNING)
		log_warning_text("%.*s", SL_ARG(buffer_slice(&text)));
	else if (c->logs)
		log_info_text("%.*s", SL_ARG(buffer_slice(&text)));
	buffer_free(&text);
}

void command_fatal(const struct command *c, const char *format, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, format);
	say(c, LEVEL_FATAL, format, ap);
	va_end(ap);
	if (c->logs)
		log_close();
	exit(c->failure);
}

void command_warn(const struct command *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(c, LEVEL_WARNING, format, ap);
	va_end(ap);
}

void command_info(const struct command *c, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	say(c, LEVEL_INFO, format, ap);
	va_end(ap);
}

int command_option(const struct command *c, int argc, char **argv, const char *options)
{
	argv[0] = (char *)(uintptr_t)c->name;
	return getopt(argc, argv, options);
}

int command_long_option(const struct command *c, int argc, char **argv, const char *options,
			const struct option *long_options)
{
	argv[0] = (char *)(uintptr_t)c->name;
	return getopt_long(argc, argv, options, long_options, NULL);
}

bool command_is_guarded(void)
{
	return os_uid() != 0 && (os_uid() != os_euid() || os_gid() != os_egid());
}

static void print_problems(const struct command *c, const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct config_problem *p = &problems->items[i];

		if (p->fatal || c->warnings)
			fprintf(stderr, "%s: %s: %.*s\n", c->name, p->fatal ? "fatal" : "warning",
				SL_ARG(config_problem_text(c->arena, p)));
	}
}

void command_load(struct command *c)
{
	struct config_problems problems;
	enum result rc;

	if (c->arena == NULL)
		c->arena = arena_create();
	config_problems_init(&problems, c->arena);
	rc = config_directory_for(c->config_dir, getenv("MAIL_CONFIG"), command_is_guarded(), &problems,
				  &c->config_dir);
	if (rc == RES_OK)
		rc = settings_load_for_command(c->config_dir, &problems, &c->settings);
	print_problems(c, &problems);
	if (rc != RES_OK)
		exit(c->failure);
	environment_override(c->settings->import_environment, c->arena);
}

void command_open_log(struct command *c)
{
	const struct settings *s = c->settings;
	struct log_options options = log_options_of(s, slice_str(c->name));

	options.direct = os_uid() == 0 && os_euid() == 0;
	options.stderr_too = c->echo;
	log_open(&options);
	c->logs = true;
}

int command_enter_queue(const struct command *c)
{
	const char *dir = c->settings->queue_directory.p;
	int fd = os_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0 || os_chdir(dir) < 0)
		command_fatal(c, "chdir %s: %s", dir, strerror(errno));
	if (c->logs)
		log_entered_queue();
	return fd;
}

void command_close(struct command *c)
{
	if (c->logs)
		log_close();
	c->logs = false;
	settings_destroy(&c->settings);
	arena_destroy(&c->arena);
}
