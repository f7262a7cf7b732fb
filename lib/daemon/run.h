/* SPDX-License-Identifier: ISC */
/* run - a daemon at work: what the parts of lib/daemon share. Nothing here is for others. */
#ifndef DAEMON_RUN_H
#define DAEMON_RUN_H

#include "daemon/daemon.h"
#include "daemon/sandbox.h"
#include "fiber/fiber.h"

#define CONTROL_FD 3
#define STATUS_FD 4
#define LISTENER_FD 5

/* What the command line says (ARCHITECTURE.md, How a daemon starts). */
struct daemon_arguments {
	struct slice program; /* last part of argv[0] */
	struct slice service;
	enum service_type type;
	bool chroot;
	unsigned slot;
	unsigned slots;
	size_t session_limit; /* 0: none */
	size_t listeners;
	int verbose;
	struct slice *overrides;
	size_t override_count;
	const char *const *rest;
	size_t rest_count;
};

/* daemon_parse_arguments - false and a text in *problem. */
bool daemon_parse_arguments(int argc, char **argv, struct arena *arena,
			    struct daemon_arguments *out, struct slice *problem);

struct acceptor {
	struct daemon_run *run;
	struct fiber_fd fd;
	struct fiber *fiber; /* NULL: has ended */
	int index;
};

struct daemon_run {
	const struct daemon *daemon;
	const struct privileges *row;
	struct sandbox_extra *extra;
	struct daemon_context *context;
	struct acceptor *acceptors;
	size_t acceptor_count;
	struct list sessions;
	size_t session_count;
	uint64_t serial;
	size_t most_sessions; /* the smaller of master.cf's limit and what the descriptors allow */
	int64_t idle_since;
	struct fiber_fd control;
	struct fiber_fd status;
	struct fiber_signals signals;
	struct fiber_cond changed; /* a session ended, draining began, the drain hook returned */
	bool draining;
	bool ending;  /* the suite ends: no successor */
	bool drained; /* the drain hook has returned */
	bool wakeup_wanted;
	bool wakeup_running;
	bool failed;
};

/* daemon_run_fibers - the main fiber. */
void daemon_run_fibers(void *run);

/* sessions.c */
void daemon_accept_all(struct daemon_run *run);
void daemon_sessions_cancel(struct daemon_run *run, bool only_idle);
/* control.c */
void daemon_tell_master(struct daemon_run *run, char byte);
void daemon_begin_drain(struct daemon_run *run);
void daemon_control_fiber(void *run);
void daemon_status_fiber(void *run);
void daemon_signal_fiber(void *run);
void daemon_idle_fiber(void *run);

#endif
