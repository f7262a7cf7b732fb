/* SPDX-License-Identifier: ISC */
/* postrider - the parts of postrider(1). */
#ifndef COMMANDS_POSTRIDER_H
#define COMMANDS_POSTRIDER_H

#include "config/problem.h"
#include "master/master.h"
#include "os/clock.h"

#define POSTRIDER_POLL_PAUSE (50 * OS_MILLISECOND)

struct control {
	const char *config_dir;
	struct configuration *conf;
	struct arena *arena;
	struct config_problems problems;
	int verbose;
};

/*
 * postrider_load - the configuration, with the log open as it says. False when it is not valid: each problem has been told,
 * and c->conf has what says where the system lies, or is NULL.
 */
bool postrider_load(struct control *c);
/* postrider_show_problems - those that are fatal, and the warnings if they are wanted, to the log. */
void postrider_show_problems(const struct control *c, bool warnings);
/* postrider_master - the pid of the running master, 0 when none runs: the lock tells, not the file. */
pid_t postrider_master(const struct control *c);
/* postrider_path - of one of the suite's programs. In the arena. */
char *postrider_path(const struct control *c, const char *folder, const char *name);

/*
 * postrider_run - a program, found by PATH when its name has no slash, until it has ended: 0, or 1 when it failed, or
 * could not be executed, which standard error is told; `parameter` names it there, NULL: none does.
 */
int postrider_run(const char *parameter, char *const argv[]);

/* postrider_check - everything that can be known before a start; false when it cannot succeed. */
bool postrider_check(struct control *c, bool all);
/* postrider_set_permissions - mend what postrider_check finds of the queue and the set-gid commands. */
bool postrider_set_permissions(struct control *c);
/* postrider_logrotate - the exit status. */
int postrider_logrotate(struct control *c);

#endif
