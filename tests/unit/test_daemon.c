/* SPDX-License-Identifier: ISC */
/* test_daemon - the privileges as declared, and lib/daemon's parts that need no master. */
#include "tests/unit/unit.h"

#include "config.h"
#include "daemon/calls.h"
#include "daemon/run.h"
#include "daemon/sandbox.h"
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < privilege_count; i++) {
		const struct privileges *row = &privileges[i];

		assert_non_null(calls_find(row->calls));
		capability_mask(row->capabilities); /* aborts on an unknown name */
		if (row->kind != KIND_FIBERS)
			continue;
		/* what serves strangers has no way to more rights */
		assert_string_equal(row->capabilities, "");
		assert_true(row->no_new_privs);
		assert_false(row->any_file);
		assert_string_not_equal(row->calls, "broad");
		assert_true(row->user == USER_SPOOL || row->user == USER_OWN);
	}
}

static void test_find(void **state)
{
	(void)state;
	assert_null(privileges_find(SL("nosuch")));
	assert_null(privileges_find(SL("")));
	assert_string_equal(privileges_find(SL("lmtp"))->name, "smtp");
	assert_string_equal(privileges_find(SL("discard"))->name, "error");
	assert_string_equal(privileges_find(SL("retry"))->name, "error");
	assert_true(privileges_find(SL("qmgr"))->exclusive);
	assert_true(privileges_find(SL("smtpd"))->per_core);
	assert_int_equal(privileges_find(SL("local"))->kind, KIND_POOL);
}

static void test_capabilities(void **state)
{
	(void)state;
	assert_int_equal(capability_mask(""), 0);
	assert_int_equal(capability_mask("setuid kill"), 1 << CAP_SETUID | 1 << CAP_KILL);
}

static bool parse(struct arena *arena, struct daemon_arguments *out, struct slice *problem, int n,
		  const char *const *words)
{
	char **argv = ARENA_ARRAY(arena, (size_t)n + 1, char *);

	for (int i = 0; i < n; i++)
		argv[i] = arena_str(arena, slice_str(words[i]));
	return daemon_parse_arguments(n, argv, arena, out, problem);
}

#define PARSE(...)                                                                            \
	parse(arena, &a, &problem, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), \
	      (const char *[]){__VA_ARGS__})

static void test_arguments(void **state)
{
	struct arena *arena = arena_create();
	struct daemon_arguments a;
	struct slice problem = SL_NULL;

	(void)state;
	assert_true(PARSE("/usr/libexec/postrider/lmtp", "-n", "relay", "-t", "unix", "-c", "-u", "-i",
			  "1", "-p", "2", "-m", "50", "-s", "3", "-o", "a=b", "-v", "-oc=d", "-v", "x=y"));
	assert_slice(a.program, "lmtp");
	assert_slice(a.service, "relay");
	assert_int_equal(a.type, SERVICE_UNIX);
	assert_true(a.chroot);
	assert_int_equal(a.slot, 1);
	assert_int_equal(a.slots, 2);
	assert_int_equal(a.session_limit, 50);
	assert_int_equal(a.listeners, 3);
	assert_int_equal(a.verbose, 2);
	assert_int_equal(a.override_count, 2);
	assert_slice(a.overrides[1], "c=d");
	assert_int_equal(a.rest_count, 1);
	assert_string_equal(a.rest[0], "x=y");

	assert_false(PARSE("smtpd"));
	assert_slice(problem, "this program is started by master");
	assert_false(PARSE("smtpd", "-n", "x", "-t", "inet", "-s", "0"));
	assert_false(PARSE("smtpd", "-n", "x", "-t", "socket", "-s", "1"));
	assert_false(PARSE("smtpd", "-n", "x", "-s", "-1"));
	assert_false(PARSE("smtpd", "-n", "x", "-s", "99999999999999999999"));
	assert_false(PARSE("smtpd", "-n", "x", "-s", "1", "-Z"));
	arena_destroy(&arena);
}

static struct settings *settings_of(struct arena *arena, const char *text)
{
	struct config_problems problems;
	struct settings *settings;

	config_problems_init(&problems, arena);
	assert_int_equal(settings_parse(slice_str(text), "/nonexistent", NULL, 0, &problems, &settings),
			 RES_OK);
	return settings;
}

static void test_ports(void **state)
{
	struct arena *arena = arena_create();
	const struct privileges *smtp = privileges_find(SL("smtp"));
	struct settings *s = settings_of(arena, "compatibility_level = 3.6\n"
						"relayhost = [192.0.2.1]:2626\n"
						"default_transport = smtp:[2001:db8::25]:1025\n");

	(void)state;
	assert_true(sandbox_port_allowed(smtp, s, 25));
	assert_true(sandbox_port_allowed(smtp, s, 2626));
	assert_true(sandbox_port_allowed(smtp, s, 1025));
	assert_false(sandbox_port_allowed(smtp, s, 22));
	/* parts of an address are no ports */
	assert_false(sandbox_port_allowed(smtp, s, 2001));
	assert_false(sandbox_port_allowed(privileges_find(SL("smtpd")), s, 25));
	settings_destroy(&s);
	s = settings_of(arena, "compatibility_level = 3.6\ntransport_maps = static:smtp:[x]:7\n");
	assert_true(sandbox_port_allowed(smtp, s, 22));
	settings_destroy(&s);
	arena_destroy(&arena);
}

/* ---- the sandbox for real, in a child */

struct inmate {
	const char *row;
	int (*act)(void); /* its result is the exit status */
};

static struct settings *own_settings(struct arena *arena)
{
	const struct passwd *pw = getpwuid(getuid());
	struct slice user = arena_printf(arena, "%s", pw->pw_name);
	const struct group *gr = getgrgid(getgid());
	struct slice text = arena_printf(
	    arena, "compatibility_level = 3.6\nqueue_directory = /\nmail_owner = %s\nsetgid_group = %s\n",
	    user.p, gr->gr_name);

	return settings_of(arena, text.p);
}

static int serve_sentence(const struct inmate *inmate, struct settings *settings)
{
	const struct privileges *row = privileges_find(slice_str(inmate->row));
	struct sandbox_accounts accounts;
	struct sandbox sandbox;
	struct slice missing;
	const char *what;

	if (sandbox_accounts(row, settings, &accounts, &missing) != RES_OK ||
	    sandbox_prepare(row, settings, &accounts, false, NULL, &sandbox, &what) != RES_OK ||
	    sandbox_enter(&sandbox, &what) != RES_OK)
		return 99;
	return inmate->act();
}

/* in_child_of_maker - what a filter that its parent made lets a process do to itself and to the parent. */
static int in_child_of_maker(const struct call_filter *calls, bool to_parent)
{
	pid_t parent = getpid(), pid = fork();
	int status = 0;

	if (pid == 0) {
		if (os_no_new_privs() < 0 || calls_enter(calls) < 0)
			_exit(99);
		if (!to_parent)
			abort();
		_exit(syscall(SYS_tgkill, parent, parent, 0) < 0 && errno == EACCES ? 0 : 1);
	}
	assert_int_equal(os_wait(pid, &status), 0);
	return status;
}

static void test_filter_of_parent(void **state)
{
	const struct call_filter *calls = calls_find("base unix");
	int status;

	(void)state;
	assert_non_null(calls);
	status = in_child_of_maker(calls, false);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_int_equal(in_child_of_maker(calls, true), 0);
}

static int imprison(struct inmate inmate)
{
	struct arena *arena = arena_create();
	struct settings *settings = own_settings(arena);
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(serve_sentence(&inmate, settings));
	assert_int_equal(os_wait(pid, &status), 0);
	settings_destroy(&settings);
	arena_destroy(&arena);
	return status;
}

static int opens_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? 0 : 1;
}

static int unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ? 0 : 1;
}

static int inet_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) < 0 && errno == EACCES ? 0 : 1;
}

static int execs(void)
{
	char *none[] = {NULL};

	return execve("/bin/false", none, none) < 0 ? 0 : 1;
}

static void *nothing(void *arg)
{
	return arg;
}

static int threads(void)
{
	pthread_t t;

	return pthread_create(&t, NULL, nothing, NULL) == 0 && pthread_join(t, NULL) == 0 ? 0 : 1;
}

static void test_sandbox(void **state)
{
	(void)state;
	assert_int_equal(imprison((struct inmate){"smtpd", opens_file}), 0);
	assert_int_equal(imprison((struct inmate){"smtpd", unix_socket}), 0);
	assert_int_equal(imprison((struct inmate){"smtpd", inet_socket}), 0);
	assert_int_equal(imprison((struct inmate){"smtpd", threads}), 0);
	assert_int_equal(imprison((struct inmate){"cleanup", inet_socket}), 0);
	assert_int_equal(imprison((struct inmate){"smtp", inet_socket}), 1 << 8);
#ifdef POSTRIDER_SANITIZERS
	assert_int_equal(imprison((struct inmate){"smtpd", execs}), 0);
#else
	assert_int_equal(WTERMSIG(imprison((struct inmate){"smtpd", execs})), SIGSYS);
#endif
}

static void test_missing_accounts(void **state)
{
	struct arena *arena = arena_create();
	struct settings *s = settings_of(arena, "mail_owner = no-such-user-here\n");
	struct sandbox_accounts accounts;
	struct slice missing;

	(void)state;
	assert_int_equal(sandbox_accounts(privileges_find(SL("smtpd")), s, &accounts, &missing),
			 RES_PERM);
	assert_slice(missing, "no-such-user-here");
	settings_destroy(&s);
	s = own_settings(arena);
	assert_int_equal(sandbox_accounts(privileges_find(SL("smtpd")), s, &accounts, &missing), RES_OK);
	assert_int_equal(accounts.uid, accounts.owner_uid);
	assert_true(accounts.fell_back);
	settings_destroy(&s);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),	 cmocka_unit_test(test_find),
	    cmocka_unit_test(test_capabilities), cmocka_unit_test(test_arguments),
	    cmocka_unit_test(test_ports),	 cmocka_unit_test(test_sandbox),
	    cmocka_unit_test(test_filter_of_parent), cmocka_unit_test(test_missing_accounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
