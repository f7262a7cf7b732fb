/* SPDX-License-Identifier: ISC */
/*
 * job - one delivery to a mailbox, file or command: what the child that does it is given, and what
 * the child may say to its parent. The child becomes `uid` for good before it touches anything of
 * that user's, does its work with plain blocking calls, and ends; that for files and maildirs stays
 * for the next delivery (kept.h).
 */
#ifndef LOCAL_JOB_H
#define LOCAL_JOB_H

#include "local/copy.h"
#include "base/buffer.h"
#include "local/lock.h"
#include "local/outcome.h"

struct job {
	struct arena *arena;
	/* the message */
	int content;
	uint64_t offset;
	uint64_t size;
	struct slice head; /* copy_head */
	enum copy_format format;
	/* who and where */
	uid_t uid;
	gid_t gid;
	const struct call_filter *calls; /* of the row local-file */
	const char *path;  /* mbox file, or maildir without its last / */
	struct slice user; /* for messages */
	/* mbox */
	bool is_mailbox; /* a user's mailbox: must be a file that belongs to `owner`; else any /file
			  */
	bool privileged; /* the spool is root's alone: root opens and locks, for the user */
	bool strict_owner; /* strict_mailbox_ownership */
	uid_t owner;	   /* of the mailbox */
	gid_t owner_group; /* of one that is made */
	struct lock_rules locks;
	uint64_t size_limit; /* 0: none */
	/* maildir */
	struct slice host;
	/* command */
	struct slice command;
	const char *shell;     /* local_command_shell; NULL: none */
	const char *directory; /* NULL: stay in the queue directory */
	char *const *environment;
	int64_t time_limit;
	/* child.c's own */
	int report;
};

typedef struct outcome job_function(struct job *job);

/*
 * job_mbox - append to a file; job_maildir: what a kept child runs, which has become the user (kept.h).
 * job_command, and job_mbox that is privileged: what a child runs for job_run.
 */
job_function job_mbox, job_maildir, job_command;

/* job_become - the job's user, for good, with the rights of the row local-file. 0, or -1 and errno.
 */
int job_become(const struct job *job);
/* job_limit_size - let writes beyond mailbox_size_limit fail with EFBIG. */
void job_limit_size(const struct job *job);
/*
 * job_copy - `before`, head and message into fd, a megabyte with one call, so that the least is half
 * done when a crash comes. 0; or -1, errno, and *what is "error reading message" or "error writing
 * message".
 */
int job_copy(const struct job *job, struct slice before, int fd, const char **what);

/* To the parent: a line for the log; a lock file to be removed when the child has ended. */
void job_warn(const struct job *job, struct slice text);
void job_leave_lock(const struct job *job, struct slice path);
/* job_say_outcome - the end of the report. */
void job_say_outcome(const struct job *job, const struct outcome *o);

/*
 * job_run - in the parent: fork, let the child do `fn`, and wait, while other fibers run. What a
 * child that ended without a word has done is not known: deferred.
 */
struct outcome job_run(struct job *job, job_function *fn);

struct fiber_fd;
#define JOB_REPORT_MAX ((size_t)65536)
/*
 * job_hear - in the parent: a child's report, up to the child's end (false); of one that is kept up to
 * the report's end (true).
 */
bool job_hear(struct fiber_fd *fd, bool kept, struct buffer *report);
/* job_conclude - what a report means; `status` as wait() gave it, when the child has ended. */
struct outcome job_conclude(struct job *job, struct slice report, int status);

#endif
