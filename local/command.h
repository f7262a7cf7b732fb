/* SPDX-License-Identifier: ISC */
/* command - how a command line is started. Pure. */
#ifndef LOCAL_COMMAND_H
#define LOCAL_COMMAND_H

#include "base/arena.h"

/*
 * command_words - the arguments, when a command can be started without a shell: no character in it
 * means anything to one. NULL-terminated, in the arena; NULL when a shell is needed.
 */
char **command_words(struct arena *arena, struct slice command);

#endif
