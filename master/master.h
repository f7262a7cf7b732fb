/* SPDX-License-Identifier: ISC */
/*
 * master - binds every socket, starts every process, and does nothing else. One thread, one loop
 * over a poller; nothing in it waits for anything but the poller.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "base/arena.h"
#include "base/list.h"
#include "config/master_cf.h"
#include "daemon/sandbox.h"
#include "os/clock.h"
#include "os/socket.h"

/* What a poller event belongs to; first member of each thing that is polled. */
enum watch_kind { WATCH_SIGNAL, WATCH_LISTENER, WATCH_PROCESS };

struct watch {
	enum watch_kind kind;
};

/* One listening socket of a service. */
struct listener {
	struct watch watch;
	struct service *service;
	int fd;
	bool watched; /* in the poller: a client means that a process is needed */
	struct os_addr addr;
	char *path; /* of a UNIX socket, below $queue_directory; NULL for inet */
	bool wanted; /* during a reload: still asked for */
};

enum process_state { PROCESS_STARTING, PROCESS_IDLE, PROCESS_BUSY };

struct process {
	struct watch watch;
	struct list link; /* service->processes */
	struct service *service;
	pid_t pid;
	unsigned slot; /* lowest number free in the service */
	int fd;	       /* our end of the daemon's descriptor 3; -1: it has closed it */
	enum process_state state;
	bool ending; /* was told that the suite ends */
	bool draining;	  /* told to finish; no longer counted */
	int64_t ready_at; /* 0: never was */
	char *status_path;
};

struct service {
	struct list link; /* master->services */
	struct slice name; /* a copy of its own: it outlives configurations */
	enum service_type type;
	const struct master_service *cf; /* in the present configuration; NULL: gone from it */
	const struct privileges *row;
	char *program; /* path */
	struct listener *listeners;
	size_t listener_count;
	struct list processes;
	bool used;	       /* a process has run: wake-ups with `?` strike */
	bool wanted;	       /* during a reload: still there */
	int64_t next_wakeup;   /* OS_NEVER: none */
	bool wakeup_pending;   /* strikes when the process that is being started is ready */
	int64_t throttle;      /* the next pause; 0: the last process was well */
	int64_t paused_until;  /* monotonic; 0: not paused */
	bool limit_reported;
};

/* What one reading of the configuration gave; replaced as a whole by a reload. */
struct configuration {
	struct arena *arena;
	struct settings *settings;
	struct slice main_cf; /* the file as it was read: what every process starts with until the
			       * next reload */
	struct master_cf cf; /* with the services that are added */
};

struct master {
	const char *config_dir;
	struct configuration *conf;
	struct sandbox_accounts accounts;
	struct list services;
	int poller;
	int pause; /* a poller without descriptors: to wait with */
	int signals;
	struct watch signal_watch;
	int lock; /* pid/master.pid */
	bool foreground;
	bool starting;
	bool init; /* process 1 of a container: reap orphans */
	bool stopping;
	bool aborted;
	int64_t stop_step_at; /* when the next, harder step of stopping is due */
	int stop_step;
};

/* ---- configuration.c */

/*
 * configuration_load - read main.cf and master.cf, add what a foreign master.cf lacks, leave out what
 * has no program. RES_OK or the problems, which hold all that is to be said, warnings too.
 */
enum result configuration_load(const char *dir, struct config_problems *problems,
			       struct configuration **out);
/* configuration_parse - the same of texts; `dir` is what messages and $config_directory name. */
enum result configuration_parse(const char *dir, struct slice main_cf, struct slice master_cf,
				struct config_problems *problems, struct configuration **out);
void configuration_destroy(struct configuration **conf);

/* ---- listener.c: sockets of a service */

/*
 * listeners_bind - bring the service's sockets in line with its configuration: what is there stays, what
 * is new is bound, what is gone is closed. RES_TEMP or RES_PERM and a text in *problem (arena) when one
 * cannot be had; the others are bound all the same.
 */
enum result listeners_bind(struct master *m, struct service *s, struct arena *arena,
			   struct slice *problem);
void listeners_close(struct master *m, struct service *s);
/* listeners_watch - wait (or no longer) for clients while no process does. */
void listeners_watch(struct master *m, struct service *s, bool on);

/* ---- service.c: when a service needs a process */

/* services_apply - make the list of services what the configuration says. The same problem texts. */
enum result services_apply(struct master *m, struct config_problems *problems);
/* service_client - somebody has connected to a service that waits for it. */
void service_client(struct master *m, struct service *s);
/* service_review - after any change of its processes: start what is due, watch or not. */
void service_review(struct master *m, struct service *s);
/* services_tick - what is due by now: wake-ups, ends of pauses. The time of the next one. */
int64_t services_tick(struct master *m);
/* service_died - take note of how a process ended: back-off or not. */
void service_died(struct master *m, struct service *s, const struct process *p, int status);
size_t service_process_limit(const struct service *s);
void service_destroy(struct master *m, struct service **s);
/* services_end - close and forget all; no process may be left. */
void services_end(struct master *m);

/* ---- process.c */

/* process_start - NULL when it could not be forked. */
struct process *process_start(struct master *m, struct service *s);
/* process_event - read what the process says. */
void process_event(struct master *m, struct process *p);
/* process_tell - one byte: 'D' drain, 'E' the suite ends (comes before 'D'), 'W' wake up. */
void process_tell(struct process *p, char byte);
/* process_drain - tell it to finish, count it no longer. */
void process_drain(struct process *p);
/* process_end - process_drain, when the whole suite ends. */
void process_end(struct process *p);
/* processes_reap - collect all that have ended. */
void processes_reap(struct master *m);
size_t processes_alive(const struct master *m);
void processes_signal(const struct master *m, int signal);
/* service_active - processes that take clients, draining ones not counted. */
size_t service_active(const struct service *s, enum process_state state);
size_t service_running(const struct service *s);

/* ---- notify.c: sd_notify(3) */
void notify_supervisor(const char *state);

/* ---- lifetime.c */

/* master_lock - one instance a queue directory; RES_TEMP and the other's pid, RES_PERM and errno. */
enum result master_lock(struct master *m, pid_t *other);
/* master_write_pid - only once everything else is well. */
enum result master_write_pid(const struct master *m);
void master_open_log(const struct master *m);
void master_report_problems(const struct config_problems *problems);
/* master_stop - each process finishes, the log last; or ends at once. master_loop returns then. */
void master_stop(struct master *m, bool at_once);
void master_reload(struct master *m);
int master_loop(struct master *m);

#endif
