/* SPDX-License-Identifier: ISC */
#include "config.h"
#include "log/events.h"
#include "master/master.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAIN_PATIENCE (5 * OS_SECOND)
#define TERM_PATIENCE (6 * OS_SECOND)
#define KILL_PATIENCE (5 * OS_SECOND)
#define EVENTS 64

enum result master_lock(struct master *m, pid_t *other)
{
	char text[32] = "";
	ssize_t n;

	m->lock = os_openat(AT_FDCWD, "pid/master.pid", O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
	if (m->lock < 0)
		return RES_PERM;
	if (os_lock(m->lock, true, false) < 0) {
		n = os_pread(m->lock, text, sizeof(text) - 1, 0);
		*other = n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
		return errno == EWOULDBLOCK ? RES_TEMP : RES_PERM;
	}
	return RES_OK;
}

enum result master_write_pid(const struct master *m)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%*d\n", 10, (int)os_pid());

	if (os_ftruncate(m->lock, 0) < 0 || os_pwrite_full(m->lock, text, (size_t)n, 0) < 0)
		return RES_PERM;
	return RES_OK;
}

/* ---- stopping: ask, then insist, then end */

static void stop_step(struct master *m)
{
	static const int64_t patience[] = {DRAIN_PATIENCE, TERM_PATIENCE, KILL_PATIENCE};
	int step = m->stop_step++;

	if (step == 1)
		processes_signal(m, SIGTERM);
	else if (step >= 2)
		processes_signal(m, SIGKILL);
	m->stop_step_at = os_deadline(patience[step < 3 ? step : 2]);
}

/* carries_log - what the others say while they end must have a reader: it goes last. */
static bool carries_log(const struct service *s)
{
	return s->type == SERVICE_UNIX_DGRAM;
}

static void stop_service(struct master *m, struct service *s)
{
	listeners_close(m, s);
	LIST_FOREACH(node, &s->processes)
		process_end(CONTAINER_OF(node, struct process, link));
}

/* stop_services - those that carry the log, or the others; how many processes of these remain. */
static size_t stop_services(struct master *m, bool log)
{
	size_t left = 0;

	LIST_FOREACH(node, &m->services) {
		struct service *s = CONTAINER_OF(node, struct service, link);

		if (carries_log(s) != log)
			continue;
		stop_service(m, s);
		LIST_FOREACH(inner, &s->processes)
			left++;
	}
	return left;
}

void master_stop(struct master *m, bool at_once)
{
	if (at_once)
		m->stop_step = 2;
	if (m->stopping && !at_once)
		return;
	if (!m->stopping)
		notify_supervisor("STOPPING=1");
	m->stopping = true;
	if (stop_services(m, false) == 0)
		stop_services(m, true);
	stop_step(m);
}

/* ---- reload */

void master_report_problems(const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		const struct config_problem *p = &problems->items[i];
		struct slice text = config_problem_text(problems->arena, p);

		if (p->fatal)
			LOG(config_error, .text = text);
		else
			LOG(config_warning, .text = text);
	}
}

void master_open_log(const struct master *m)
{
	const struct settings *s = m->conf->settings;
	struct log_options options = log_options_of(s, SL("master"));

	options.direct = true;
	log_open(&options);
	log_entered_queue();
}

/* replaceable - what cannot change while master runs. */
static bool replaceable(const struct master *m, const struct configuration *next)
{
	if (!slice_eq(m->conf->settings->queue_directory, next->settings->queue_directory)) {
		log_error_text("queue_directory cannot change by reload: stop and start");
		return false;
	}
	if (!slice_eq(m->conf->settings->mail_owner, next->settings->mail_owner)) {
		log_error_text("mail_owner cannot change by reload: stop and start");
		return false;
	}
	return true;
}

void master_reload(struct master *m)
{
	struct arena *arena = arena_create();
	struct config_problems problems;
	struct configuration *next = NULL, *old;

	config_problems_init(&problems, arena);
	notify_supervisor("RELOADING=1");
	if (configuration_load(m->config_dir, &problems, &next) == RES_OK && replaceable(m, next)) {
		old = m->conf;
		m->conf = next;
		master_open_log(m);
		LOG(master_reload, .version = SL(PACKAGE_VERSION),
		    .config_dir = slice_str(m->config_dir));
		services_apply(m, &problems);
		configuration_destroy(&old);
		master_report_problems(&problems);
	} else {
		configuration_destroy(&next);
		master_report_problems(&problems);
		log_error_text("reload: the configuration is not valid; everything stays as it was");
	}
	notify_supervisor("READY=1");
	arena_destroy(&arena);
}

/* ---- the loop */

static void on_signal(struct master *m)
{
	int sig;

	while ((sig = os_signals_next(m->signals)) > 0) {
		if (sig == SIGCHLD) {
			processes_reap(m);
		} else if (sig == SIGHUP) {
			if (!m->stopping)
				master_reload(m);
		} else {
			LOG(master_terminating, .signal = (uint64_t)sig);
			master_stop(m, sig == SIGQUIT);
		}
	}
}

static void on_event(struct master *m, struct watch *w)
{
	switch (w->kind) {
	case WATCH_SIGNAL:
		break; /* handled last, see below */
	case WATCH_LISTENER:
		service_client(m, CONTAINER_OF(w, struct listener, watch)->service);
		break;
	case WATCH_PROCESS:
		process_event(m, CONTAINER_OF(w, struct process, watch));
		break;
	}
}

/*
 * one_round - signals last: a reload or a death frees what other events of the same round point to.
 * Listeners move only in a reload too, and a client's event changes no array.
 */
static void one_round(struct master *m, int64_t deadline)
{
	struct os_event events[EVENTS];
	bool signalled = false;
	int n = os_poll_wait(m->poller, events, EVENTS, deadline);

	for (int i = 0; i < n; i++) {
		struct watch *w = events[i].data;

		if (w->kind == WATCH_SIGNAL)
			signalled = true;
		else
			on_event(m, w);
	}
	if (signalled)
		on_signal(m);
}

int master_loop(struct master *m)
{
	while (!m->stopping || processes_alive(m) > 0) {
		int64_t next = services_tick(m);

		if (m->stopping && stop_services(m, false) == 0)
			stop_services(m, true);
		if (m->stopping && m->stop_step_at <= os_now())
			stop_step(m);
		if (m->stopping && m->stop_step_at < next)
			next = m->stop_step_at;
		/* what the log could not take is tried again */
		if (log_pending() > 0 && os_deadline(OS_SECOND) < next)
			next = os_deadline(OS_SECOND);
		one_round(m, next);
		log_flush(os_now());
	}
	log_close();
	services_end(m);
	return 0;
}
