/* SPDX-License-Identifier: ISC */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RETRY(result, call)                                \
	do                                                 \
		(result) = (call);                         \
	while ((result) < 0 && errno == EINTR)

pid_t os_fork(void)
{
	return fork();
}

pid_t os_spawn(const char *path, char *const argv[], char *const environment[], int input)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t usual;
	pid_t pid = -1;

	sigemptyset(&usual);
	sigaddset(&usual, SIGPIPE);
	posix_spawnattr_init(&how);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigdefault(&how, &usual);
	posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
	errno = posix_spawn(&pid, path, &files, &how, argv, environment);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&how);
	return errno == 0 ? pid : -1;
}

int os_exec(const char *path, char *const argv[], char *const environment[])
{
	return execve(path, argv, environment);
}

int os_exec_search(char *const argv[])
{
	return execvp(argv[0], argv);
}

void os_exit_now(int status)
{
	_exit(status);
}

pid_t os_reap(int *status)
{
	pid_t pid;

	RETRY(pid, waitpid(-1, status, WNOHANG));
	return pid;
}

int os_wait(pid_t pid, int *status)
{
	pid_t r;

	RETRY(r, waitpid(pid, status, 0));
	return r < 0 ? -1 : 0;
}

int os_kill(pid_t pid, int signal)
{
	return kill(pid, signal);
}

void os_sleep(int64_t duration)
{
	struct timespec ts = {duration / 1000000, duration % 1000000 * 1000};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		continue;
}

pid_t os_pid(void)
{
	return getpid();
}

int os_set_subreaper(void)
{
	return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

int os_parent_death_signal(int signal)
{
	return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0);
}

int os_dup_to(int fd, int to)
{
	int rc;

	if (fd == to) {
		int flags = fcntl(fd, F_GETFD);

		return flags < 0 ? -1 : fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC);
	}
	RETRY(rc, dup2(fd, to));
	return rc < 0 ? -1 : 0;
}

int os_dup_above(int fd, int least)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, least);
}

int os_memory_file(const char *label)
{
	return memfd_create(label, MFD_CLOEXEC);
}

int os_close_from(int first)
{
	if (syscall(SYS_close_range, (unsigned)first, ~0u, 0) == 0)
		return 0;
	if (errno != ENOSYS)
		return -1;
	for (long fd = sysconf(_SC_OPEN_MAX) - 1; fd >= first; fd--)
		close((int)fd);
	return 0;
}

int os_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int os_set_blocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

int os_chdir(const char *path)
{
	return chdir(path);
}

int os_chroot(const char *path)
{
	return chroot(path);
}

mode_t os_umask(mode_t mask)
{
	return umask(mask);
}

void os_signals_unblock(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

void os_signals_default(void)
{
	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			signal(sig, SIG_DFL);
	os_signals_unblock();
}

int os_signal_ignore(int sig)
{
	return signal(sig, SIG_IGN) == SIG_ERR ? -1 : 0;
}

int os_signal_default(int sig)
{
	return signal(sig, SIG_DFL) == SIG_ERR ? -1 : 0;
}

int os_signals_block(const sigset_t *set)
{
	return sigprocmask(SIG_BLOCK, set, NULL);
}

int os_signals_fd(const sigset_t *set)
{
	return signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int os_signals_wait(const sigset_t *set)
{
	int signal;

	do
		signal = sigwaitinfo(set, NULL);
	while (signal < 0 && errno == EINTR);
	return signal;
}

int os_signals_next(int fd)
{
	struct signalfd_siginfo info;
	ssize_t r;

	RETRY(r, read(fd, &info, sizeof(info)));
	if (r == (ssize_t)sizeof(info))
		return (int)info.ssi_signo;
	return r < 0 && errno == EAGAIN ? 0 : -1;
}

uint64_t os_raise_files(uint64_t want)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (limit.rlim_cur < want) {
		struct rlimit higher = {want, want > limit.rlim_max ? want : limit.rlim_max};

		/* above the hard limit only with CAP_SYS_RESOURCE; else as far as it goes */
		if (setrlimit(RLIMIT_NOFILE, &higher) < 0) {
			higher = (struct rlimit){limit.rlim_max, limit.rlim_max};
			setrlimit(RLIMIT_NOFILE, &higher);
		}
	}
	return os_file_limit();
}

uint64_t os_file_limit(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : limit.rlim_cur;
}

int os_limit(int resource, uint64_t value)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return -1;
	if (limit.rlim_cur > value)
		limit.rlim_cur = value;
	if (limit.rlim_max > value)
		limit.rlim_max = value;
	return setrlimit((__rlimit_resource_t)resource, &limit);
}

long os_processor_count(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n > 0 ? n : 1;
}

int os_schedule_batch(void)
{
	struct sched_param param = {.sched_priority = 0};

	return sched_setscheduler(0, SCHED_BATCH, &param);
}

int os_pipe(int ends[2])
{
	return pipe2(ends, O_CLOEXEC);
}

int os_set_session(void)
{
	return setsid() < 0 ? -1 : 0;
}

uid_t os_uid(void)
{
	return getuid();
}

uid_t os_euid(void)
{
	return geteuid();
}

gid_t os_gid(void)
{
	return getgid();
}

gid_t os_egid(void)
{
	return getegid();
}

int os_become(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count)
{
	if (setgroups(group_count, groups) < 0 || setresgid(gid, gid, gid) < 0 ||
	    setresuid(uid, uid, uid) < 0)
		return -1;
	/* believe the kernel only after asking */
	if (getuid() != uid || geteuid() != uid || getgid() != gid || getegid() != gid) {
		errno = EPERM;
		return -1;
	}
	return 0;
}

int os_act_as(uid_t uid, gid_t gid)
{
	/* back to root first: only root may choose the group */
	if (geteuid() != 0 && seteuid(0) < 0)
		return -1;
	if (setegid(gid) < 0)
		return -1;
	return uid == 0 ? 0 : seteuid(uid);
}

static int capset_both(uint64_t permitted)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {0};

	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(permitted >> (32 * i));
	return (int)syscall(SYS_capset, &header, data);
}

static int capget_permitted(uint64_t *permitted)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return -1;
	*permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	return 0;
}

int os_capabilities_set(uint64_t keep)
{
	uint64_t have;

	if (capget_permitted(&have) < 0)
		return -1;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return capset_both(have & keep);
}

int os_capabilities_bound(uint64_t keep)
{
	for (unsigned cap = 0; cap < 64; cap++) {
		if (keep >> cap & 1 || prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL) /* the kernel knows no more of them */
			return 0;
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			return -1;
	}
	return 0;
}

bool os_capability_held(unsigned capability)
{
	uint64_t have;

	return capability < 64 && capget_permitted(&have) == 0 && (have >> capability & 1);
}

int os_no_new_privs(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int os_set_dumpable(bool dumpable)
{
	return prctl(PR_SET_DUMPABLE, dumpable ? 1 : 0, 0, 0, 0);
}

int os_filter_calls(const struct sock_fprog *program)
{
	long rc =
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program);

	/* a thread that could not be made to follow */
	if (rc > 0)
		errno = ESRCH;
	return rc == 0 ? 0 : -1;
}

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#define LANDLOCK_VERSION 1u
#define LANDLOCK_PATH 1
#define LANDLOCK_PORT 2

struct landlock_set {
	uint64_t files;
	uint64_t net;
	uint64_t scopes;
};

struct landlock_path {
	uint64_t access;
	int32_t parent;
} __attribute__((packed));

struct landlock_port {
	uint64_t access;
	uint64_t port;
};

int os_landlock_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

int os_landlock_create(uint64_t files, uint64_t net, uint64_t scopes)
{
	struct landlock_set set = {files, net, scopes};
	size_t size = scopes != 0 ? sizeof(set) : net != 0 ? 16 : 8;

	return (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
}

int os_landlock_allow(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path rule = {.access = access};
	struct stat st;
	int rc, saved;

	rule.parent = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent < 0)
		return -1;
	/* rights that only a directory can have are refused for a file */
	if (fstat(rule.parent, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.access &= OS_LANDLOCK_EXECUTE | OS_LANDLOCK_WRITE_FILE | OS_LANDLOCK_READ_FILE |
			       OS_LANDLOCK_TRUNCATE | OS_LANDLOCK_IOCTL_DEV;
	rc = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PATH, &rule, 0);
	saved = errno;
	close(rule.parent);
	errno = saved;
	return rc;
}

int os_landlock_allow_port(int ruleset, uint16_t port, uint64_t access)
{
	struct landlock_port rule = {access, port};

	return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_PORT, &rule, 0);
}

int os_landlock_restrict(int ruleset)
{
	return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}
