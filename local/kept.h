/* SPDX-License-Identifier: ISC */
/*
 * kept - a child that has become a user for good, and writes to that user's maildirs and files one
 * delivery after another for as long as they come. It starts each with fresh memory and the one descriptor
 * of that message, and a delivery counts when it has said so, as that of a child for one job; its
 * death costs the delivery under way, which is deferred. One at a time: local is a pool.
 */
#ifndef LOCAL_KEPT_H
#define LOCAL_KEPT_H

#include "fiber/fiber.h"
#include "local/job.h"

struct kept {
	struct fiber_fd link;
	pid_t pid; /* 0: there is none */
	uid_t uid;
	gid_t gid;
	unsigned served;
	int64_t since; /* its last delivery */
	bool busy;
};

/*
 * kept_run - job_maildir, or job_mbox that is not privileged, by the child for the job's user, which is
 * made when there is none.
 */
struct outcome kept_run(struct kept *k, struct job *job);
/* kept_idle - nothing has come for a moment; `ended`: nothing will. */
void kept_idle(struct kept *k, bool ended);

#endif
