/* SPDX-License-Identifier: ISC */
/* smtpd_world - a process of smtpd inside a test, and what it logged. */
#ifndef TESTS_SMTPD_WORLD_H
#define TESTS_SMTPD_WORLD_H

#include "smtpd/smtpd.h"

struct world {
	struct arena *arena;
	struct settings *settings;
	struct smtpd smtpd;
	bool open; /* process_open has succeeded */
};

/* world_open - `main_cf` is added to a small main.cf; nothing is connected. */
struct world *world_open(const char *main_cf);
void world_close(struct world *w);

/* What LOG and log_..._text said since the last world_log_reset; lines end in LF. */
struct slice world_log(void);
void world_log_reset(void);
bool world_logged(const char *part);

#endif
