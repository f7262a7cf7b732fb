/* SPDX-License-Identifier: ISC */
/* submit - one maildrop file to cleanup. */
#ifndef PICKUP_SUBMIT_H
#define PICKUP_SUBMIT_H

#include "config/settings.h"
#include "ipc/ipc.h"
#include "queue/maildrop.h"

struct submitter {
	const struct settings *settings;
	struct ipc_client *cleanup;
	struct ipc_client *bounce;
};

/* submitter_open - in a fiber, inside the sandbox. */
void submitter_open(struct submitter *s, const struct settings *settings, struct arena *arena);

/*
 * submit - RES_OK: the file is done with (the message is durable in the queue, or a report on it is).
 * RES_TEMP: keep it; it was logged why. `name`: the file's, for the log.
 */
enum result submit(struct submitter *s, const char *name, const struct maildrop_file *file,
		   struct arena *arena);

#endif
