/* SPDX-License-Identifier: ISC */
#include "local/kept.h"
#include "base/check.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>

#define LINK_PLACE 3
/* What may be wrong with a process by then, a new one has not. */
#define DELIVERIES_MOST 1000
#define IDLE_MOST OS_SECOND
#define SEND_PATIENCE (10 * OS_SECOND)

/* What the child is asked for; the message's descriptor goes with it, the three texts follow. */
struct request {
	uint64_t offset;
	uint64_t size;
	uint64_t path_length;
	uint64_t user_length;
	uint64_t head_length;
	struct lock_rules locks;
	uint32_t format;
	uid_t owner;
	gid_t owner_group;
	bool is_mailbox;
	bool strict_owner;
};

/* A request with texts of usual length is read at once. */
#define REQUEST_USUAL ((size_t)4096)

/* ---- the child's side */

/* take_texts - of which the first bytes are there already. */
static bool take_texts(struct job *job, const struct request *r, struct slice first)
{
	size_t length = (size_t)(r->path_length + r->user_length + r->head_length);
	char *texts = arena_alloc(job->arena, length + 1);
	size_t rest = length - first.n;

	if (first.n > length)
		return false;
	memcpy(texts, first.p, first.n);
	if (os_read_full(LINK_PLACE, texts + first.n, rest) != (ssize_t)rest)
		return false;
	job->path = arena_dup(job->arena, slice(texts, (size_t)r->path_length)).p;
	texts += r->path_length;
	job->user = slice(texts, (size_t)r->user_length);
	job->head = slice(texts + r->user_length, (size_t)r->head_length);
	return true;
}

/* take - the next job; false: there is none. */
static bool take(struct job *job)
{
	char first[REQUEST_USUAL];
	struct request r;
	ssize_t n = os_recv_fd(LINK_PLACE, first, sizeof(first), &job->content);

	if (n < (ssize_t)sizeof(r) || job->content < 0)
		return false;
	memcpy(&r, first, sizeof(r));
	job->offset = r.offset;
	job->size = r.size;
	job->format = (enum copy_format)r.format;
	job->locks = r.locks;
	job->owner = r.owner;
	job->owner_group = r.owner_group;
	job->is_mailbox = r.is_mailbox;
	job->strict_owner = r.strict_owner;
	return take_texts(job, &r, slice(first + sizeof(r), (size_t)n - sizeof(r)));
}

static struct outcome deliver(struct job *job)
{
	return job->format == COPY_MBOX ? job_mbox(job) : job_maildir(job);
}

static _Noreturn void serve(const struct job *first)
{
	struct arena *arena = arena_create();
	int error = job_become(first) < 0 ? errno : 0;

	for (;;) {
		struct job job = {.arena = arena,
				  .uid = first->uid,
				  .gid = first->gid,
				  .host = first->host,
				  .report = LINK_PLACE};
		struct outcome o;

		if (!take(&job))
			os_exit_now(0);
		o = error == 0 ? deliver(&job)
			       : outcome_failed_because(arena, SL("4.3.0"),
							SL("cannot become the recipient"), error);
		job_say_outcome(&job, &o);
		os_close(job.content);
		arena_reset(arena);
	}
}

static _Noreturn void in_child(const struct job *first, int link)
{
	os_signals_unblock();
	os_signal_ignore(SIGPIPE);
	if (os_dup_to(link, LINK_PLACE) < 0 || os_close_from(LINK_PLACE + 1) < 0 ||
	    os_set_blocking(LINK_PLACE) < 0)
		os_exit_now(1);
	os_umask(077);
	job_limit_size(first);
	serve(first);
}

/* ---- the parent's side */

/*
 * end - how it ended. It is killed, for it has nothing under way, and its user may have stopped it:
 * then it would not see that the link is closed.
 */
static int end(struct kept *k)
{
	int status = 0;

	if (k->pid == 0)
		return 0;
	fiber_fd_close(&k->link);
	(void)os_kill(k->pid, SIGKILL);
	(void)os_wait(k->pid, &status);
	k->pid = 0;
	return status;
}

static bool start(struct kept *k, const struct job *job, struct outcome *o)
{
	int ends[2], error;
	pid_t pid;

	if (os_socketpair(SOCK_STREAM, ends) < 0) {
		*o = outcome_failed_because(job->arena, SL("4.3.0"), SL("socketpair"), errno);
		return false;
	}
	pid = os_fork();
	if (pid == 0)
		in_child(job, ends[1]);
	error = errno;
	os_socket_close(ends[1]);
	if (pid < 0) {
		os_socket_close(ends[0]);
		*o = outcome_failed_because(job->arena, SL("4.3.0"), SL("fork failed"), error);
		return false;
	}
	fiber_fd_init(&k->link, ends[0]);
	k->link.stream = true;
	k->pid = pid;
	k->uid = job->uid;
	k->gid = job->gid;
	k->served = 0;
	return true;
}

/* fits - it is this user's, alive, and has said nothing that nobody asked for. */
static bool fits(struct kept *k, const struct job *job)
{
	char byte;

	return k->pid != 0 && k->uid == job->uid && k->gid == job->gid &&
	       fiber_try_recv(&k->link, &byte, 1) < 0 && errno == EAGAIN;
}

static bool ask(struct kept *k, const struct job *job)
{
	struct request r = {.offset = job->offset,
			    .size = job->size,
			    .path_length = strlen(job->path),
			    .user_length = job->user.n,
			    .head_length = job->head.n,
			    .format = job->format,
			    .locks = job->locks,
			    .owner = job->owner,
			    .owner_group = job->owner_group,
			    .is_mailbox = job->is_mailbox,
			    .strict_owner = job->strict_owner};
	struct iovec iov[] = {{&r, sizeof(r)},
			      {(char *)job->path, (size_t)r.path_length},
			      {(char *)job->user.p, job->user.n},
			      {(char *)job->head.p, job->head.n}};

	/* what was begun is ended, as in job_hear */
	fiber_uncancel();
	return fiber_send_full(&k->link, iov, 4, job->content, os_now() + SEND_PATIENCE,
			       "delivering") == 0;
}

/* ask_one - one that dies while it waits has begun nothing: another is asked. */
static bool ask_one(struct kept *k, const struct job *job, struct outcome *o)
{
	for (int try = 0; try < 2; try++) {
		if (!fits(k, job)) {
			(void)end(k);
			if (!start(k, job, o))
				return false;
		}
		if (ask(k, job))
			return true;
		(void)end(k);
	}
	*o = outcome_failed(SL("4.3.0"), SL("cannot reach the delivery process"));
	return false;
}

struct outcome kept_run(struct kept *k, struct job *job)
{
	struct buffer report;
	struct outcome o;
	int status = 0;

	CHECK(!k->busy);
	k->busy = true;
	if (ask_one(k, job, &o)) {
		buffer_init(&report, JOB_REPORT_MAX);
		if (!job_hear(&k->link, true, &report))
			status = end(k);
		o = job_conclude(job, buffer_slice(&report), status);
		buffer_free(&report);
	}
	k->busy = false;
	k->since = os_now();
	if (++k->served >= DELIVERIES_MOST)
		(void)end(k);
	return o;
}

void kept_idle(struct kept *k, bool ended)
{
	if (!k->busy && (ended || os_now() - k->since >= IDLE_MOST))
		(void)end(k);
}
