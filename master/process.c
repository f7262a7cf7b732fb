/* SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "config.h"
#include "config/environment.h"
#include "daemon/daemon.h"
#include "master/master.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define FIRST_FD 3	/* to master */
#define STATUS_FD 4
#define LISTENER_FD 5
#define SAFE_FD 256	/* descriptors are moved above it before they are put in place */
#define MOST_LISTENERS 200

size_t service_active(const struct service *s, enum process_state state)
{
	size_t n = 0;

	LIST_FOREACH(node, &s->processes) {
		const struct process *p = CONTAINER_OF(node, struct process, link);

		n += !p->draining && p->state == state;
	}
	return n;
}

size_t service_running(const struct service *s)
{
	return service_active(s, PROCESS_STARTING) + service_active(s, PROCESS_IDLE) +
	       service_active(s, PROCESS_BUSY);
}

static bool slot_taken(const struct service *s, unsigned slot)
{
	LIST_FOREACH(node, &s->processes)
		if (CONTAINER_OF(node, struct process, link)->slot == slot)
			return true;
	return false;
}

static unsigned free_slot(const struct service *s)
{
	unsigned slot = 0;

	while (slot_taken(s, slot))
		slot++;
	return slot;
}

/* status_socket - $queue_directory/status/SERVICE.SLOT, for its owner only. */
static int status_socket(const struct master *m, const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct os_addr addr = {.len = sizeof(sun)};
	int fd, rc;
	mode_t mask;

	if (strlen(path) >= sizeof(sun.sun_path))
		return -1;
	memcpy(sun.sun_path, path, strlen(path));
	memcpy(&addr.ss, &sun, sizeof(sun));
	fd = os_socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return -1;
	os_act_as(m->accounts.owner_uid, m->accounts.owner_gid);
	os_unlinkat(AT_FDCWD, path, 0);
	mask = os_umask(0177);
	rc = os_bind(fd, &addr);
	os_umask(mask);
	os_act_as(0, 0);
	if (rc == 0 && os_listen(fd, 16) == 0)
		return fd;
	os_close(fd);
	return -1;
}

/* status_path - service names may hold a slash (inet services do not, unix ones might). */
static char *status_path(const struct service *s, unsigned slot)
{
	char *path = NULL;

	if (asprintf(&path, "status/%.*s.%u", SL_ARG(s->name), slot) < 0)
		out_of_memory();
	for (char *p = path + strlen("status/"); *p != '\0'; p++)
		if (*p == '/')
			*p = '_';
	return path;
}

/* ---- the child, between fork and exec */

struct argument_list {
	char **v;
	size_t n;
};

static void argument(struct argument_list *list, struct arena *arena, struct slice text)
{
	list->v[list->n++] = arena_str(arena, text);
}

static void number_argument(struct argument_list *list, struct arena *arena, const char *option,
			    size_t value)
{
	argument(list, arena, slice_str(option));
	argument(list, arena, arena_printf(arena, "%zu", value));
}

/* session_limit - of one process; master.cf's number is for the whole service. */
static size_t session_limit(const struct service *s)
{
	size_t limit = (size_t)s->cf->process_limit;
	size_t processes = service_process_limit(s);

	if (s->row->kind == KIND_POOL)
		return 1;
	if (s->cf->process_limit_default || limit == 0)
		return 0;
	/* "1" has always meant one process to services that are one process here */
	if (!s->row->per_core && limit == 1)
		return 0;
	return (limit + processes - 1) / processes;
}

static char **child_arguments(const struct service *s, unsigned slot, struct arena *arena)
{
	const struct master_service *cf = s->cf;
	struct argument_list list = {ARENA_ARRAY(arena, cf->arg_count + 24, char *), 0};

	argument(&list, arena, cf->command);
	argument(&list, arena, SL("-n"));
	argument(&list, arena, s->name);
	argument(&list, arena, SL("-t"));
	argument(&list, arena, slice_str(service_type_name(s->type)));
	if (cf->chroot)
		argument(&list, arena, SL("-c"));
	if (cf->unprivileged)
		argument(&list, arena, SL("-u"));
	number_argument(&list, arena, "-i", slot);
	number_argument(&list, arena, "-p", service_process_limit(s));
	number_argument(&list, arena, "-m", session_limit(s));
	number_argument(&list, arena, "-s", s->listener_count);
	for (size_t i = 0; i < cf->arg_count; i++)
		argument(&list, arena, cf->args[i]);
	return list.v;
}

/* child_environment - what import_environment lets through, and the configuration directory. */
static char **child_environment(const struct master *m, const struct service *s,
				 struct arena *arena)
{
	struct slice rest = m->conf->settings->import_environment, name, value;
	size_t n = 0;
	char **env = ARENA_ARRAY(arena, environment_count(rest) + 6, char *);

	env[n++] = (char *)arena_printf(arena, "MAIL_CONFIG=%s", m->config_dir).p;
	env[n++] = (char *)arena_printf(arena, "MAIL_MAIN_CF_FD=%d",
					FIRST_FD + 2 + (int)s->listener_count).p;
	env[n++] = (char *)"PATH=/usr/bin:/bin:/usr/sbin:/sbin";
#ifdef POSTRIDER_SANITIZERS
	if (getenv("ASAN_OPTIONS") != NULL)
		env[n++] = (char *)arena_printf(arena, "ASAN_OPTIONS=%s", getenv("ASAN_OPTIONS")).p;
	if (getenv("UBSAN_OPTIONS") != NULL)
		env[n++] = (char *)arena_printf(arena, "UBSAN_OPTIONS=%s", getenv("UBSAN_OPTIONS")).p;
#endif
	while (environment_next(&rest, arena, &name, &value))
		if (!slice_starts(name, SL("MAIL_CONFIG")) && !slice_starts(name, SL("MAIL_MAIN_CF")) &&
		    !slice_eq(name, SL("PATH")))
			env[n++] = (char *)arena_printf(arena, "%.*s=%.*s", SL_ARG(name), SL_ARG(value)).p;
	return env;
}

/* settings_file - main.cf as master read it, so that an edit counts from the next reload on, and a
 * broken one never. */
static int settings_file(const struct master *m)
{
	int fd = os_memory_file("main.cf");

	if (fd >= 0 &&
	    os_pwrite_full(fd, m->conf->main_cf.p, m->conf->main_cf.n, 0) < 0)
		return -1;
	return fd;
}

/* place_descriptors - all that the child has is 0, 1, 2 and these. */
static bool place_descriptors(const struct service *s, int control, int status, int settings)
{
	int high[MOST_LISTENERS + 3];
	size_t n = 0;

	high[n++] = os_dup_above(control, SAFE_FD);
	high[n++] = os_dup_above(status, SAFE_FD);
	for (size_t i = 0; i < s->listener_count; i++)
		high[n++] = os_dup_above(s->listeners[i].fd, SAFE_FD);
	high[n++] = os_dup_above(settings, SAFE_FD);
	for (size_t i = 0; i < n; i++)
		if (high[i] < 0 || os_dup_to(high[i], FIRST_FD + (int)i) < 0)
			return false;
	return os_close_from(FIRST_FD + (int)n) == 0;
}

static _Noreturn void child(const struct master *m, struct service *s, unsigned slot, int control,
			    int status)
{
	struct arena *arena = arena_create();
	char **argv = child_arguments(s, slot, arena);
	char **env = child_environment(m, s, arena);

	os_signals_default();
	if (place_descriptors(s, control, status, settings_file(m)))
		os_exec(s->program, argv, env);
	os_exit_now(127);
}

/* ---- master's side */

static void process_free(struct master *m, struct process **p)
{
	if ((*p)->fd >= 0) {
		os_poll_remove(m->poller, (*p)->fd);
		os_close((*p)->fd);
	}
	list_remove(&(*p)->link);
	os_act_as(m->accounts.owner_uid, m->accounts.owner_gid);
	os_unlinkat(AT_FDCWD, (*p)->status_path, 0);
	os_act_as(0, 0);
	free((*p)->status_path);
	free(*p);
	*p = NULL;
}

static struct process *process_new(struct service *s, unsigned slot, int fd)
{
	struct process *p = calloc(1, sizeof(*p));

	if (p == NULL)
		out_of_memory();
	*p = (struct process){.watch = {WATCH_PROCESS}, .service = s, .slot = slot, .fd = fd};
	p->status_path = status_path(s, slot);
	list_push_back(&s->processes, &p->link);
	return p;
}

struct process *process_start(struct master *m, struct service *s)
{
	struct process *p;
	int pair[2], status;

	if (s->listener_count > MOST_LISTENERS || os_socketpair(SOCK_STREAM, pair) < 0)
		return NULL;
	p = process_new(s, free_slot(s), pair[0]);
	status = status_socket(m, p->status_path);
	if (status >= 0 && os_poll_add(m->poller, p->fd, OS_READABLE, &p->watch) == 0)
		p->pid = os_fork();
	else
		p->pid = -1;
	if (p->pid == 0)
		child(m, s, p->slot, pair[1], status);
	os_close(pair[1]);
	if (status >= 0)
		os_close(status);
	if (p->pid < 0)
		process_free(m, &p);
	else
		s->used = true;
	return p;
}

static void process_says(struct master *m, struct process *p, char byte)
{
	switch (byte) {
	case 'R':
		p->ready_at = os_now();
		p->state = PROCESS_IDLE;
		break;
	case 'B':
		p->state = PROCESS_BUSY;
		break;
	case 'I':
		p->state = PROCESS_IDLE;
		break;
	case 'Q':
		/* it drains by its own decision: count it no longer */
		p->draining = true;
		break;
	default:
		break;
	}
	if (byte == 'R' && p->service->wakeup_pending) {
		p->service->wakeup_pending = false;
		process_tell(p, 'W');
	}
	(void)m;
}

void process_event(struct master *m, struct process *p)
{
	char bytes[64];
	ssize_t n;

	while (p->fd >= 0 && (n = os_read(p->fd, bytes, sizeof(bytes))) != 0) {
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			os_poll_remove(m->poller, p->fd);
			os_close(p->fd);
			p->fd = -1;
			return;
		}
		for (ssize_t i = 0; i < n; i++)
			process_says(m, p, bytes[i]);
	}
	service_review(m, p->service);
}

void process_tell(struct process *p, char byte)
{
	/* what does not fit into the socket waits there already */
	if (p->fd >= 0)
		os_send(p->fd, &byte, 1, 0);
}

void process_drain(struct process *p)
{
	if (p->draining)
		return;
	p->draining = true;
	process_tell(p, 'D');
}

void process_end(struct process *p)
{
	if (!p->ending)
		process_tell(p, 'E');
	p->ending = true;
	process_drain(p);
}

static struct process *find_process(const struct master *m, pid_t pid)
{
	LIST_FOREACH(node, &m->services) {
		struct service *s = CONTAINER_OF(node, struct service, link);

		LIST_FOREACH(inner, &s->processes) {
			struct process *p = CONTAINER_OF(inner, struct process, link);

			if (p->pid == pid)
				return p;
		}
	}
	return NULL;
}

void processes_reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = os_reap(&status)) > 0) {
		struct process *p = find_process(m, pid);
		struct service *s = p != NULL ? p->service : NULL;

		if (p == NULL)
			continue; /* an orphan that came to us */
		service_died(m, s, p, status);
		process_free(m, &p);
		service_review(m, s);
	}
}

size_t processes_alive(const struct master *m)
{
	size_t n = 0;

	LIST_FOREACH(node, &m->services) {
		const struct service *s = CONTAINER_OF(node, struct service, link);

		LIST_FOREACH(inner, &s->processes)
			n++;
	}
	return n;
}

void processes_signal(const struct master *m, int signal)
{
	LIST_FOREACH(node, &m->services) {
		const struct service *s = CONTAINER_OF(node, struct service, link);

		LIST_FOREACH(inner, &s->processes)
			os_kill(CONTAINER_OF(inner, struct process, link)->pid, signal);
	}
}
