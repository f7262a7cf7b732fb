/* SPDX-License-Identifier: ISC */
#include "config.h"
#include "config/directory.h"
#include "daemon/layout.h"
#include "log/events.h"
#include "master/master.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* How master was asked to run. */
struct request {
	const char *config_option;
	bool detach; /* -w: return when everything is ready, or not at all */
	bool init;   /* -i: process 1 of a container */
	bool test;   /* -t: is there one? exit 0 when there is none */
	int verbose;
};

static bool parse(int argc, char **argv, struct request *r)
{
	int option;

	*r = (struct request){0};
	while ((option = getopt(argc, argv, "c:dDistvw")) != -1) {
		switch (option) {
		case 'c':
			r->config_option = optarg;
			break;
		case 'w':
			r->detach = true;
			break;
		case 'i':
			r->init = true;
			break;
		case 't':
			r->test = true;
			break;
		case 'v':
			r->verbose++;
			break;
		case 'd': /* foreground is what happens without -w */
		case 'D':
		case 's':
			break;
		default:
			return false;
		}
	}
	return optind == argc;
}

/* detach - the caller waits for one byte: all is well. Returns, in the child, the pipe's writing end. */
static int detach(void)
{
	int pair[2];
	char byte = 1;
	pid_t pid;

	if (os_socketpair(SOCK_STREAM, pair) < 0)
		return -1;
	pid = os_fork();
	if (pid < 0)
		return -1;
	if (pid == 0) {
		os_close(pair[0]);
		setsid();
		return pair[1];
	}
	os_close(pair[1]);
	/* blocking would do, but the socket is not: wait for the end or the byte */
	while (os_read(pair[0], &byte, 1) < 0 && errno == EAGAIN)
		os_sleep(10 * OS_MILLISECOND);
	os_exit_now(byte == 0 ? 0 : 1);
}

static void redirect_to_null(int from, int to)
{
	int fd = os_openat(AT_FDCWD, "/dev/null", O_RDWR, 0);

	for (int i = from; fd >= 0 && i <= to; i++)
		os_dup_to(fd, i);
	if (fd > 2)
		os_close(fd);
}

/* report_ready - to whom has waited; from then on nobody reads what we print. */
static void report_ready(int ready)
{
	char byte = 0;

	if (ready < 0)
		return;
	os_send(ready, &byte, 1, 0);
	os_close(ready);
	redirect_to_null(1, 2);
}

static void layout_problem(void *arg, struct slice text)
{
	(void)arg;
	log_error_text("%.*s", SL_ARG(text));
}

/* report_confinement - once, for all the processes that will start. */
static void report_confinement(const struct master *m)
{
	int abi = os_landlock_abi();

	if (abi < 6)
		LOG(sandbox_reduced,
		    .text = abi == 0 ? SL("this kernel has no Landlock: file modes and system call "
					  "filters must do")
			    : abi < 4 ? SL("this kernel's Landlock does not know TCP ports")
				      : SL("this kernel's Landlock does not know signals"));
	for (size_t i = 0; i < privilege_count; i++) {
		struct sandbox_accounts accounts;
		struct slice missing;

		if (privileges[i].user == USER_OWN &&
		    sandbox_accounts(&privileges[i], m->conf->settings, &accounts, &missing) ==
			RES_OK &&
		    accounts.fell_back)
			log_info_text("there is no account %s: %s runs as %.*s", accounts.own_name,
				      privileges[i].name, SL_ARG(m->conf->settings->mail_owner));
	}
}

/* open_loop - descriptors of master's own, before its sandbox. */
static bool open_loop(struct master *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGQUIT);
	os_signals_block(&set);
	os_signal_ignore(SIGPIPE);
	m->poller = os_poll_create();
	m->pause = os_poll_create();
	m->signals = os_signals_fd(&set);
	m->signal_watch = (struct watch){WATCH_SIGNAL};
	return m->poller >= 0 && m->pause >= 0 && m->signals >= 0 &&
	       os_poll_add(m->poller, m->signals, OS_READABLE, &m->signal_watch) == 0;
}

static bool confine(struct master *m)
{
	struct sandbox sandbox;
	const char *what;

	if (sandbox_prepare(privileges_find(SL("master")), m->conf->settings, &m->accounts, false, NULL,
			    &sandbox, &what) == RES_OK &&
	    sandbox_enter(&sandbox, &what) == RES_OK)
		return true;
	log_fatal_text("sandbox: %s: %s", what, strerror(errno));
	return false;
}

static bool prepare_queue(struct master *m)
{
	struct slice missing;

	if (sandbox_accounts(privileges_find(SL("master")), m->conf->settings, &m->accounts,
			     &missing) != RES_OK) {
		log_fatal_text("no such user or group: %.*s", SL_ARG(missing));
		return false;
	}
	if (layout_check(m->conf->settings, &m->accounts, true, layout_problem, NULL) > 0)
		return false;
	if (os_chdir(m->conf->settings->queue_directory.p) < 0) {
		log_fatal_text("%s: %s", m->conf->settings->queue_directory.p, strerror(errno));
		return false;
	}
	return true;
}

static bool lock_queue(struct master *m)
{
	pid_t other = 0;

	switch (master_lock(m, &other)) {
	case RES_OK:
		return true;
	case RES_TEMP:
		log_fatal_text("open lock file pid/master.pid: unable to set exclusive lock: "
			       "the mail system is already running (pid %d)", (int)other);
		return false;
	default:
		log_fatal_text("pid/master.pid: %s", strerror(errno));
		return false;
	}
}

static bool load(struct master *m, const struct request *r, struct config_problems *problems)
{
	if (config_directory_for(r->config_option, getenv("MAIL_CONFIG"), false, problems,
				 &m->config_dir) != RES_OK ||
	    configuration_load(m->config_dir, problems, &m->conf) != RES_OK) {
		master_report_problems(problems);
		return false;
	}
	return true;
}

/* start - everything up to the loop. */
static bool start(struct master *m, const struct request *r, struct config_problems *problems)
{
	if (!load(m, r, problems))
		return false;
	if (!prepare_queue(m) || !lock_queue(m))
		return false;
	master_open_log(m);
	log_set_verbose(r->verbose);
	if (master_write_pid(m) != RES_OK || !open_loop(m) || !confine(m))
		return false;
	LOG(master_started, .version = SL(PACKAGE_VERSION), .config_dir = slice_str(m->config_dir));
	report_confinement(m);
	m->starting = true;
	if (services_apply(m, problems) != RES_OK) {
		master_report_problems(problems);
		log_fatal_text("not all services can be had");
		return false;
	}
	m->starting = false;
	master_report_problems(problems);
	return true;
}

/* test_lock - exit status of -t: 0 nobody runs, 1 somebody does. */
static int test_lock(struct master *m, const struct request *r, struct config_problems *problems)
{
	pid_t other;

	if (!load(m, r, problems) || os_chdir(m->conf->settings->queue_directory.p) < 0)
		return 0;
	m->lock = os_openat(AT_FDCWD, "pid/master.pid", O_RDONLY | O_NOFOLLOW, 0);
	(void)other;
	if (m->lock < 0)
		return 0;
	return os_lock(m->lock, true, false) < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct master m = {.lock = -1};
	struct request request;
	struct config_problems problems;
	struct arena *arena = arena_create();
	int ready = -1, status = 1;

	list_init(&m.services);
	config_problems_init(&problems, arena);
	if (!parse(argc, argv, &request)) {
		fprintf(stderr, "usage: master [-c config_dir] [-w] [-i] [-t] [-v]\n");
		return 1;
	}
	os_umask(022);
	tzset();
	os_close_from(3);
	redirect_to_null(0, 0);
	if (request.test)
		return test_lock(&m, &request, &problems);
	if (os_euid() != 0) {
		fprintf(stderr, "master: fatal: only root can start it\n");
		return 1;
	}
	if (request.detach && (ready = detach()) < 0)
		return 1;
	m.init = request.init || os_pid() == 1;
	if (m.init)
		os_set_subreaper();
	if (start(&m, &request, &problems)) {
		arena_destroy(&arena);
		report_ready(ready);
		notify_supervisor("READY=1");
		status = master_loop(&m);
	} else {
		log_close();
		/* what was bound must not stay behind */
		services_end(&m);
		arena_destroy(&arena);
	}
	configuration_destroy(&m.conf);
	return status;
}
