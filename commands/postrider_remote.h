/* SPDX-License-Identifier: ISC */
/* postrider_remote - part of `postrider check`: tables that are not local. */
#ifndef COMMANDS_POSTRIDER_REMOTE_H
#define COMMANDS_POSTRIDER_REMOTE_H

#include "config/master_cf.h"

/*
 * postrider_check_remote - where the configuration names tables that are not local: is there a service for them (a
 * problem if not), and what is wrong with them? The latter proxymap says itself, on standard error.
 */
void postrider_check_remote(const struct settings *settings, const char *config_dir,
			    const struct master_cf *services, struct config_problems *problems);

#endif
