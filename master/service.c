/* SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "log/events.h"
#include "master/master.h"
#include "os/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#define WELL_AFTER OS_SECOND /* a process that was ready for so long started well */
#define FIRST_PAUSE OS_SECOND
#define MOST_PROCESSES 64 /* per-core services on very large machines */

size_t service_process_limit(const struct service *s)
{
	size_t limit = (size_t)s->cf->process_limit;
	size_t cores = (size_t)os_processor_count();

	if (s->row->kind == KIND_POOL)
		return limit == 0 ? SIZE_MAX : limit;
	if (!s->row->per_core)
		return 1;
	if (cores > MOST_PROCESSES)
		cores = MOST_PROCESSES;
	return limit != 0 && limit < cores ? limit : cores;
}

/* ---- back-off */

static void pause_service(struct service *s, const struct settings *settings)
{
	int64_t most = settings->service_throttle_time;

	s->throttle = s->throttle == 0 ? FIRST_PAUSE : s->throttle * 2;
	if (s->throttle > most)
		s->throttle = most;
	s->paused_until = os_deadline(s->throttle);
	LOG(bad_startup, .program = slice_str(s->program));
}

static void report_death(const struct service *s, const struct process *p, int status)
{
	if (WIFSIGNALED(status))
		LOG(process_killed, .program = slice_str(s->program), .pid = (uint64_t)p->pid, .signal = (uint64_t)WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		LOG(process_exit, .program = slice_str(s->program), .pid = (uint64_t)p->pid, .status = (uint64_t)WEXITSTATUS(status));
}

void service_died(struct master *m, struct service *s, const struct process *p, int status)
{
	bool well = p->ready_at != 0 && os_now() - p->ready_at >= WELL_AFTER;
	bool clean = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	if (m->stopping && WIFSIGNALED(status) && (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL))
		return;
	report_death(s, p, status);
	/* What works by the clock as well as for clients (qmgr) does not wait for the next of them. */
	if (!m->stopping && s->cf != NULL && s->cf->wakeup > 0 && (!clean || s->row->exclusive))
		s->wakeup_pending = true;
	if (well || (clean && p->ready_at != 0))
		s->throttle = 0;
	else if (!m->stopping && !p->draining && s->paused_until == 0)
		pause_service(s, m->conf->settings);
}

/* ---- when a process is due */

/* may_start - not while stopping, pausing, or beside one that must be alone. */
static bool may_start(const struct master *m, const struct service *s)
{
	if (m->stopping || s->paused_until != 0 || service_running(s) >= service_process_limit(s))
		return false;
	return !s->row->exclusive || list_empty(&s->processes);
}

static bool start_one(struct master *m, struct service *s)
{
	if (process_start(m, s) != NULL)
		return true;
	pause_service(s, m->conf->settings);
	return false;
}

/* start_due - a pool gets one more process, a service of fibers all that it may have. */
static void start_due(struct master *m, struct service *s)
{
	if (s->row->kind == KIND_POOL) {
		if (may_start(m, s))
			start_one(m, s);
		return;
	}
	while (may_start(m, s) && start_one(m, s))
		continue;
}

static void report_limit(struct service *s)
{
	if (s->limit_reported)
		return;
	s->limit_reported = true;
	LOG(process_limit, .service = s->name, .endpoint = s->name, .limit = (uint64_t)s->cf->process_limit);
}

/* waits_itself - whether master is the one to hear of the next client. */
static bool waits_itself(const struct master *m, const struct service *s)
{
	if (!may_start(m, s))
		return false;
	if (s->row->kind == KIND_POOL)
		return service_active(s, PROCESS_IDLE) + service_active(s, PROCESS_STARTING) == 0;
	return service_running(s) == 0;
}

void service_review(struct master *m, struct service *s)
{
	bool pool = s->row->kind == KIND_POOL;

	if (s->cf == NULL || m->stopping) {
		if (s->cf == NULL && list_empty(&s->processes))
			service_destroy(m, &s);
		return;
	}
	/* of several processes one has died: the others serve, but it is replaced */
	if (!pool && service_running(s) > 0 && service_running(s) < service_process_limit(s))
		start_due(m, s);
	if (!pool && s->wakeup_pending && service_running(s) == 0)
		start_due(m, s);
	if (pool && service_running(s) >= service_process_limit(s) &&
	    service_active(s, PROCESS_IDLE) + service_active(s, PROCESS_STARTING) == 0)
		report_limit(s);
	listeners_watch(m, s, waits_itself(m, s));
}

void service_client(struct master *m, struct service *s)
{
	start_due(m, s);
	service_review(m, s);
}

/* ---- time */

static struct process *one_ready(const struct service *s)
{
	LIST_FOREACH(node, &s->processes) {
		struct process *p = CONTAINER_OF(node, struct process, link);

		if (!p->draining && p->state != PROCESS_STARTING)
			return p;
	}
	return NULL;
}

/* wake_up - a byte to a process that runs, else a process, which is told when it is ready. */
static void wake_up(struct master *m, struct service *s)
{
	struct process *p = one_ready(s);

	s->next_wakeup = os_deadline(s->cf->wakeup * OS_SECOND);
	if (s->cf->wakeup_if_used && !s->used)
		return;
	if (p != NULL) {
		process_tell(p, 'W');
		return;
	}
	s->wakeup_pending = true;
	start_due(m, s);
	service_review(m, s);
}

static void end_pause(struct master *m, struct service *s)
{
	s->paused_until = 0;
	LOG(throttle_released, .program = slice_str(s->program));
	service_review(m, s);
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t services_tick(struct master *m)
{
	int64_t next = OS_NEVER, now = os_now();

	LIST_FOREACH(node, &m->services) {
		struct service *s = CONTAINER_OF(node, struct service, link);

		if (s->paused_until != 0 && s->paused_until <= now)
			end_pause(m, s);
		if (s->next_wakeup <= now && !m->stopping)
			wake_up(m, s);
		next = sooner(next, s->next_wakeup);
		if (s->paused_until != 0)
			next = sooner(next, s->paused_until);
	}
	return next;
}

/* ---- the list of services */

static struct service *find_service(const struct master *m, const struct master_service *cf)
{
	LIST_FOREACH(node, &m->services) {
		struct service *s = CONTAINER_OF(node, struct service, link);

		if (slice_eq(s->name, cf->name) && s->type == cf->type)
			return s;
	}
	return NULL;
}

static struct service *service_new(struct master *m, const struct master_service *cf)
{
	struct service *s = calloc(1, sizeof(*s));
	char *name = strndup(cf->name.p, cf->name.n);

	if (s == NULL || name == NULL)
		out_of_memory();
	s->name = slice_str(name);
	s->type = cf->type;
	s->next_wakeup = OS_NEVER;
	list_init(&s->processes);
	list_push_back(&m->services, &s->link);
	return s;
}

void service_destroy(struct master *m, struct service **s)
{
	listeners_close(m, *s);
	list_remove(&(*s)->link);
	free((char *)(*s)->name.p);
	free((*s)->program);
	free(*s);
	*s = NULL;
}

void services_end(struct master *m)
{
	LIST_FOREACH_SAFE(node, &m->services) {
		struct service *s = CONTAINER_OF(node, struct service, link);

		service_destroy(m, &s);
	}
}

static void configure(struct master *m, struct service *s, const struct master_service *cf)
{
	s->cf = cf;
	s->row = privileges_find(cf->command);
	CHECK(s->row != NULL);
	s->wanted = true;
	s->limit_reported = false;
	s->throttle = 0;
	s->paused_until = 0;
	s->next_wakeup = cf->wakeup > 0 ? os_now() : OS_NEVER;
	free(s->program);
	if (asprintf(&s->program, "%s/%.*s", m->conf->settings->daemon_directory.p,
		     SL_ARG(cf->command)) < 0)
		out_of_memory();
}

static enum result apply_one(struct master *m, const struct master_service *cf,
			     struct config_problems *problems)
{
	struct service *s = find_service(m, cf);
	struct slice problem = SL_NULL;
	enum result rc;

	if (s == NULL)
		s = service_new(m, cf);
	configure(m, s, cf);
	rc = listeners_bind(m, s, problems->arena, &problem);
	if (rc != RES_OK)
		config_problem_add(problems, true, SL_NULL, 0, SL_NULL, "%.*s", SL_ARG(problem));
	return rc;
}

/* retire - a service that is configured no more: no more clients; it goes when its processes have. */
static void retire(struct master *m, struct service *s)
{
	listeners_close(m, s);
	s->cf = NULL;
	s->next_wakeup = OS_NEVER;
	s->wakeup_pending = false;
	s->paused_until = 0;
}

enum result services_apply(struct master *m, struct config_problems *problems)
{
	enum result rc = RES_OK;

	LIST_FOREACH(node, &m->services)
		CONTAINER_OF(node, struct service, link)->wanted = false;
	for (size_t i = 0; i < m->conf->cf.count; i++)
		if (apply_one(m, &m->conf->cf.services[i], problems) != RES_OK)
			rc = RES_TEMP;
	LIST_FOREACH_SAFE(node, &m->services) {
		struct service *s = CONTAINER_OF(node, struct service, link);

		LIST_FOREACH(inner, &s->processes)
			process_drain(CONTAINER_OF(inner, struct process, link));
		if (!s->wanted)
			retire(m, s);
		service_review(m, s);
	}
	return rc;
}
