/* SPDX-License-Identifier: ISC */
/* postrider_remote - part of `postrider check`: tables that are not local. */
#ifndef COMMANDS_POSTRIDER_REMOTE_H
#define COMMANDS_POSTRIDER_REMOTE_H

#include "config/settings.h"

/* postrider_check_remote - what is wrong with them, proxymap says itself, on standard error; that it cannot is a problem. */
void postrider_check_remote(const struct settings *settings, const char *config_dir,
			    struct config_problems *problems);

#endif
