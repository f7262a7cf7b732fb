/* SPDX-License-Identifier: ISC */
/*
 * escape ROW CONFIG_DIR - take the privileges of a row of schema/privileges for real, then try to get out.
 * Each attempt is a child of its own, for the row cannot be left again (and a wrong system call ends
 * the child). One line an attempt: contained, allowed (the row declares it), or ESCAPED. The exit
 * status is 0 when nothing escaped, 1 when something did, 2 when the test itself could not run.
 *
 * "-" for ROW means no privileges taken at all: there nearly everything must escape, or the attempts
 * prove nothing.
 */
#include "base/arena.h"
#include "daemon/calls.h"
#include "daemon/daemon.h"
#include "daemon/sandbox.h"
#include "os/process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

struct prison {
	const struct privileges *row; /* NULL: none */
	struct settings *settings;
	struct sandbox_accounts accounts;
	const char *config_dir;
	char spool_file[4200];	/* a message that the row has no business with */
	uint16_t closed_port;	/* somebody listens there, but it is not the row's */
	uint16_t free_port;
	pid_t root_neighbour;
	pid_t own_neighbour;
	const struct call_filter *file_calls; /* as local has it for its children */
};

static bool listed(const char *words, const char *name)
{
	struct slice rest = slice_str(words), word;

	while (slice_next(&rest, " ", &word))
		if (slice_eq(word, slice_str(name)))
			return true;
	return false;
}

/* ---- attempts: true when it worked */

static bool opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	return fd >= 0;
}

static bool try_shadow(const struct prison *p)
{
	(void)p;
	return opens("/etc/shadow", O_RDONLY);
}

static bool try_spool(const struct prison *p)
{
	return opens(p->spool_file, O_RDONLY);
}

static bool try_config(const struct prison *p)
{
	char path[4200];

	snprintf(path, sizeof(path), "%s/main.cf", p->config_dir);
	return opens(path, O_WRONLY | O_APPEND);
}

static bool try_create(const struct prison *p)
{
	int fd = open("/tmp/postrider-escape", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)p;
	if (fd >= 0)
		unlink("/tmp/postrider-escape");
	return fd >= 0;
}

static bool try_connect(const struct prison *p)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(p->closed_port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd >= 0 && connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0;
}

static bool try_bind(const struct prison *p)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(p->free_port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return fd >= 0 && bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0;
}

static bool try_execve(const struct prison *p)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"exit 42", NULL};
	char *env[] = {NULL};

	(void)p;
	execve("/bin/sh", argv, env);
	return false;
}

static bool try_fork(const struct prison *p)
{
	pid_t pid = fork();

	(void)p;
	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static bool try_ptrace_root(const struct prison *p)
{
	return ptrace(PTRACE_ATTACH, p->root_neighbour, NULL, NULL) == 0;
}

static bool try_ptrace_own(const struct prison *p)
{
	return ptrace(PTRACE_ATTACH, p->own_neighbour, NULL, NULL) == 0;
}

static bool try_memory(const struct prison *p)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)p->own_neighbour);
	return opens(path, O_RDWR);
}

static bool try_kill_root(const struct prison *p)
{
	return kill(p->root_neighbour, 0) == 0;
}

static bool try_kill_own(const struct prison *p)
{
	return kill(p->own_neighbour, 0) == 0;
}

static bool try_setuid(const struct prison *p)
{
	(void)p;
	return setuid(0) == 0 && open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool try_mount(const struct prison *p)
{
	(void)p;
	return mount("none", "/mnt", "tmpfs", 0, NULL) == 0;
}

static bool try_unshare(const struct prison *p)
{
	(void)p;
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0;
}

static bool try_raw_socket(const struct prison *p)
{
	(void)p;
	return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) >= 0;
}

static bool try_io_uring(const struct prison *p)
{
	char params[256] = {0};

	(void)p;
	return syscall(SYS_io_uring_setup, 1, params) >= 0;
}

static bool try_chroot(const struct prison *p)
{
	(void)p;
	return chroot("/tmp") == 0;
}

/* ---- what a row declares */

static bool is_root(const struct prison *p)
{
	return p->row->user == USER_ROOT;
}

static bool runs_programs(const struct prison *p)
{
	return strcmp(p->row->calls, "broad") == 0;
}

static bool any_file(const struct prison *p)
{
	return p->row->any_file;
}

static bool reads_any_spool(const struct prison *p)
{
	return is_root(p) && capability_mask(p->row->capabilities) >> 1 & 1; /* dac_override */
}

static bool connects(const struct prison *p)
{
	return strcmp(p->row->connect, "any") == 0;
}

static bool binds(const struct prison *p)
{
	return strcmp(p->row->bind, "any") == 0;
}

/* what runs a user's programs may do to that user's processes what the user may */
static bool same_user_programs(const struct prison *p)
{
	return runs_programs(p);
}

static bool never(const struct prison *p)
{
	(void)p;
	return false;
}

static const struct attempt {
	const char *name;
	bool (*run)(const struct prison *p);
	bool (*declared)(const struct prison *p);
} attempts[] = {
    {"open /etc/shadow", try_shadow, is_root},
    {"read another message in the spool", try_spool, reads_any_spool},
    {"open the configuration for writing", try_config, is_root},
    {"make a file in /tmp", try_create, any_file},
    {"connect to a port that is not its own", try_connect, connects},
    {"bind a port", try_bind, binds},
    {"execve /bin/sh", try_execve, runs_programs},
    {"fork", try_fork, runs_programs},
    {"ptrace a process of root", try_ptrace_root, never},
    {"ptrace a process of its own user", try_ptrace_own, never},
    {"open the memory of a process of its own user", try_memory, same_user_programs},
    {"kill a process of root", try_kill_root, is_root},
    {"kill a process of its own user", try_kill_own, same_user_programs},
    {"setuid(0)", try_setuid, is_root},
    {"mount", try_mount, never},
    {"unshare", try_unshare, never},
    {"raw socket", try_raw_socket, never},
    {"io_uring", try_io_uring, never},
    {"chroot", try_chroot, never},
};

#define ATTEMPTS (sizeof(attempts) / sizeof(attempts[0]))

/* ---- the prison */

static bool become_recipient(const struct prison *p)
{
	bool file = strcmp(p->row->name, "local-file") == 0;

	return daemon_become(NULL, NOBODY, NOBODY, file ? DELIVERY_FILE : DELIVERY_COMMAND,
			     p->file_calls) == 0;
}

/* enter - the privileges of the row, taken as its process takes them. */
static bool enter(struct prison *p)
{
	struct sandbox sandbox;
	struct sandbox_accounts accounts = p->accounts;
	const char *what = "";

	if (p->row == NULL)
		return true;
	if (p->row->kind == KIND_CHILD) {
		const struct privileges *parent = privileges_find(SL("local"));

		return sandbox_prepare(parent, p->settings, &accounts, false, NULL, &sandbox, &what) ==
			   RES_OK &&
		       sandbox_enter(&sandbox, &what) == RES_OK && become_recipient(p);
	}
	/* a set-gid command begins as its caller */
	if (p->row->kind == KIND_COMMAND &&
	    os_become(NOBODY, p->accounts.drop_gid, &p->accounts.drop_gid, 1) < 0)
		return false;
	if (sandbox_prepare(p->row, p->settings, &accounts, false, NULL, &sandbox, &what) == RES_OK &&
	    sandbox_enter(&sandbox, &what) == RES_OK)
		return true;
	fprintf(stderr, "sandbox: %s: %s\n", what, strerror(errno));
	return false;
}

static uid_t own_uid(const struct prison *p)
{
	if (p->row == NULL)
		return 0;
	if (p->row->kind == KIND_CHILD || p->row->kind == KIND_COMMAND)
		return NOBODY;
	return p->accounts.uid;
}

/* verdict of one attempt: 'c' contained, 'E' escaped, '!' the row could not be entered */
static char attempt(struct prison *p, const struct attempt *a)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (!enter(p))
			_exit(43);
		_exit(a->run(p) ? 42 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return '!';
	if (WIFEXITED(status) && WEXITSTATUS(status) == 43)
		return '!';
	return WIFEXITED(status) && WEXITSTATUS(status) == 42 ? 'E' : 'c';
}

static int run_attempts(struct prison *p)
{
	int escaped = 0, broken = 0;

	for (size_t i = 0; i < ATTEMPTS; i++) {
		bool declared = p->row != NULL && attempts[i].declared(p);
		char verdict = declared ? 'a' : attempt(p, &attempts[i]);

		escaped += verdict == 'E';
		broken += verdict == '!';
		printf("%s: %s\n", attempts[i].name,
		       verdict == 'a'	? "allowed"
		       : verdict == 'c' ? "contained"
		       : verdict == 'E' ? "ESCAPED"
					: "NOT TESTED");
	}
	printf("escaped=%d of %zu\n", escaped, ATTEMPTS);
	return broken > 0 ? 2 : escaped > 0 ? 1 : 0;
}

/* ---- the world around it */

static pid_t neighbour(uid_t uid)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (uid != 0 && setresuid(uid, uid, uid) < 0)
			_exit(1);
		/* as a daemon of old would be: open to its neighbours */
		os_set_dumpable(true);
		os_parent_death_signal(SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static int listen_somewhere(uint16_t *port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t n = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 || listen(fd, 8) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &n) < 0)
		return -1;
	*port = ntohs(sin.sin_port);
	return fd;
}

/* foreign_message - a file of $mail_owner's in a folder that the row does not have. */
static bool foreign_message(struct prison *p)
{
	static const char *const folders[] = {"deferred", "maildrop", "journal", "hold"};

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int fd;

		if (p->row != NULL &&
		    (listed(p->row->read, folders[i]) || listed(p->row->write, folders[i])))
			continue;
		snprintf(p->spool_file, sizeof(p->spool_file), "%s/%s/escape-test",
			 p->settings->queue_directory.p, folders[i]);
		fd = open(p->spool_file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		if (fd < 0)
			return false;
		if (fchown(fd, p->accounts.owner_uid, p->accounts.owner_gid) < 0)
			return false;
		close(fd);
		return true;
	}
	return true; /* showq reads them all */
}

static bool load(struct prison *p, const char *row)
{
	struct config_problems problems;
	struct slice missing;

	config_problems_init(&problems, arena_create());
	if (settings_load(p->config_dir, NULL, 0, &problems, &p->settings) != RES_OK)
		return false;
	p->row = privileges_find(slice_str(row));
	if (p->row == NULL && strcmp(row, "-") != 0)
		return false;
	return sandbox_accounts(p->row != NULL ? p->row : privileges_find(SL("cleanup")),
				p->settings, &p->accounts, &missing) == RES_OK;
}

int main(int argc, char **argv)
{
	struct prison p = {0};
	int status = 2, ignored;

	if (argc == 2 && strcmp(argv[1], "--rows") == 0) {
		for (size_t i = 0; i < privilege_count; i++)
			puts(privileges[i].name);
		return 0;
	}
	if (argc != 3)
		return 2;
	setlinebuf(stdout);
	p.config_dir = argv[2];
	if (!load(&p, argv[1]) || !foreign_message(&p) || listen_somewhere(&p.closed_port) < 0)
		return 2;
	ignored = listen_somewhere(&p.free_port);
	close(ignored);
	p.file_calls = calls_find(privileges_find(SL("local-file"))->calls);
	p.root_neighbour = neighbour(0);
	p.own_neighbour = neighbour(own_uid(&p));
	usleep(50000);
	status = run_attempts(&p);
	kill(p.root_neighbour, SIGKILL);
	kill(p.own_neighbour, SIGKILL);
	if (p.spool_file[0] != '\0')
		unlink(p.spool_file);
	settings_destroy(&p.settings);
	return status;
}
