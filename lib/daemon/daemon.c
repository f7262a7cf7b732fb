/* SPDX-License-Identifier: ISC */
#include "daemon/daemon.h"
#include "config.h"
#include "config/directory.h"
#include "config/source.h"
#include "daemon/run.h"
#include "log/events.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define FILES_WANTED 65536u
#define FILES_SPARE 128u      /* for all but sessions */
#define FILES_PER_SESSION 3u  /* the client, and those whom the session speaks to */

/* ---- before the sandbox */

/* load_main_cf - what master handed over; of a daemon started by hand the file itself. */
static void load_main_cf(const char *dir, const struct slice *overrides, size_t count,
			 struct config_problems *problems, struct settings **settings)
{
	struct slice given = slice_str(getenv("MAIL_MAIN_CF_FD")), text;
	uint64_t fd;

	if (!slice_u64(given, &fd) || fd > INT_MAX) {
		settings_load(dir, overrides, count, problems, settings);
		return;
	}
	if (config_read_fd((int)fd, SL("main.cf"), problems->arena, problems, &text) == RES_OK)
		settings_parse(text, dir, overrides, count, problems, settings);
	os_close((int)fd);
	unsetenv("MAIL_MAIN_CF_FD");
}

static bool load_settings(const struct daemon_arguments *a, struct daemon_context *c,
			  struct arena *arena)
{
	struct config_problems problems;
	struct settings *settings = NULL;
	size_t n = a->override_count + 2;
	struct slice *all = ARENA_ARRAY(arena, n, struct slice);

	config_problems_init(&problems, arena);
	if (config_directory_for(NULL, getenv("MAIL_CONFIG"), false, &problems, &c->config_dir) !=
	    RES_OK)
		return false;
	/* first, so that -o values may refer to them, and win */
	all[0] = arena_printf(arena, "process_name=%.*s", SL_ARG(a->program));
	all[1] = arena_printf(arena, "service_name=%.*s", SL_ARG(a->service));
	for (size_t i = 0; i < a->override_count; i++)
		all[2 + i] = a->overrides[i];
	load_main_cf(c->config_dir, all, n, &problems, &settings);
	for (size_t i = 0; i < problems.count; i++)
		if (problems.items[i].fatal)
			LOG(config_error, .text = config_problem_text(arena, &problems.items[i]));
	c->settings = settings;
	return settings != NULL;
}

static void open_log(const struct daemon_arguments *a, const struct settings *settings)
{
	struct log_options options = log_options_of(settings, a->program);

	log_open(&options);
	log_set_verbose(a->verbose);
}

static void set_limits(struct daemon_run *run)
{
	uint64_t files = os_raise_files(run->row->kind == KIND_FIBERS ? FILES_WANTED : 1024);
	size_t fit = files > FILES_SPARE ? (files - FILES_SPARE) / FILES_PER_SESSION : 1;
	size_t limit = run->context->session_limit;

	if (run->row->kind == KIND_POOL)
		limit = 1;
	run->most_sessions = limit == 0 || limit > fit ? fit : limit;
	run->context->session_limit = run->most_sessions;
#ifndef POSTRIDER_SANITIZERS
	os_limit(RLIMIT_CORE, 0);
#endif
}

static struct sandbox_extra *add_extra(struct daemon_context *context)
{
	struct sandbox_extra *x = ARENA_NEW(context->arena, struct sandbox_extra);

	x->next = context->run->extra;
	context->run->extra = x;
	return x;
}

void daemon_allow_read(struct daemon_context *context, const char *path)
{
	add_extra(context)->path = arena_dup(context->arena, slice_str(path)).p;
}

void daemon_allow_connect(struct daemon_context *context, uint16_t port)
{
	add_extra(context)->port = port;
}

static bool started_by_master(void)
{
	struct stat st;

	return os_fstat(CONTROL_FD, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* enter_sandbox - looks at accounts and paths, lets the daemon open what it needs, then locks in. */
static bool enter_sandbox(struct daemon_run *run, bool chroot)
{
	struct daemon_context *c = run->context;
	struct sandbox_accounts accounts;
	struct sandbox sandbox;
	struct slice missing;
	const char *what;

	if (sandbox_accounts(run->row, c->settings, &accounts, &missing) != RES_OK) {
		log_fatal_text("no such user or group: %.*s", SL_ARG(missing));
		return false;
	}
	c->owner_uid = accounts.owner_uid;
	c->owner_gid = accounts.owner_gid;
	c->queue_fd = os_openat(AT_FDCWD, c->settings->queue_directory.p, O_RDONLY | O_DIRECTORY, 0);
	if (c->queue_fd < 0 || os_chdir(c->settings->queue_directory.p) < 0) {
		log_fatal_text("%s: %s", c->settings->queue_directory.p, strerror(errno));
		return false;
	}
	log_entered_queue();
	if (run->daemon->open != NULL && run->daemon->open(c) != RES_OK)
		return false;
	if (sandbox_prepare(run->row, c->settings, &accounts, chroot, run->extra, &sandbox, &what) !=
		RES_OK ||
	    sandbox_enter(&sandbox, &what) != RES_OK) {
		log_fatal_text("sandbox: %s: %s", what, strerror(errno));
		return false;
	}
	return true;
}

/* ---- at work */

#define SLICE_WORTH_A_LINE (500 * OS_MILLISECOND)

/*
 * slow_slice - each is counted (status socket); the log hears only of those that people would feel, for on a
 * loaded machine a process that was put aside for a moment looks the same.
 */
static void slow_slice(const char *name, const char *last_wait, int64_t duration, void *arg)
{
	(void)arg;
	if (duration < SLICE_WORTH_A_LINE)
		return;
	LOG(slow_slice, .fiber = slice_str(name), .last_wait = slice_str(last_wait),
	    .duration = duration);
}

static bool acceptors_gone(const struct daemon_run *run)
{
	for (size_t i = 0; i < run->acceptor_count; i++)
		if (run->acceptors[i].fiber != NULL)
			return false;
	return true;
}

static bool spawn(struct daemon_run *run, const char *name, void (*fn)(void *))
{
	if (fiber_spawn(name, fn, run) != NULL)
		return true;
	run->failed = true;
	return false;
}

static bool start_fibers(struct daemon_run *run)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (fiber_signals_open(&run->signals, &set) < 0)
		return false;
	if (run->daemon->workers > 0)
		fiber_offload_start();
	fiber_fd_init(&run->control, CONTROL_FD);
	fiber_fd_init(&run->status, STATUS_FD);
	fiber_cond_init(&run->changed);
	log_start_fiber();
	spawn(run, "signals", daemon_signal_fiber);
	spawn(run, "control", daemon_control_fiber);
	spawn(run, "status", daemon_status_fiber);
	return !run->failed;
}

static bool exits_when_idle(const struct daemon_run *run)
{
	/* of several processes none goes by itself: who is left could not serve as many */
	return run->row->kind == KIND_POOL ||
	       (run->daemon->exit_when_idle && run->context->slots == 1);
}

void daemon_run_fibers(void *arg)
{
	struct daemon_run *run = arg;

	run->failed = !start_fibers(run);
	if (run->failed) {
		log_fatal_text("cannot start fibers: %s", strerror(errno));
		return;
	}
	if (run->daemon->start != NULL)
		run->daemon->start(run->context);
	run->idle_since = os_now();
	daemon_accept_all(run);
	if (exits_when_idle(run))
		spawn(run, "idle", daemon_idle_fiber);
	daemon_tell_master(run, 'R');
	while (!(run->draining && run->drained && run->session_count == 0 && acceptors_gone(run)))
		if (fiber_cond_wait(&run->changed, OS_NEVER, "the end") < 0)
			break;
}

static bool prepare(int argc, char **argv, struct daemon_arguments *a, struct daemon_run *run)
{
	struct daemon_context *c = run->context;
	struct slice problem = SL_NULL;

	if (!daemon_parse_arguments(argc, argv, c->arena, a, &problem) || !started_by_master()) {
		fprintf(stderr, "%s: fatal: %.*s\n", run->daemon->name,
			SL_ARG(problem.n > 0 ? problem : SL("this program is started by master")));
		return false;
	}
	if (!load_settings(a, c, c->arena))
		return false;
	open_log(a, c->settings);
	c->service = a->service;
	c->type = a->type;
	c->args = a->rest;
	c->arg_count = a->rest_count;
	c->slot = a->slot;
	c->slots = a->slots;
	c->session_limit = a->session_limit;
	c->listener_count = (int)a->listeners;
	c->chroot = a->chroot && run->row->chroot;
	run->acceptor_count = a->listeners;
	run->acceptors = ARENA_ARRAY(c->arena, a->listeners, struct acceptor);
	return true;
}

int daemon_main(int argc, char **argv, const struct daemon *daemon)
{
	struct daemon_context context = {.arena = arena_create()};
	struct daemon_run run = {.daemon = daemon, .context = &context};
	struct daemon_arguments arguments;
	struct fibers_options options = {.stack_size = daemon->stack,
					 .workers = daemon->workers,
					 .slow_slice = slow_slice};

	context.run = &run;
	list_init(&run.sessions);
	run.row = privileges_find(slice_str(daemon->name));
	if (run.row == NULL || !prepare(argc, argv, &arguments, &run))
		return 1;
	os_signal_ignore(SIGPIPE);
	os_signal_ignore(SIGINT);
	os_signal_ignore(SIGHUP);
	os_umask(077);
	tzset();
	set_limits(&run);
	/* not so where users' programs would inherit it; where the kernel refuses, all works as well */
	if (run.row->kind == KIND_FIBERS)
		(void)os_schedule_batch();
	if (!enter_sandbox(&run, arguments.chroot)) {
		log_close();
		return 1;
	}
	if (fibers_run(&options, daemon_run_fibers, &run) < 0) {
		log_fatal_text("cannot run: %s", strerror(errno));
		run.failed = true;
	}
	log_close();
	return run.failed ? 1 : 0;
}
