/* SPDX-License-Identifier: ISC */
/* queue_tool - what postqueue, postsuper and postcat share. */
#ifndef COMMANDS_QUEUE_TOOL_H
#define COMMANDS_QUEUE_TOOL_H

#include "base/arena.h"
#include "config/settings.h"
#include "queue/queue.h"

struct queue_tool {
	const char *name;
	int fatal_status;  /* of exit: 69 for postqueue, 1 for the others */
	bool to_log;       /* messages go to the log too */
	struct arena *arena;
	struct settings *settings;
	int queue_fd;
};

/* tool_open - read the settings (option: the argument of -c or NULL) and enter the queue directory. */
void tool_open(struct queue_tool *tool, const char *option);
/* tool_fatal, tool_warn, tool_info - "NAME: fatal: text" to standard error. */
_Noreturn void tool_fatal(const struct queue_tool *tool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void tool_warn(const struct queue_tool *tool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void tool_info(const struct queue_tool *tool, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
