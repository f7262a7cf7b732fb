/* SPDX-License-Identifier: ISC */
/*
 * os/process - system calls on processes: making them, ending them, and taking rights from the one
 * that calls. Only the kernel stands behind this header; a simulated run has one process.
 *
 * -1 and errno on failure unless a function says otherwise.
 */
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- making and ending */

pid_t os_fork(void);
/*
 * os_spawn - a child that executes this, reads from `input`, and has SIGPIPE as usual; cheaper than a fork,
 * for nothing of this process is copied. -1 and errno when it cannot be executed, too.
 */
pid_t os_spawn(const char *path, char *const argv[], char *const environment[], int input);
/* os_exec - returns only when it fails. */
int os_exec(const char *path, char *const argv[], char *const environment[]);
/* os_exec_search - the same, in the directories of PATH, with this process's environment. */
int os_exec_search(char *const argv[]);
_Noreturn void os_exit_now(int status);
/* os_pipe - ends[0] to read from, ends[1] to write to; close-on-exec. */
int os_pipe(int ends[2]);
/* os_set_session - the process leads a session and process group of its own. */
int os_set_session(void);
/* os_reap - a child that has ended, without waiting: its pid; 0 none; -1 ECHILD no children. */
pid_t os_reap(int *status);
/* os_wait - until this child has ended. */
int os_wait(pid_t pid, int *status);
int os_kill(pid_t pid, int signal);
/* os_sleep - microseconds of real time, for programs without a scheduler. */
void os_sleep(int64_t duration);
pid_t os_pid(void);
/* os_set_subreaper - orphans of this process's children become its children. */
int os_set_subreaper(void);
/* os_parent_death_signal - raised when the thread that forked this process ends. */
int os_parent_death_signal(int signal);

/* ---- descriptors, directories, signals, limits */

/* os_dup_to - `to` becomes a copy of fd and survives exec. */
int os_dup_to(int fd, int to);
/* os_dup_above - a close-on-exec copy of fd that is not below `least`. */
int os_dup_above(int fd, int least);
/* os_memory_file - an empty file without a name, for reading by who inherits it; -1 and errno. */
int os_memory_file(const char *label);
/* os_close_from - this descriptor and all above it. */
int os_close_from(int first);
int os_set_nonblocking(int fd);
int os_set_blocking(int fd);
int os_chdir(const char *path);
int os_chroot(const char *path);
mode_t os_umask(mode_t mask);

/* os_signals_default - every signal's default action and none blocked: for a child before exec. */
void os_signals_default(void);
/* os_signals_unblock - none is blocked; their actions stay. */
void os_signals_unblock(void);
int os_signal_ignore(int signal);
int os_signal_default(int signal);
/* os_signals_block - the set is added to this thread's mask. */
int os_signals_block(const sigset_t *set);
/* os_signals_fd - a non-blocking descriptor to read these (blocked) signals from. */
int os_signals_fd(const sigset_t *set);
/* os_signals_wait - until one of these (blocked) signals comes: its number. */
int os_signals_wait(const sigset_t *set);
/* os_signals_next - the next of them; 0 none; -1. */
int os_signals_next(int fd);

/*
 * os_raise_files - the limit of open descriptors goes up to `want` or to what the process may have;
 * the limit that now holds.
 */
uint64_t os_raise_files(uint64_t want);
uint64_t os_file_limit(void);
/* os_limit - hard and soft limit of RLIMIT_...; never raises one. */
int os_limit(int resource, uint64_t limit);
long os_processor_count(void);
/*
 * os_schedule_batch - from now on, what wakes this process (and its threads to come) does not take the
 * processor from what runs there (SCHED_BATCH, sched(7)): events gather meanwhile and are served together.
 * The share of the processor stays the same. Inherited by children.
 */
int os_schedule_batch(void);

/* ---- users and capabilities */

uid_t os_uid(void);
uid_t os_euid(void);
gid_t os_gid(void);
gid_t os_egid(void);
/* os_become - real, effective, saved ids and groups, for good. */
int os_become(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count);
/* os_act_as - effective ids only, there and back (root's saved uid stays). */
int os_act_as(uid_t uid, gid_t gid);

/* Sets of capabilities are bit masks, 1 << CAP_... */
int os_capabilities_set(uint64_t keep);
/* os_capabilities_bound - drop from the bounding set all but these: exec cannot bring them back. */
int os_capabilities_bound(uint64_t keep);
bool os_capability_held(unsigned capability);
int os_no_new_privs(void);
/* os_set_dumpable - whether a neighbour of the same user may look into this process. */
int os_set_dumpable(bool dumpable);

struct sock_fprog;
/*
 * os_filter_calls - a seccomp program, for every thread of the process, for good. It needs
 * no_new_privs or CAP_SYS_ADMIN, and takes neither.
 */
int os_filter_calls(const struct sock_fprog *program);

/* ---- Landlock (landlock(7)); written against the kernel's numbers, not a header's version */

#define OS_LANDLOCK_FILES_1 0x1fffu /* ABI 1: execute ... make_sym */
#define OS_LANDLOCK_EXECUTE (1u << 0)
#define OS_LANDLOCK_WRITE_FILE (1u << 1)
#define OS_LANDLOCK_READ_FILE (1u << 2)
#define OS_LANDLOCK_READ_DIR (1u << 3)
#define OS_LANDLOCK_REMOVE_DIR (1u << 4)
#define OS_LANDLOCK_REMOVE_FILE (1u << 5)
#define OS_LANDLOCK_MAKE_DIR (1u << 7)
#define OS_LANDLOCK_MAKE_REG (1u << 8)
#define OS_LANDLOCK_REFER (1u << 13)    /* ABI 2: rename and link across directories */
#define OS_LANDLOCK_TRUNCATE (1u << 14) /* ABI 3 */
#define OS_LANDLOCK_IOCTL_DEV (1u << 15) /* ABI 5 */
#define OS_LANDLOCK_BIND_TCP (1u << 0)	/* ABI 4 */
#define OS_LANDLOCK_CONNECT_TCP (1u << 1)
#define OS_LANDLOCK_SCOPE_ABSTRACT (1u << 0) /* ABI 6 */
#define OS_LANDLOCK_SCOPE_SIGNAL (1u << 1)

/* os_landlock_abi - 0: the kernel has none, or it is switched off. */
int os_landlock_abi(void);
/* os_landlock_create - a rule set that handles, hence denies, these accesses; its descriptor. */
int os_landlock_create(uint64_t files, uint64_t net, uint64_t scopes);
/* os_landlock_allow - what is beneath `path` (or the file itself); fails with ENOENT if not there. */
int os_landlock_allow(int ruleset, const char *path, uint64_t access);
int os_landlock_allow_port(int ruleset, uint16_t port, uint64_t access);
int os_landlock_restrict(int ruleset);

#endif
