/* SPDX-License-Identifier: ISC */
/* command - what the commands share: which configuration, log and terminal, how they give up. */
#ifndef COMMANDS_COMMAND_H
#define COMMANDS_COMMAND_H

#include "config/settings.h"

struct command {
	const char *name;	/* "sendmail" */
	int failure;		/* exit status of command_fatal: 75, 69, 1 */
	const char *config_dir; /* the argument of -c or -C, or NULL; then what is in force */
	struct arena *arena;
	struct settings *settings;
};

/* command_is_guarded - set-gid, started by an unprivileged user: its caller is not trusted. */
bool command_is_guarded(void);
/*
 * command_load - the settings, under Postfix's rule for -c and MAIL_CONFIG. What is wrong is printed,
 * each problem with its file and line, and the process exits with `failure`.
 */
void command_load(struct command *c);
/* command_open_log - as the settings say, on a terminal there as well. */
void command_open_log(const struct command *c);
/* command_fatal - to the log, and to standard error; exits with `failure`. */
_Noreturn void command_fatal(const struct command *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
