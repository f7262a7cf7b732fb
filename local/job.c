/* SPDX-License-Identifier: ISC */
#include "local/job.h"
#include "daemon/calls.h"
#include "daemon/daemon.h"
#include "fiber/fiber.h"
#include "log/events.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

/* Where a child finds its two descriptors, once all others are closed. */
#define REPORT_PLACE 3
#define CONTENT_PLACE 4
/* More of a message is not gathered for one write. */
#define WRITE_MOST ((size_t)1 << 20)
/* A report is a run of: one byte of kind, four bytes of length, text. */
#define ITEM_HEADER 5
#define ITEM_MAX ((size_t)4096)

enum item {
	ITEM_WARNING = 'w',
	ITEM_LOCK = 'l',
	ITEM_STATUS = 's',
	ITEM_DSN = 'd',
	ITEM_TEXT = 't',
	ITEM_DIAGNOSTIC = 'x'
};

/* ---- the child's side */

static void put(struct buffer *out, enum item kind, struct slice text)
{
	uint32_t n;

	text = slice_sub(text, 0, ITEM_MAX);
	n = (uint32_t)text.n;
	buffer_append_byte(out, (char)kind);
	buffer_append(out, slice(&n, sizeof(n)));
	buffer_append(out, text);
}

/* say - in one piece, for each would wake the parent. */
static void say(const struct job *job, struct buffer *items)
{
	/* a parent that is gone needs no report; whoever takes its place tries again */
	(void)os_write_full(job->report, items->data, items->len);
	buffer_free(items);
}

static void say_one(const struct job *job, enum item kind, struct slice text)
{
	struct buffer items;

	buffer_init(&items, ITEM_HEADER + ITEM_MAX);
	put(&items, kind, text);
	say(job, &items);
}

void job_warn(const struct job *job, struct slice text)
{
	say_one(job, ITEM_WARNING, text);
}

void job_leave_lock(const struct job *job, struct slice path)
{
	say_one(job, ITEM_LOCK, path);
}

void job_say_outcome(const struct job *job, const struct outcome *o)
{
	char status = (char)o->status;
	struct buffer items;

	buffer_init(&items, 4 * (ITEM_HEADER + ITEM_MAX));
	put(&items, ITEM_DSN, o->dsn);
	put(&items, ITEM_TEXT, o->text);
	put(&items, ITEM_DIAGNOSTIC, o->diagnostic);
	/* last: without it the report is not whole */
	put(&items, ITEM_STATUS, slice(&status, 1));
	say(job, &items);
}

int job_become(const struct job *job)
{
	int rc;

	if (job->uid != 0)
		return daemon_become(NULL, job->uid, job->gid, DELIVERY_FILE, job->calls);
	/* root's own mailbox: nobody to become, but no more to do than for others */
	if (os_no_new_privs() < 0)
		return -1;
	rc = calls_enter(job->calls);
	errno = -rc;
	return rc < 0 ? -1 : 0;
}

void job_limit_size(const struct job *job)
{
	os_signal_ignore(SIGXFSZ);
	if (job->size_limit > 0)
		(void)os_limit(RLIMIT_FSIZE, job->size_limit);
}

static int write_buffer(int fd, struct buffer *out, const char **what)
{
	int rc = os_write_full(fd, out->data, out->len);

	if (rc < 0)
		*what = "error writing message";
	buffer_reset(out);
	return rc;
}

/* read_chunk - the next bytes of the message behind what is left in `in`. */
static int read_chunk(const struct job *job, struct buffer *in, uint64_t *done, const char **what)
{
	uint64_t left = job->size - *done;
	size_t want = COPY_CHUNK - in->len;
	ssize_t n;

	if (left < want)
		want = (size_t)left;
	buffer_reserve(in, want);
	n = os_pread_full(job->content, in->data + in->len, want, (off_t)(job->offset + *done));
	if (n >= 0 && (size_t)n == want) {
		in->len += want;
		*done += want;
		return 0;
	}
	if (n >= 0)
		errno = EIO;
	*what = "error reading message";
	return -1;
}

int job_copy(const struct job *job, struct slice before, int fd, const char **what)
{
	struct copy copy = {.format = job->format};
	size_t head = before.n + job->head.n;
	struct buffer in, out;
	uint64_t done = 0;
	int rc = 0;

	buffer_init(&in, COPY_CHUNK);
	buffer_init(&out, head + WRITE_MOST + 2 * COPY_CHUNK + 16);
	/* what it usually comes to */
	buffer_reserve(&out, head + (job->size < WRITE_MOST ? (size_t)job->size : WRITE_MOST));
	buffer_append(&out, before);
	buffer_append(&out, job->head);
	do {
		rc = read_chunk(job, &in, &done, what);
		if (rc < 0)
			break;
		buffer_consume(&in, copy_some(&copy, buffer_slice(&in), done == job->size, &out));
		if (done == job->size || out.len >= WRITE_MOST)
			rc = write_buffer(fd, &out, what);
	} while (rc == 0 && done < job->size);
	buffer_free(&in);
	buffer_free(&out);
	return rc;
}

/* in_child - no descriptor but the two is left open; never returns. */
static _Noreturn void in_child(struct job *job, job_function *fn, int report)
{
	struct outcome o;

	/* of the daemon's actions a file's child needs no other; before a command they all go */
	os_signals_unblock();
	os_signal_ignore(SIGPIPE);
	if (os_dup_to(report, REPORT_PLACE) < 0 || os_dup_to(job->content, CONTENT_PLACE) < 0)
		os_exit_now(1);
	os_close_from(CONTENT_PLACE + 1);
	/* copies that a command does not inherit */
	job->report = os_dup_above(REPORT_PLACE, CONTENT_PLACE + 1);
	job->content = os_dup_above(CONTENT_PLACE, CONTENT_PLACE + 1);
	os_close(REPORT_PLACE);
	os_close(CONTENT_PLACE);
	if (job->report < 0 || job->content < 0)
		os_exit_now(1);
	os_umask(077);
	o = fn(job);
	job_say_outcome(job, &o);
	os_exit_now(0);
}

/* ---- the parent's side */

static bool next_item(struct slice *rest, char *kind, struct slice *text)
{
	uint32_t n;

	if (rest->n < ITEM_HEADER)
		return false;
	*kind = rest->p[0];
	memcpy(&n, rest->p + 1, sizeof(n));
	if (n > rest->n - ITEM_HEADER)
		return false;
	*text = slice_sub(*rest, ITEM_HEADER, ITEM_HEADER + n);
	*rest = slice_from(*rest, ITEM_HEADER + n);
	return true;
}

static bool valid_status(struct slice text)
{
	return text.n == 1 &&
	       (text.p[0] == DELIVERY_STATUS_SENT || text.p[0] == DELIVERY_STATUS_DEFERRED ||
		text.p[0] == DELIVERY_STATUS_BOUNCED);
}

/* read_report - the child acts with a user's rights: nothing in it is believed beyond its form. */
static bool read_report(struct job *job, struct slice report, struct outcome *o)
{
	struct slice text;
	char kind;
	bool whole = false;

	while (next_item(&report, &kind, &text)) {
		text = arena_dup(job->arena, text);
		if (kind == ITEM_WARNING)
			LOG(warning, .text = text);
		else if (kind == ITEM_DSN)
			o->dsn = text;
		else if (kind == ITEM_TEXT)
			o->text = text;
		else if (kind == ITEM_DIAGNOSTIC)
			o->diagnostic = text;
		else if (kind == ITEM_STATUS && valid_status(text)) {
			o->status = (enum delivery_status)text.p[0];
			whole = true;
		}
	}
	return whole && o->dsn.n > 0 && o->text.n > 0;
}

/* remove_lock - only one that the job itself may have left: PATH.lock. */
static void remove_lock(struct job *job, struct slice report)
{
	struct slice text, lock = arena_printf(job->arena, "%s.lock", job->path);
	char kind;

	while (next_item(&report, &kind, &text))
		if (kind == ITEM_LOCK && slice_eq(text, lock))
			(void)os_unlinkat(AT_FDCWD, lock.p, 0);
}

/* is_whole - its last item is there. */
static bool is_whole(struct slice report)
{
	struct slice text;
	char kind;

	while (next_item(&report, &kind, &text))
		if (kind == ITEM_STATUS)
			return true;
	return false;
}

bool job_hear(struct fiber_fd *fd, bool kept, struct buffer *report)
{
	char piece[1024];
	ssize_t n;

	for (;;) {
		n = fiber_recv(fd, piece, sizeof(piece), OS_NEVER, "delivering");
		if (n < 0 && errno == ECANCELED) {
			/* what a child has begun it ends, by limits of its own; then the process
			 * may go */
			fiber_uncancel();
			continue;
		}
		if (n <= 0)
			return false;
		buffer_append(report, slice(piece, (size_t)n));
		if (kept && is_whole(buffer_slice(report)))
			return true;
	}
}

struct outcome job_conclude(struct job *job, struct slice report, int status)
{
	struct outcome o = {0};

	remove_lock(job, report);
	if (read_report(job, report, &o))
		return o;
	return outcome_failed(
	    SL("4.3.0"), arena_printf(job->arena, "delivery process ended with status %d", status));
}

struct outcome job_run(struct job *job, job_function *fn)
{
	struct fiber_fd fd;
	struct buffer report;
	struct outcome o;
	int ends[2], status = 0;
	pid_t pid;

	if (os_socketpair(SOCK_STREAM, ends) < 0)
		return outcome_failed_because(job->arena, SL("4.3.0"), SL("socketpair"), errno);
	pid = os_fork();
	if (pid == 0)
		in_child(job, fn, ends[1]);
	os_socket_close(ends[1]);
	if (pid < 0) {
		o = outcome_failed_because(job->arena, SL("4.3.0"), SL("fork failed"), errno);
		os_socket_close(ends[0]);
		return o;
	}
	fiber_fd_init(&fd, ends[0]);
	buffer_init(&report, JOB_REPORT_MAX);
	(void)job_hear(&fd, false, &report);
	fiber_fd_close(&fd);
	(void)os_wait(pid, &status);
	o = job_conclude(job, buffer_slice(&report), status);
	buffer_free(&report);
	return o;
}
