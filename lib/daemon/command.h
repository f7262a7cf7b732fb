/* SPDX-License-Identifier: ISC */
/* command - confinement of commands that a user starts with more rights than his own (set-gid). */
#ifndef DAEMON_COMMAND_H
#define DAEMON_COMMAND_H

#include "base/result.h"
#include "config/settings.h"

/*
 * command_confine - take the privileges of the row ("postdrop", "postqueue") for good; the working
 * directory becomes $queue_directory. Before it: the environment, descriptors and limits that the
 * caller left, the settings, and what the row does not let it open afterwards (the log's socket may be
 * connected later). RES_PERM, errno and *what: end the process. Links: lib/libdaemon.a.
 */
enum result command_confine(const char *row, const struct settings *settings, const char **what);

#endif
