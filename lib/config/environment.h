/* SPDX-License-Identifier: ISC */
/* config/environment - import_environment and export_environment: lists of NAME and NAME=VALUE. */
#ifndef CONFIG_ENVIRONMENT_H
#define CONFIG_ENVIRONMENT_H

#include "base/arena.h"

/*
 * environment_next - the next variable that the list gives a process: NAME with the value that this
 * process has (skipped when it has none), NAME=VALUE, or { NAME = VALUE } for values with spaces.
 * Both are in the arena; a NUL follows them. False at the end.
 */
bool environment_next(struct slice *list, struct arena *arena, struct slice *name,
		      struct slice *value);
/* environment_count - an upper bound of how many there are. */
size_t environment_count(struct slice list);
/*
 * environment_override - set what the list gives a value of its own, and nothing else: how a
 * command that a user starts treats import_environment.
 */
void environment_override(struct slice list, struct arena *arena);

#endif
