/* SPDX-License-Identifier: ISC */
/* postrider - start, stop and look after one mail system; postrider(1). */
#include "commands/adopt.h"
#include "commands/postrider.h"
#include "commands/postrider_status.h"
#include "config/directory.h"
#include "config/environment.h"
#include "log/events.h"
#include "os/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

#define SUITE SL("Postrider")
#define STOP_PATIENCE (20 * OS_SECOND)
#define FORCE_PATIENCE (5 * OS_SECOND)

static int not_running(void)
{
	LOG(suite_not_running, .name = SUITE);
	return 1;
}

/* ---- check */

static int verb_check(struct control *c)
{
	return postrider_check(c, true) ? 0 : 1;
}

static int verb_set_permissions(struct control *c)
{
	return postrider_set_permissions(c) ? 0 : 1;
}

/* ---- start */

static bool may_start(struct control *c)
{
	if (postrider_master(c) != 0) {
		LOG(suite_running, .name = SUITE);
		return false;
	}
	if (!postrider_check(c, false))
		return false;
	LOG(suite_starting, .name = SUITE);
	return true;
}

static int verb_start(struct control *c)
{
	char *argv[] = {postrider_path(c, c->conf->settings->daemon_directory.p, "master"),
			(char *)"-w", c->verbose ? (char *)"-v" : NULL, NULL};

	if (!may_start(c))
		return 1;
	if (postrider_run(NULL, argv) == 0)
		return 0;
	log_fatal_text("mail system startup failed");
	return 1;
}

static int verb_start_fg(struct control *c)
{
	bool init = os_pid() == 1;
	char *argv[] = {postrider_path(c, c->conf->settings->daemon_directory.p, "master"),
			init ? (char *)"-i" : (char *)"-d", c->verbose ? (char *)"-v" : NULL, NULL};

	if (!may_start(c))
		return 1;
	log_close();
	os_exec(argv[0], argv, environ);
	log_fatal_text("cannot start-fg the master daemon: %s", strerror(errno));
	return 1;
}

/* ---- stop */

static bool gone_within(const struct control *c, int64_t patience)
{
	int64_t deadline = os_deadline(patience);

	while (postrider_master(c) != 0) {
		if (os_now() > deadline)
			return false;
		os_sleep(POSTRIDER_POLL_PAUSE);
	}
	return true;
}

static int end(struct control *c, int signal, int64_t patience)
{
	pid_t pid = postrider_master(c);

	if (pid == 0)
		return 0;
	if (os_kill(pid, signal) < 0) {
		log_fatal_text("cannot signal process %d: %s", (int)pid, strerror(errno));
		return 1;
	}
	if (gone_within(c, patience))
		return 0;
	log_warning_text("stopping the Postrider mail system with force");
	os_kill(pid, SIGKILL);
	return gone_within(c, FORCE_PATIENCE) ? 0 : 1;
}

static int verb_stop(struct control *c)
{
	if (postrider_master(c) == 0)
		return not_running();
	LOG(suite_stopping, .name = SUITE);
	return end(c, SIGTERM, STOP_PATIENCE);
}

static int verb_abort(struct control *c)
{
	if (postrider_master(c) == 0)
		return not_running();
	log_info_text("aborting the Postrider mail system");
	return end(c, SIGQUIT, FORCE_PATIENCE);
}

/* ---- while it runs */

static int verb_reload(struct control *c)
{
	pid_t pid = postrider_master(c);

	if (pid == 0)
		return not_running();
	LOG(suite_refreshing, .name = SUITE);
	return os_kill(pid, SIGHUP) == 0 ? 0 : 1;
}

/* verb_nothing - what Postfix's installation needs after an upgrade, and ours does not. */
static int verb_nothing(struct control *c)
{
	(void)c;
	return 0;
}

static int verb_flush(struct control *c)
{
	char *argv[] = {postrider_path(c, c->conf->settings->command_directory.p, "postqueue"),
			(char *)"-f", NULL};

	os_exec(argv[0], argv, environ); /* its exit status is ours */
	log_error_text("execute %s: %s", argv[0], strerror(errno));
	return 1;
}

static int verb_status(struct control *c)
{
	pid_t pid = postrider_master(c);

	if (pid == 0) {
		log_info_text("the Postrider mail system is not running");
		return 1;
	}
	log_info_text("the Postrider mail system is running: PID: %d", (int)pid);
	if (c->verbose > 0 && !postrider_status_print(c->conf->settings->queue_directory.p)) {
		log_error_text("status: %s", strerror(errno));
		return 1;
	}
	return 0;
}

static const struct verb {
	const char *name;
	bool valid; /* only with a configuration that is */
	int (*run)(struct control *c);
} verbs[] = {
    {"start", true, verb_start},   {"start-fg", true, verb_start_fg},
    {"stop", false, verb_stop},	   {"abort", false, verb_abort},
    {"reload", true, verb_reload}, {"flush", true, verb_flush},
    {"status", false, verb_status}, {"check", true, verb_check},
    {"set-permissions", true, verb_set_permissions}, {"logrotate", true, postrider_logrotate},
    {"drain", false, verb_stop},   {"quick-stop", false, verb_stop},
    {"quick-start", true, verb_start}, {"upgrade-configuration", false, verb_nothing},
};

static int usage(void)
{
	fprintf(stderr, "usage: postrider [-c config_dir] [-v] start|start-fg|stop|reload|flush|abort|"
			"status|check|set-permissions|logrotate|adopt directory\n");
	return 1;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

/* has_more_instances - the default configuration names others, and a program that looks after all. */
static bool has_more_instances(const struct control *c)
{
	const struct settings *s = c->conf->settings;

	return s->multi_instance_directories.n > 0 && s->multi_instance_wrapper.n > 0;
}

/* run_wrapper - the words of multi_instance_wrapper, then those of our command line. */
static int run_wrapper(struct control *c, char *const *words)
{
	struct slice rest = c->conf->settings->multi_instance_wrapper, word;
	char **argv;
	size_t count = 0, n = 0;

	while (words[count] != NULL)
		count++;
	argv = ARENA_ARRAY(c->arena, rest.n + count + 1, char *);
	while (slice_next(&rest, " \t", &word))
		argv[n++] = arena_str(c->arena, word);
	for (size_t i = 0; i < count; i++)
		argv[n++] = words[i];
	log_close();
	os_exec(argv[0], argv, environ); /* its exit status is ours */
	fprintf(stderr, "postrider: fatal: multi_instance_wrapper: execute %s: %s\n", argv[0], strerror(errno));
	return 1;
}

/* perform - `words`: the verb and what follows it, for the wrapper; NULL: this instance only. */
static int perform(struct control *c, const struct verb *verb, char *const *words)
{
	int status = 1;
	bool valid;

	if (os_euid() != 0) {
		fprintf(stderr, "postrider: fatal: the postrider command is reserved for the superuser\n");
		return 1;
	}
	/* what is started here is to use the same directory */
	setenv("MAIL_CONFIG", c->config_dir, 1);
	os_umask(022);
	valid = postrider_load(c);
	if (c->conf == NULL)
		return 1;
	environment_override(c->conf->settings->import_environment, c->arena);
	if (valid && words != NULL && has_more_instances(c))
		return run_wrapper(c, words);
	if (valid || !verb->valid)
		status = verb->run(c);
	log_close();
	return status;
}

int main(int argc, char **argv)
{
	struct control c = {.arena = arena_create()};
	const char *option_c = NULL;
	const struct verb *verb;
	int option, status;

	config_problems_init(&c.problems, c.arena);
	argv[0] = (char *)"postrider"; /* getopt complains under it */
	while ((option = getopt(argc, argv, "+c:Dv")) != -1) {
		if (option == 'c')
			option_c = optarg;
		else if (option == 'v')
			c.verbose++;
		else if (option != 'D')
			return usage();
	}
	if (optind == argc)
		return usage();
	if (config_directory_for(option_c, getenv("MAIL_CONFIG"), false, &c.problems,
				 &c.config_dir) != RES_OK)
		return 1;
	if (strcmp(argv[optind], "adopt") == 0)
		return adopt_main(argc - optind, argv + optind, c.config_dir);
	verb = find_verb(argv[optind]);
	if (verb == NULL)
		return usage();
	status = perform(&c, verb, option_c == NULL && getenv("MAIL_CONFIG") == NULL ? argv + optind : NULL);
	configuration_destroy(&c.conf);
	arena_destroy(&c.arena);
	return status;
}
