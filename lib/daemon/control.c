/* SPDX-License-Identifier: ISC */
/* control - what master says, what it is told, and what the status socket shows. */
#include "daemon/run.h"
#include "log/log.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS_LIMIT ((size_t)16 << 20)
#define STATUS_PATIENCE (5 * OS_SECOND)
#define GOODBYE_PATIENCE (5 * OS_SECOND)

void daemon_tell_master(struct daemon_run *run, char byte)
{
	/* master reads at once; if it is gone, the control fiber finds out */
	if (run->control.fd >= 0)
		os_send(run->control.fd, &byte, 1, 0);
}

bool daemon_draining(const struct daemon_context *context)
{
	return context->run->draining;
}

bool daemon_ending(const struct daemon_context *context)
{
	return context->run->ending;
}

void daemon_stop(struct daemon_context *context)
{
	daemon_begin_drain(context->run);
}

static void drain_fiber(void *arg)
{
	struct daemon_run *run = arg;

	if (run->daemon->drain != NULL)
		run->daemon->drain(run->context);
	run->drained = true;
	fiber_cond_broadcast(&run->changed);
}

void daemon_begin_drain(struct daemon_run *run)
{
	if (run->draining)
		return;
	run->draining = true;
	daemon_tell_master(run, 'Q');
	for (size_t i = 0; i < run->acceptor_count; i++)
		if (run->acceptors[i].fiber != NULL && run->acceptors[i].fiber != fiber_self())
			fiber_cancel(run->acceptors[i].fiber);
	daemon_sessions_cancel(run, true);
	if (fiber_spawn("drain", drain_fiber, run) == NULL)
		run->drained = true;
	fiber_cond_broadcast(&run->changed);
}

/* ---- wake-ups */

static void wakeup_fiber(void *arg)
{
	struct daemon_run *run = arg;

	while (run->wakeup_wanted && !run->draining) {
		run->wakeup_wanted = false;
		run->daemon->wakeup(run->context);
	}
	run->wakeup_running = false;
}

static void wake_up(struct daemon_run *run)
{
	if (run->daemon->wakeup == NULL)
		return;
	run->wakeup_wanted = true;
	if (!run->wakeup_running)
		run->wakeup_running = fiber_spawn("wakeup", wakeup_fiber, run) != NULL;
}

/* ---- fibers */

void daemon_control_fiber(void *arg)
{
	struct daemon_run *run = arg;
	char bytes[64];
	ssize_t n;

	while ((n = fiber_recv(&run->control, bytes, sizeof(bytes), OS_NEVER, "master")) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (bytes[i] == 'D')
				daemon_begin_drain(run);
			else if (bytes[i] == 'E')
				run->ending = true;
			else if (bytes[i] == 'W')
				wake_up(run);
		}
	}
	/* master has gone: what is under way is finished, nothing new begins */
	if (n == 0 || errno != ECANCELED) {
		run->ending = true;
		daemon_begin_drain(run);
	}
}

void daemon_signal_fiber(void *arg)
{
	struct daemon_run *run = arg;

	if (fiber_signal_wait(&run->signals, OS_NEVER, "signals") < 0)
		return;
	daemon_begin_drain(run);
	daemon_sessions_cancel(run, false);
	if (fiber_sleep(os_deadline(GOODBYE_PATIENCE), "sessions to end") < 0)
		return;
	/* a session that does not end when it is cancelled would keep the process for ever */
	log_flush(os_deadline(OS_SECOND));
	os_exit_now(0);
}

static int64_t seconds_since(int64_t then)
{
	return (os_now() - then) / OS_SECOND;
}

static bool list_fiber(const struct fiber_info *info, void *arg)
{
	struct buffer *out = arg;

	return buffer_printf(out, "%s\t%s\t%s\t%s\t%lld\t%lld\n", info->name,
			     *info->peer != '\0' ? info->peer : "-",
			     *info->state != '\0' ? info->state : "-", info->why,
			     (long long)seconds_since(info->since),
			     (long long)seconds_since(info->born));
}

/* listing - a head line, then what: name, peer, state, waits for, seconds so far, age in seconds. */
static void listing(struct daemon_run *run, struct buffer *out)
{
	struct fibers_stats fibers;
	const struct daemon_context *c = run->context;

	fibers_get_stats(&fibers);
	buffer_printf(out, "# %s service=%.*s slot=%u pid=%d sessions=%zu accepted=%llu%s log_dropped=%llu slow_slices=%llu\n",
		      run->daemon->name, SL_ARG(c->service), c->slot, (int)os_pid(),
		      run->session_count, (unsigned long long)run->serial,
		      run->draining ? " draining" : "", (unsigned long long)log_dropped(),
		      (unsigned long long)fibers.slow_slices);
	buffer_append_str(out, "# fiber\tpeer\tstate\twaits for\tsince\tage\n");
	fiber_foreach(list_fiber, out);
	if (run->daemon->status != NULL)
		run->daemon->status(run->context, out);
}

static void show(struct daemon_run *run, int fd)
{
	struct fiber_fd conn;
	struct buffer out;
	struct iovec iov;

	fiber_fd_init(&conn, fd);
	buffer_init(&out, STATUS_LIMIT);
	listing(run, &out);
	iov = (struct iovec){out.data, out.len};
	fiber_send_full(&conn, &iov, 1, -1, os_deadline(STATUS_PATIENCE), "status reader");
	buffer_free(&out);
	fiber_fd_close(&conn);
}

void daemon_status_fiber(void *arg)
{
	struct daemon_run *run = arg;

	for (;;) {
		int fd = fiber_accept(&run->status, NULL, OS_NEVER, "a status reader");

		if (fd >= 0)
			show(run, fd);
		else if (errno == ECANCELED ||
			 fiber_sleep(os_deadline(OS_SECOND), "a status reader") < 0)
			return;
	}
}

void daemon_idle_fiber(void *arg)
{
	struct daemon_run *run = arg;
	int64_t most = run->context->settings->max_idle;

	for (;;) {
		int64_t until = run->idle_since + most;

		if (run->session_count > 0)
			until = os_deadline(most);
		if (fiber_sleep(until, "work") < 0)
			return;
		if (run->session_count == 0 && os_now() >= run->idle_since + most) {
			daemon_begin_drain(run);
			return;
		}
	}
}
