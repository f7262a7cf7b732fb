/* SPDX-License-Identifier: ISC */
/*
 * calls_make - run by make: writes the filters of schema/privileges as C (calls_gen.inc). libseccomp takes
 * milliseconds for one, more than a command may cost, so it works while Postrider is built, and no program
 * that is installed links with it.
 */
#include "base/check.h"
#include "config.h"
#include "daemon/calls.h"
#include "daemon/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the filters may ask of the kernel, whatever the one beneath the build knows: Linux 4.14. */
#define API_LEVEL 3

/*
 * A group list becomes two filters, of which the kernel takes the stricter answer: `outer` knows whole
 * calls and ends the process at any other; `inner` looks at arguments too and refuses with an error.
 * (In one filter a refusal without conditions would replace the conditions of what is allowed.)
 */
struct building {
	scmp_filter_ctx outer; /* NULL: none */
	scmp_filter_ctx inner;
	bool failed;
};

/* base - memory, time, threads, signals to oneself, readiness, open descriptors, accepted sockets. */
static const char base_calls[] =
    "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 close lseek fstat stat "
    "lstat newfstatat statx mmap munmap mprotect mremap madvise brk futex futex_waitv "
    "set_robust_list get_robust_list set_tid_address rseq membarrier sched_yield sched_getaffinity "
    "sched_getparam sched_getscheduler clock_gettime clock_getres clock_nanosleep nanosleep "
    "gettimeofday time times getrusage getpid gettid getppid getuid geteuid getgid getegid "
    "getresuid getresgid getgroups getpgrp getcpu epoll_create1 epoll_ctl epoll_wait epoll_pwait "
    "epoll_pwait2 eventfd2 signalfd4 timerfd_create timerfd_settime timerfd_gettime poll ppoll "
    "select pselect6 rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait "
    "sigaltstack exit exit_group restart_syscall getrandom uname sysinfo getrlimit fcntl dup dup2 "
    "dup3 pipe2 socketpair accept accept4 recvfrom recvmsg recvmmsg sendto sendmsg sendmmsg "
    "getsockname getpeername getsockopt setsockopt shutdown sendfile splice umask alarm setitimer";

/* file-io - on files that are open already. */
static const char file_io_calls[] = "fsync fdatasync sync_file_range flock ftruncate fallocate "
				    "fadvise64 fstatfs statfs fchmod fchown copy_file_range readahead";

/* file-write - names of files; Landlock says which. */
static const char file_write_calls[] =
    "open openat getdents64 rename renameat renameat2 link linkat unlink unlinkat mkdir mkdirat "
    "rmdir utimensat fchmodat fchownat access faccessat faccessat2 readlink readlinkat chdir fchdir "
    "getcwd";

static const char file_read_calls[] =
    "getdents64 access faccessat faccessat2 readlink readlinkat chdir fchdir getcwd";

/* What gets an error instead of an end; a library may try these on its own. */
static const char refused_calls[] =
    "open openat openat2 creat access faccessat faccessat2 readlink readlinkat getcwd chdir fchdir "
    "getdents64 chmod fchmod fchmodat chown lchown fchown fchownat rename renameat renameat2 link "
    "linkat symlink symlinkat unlink unlinkat mkdir mkdirat rmdir mknod mknodat truncate ftruncate "
    "utimensat fsync fdatasync fallocate flock fadvise64 statfs fstatfs socket connect bind listen "
    "kill tkill tgkill prctl setrlimit prlimit64 sched_setaffinity sched_setscheduler setpriority "
    "getpriority memfd_create getxattr lgetxattr fgetxattr sethostname ioctl madvise mlock "
    "munlock setsid setpgid get_mempolicy mbind set_mempolicy";

/* What `broad` takes away. */
static const char dangerous_calls[] =
    "ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise mount umount umount2 "
    "pivot_root fsopen fsconfig fsmount fspick move_mount open_tree mount_setattr swapon swapoff "
    "reboot kexec_load kexec_file_load init_module finit_module delete_module bpf perf_event_open "
    "userfaultfd io_uring_setup io_uring_enter io_uring_register unshare setns settimeofday "
    "clock_settime adjtimex clock_adjtime acct quotactl quotactl_fd sethostname setdomainname "
    "iopl ioperm open_by_handle_at lookup_dcookie add_key request_key keyctl nfsservctl "
    "fanotify_init syslog vhangup mknod mknodat";

static void add(struct building *f, scmp_filter_ctx ctx, uint32_t action, int call,
		unsigned conditions, const struct scmp_arg_cmp *args)
{
	int rc = seccomp_rule_add_array(ctx, action, call, conditions, args);

	/* already there, or the filter's default */
	if (rc < 0 && rc != -EEXIST && rc != -EACCES)
		f->failed = true;
}

/* rule - by number; a call that this machine does not have is no matter. */
static void rule(struct building *f, uint32_t action, int call, unsigned conditions,
		 const struct scmp_arg_cmp *args)
{
	if (call < 0)
		return;
	add(f, f->inner, action, call, conditions, args);
	if (f->outer != NULL)
		add(f, f->outer, SCMP_ACT_ALLOW, call, 0, NULL);
}

static int call_number(struct slice word)
{
	char name[32];

	CHECK(word.n < sizeof(name));
	memcpy(name, word.p, word.n);
	name[word.n] = '\0';
	return seccomp_syscall_resolve_name(name);
}

static void rules(struct building *f, uint32_t action, const char *names)
{
	struct slice rest = slice_str(names), word;

	while (slice_next(&rest, " ", &word))
		rule(f, action, call_number(word), 0, NULL);
}

static void allow_if(struct building *f, int call, struct scmp_arg_cmp cmp)
{
	rule(f, SCMP_ACT_ALLOW, call, 1, &cmp);
}

static void allow_base(struct building *f)
{
	static const unsigned long ioctls[] = {FIONREAD, FIONBIO};

	rules(f, SCMP_ACT_ALLOW, base_calls);
	/* threads, never processes; glibc falls back from clone3, whose flags a filter cannot see */
	allow_if(f, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
	rule(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);
	/* abort(), pthread_kill() */
	allow_if(f, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, CALLS_PID_PLACE));
	allow_if(f, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
	/* the name of an anonymous mapping (glibc, allocators) */
	allow_if(f, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, 0x53564d41));
	/* limits may be read, not set */
	allow_if(f, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0));
	for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		allow_if(f, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, ioctls[i]));
}

#define TYPE_MASK 0xfu /* below SOCK_NONBLOCK and SOCK_CLOEXEC */

static void allow_sockets(struct building *f, int domain, unsigned type)
{
	struct scmp_arg_cmp args[] = {
	    SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)domain),
	    SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK, type),
	};

	rule(f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, args);
	rules(f, SCMP_ACT_ALLOW, "connect");
}

static void allow_file_read(struct building *f)
{
	const scmp_datum_t change = O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND;

	rules(f, SCMP_ACT_ALLOW, file_read_calls);
	allow_if(f, SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, change, O_RDONLY));
	allow_if(f, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, change, O_RDONLY));
}

static void allow_group(struct building *f, struct slice group)
{
	if (slice_eq(group, SL("base"))) {
		allow_base(f);
	} else if (slice_eq(group, SL("unix"))) {
		allow_sockets(f, AF_UNIX, SOCK_STREAM);
		allow_sockets(f, AF_UNIX, SOCK_DGRAM);
	} else if (slice_eq(group, SL("unix-name"))) {
		/* the address is a family and nothing else: the kernel chooses a name, unix(7) */
		allow_if(f, SCMP_SYS(bind), SCMP_A2(SCMP_CMP_EQ, sizeof(sa_family_t)));
	} else if (slice_eq(group, SL("tcp"))) {
		allow_sockets(f, AF_INET, SOCK_STREAM);
		allow_sockets(f, AF_INET6, SOCK_STREAM);
		rules(f, SCMP_ACT_ALLOW, "bind");
	} else if (slice_eq(group, SL("udp"))) {
		allow_sockets(f, AF_INET, SOCK_DGRAM);
		allow_sockets(f, AF_INET6, SOCK_DGRAM);
		rules(f, SCMP_ACT_ALLOW, "bind");
	} else if (slice_eq(group, SL("file-io"))) {
		rules(f, SCMP_ACT_ALLOW, file_io_calls);
	} else if (slice_eq(group, SL("file-read"))) {
		allow_file_read(f);
	} else if (slice_eq(group, SL("file-write"))) {
		rules(f, SCMP_ACT_ALLOW, file_write_calls);
	} else {
		CHECK(!"a group of system calls that nobody knows");
	}
}

/* refuse - names that the outer filter lets through to the inner one, which has no rule for them. */
static void refuse(struct building *f, const char *names)
{
	struct slice rest = slice_str(names), word;

	while (f->outer != NULL && slice_next(&rest, " ", &word)) {
		int call = call_number(word);

		if (call >= 0)
			add(f, f->outer, SCMP_ACT_ALLOW, call, 0, NULL);
	}
}

static scmp_filter_ctx filter_new(uint32_t action)
{
	scmp_filter_ctx ctx = seccomp_init(action);

	if (ctx == NULL)
		out_of_memory();
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return ctx;
}

static void prepare_groups(struct building *f, struct slice groups)
{
	struct slice group;

	f->inner = filter_new(SCMP_ACT_ERRNO(EACCES));
#ifdef POSTRIDER_SANITIZERS
	/* a sanitizer's report tries much on its way out: refuse, and let it read its own maps */
	allow_file_read(f);
#else
	f->outer = filter_new(SCMP_ACT_KILL_PROCESS);
#endif
	while (slice_next(&groups, " ", &group))
		allow_group(f, group);
	refuse(f, refused_calls);
	/* the inner filter is entered through the outer one, and forbids it from then on */
	refuse(f, "seccomp");
}

/* ---- writing */

static _Noreturn void give_up(const char *what)
{
	perror(what);
	exit(1);
}

static void write_program(scmp_filter_ctx ctx, const char *name, size_t number)
{
	int fd = memfd_create("calls", MFD_CLOEXEC);
	struct sock_filter one;

	if (fd < 0 || seccomp_export_bpf(ctx, fd) != 0 || lseek(fd, 0, SEEK_SET) != 0)
		give_up("export a filter");
	printf("static const struct sock_filter %s_%zu[] = {", name, number);
	for (size_t i = 0; read(fd, &one, sizeof(one)) == (ssize_t)sizeof(one); i++)
		printf("%s{0x%02x, %u, %u, 0x%x},", i % 4 == 0 ? "\n\t" : " ", one.code, one.jt, one.jf,
		       one.k);
	printf("\n};\n\n");
	close(fd);
	seccomp_release(ctx);
}

/* write_programs - of one group list; true: there is an outer one. */
static bool write_programs(const char *groups, size_t number)
{
	struct building b = {0};

	if (strcmp(groups, "broad") == 0) {
		b.inner = filter_new(SCMP_ACT_ALLOW);
		rules(&b, SCMP_ACT_ERRNO(EPERM), dangerous_calls);
	} else {
		prepare_groups(&b, slice_str(groups));
	}
	if (b.failed)
		give_up(groups);
	if (b.outer != NULL)
		write_program(b.outer, "outer", number);
	write_program(b.inner, "inner", number);
	return b.outer != NULL;
}

/* is_first - several processes have the same group list. */
static bool is_first(size_t row)
{
	for (size_t i = 0; i < row; i++)
		if (strcmp(privileges[i].calls, privileges[row].calls) == 0)
			return false;
	return true;
}

int main(void)
{
	bool outer[64] = {false};

	CHECK(privilege_count <= sizeof(outer) / sizeof(outer[0]));
	if (seccomp_api_set(API_LEVEL) != 0)
		give_up("libseccomp");
	printf("/* Generated from schema/privileges/processes by lib/daemon/calls_make.c. */\n\n");
	for (size_t i = 0; i < privilege_count; i++)
		if (is_first(i))
			outer[i] = write_programs(privileges[i].calls, i);
	printf("static const struct call_filter filters[] = {\n");
	for (size_t i = 0; i < privilege_count; i++)
		if (is_first(i) && outer[i])
			printf("\t{\"%s\", PROGRAM(outer_%zu), PROGRAM(inner_%zu)},\n", privileges[i].calls, i, i);
		else if (is_first(i))
			printf("\t{\"%s\", {NULL, 0}, PROGRAM(inner_%zu)},\n", privileges[i].calls, i);
	printf("};\n");
	return fflush(stdout) == 0 ? 0 : 1;
}
