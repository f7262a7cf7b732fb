/* SPDX-License-Identifier: ISC */
/*
 * command - deliver to a command's standard input. The job's process has become the recipient; the
 * command is its child, in a session of its own, so that all of it can be ended when the time is
 * over.
 */
#include "local/command.h"
#include "daemon/daemon.h"
#include "local/job.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "os/socket.h"

#include <errno.h>
#include <sysexits.h>

#define OUTPUT_MAX 4096
#define SHELL "/bin/sh"
/* where programs are looked for, whatever the daemon's own environment says */
static const char *const program_folders[] = {"/usr/bin", "/bin"};

struct running {
	struct job *job;
	pid_t pid;
	int input;  /* of the command; -1: closed */
	int output; /* what it writes */
	int poller;
	struct buffer waiting; /* goes to its input */
	struct buffer said;
	struct copy copy;
	struct buffer raw; /* content that is not turned into `waiting` yet */
	uint64_t done;	   /* bytes read of the message */
	bool failed;	   /* the message could not be read */
};

/* ---- the command's process */

static void complain(const char *what, const char *name, int error)
{
	struct buffer out;

	buffer_init(&out, OUTPUT_MAX);
	buffer_printf(&out, "local: fatal: %s %s: %s\n", what, name, strerror(error));
	(void)os_write_full(2, out.data, out.len);
	buffer_free(&out);
}

/* exec_file - a file without "#!" is the shell's. */
static void exec_file(const struct job *job, const char *path, char *const *words)
{
	size_t count = 0;
	char **shell;

	os_exec(path, words, job->environment);
	if (errno != ENOEXEC)
		return;
	while (words[count] != NULL)
		count++;
	shell = ARENA_ARRAY(job->arena, count + 2, char *);
	shell[0] = arena_str(job->arena, SL(SHELL));
	shell[1] = arena_str(job->arena, slice_str(path));
	memcpy(shell + 2, words + 1, (count > 0 ? count - 1 : 0) * sizeof(*words));
	os_exec(SHELL, shell, job->environment);
}

/* exec_words - returns only when it failed; ENOENT: there is no such program. */
static void exec_words(const struct job *job, char *const *words)
{
	int error = ENOENT;

	if (strchr(words[0], '/') != NULL) {
		exec_file(job, words[0], words);
		return;
	}
	for (size_t i = 0; i < sizeof(program_folders) / sizeof(program_folders[0]); i++) {
		exec_file(job, arena_printf(job->arena, "%s/%s", program_folders[i], words[0]).p,
			  words);
		if (errno != ENOENT && errno != ENOTDIR)
			error = errno;
	}
	errno = error;
}

static void exec_shell(const struct job *job)
{
	char *const words[] = {arena_str(job->arena, SL("sh")), arena_str(job->arena, SL("-c")),
			       arena_str(job->arena, job->command), NULL};

	if (words[2] != NULL)
		os_exec(SHELL, words, job->environment);
	complain("execvp", SHELL, words[2] == NULL ? EINVAL : errno);
}

/* exec_own_shell - local_command_shell, with the command as its last argument behind -c. */
static void exec_own_shell(const struct job *job)
{
	struct slice line = arena_printf(job->arena, "%s -c", job->shell);
	char **words = command_words(job->arena, line);
	size_t count = 0;
	char **all;

	while (words != NULL && words[count] != NULL)
		count++;
	all = ARENA_ARRAY(job->arena, count + 2, char *);
	if (count > 0)
		memcpy(all, words, count * sizeof(*words));
	all[count] = arena_str(job->arena, job->command);
	if (count > 0 && all[count] != NULL)
		exec_words(job, all);
	complain("execvp", job->shell, errno);
}

static _Noreturn void be_command(const struct job *job, int input, int output)
{
	char **words;

	if (os_dup_to(input, 0) < 0 || os_dup_to(output, 1) < 0 || os_dup_to(output, 2) < 0 ||
	    os_set_session() < 0)
		os_exit_now(EX_TEMPFAIL);
	os_close_from(3);
	os_signals_default();
	os_umask(077);
	if (job->shell != NULL) {
		exec_own_shell(job);
		os_exit_now(EX_TEMPFAIL);
	}
	words = command_words(job->arena, job->command);
	if (words != NULL) {
		exec_words(job, words);
		/* what is no program may be a command of the shell's own */
		if (errno != ENOENT || strchr(words[0], '/') != NULL) {
			complain("execvp", words[0], errno);
			os_exit_now(EX_TEMPFAIL);
		}
	}
	exec_shell(job);
	os_exit_now(EX_TEMPFAIL);
}

/* ---- feeding it */

/* refill - the next piece of the message; false when there is no more. */
static bool refill(struct running *r)
{
	const struct job *job = r->job;
	uint64_t left = job->size - r->done;
	size_t want = COPY_CHUNK - r->raw.len;
	ssize_t n;

	if (left == 0)
		return false;
	if (left < want)
		want = (size_t)left;
	buffer_reserve(&r->raw, want);
	n = os_pread_full(job->content, r->raw.data + r->raw.len, want,
			  (off_t)(job->offset + r->done));
	if (n < 0 || (size_t)n != want) {
		r->failed = true;
		return false;
	}
	r->raw.len += want;
	r->done += want;
	buffer_consume(
	    &r->raw, copy_some(&r->copy, buffer_slice(&r->raw), r->done == job->size, &r->waiting));
	return true;
}

static void close_input(struct running *r)
{
	if (r->input < 0)
		return;
	os_poll_remove(r->poller, r->input);
	os_close(r->input);
	r->input = -1;
}

/* feed - as much as the command takes now. One that does not want it all may still succeed. */
static void feed(struct running *r)
{
	while (r->input >= 0) {
		ssize_t n;

		if (r->waiting.len == 0 && !refill(r)) {
			close_input(r);
			return;
		}
		if (r->waiting.len == 0)
			continue;
		n = os_write(r->input, r->waiting.data, r->waiting.len);
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			close_input(r);
			return;
		}
		buffer_consume(&r->waiting, (size_t)n);
	}
}

/* listen_to - false when it has closed its output. */
static bool listen_to(struct running *r)
{
	char piece[1024];

	for (;;) {
		ssize_t n = os_read(r->output, piece, sizeof(piece));

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0)
			return false;
		/* what is over the limit is read and forgotten */
		buffer_append(&r->said,
			      slice_sub(slice(piece, (size_t)n), 0, OUTPUT_MAX - r->said.len));
	}
}

static void give_up(struct running *r)
{
	(void)os_kill(-r->pid, SIGKILL);
	(void)os_kill(r->pid, SIGKILL);
}

/* wait_end - its output may be closed long before its end. */
static bool wait_end(struct running *r, int64_t deadline, int *status)
{
	for (;;) {
		pid_t pid = os_reap(status);

		if (pid == r->pid)
			return true;
		if (pid < 0 || os_now() >= deadline)
			return false;
		if (pid == 0)
			os_sleep(5 * OS_MILLISECOND);
	}
}

/* serve - false when the time is over. */
static bool serve(struct running *r, int64_t deadline)
{
	struct os_event events[2];
	bool open = true;

	os_poll_add(r->poller, r->output, OS_READABLE, &r->output);
	os_poll_add(r->poller, r->input, OS_WRITABLE, &r->input);
	feed(r);
	while (open) {
		if (os_now() >= deadline)
			return false;
		if (os_poll_wait(r->poller, events, 2, deadline) < 0)
			return false;
		open = listen_to(r);
		feed(r);
	}
	return true;
}

static struct outcome attend(struct running *r)
{
	const struct job *job = r->job;
	int64_t deadline = os_deadline(job->time_limit);
	int status = 0;
	bool in_time = serve(r, deadline) && wait_end(r, deadline, &status);
	struct slice said;

	close_input(r);
	said = buffer_slice(&r->said);
	if (!in_time) {
		give_up(r);
		(void)os_wait(r->pid, &status);
		return outcome_of_timeout(job->arena, job->command, said);
	}
	if (r->failed)
		return outcome_failed(SL("4.3.0"), SL("error reading message"));
	return outcome_of_command(job->arena, status, job->command, said);
}

static bool start(struct running *r, struct outcome *o)
{
	struct job *job = r->job;
	int in[2], out[2];

	if (os_pipe(in) < 0 || os_pipe(out) < 0) {
		*o = outcome_failed_because(job->arena, SL("4.3.0"), SL("pipe"), errno);
		return false;
	}
	r->pid = os_fork();
	if (r->pid == 0)
		be_command(job, in[0], out[1]);
	os_close(in[0]);
	os_close(out[1]);
	r->input = in[1];
	r->output = out[0];
	r->poller = os_poll_create();
	if (r->pid < 0 || r->poller < 0) {
		*o = outcome_failed_because(job->arena, SL("4.3.0"), SL("fork failed"), errno);
		return false;
	}
	return os_set_nonblocking(r->input) == 0 && os_set_nonblocking(r->output) == 0;
}

static bool enter_directory(const struct job *job, struct outcome *o)
{
	if (job->directory == NULL || os_chdir(job->directory) == 0)
		return true;
	*o = outcome_failed(
	    SL("4.3.0"),
	    arena_printf(job->arena, "cannot change directory to \"%s\" for uid=%lu gid=%lu: %s",
			 job->directory, (unsigned long)job->uid, (unsigned long)job->gid,
			 strerror(errno)));
	return false;
}

struct outcome job_command(struct job *job)
{
	struct running r = {.job = job, .input = -1, .output = -1, .copy = {.format = job->format}};
	struct outcome o = outcome_failed(SL("4.3.0"), SL("cannot start the command"));

	job_limit_size(job);
	if (daemon_become(NULL, job->uid, job->gid, DELIVERY_COMMAND, NULL) < 0)
		return outcome_failed_because(job->arena, SL("4.3.0"),
					      SL("cannot become the recipient"), errno);
	os_signal_ignore(SIGPIPE);
	if (!enter_directory(job, &o))
		return o;
	buffer_init(&r.waiting, 2 * COPY_CHUNK + job->head.n + 16);
	buffer_init(&r.raw, COPY_CHUNK);
	buffer_init(&r.said, OUTPUT_MAX);
	buffer_append(&r.waiting, job->head);
	if (start(&r, &o))
		o = attend(&r);
	return o;
}
