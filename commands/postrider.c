/* SPDX-License-Identifier: ISC */
/* postrider - start, stop and look after one mail system; postrider(1). */
#include "base/check.h"
#include "config.h"
#include "config/directory.h"
#include "config/environment.h"
#include "config/main_cf.h"
#include "commands/adopt.h"
#include "config/usage.h"
#include "commands/postrider_status.h"
#include "commands/postrider_remote.h"
#include "commands/postrider_values.h"
#include "daemon/layout.h"
#include "log/events.h"
#include "master/master.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAIN_CF_LIMIT ((size_t)1 << 20)
#define SUITE SL("Postrider")
#define STOP_PATIENCE (20 * OS_SECOND)
#define FORCE_PATIENCE (5 * OS_SECOND)
#define ROTATE_PATIENCE (5 * OS_SECOND)
#define POLL_PAUSE (50 * OS_MILLISECOND)

extern char **environ;

struct control {
	const char *config_dir;
	struct configuration *conf;
	struct arena *arena;
	struct config_problems problems;
	int verbose;
};

/* ---- what all verbs need */

static void open_log(const struct control *c)
{
	const struct settings *s = c->conf->settings;
	struct log_options options = log_options_of(s, SL("postfix-script"));

	options.direct = true;
	options.stderr_too = true;
	log_open(&options);
}

static bool read_file(const char *path, struct buffer *out)
{
	int fd = os_openat(AT_FDCWD, path, O_RDONLY, 0);
	ssize_t n = -1;

	if (fd < 0)
		return false;
	while (buffer_reserve(out, 4096) && (n = os_read(fd, out->data + out->len, 4096)) > 0)
		out->len += (size_t)n;
	os_close(fd);
	return n == 0;
}

static void show_problems(const struct control *c, bool warnings)
{
	for (size_t i = 0; i < c->problems.count; i++) {
		const struct config_problem *p = &c->problems.items[i];
		struct slice text = config_problem_text(c->arena, p);

		if (p->fatal)
			LOG(config_error, .text = text);
		else if (warnings)
			LOG(config_warning, .text = text);
	}
}

/* plain_value - of a line of main.cf that needs no expansion; the default otherwise. */
static void plain_value(const struct main_cf *cf, const char *name, struct buffer *out)
{
	const struct main_cf_entry *e = main_cf_find(cf, slice_str(name));

	if (e != NULL && slice_find(e->value, '$') < 0)
		buffer_printf(out, "%s = %.*s\n", name, SL_ARG(e->value));
}

/*
 * salvage - main.cf is not valid, but the system that it describes may run, and must be found to be
 * stopped: only what says where it lies.
 */
static bool salvage(struct control *c)
{
	static const char *const names[] = {"queue_directory", "maillog_file",
					    "maillog_file_prefixes", "syslog_name", "myhostname"};
	struct slice path = arena_printf(c->arena, "%s/main.cf", c->config_dir);
	struct config_problems ignored;
	struct settings *settings = NULL;
	struct main_cf cf;
	struct buffer text, kept;

	config_problems_init(&ignored, c->arena);
	buffer_init(&text, MAIN_CF_LIMIT);
	buffer_init(&kept, MAIN_CF_LIMIT);
	if (read_file(path.p, &text))
		main_cf_parse(buffer_slice(&text), path, c->arena, &ignored, &cf);
	else
		cf = (struct main_cf){0};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		plain_value(&cf, names[i], &kept);
	if (cf.count > 0)
		settings_parse(buffer_slice(&kept), c->config_dir, NULL, 0, &ignored, &settings);
	buffer_free(&text);
	buffer_free(&kept);
	if (settings == NULL)
		return false;
	c->conf = calloc(1, sizeof(*c->conf));
	if (c->conf == NULL)
		out_of_memory();
	c->conf->settings = settings;
	return true;
}

/* load - false when the configuration is not valid; each problem has been told. */
static bool load(struct control *c)
{
	bool valid = configuration_load(c->config_dir, &c->problems, &c->conf) == RES_OK;

	if (valid || salvage(c))
		open_log(c);
	if (!valid)
		show_problems(c, true);
	return valid;
}

/* master_pid - of the running master, 0 when none runs: the lock tells, not the file. */
static pid_t master_pid(const struct control *c)
{
	struct slice path =
	    arena_printf(c->arena, "%s/pid/master.pid", c->conf->settings->queue_directory.p);
	int fd = os_openat(AT_FDCWD, path.p, O_RDONLY | O_NOFOLLOW, 0);
	char text[32] = "";
	pid_t pid = 0;

	if (fd < 0)
		return 0;
	if (os_lock(fd, false, false) < 0 && errno == EWOULDBLOCK &&
	    os_pread(fd, text, sizeof(text) - 1, 0) > 0)
		pid = (pid_t)strtol(text, NULL, 10);
	os_close(fd);
	return pid;
}

static int not_running(void)
{
	LOG(suite_not_running, .name = SUITE);
	return 1;
}

static char *program_path(const struct control *c, const char *folder, const char *name)
{
	return (char *)arena_printf(c->arena, "%s/%s", folder, name).p;
}

static int run(char *const argv[])
{
	pid_t pid = os_fork();
	int status = 1;

	if (pid == 0) {
		os_exec(argv[0], argv, environ);
		fprintf(stderr, "postrider: fatal: %s: %s\n", argv[0], strerror(errno));
		os_exit_now(1);
	}
	if (pid < 0 || os_wait(pid, &status) < 0)
		return 1;
	return status == 0 ? 0 : 1;
}

/* ---- check */

static void report_layout(void *arg, struct slice text)
{
	(void)arg;
	log_warning_text("%.*s", SL_ARG(text));
}

/* check_owner - configuration and programs belong to root, and nobody else may write there. */
static void check_owner(const char *path)
{
	struct stat st;

	if (os_fstatat(AT_FDCWD, path, &st, 0) < 0) {
		log_warning_text("%s: %s", path, strerror(errno));
		return;
	}
	if (st.st_uid != 0)
		log_warning_text("not owned by root: %s", path);
	if (st.st_mode & 022)
		log_warning_text("group or other writable: %s", path);
}

static void check_owners(const struct control *c)
{
	const struct settings *s = c->conf->settings;

	check_owner(c->config_dir);
	check_owner(arena_printf(c->arena, "%s/main.cf", c->config_dir).p);
	check_owner(arena_printf(c->arena, "%s/master.cf", c->config_dir).p);
	check_owner(s->daemon_directory.p);
	check_owner(s->command_directory.p);
}

static bool check_accounts(const struct control *c, struct sandbox_accounts *accounts)
{
	struct slice missing;

	if (sandbox_accounts(privileges_find(SL("master")), c->conf->settings, accounts,
			     &missing) == RES_OK)
		return true;
	log_fatal_text("no such user or group: %.*s", SL_ARG(missing));
	return false;
}

/* check_own_accounts - the processes that speak to strangers should not be the spool's owner. */
static void check_own_accounts(const struct control *c)
{
	for (size_t i = 0; i < privilege_count; i++) {
		struct sandbox_accounts a;
		struct slice missing;

		if (privileges[i].user == USER_OWN &&
		    sandbox_accounts(&privileges[i], c->conf->settings, &a, &missing) == RES_OK &&
		    a.fell_back)
			log_warning_text("there is no account %s: %s runs as %.*s", a.own_name,
					 privileges[i].name,
					 SL_ARG(c->conf->settings->mail_owner));
	}
}

/* The commands that unprivileged users start, and that reach more than they. */
static const char *const set_gid_commands[] = {"postdrop", "postqueue", "postlog"};

static bool is_set_gid(int fd, gid_t group)
{
	struct stat st;

	return os_fstat(fd, &st) == 0 && st.st_gid == group && (st.st_mode & 07777) == 02755;
}

/* make_set_gid - the group first: changing it takes the bit away. */
static bool make_set_gid(int fd, gid_t group)
{
	return os_fchown(fd, 0, group) == 0 && os_fchmod(fd, 02755) == 0;
}

/* check_set_gid - that each has setgid_group, and the bit; with `mend` it gets them. */
static bool check_set_gid(const struct control *c, const struct sandbox_accounts *accounts, bool mend)
{
	bool all = true;

	for (size_t i = 0; i < sizeof(set_gid_commands) / sizeof(set_gid_commands[0]); i++) {
		const char *path = program_path(c, c->conf->settings->command_directory.p,
						set_gid_commands[i]);
		int fd = os_openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, 0);

		if (fd < 0 || !(is_set_gid(fd, accounts->drop_gid) ||
				(mend && make_set_gid(fd, accounts->drop_gid)))) {
			log_warning_text("not set-gid %.*s: %s", SL_ARG(c->conf->settings->setgid_group),
					 path);
			all = false;
		}
		if (fd >= 0)
			os_close(fd);
	}
	return all;
}

/* check_usage - names that nothing defines or uses, parameters that change nothing here, tables. */
static void check_usage(struct control *c)
{
	struct slice path = arena_printf(c->arena, "%s/main.cf", c->config_dir);
	struct config_problems told;
	struct master_cf cf; /* with the services that cannot run, too */
	struct usage usage;

	config_problems_init(&told, c->arena);
	(void)master_cf_load(c->config_dir, c->conf->settings, c->arena, &told, &cf);
	usage_find(c->conf->settings->values, path, &cf, c->arena, &c->problems, &usage);
	usage_unused(&usage, &c->problems);
	usage_deprecated(&usage, &c->problems);
	usage_without_effect(&usage, &c->problems);
	usage_restrictions(&usage, &c->problems);
	postrider_check_values(c->conf->settings->values, c->arena, &c->problems);
	postrider_check_remote(c->conf->settings, c->config_dir, &cf, &c->problems);
	usage_free(&usage);
}

/* check - everything that can be known before a start; false when it cannot succeed. */
static bool check(struct control *c, bool all)
{
	struct sandbox_accounts accounts;
	bool root = os_euid() == 0;

	if (!check_accounts(c, &accounts))
		return false;
	if (layout_check(c->conf->settings, &accounts, root, report_layout, NULL) > 0 && root) {
		log_fatal_text("Postrider integrity check failed!");
		return false;
	}
	if (!all)
		return true;
	check_usage(c);
	show_problems(c, true);
	check_owners(c);
	check_set_gid(c, &accounts, false);
	check_own_accounts(c);
	return c->problems.fatal == 0;
}

static int verb_check(struct control *c)
{
	return check(c, true) ? 0 : 1;
}

static int verb_set_permissions(struct control *c)
{
	struct sandbox_accounts accounts;

	return check(c, false) && check_accounts(c, &accounts) && check_set_gid(c, &accounts, true) ? 0 : 1;
}

/* ---- start */

static bool may_start(struct control *c)
{
	if (master_pid(c) != 0) {
		LOG(suite_running, .name = SUITE);
		return false;
	}
	if (!check(c, false))
		return false;
	LOG(suite_starting, .name = SUITE);
	return true;
}

static int verb_start(struct control *c)
{
	char *argv[] = {program_path(c, c->conf->settings->daemon_directory.p, "master"),
			(char *)"-w", c->verbose ? (char *)"-v" : NULL, NULL};

	if (!may_start(c))
		return 1;
	if (run(argv) == 0)
		return 0;
	log_fatal_text("mail system startup failed");
	return 1;
}

static int verb_start_fg(struct control *c)
{
	bool init = os_pid() == 1;
	char *argv[] = {program_path(c, c->conf->settings->daemon_directory.p, "master"),
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

	while (master_pid(c) != 0) {
		if (os_now() > deadline)
			return false;
		os_sleep(POLL_PAUSE);
	}
	return true;
}

static int end(struct control *c, int signal, int64_t patience)
{
	pid_t pid = master_pid(c);

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
	if (master_pid(c) == 0)
		return not_running();
	LOG(suite_stopping, .name = SUITE);
	return end(c, SIGTERM, STOP_PATIENCE);
}

static int verb_abort(struct control *c)
{
	if (master_pid(c) == 0)
		return not_running();
	log_info_text("aborting the Postrider mail system");
	return end(c, SIGQUIT, FORCE_PATIENCE);
}

/* ---- while it runs */

static int verb_reload(struct control *c)
{
	pid_t pid = master_pid(c);

	if (pid == 0)
		return not_running();
	LOG(suite_refreshing, .name = SUITE);
	return os_kill(pid, SIGHUP) == 0 ? 0 : 1;
}

static bool exists(const char *path)
{
	struct stat st;

	return os_fstatat(AT_FDCWD, path, &st, 0) == 0;
}

/* compress - when the daemon that writes the log has gone over to the new file. */
static int compress(const struct control *c, const char *log, const char *rotated)
{
	char *const argv[] = {(char *)c->conf->settings->maillog_file_compressor.p,
			      (char *)(uintptr_t)rotated, NULL};
	int64_t deadline = os_deadline(ROTATE_PATIENCE);
	pid_t pid;
	int status = 1;

	if (argv[0][0] == '\0')
		return 0;
	while (!exists(log) && os_now() < deadline)
		os_sleep(POLL_PAUSE);
	os_sleep(OS_SECOND); /* what its predecessor had still to write */
	pid = os_fork();
	if (pid == 0) {
		(void)os_exec_search(argv);
		fprintf(stderr, "postrider: fatal: maillog_file_compressor: execute %s: %s\n", argv[0],
			strerror(errno));
		os_exit_now(1);
	}
	return pid > 0 && os_wait(pid, &status) == 0 && status == 0 ? 0 : 1;
}

/* time_suffix - false: the format gives nothing, or more than fits. */
static bool time_suffix(const char *format, char *out, size_t size)
{
	time_t now = (time_t)(os_wall() / OS_SECOND);
	struct tm tm;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the administrator's; strftime() reads nothing but tm */
	return localtime_r(&now, &tm) != NULL && strftime(out, size, format, &tm) > 0;
#pragma GCC diagnostic pop
}

static int verb_logrotate(struct control *c)
{
	const struct settings *s = c->conf->settings;
	const char *log = s->maillog_file.p, *rotated;
	char suffix[128];
	pid_t pid = master_pid(c);

	if (s->maillog_file.n == 0 || slice_starts(s->maillog_file, SL("/dev/"))) {
		log_fatal_text("maillog_file is \"%s\": only a file of its own can be rotated", log);
		return 1;
	}
	if (!time_suffix(s->maillog_file_rotate_suffix.p, suffix, sizeof(suffix))) {
		log_fatal_text("maillog_file_rotate_suffix: bad value \"%s\": a format of strftime(3) for 1 to "
			       "127 bytes is allowed", s->maillog_file_rotate_suffix.p);
		return 1;
	}
	rotated = arena_printf(c->arena, "%s.%s", log, suffix).p;
	if (os_renameat_noreplace(AT_FDCWD, log, AT_FDCWD, rotated) < 0) {
		log_fatal_text("rename %s to %s: %s", log, rotated, strerror(errno));
		return 1;
	}
	if (pid != 0 && os_kill(pid, SIGHUP) < 0)
		log_warning_text("cannot signal process %d: %s", (int)pid, strerror(errno));
	return compress(c, log, rotated);
}

/* verb_nothing - what Postfix's installation needs after an upgrade, and ours does not. */
static int verb_nothing(struct control *c)
{
	(void)c;
	return 0;
}

static int verb_flush(struct control *c)
{
	char *argv[] = {program_path(c, c->conf->settings->command_directory.p, "postqueue"),
			(char *)"-f", NULL};

	os_exec(argv[0], argv, environ); /* its exit status is ours */
	log_error_text("execute %s: %s", argv[0], strerror(errno));
	return 1;
}

static int verb_status(struct control *c)
{
	pid_t pid = master_pid(c);

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
    {"set-permissions", true, verb_set_permissions}, {"logrotate", true, verb_logrotate},
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
	valid = load(c);
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
