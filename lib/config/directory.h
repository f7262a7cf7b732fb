/* SPDX-License-Identifier: ISC */
/* config/directory - which configuration directory a program works with. */
#ifndef CONFIG_DIRECTORY_RULE_H
#define CONFIG_DIRECTORY_RULE_H

#include "base/result.h"
#include "config/problem.h"

/*
 * config_directory_for - `option`: the argument of -c, or NULL. `environment`: the value of
 * MAIL_CONFIG, or NULL. -c wins over MAIL_CONFIG, which wins over the built-in default.
 * `guarded`: the process has more rights than the user who started it (set-gid; real and effective
 * ids differ) and that user is not root: then another directory than the default one must be listed
 * in the default main.cf, in alternate_config_directories or multi_instance_directories; otherwise
 * RES_PERM and a problem. *dir is in the problems' arena or is the argument itself.
 */
enum result config_directory_for(const char *option, const char *environment, bool guarded,
				 struct config_problems *problems, const char **dir);

/*
 * config_directory_listed - DEFAULT_DIR/main.cf names `dir`, byte for byte, in one of the two. One
 * that cannot be read, or that is wrong anywhere, names none.
 */
bool config_directory_listed(const char *default_dir, const char *dir);

#endif
