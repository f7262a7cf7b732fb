/* SPDX-License-Identifier: ISC */
/* postrider_values - part of `postrider check`. */
#ifndef COMMANDS_POSTRIDER_VALUES_H
#define COMMANDS_POSTRIDER_VALUES_H

#include "config/master_cf.h"
#include "config/values.h"

/*
 * postrider_check_values - open every table that a parameter of main.cf names, and look at
 * directories; a problem for each that cannot be used, with its place. Only parameters that act are
 * looked at.
 */
void postrider_check_values(const struct config_values *values, struct arena *arena,
			    struct config_problems *problems);

/*
 * postrider_check_overrides - what the -o of each service set, as its program will read it: a fatal
 * problem with master.cf's line for each value that is not allowed. `dir`: where main.cf is.
 */
void postrider_check_overrides(const char *dir, const struct master_cf *cf, struct arena *arena,
			       struct config_problems *problems);

#endif
