/* SPDX-License-Identifier: ISC */
/* outcome - how one delivery ended, and how exit statuses and errors become that. Pure. */
#ifndef LOCAL_OUTCOME_H
#define LOCAL_OUTCOME_H

#include "base/arena.h"
#include "ipc/delivery.h"

struct outcome {
	enum delivery_status status; /* sent, deferred, bounced, deliverable, undeliverable */
	struct slice dsn;
	struct slice text;
	struct slice diagnostic; /* for "x-unix; ..."; may be absent */
};

/* outcome_sent, outcome_failed - the latter deferred or bounced, as the first digit says. */
struct outcome outcome_sent(struct slice text);
struct outcome outcome_failed(struct slice dsn, struct slice text);
/* outcome_failed_because - with ": " and the error's text behind; see outcome_error_dsn. */
struct outcome outcome_failed_because(struct arena *arena, struct slice dsn, struct slice text,
				      int error);
/*
 * outcome_error_dsn - the status that an error of a mailbox's file system deserves: full disks,
 * failing disks and busy files are temporary, a full quota is not; `otherwise` for all else.
 */
struct slice outcome_error_dsn(int error, struct slice otherwise);

/* outcome_of_command - `status` as wait() gives it; output: what the command wrote, cut. */
struct outcome outcome_of_command(struct arena *arena, int status, struct slice command,
				  struct slice output);
/* outcome_of_timeout - the command was ended because it took too long. */
struct outcome outcome_of_timeout(struct arena *arena, struct slice command, struct slice output);

#endif
