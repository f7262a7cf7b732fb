/* SPDX-License-Identifier: ISC */
/* command - what the commands share: which configuration, log and terminal, how they give up. */
#ifndef COMMANDS_COMMAND_H
#define COMMANDS_COMMAND_H

#include "config/settings.h"

struct command {
	const char *name;	/* "sendmail" */
	int failure;		/* exit status of command_fatal: 75, 69, 1 */
	const char *config_dir; /* the argument of -c or -C, or NULL; then what is in force */
	bool warnings;		/* command_load tells what is odd in the configuration, too */
	bool echo;		/* each log line goes to standard error as well */
	struct arena *arena;	/* made by command_load when NULL */
	struct settings *settings;
	bool logs; /* command_open_log was called */
};

/* command_option - getopt(3), which complains under the command's name, however it was started. */
int command_option(const struct command *c, int argc, char **argv, const char *options);
/* command_long_option - the same, getopt_long(3). */
struct option;
int command_long_option(const struct command *c, int argc, char **argv, const char *options,
			const struct option *long_options);
/* command_is_guarded - set-gid, started by an unprivileged user: its caller is not trusted. */
bool command_is_guarded(void);
/*
 * command_load - the settings, under Postfix's rule for -c and MAIL_CONFIG. What is wrong is printed,
 * each problem with its file and line, and the process exits with `failure`.
 */
void command_load(struct command *c);
/* command_open_log - as the settings say. Without it, what follows goes to standard error only. */
void command_open_log(struct command *c);
/*
 * command_enter_queue - the working directory becomes $queue_directory; a descriptor of it, which the
 * caller may keep. Fatal when it cannot.
 */
int command_enter_queue(const struct command *c);
/*
 * command_fatal, command_warn, command_info - "NAME: fatal: TEXT" on standard error, and in the log when it
 * is open. fatal writes standard output first, and exits with `failure`.
 */
_Noreturn void command_fatal(const struct command *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void command_warn(const struct command *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void command_info(const struct command *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* command_close - log, settings, arena. */
void command_close(struct command *c);

#endif
