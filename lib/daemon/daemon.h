/* SPDX-License-Identifier: ISC */
/*
 * daemon - what every daemon's main() does. A daemon is a `struct daemon` and one line of code:
 *
 *	int main(int argc, char **argv)
 *	{
 *		return daemon_main(argc, argv, &smtpd_daemon);
 *	}
 *
 * In this order: arguments, settings with -o overrides, log, limits; hook `open` with root's rights;
 * then for good: working directory (and root, where master.cf says so) = $queue_directory, the
 * user, capabilities, Landlock and system calls of the row in schema/privileges; then the fiber
 * scheduler, hook `start`, and from there on sessions. Master's side of it is in ARCHITECTURE.md.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/list.h"
#include "base/result.h"
#include "config/master_cf.h"
#include "os/socket.h"

/*
 * What a daemon knows about itself. Everything in it lives as long as the process and, but for
 * `state`, does not change after `open`.
 */
struct daemon_context {
	const struct settings *settings;
	struct slice service;	/* master.cf's first column: "smtp", "relay", "127.0.0.1:2525" */
	enum service_type type; /* its second */
	const char *config_dir; /* not reachable after `open`: read what you need of it there */
	const char *const *args; /* master.cf's arguments that are neither -o nor -v nor -D */
	size_t arg_count;
	unsigned slot;	      /* which of the service's processes this is, from 0 */
	unsigned slots;	      /* how many the service may have at once; 1 but for `processes core` */
	size_t session_limit; /* of this process */
	int listener_count;
	bool chroot;
	uid_t owner_uid; /* of $mail_owner, and its group */
	gid_t owner_gid;
	int queue_fd;	     /* directory $queue_directory, for the ...at() calls; also the cwd */
	struct arena *arena; /* for what lives as long as the process */
	void *state;	     /* the daemon's own, set in `open` */
	struct daemon_run *run; /* lib/daemon's own */
};

/* One accepted connection. It is gone when `session` returns. */
struct daemon_session {
	int fd; /* non-blocking; the session's to close (stream_init takes it over) */
	struct os_addr peer;
	int listener;	/* index of the listening socket, from 0 */
	int64_t since;	/* monotonic */
	uint64_t serial; /* counts this process's sessions, from 1 */

	/* lib/daemon's own */
	struct list link;
	struct fiber *fiber;
	struct daemon_context *context;
	bool idle;
	char note[96];
	char peer_text[112];
};

struct daemon {
	const char *name; /* row in schema/privileges; also the program's name in log lines */

	/*
	 * open - as root, before the sandbox, no fibers yet: open tables, TLS contexts, log files,
	 * sockets. What is not opened here is later reached only as far as the row allows. Anything
	 * but RES_OK: it has logged why; the process exits and master tries again with back-off.
	 * Threads may not be started here, because a sandbox binds only the threads that follow it.
	 */
	enum result (*open)(struct daemon_context *context);
	/* start - in a fiber, inside the sandbox, before the first connection is accepted. */
	void (*start)(struct daemon_context *context);
	/* session - a fiber for each accepted connection (stream services). */
	void (*session)(struct daemon_context *context, struct daemon_session *session);
	/* exit when no session has been open for $max_idle; never for what keeps state (qmgr). */
	bool exit_when_idle;
	/*
	 * datagrams - for services of type unix-dgram, in place of `session`: a fiber for the socket;
	 * return when daemon_draining() or when the fiber is cancelled.
	 */
	void (*datagrams)(struct daemon_context *context, int fd);
	/* wakeup - master.cf's wake-up timer struck; in a fiber of its own, never two at once. */
	void (*wakeup)(struct daemon_context *context);
	/*
	 * drain - no further connection will be accepted; in a fiber. End what goes on without a
	 * session (qmgr: start no more deliveries, wait for those under way), then return. The process
	 * exits when this has returned and the last session has ended.
	 */
	void (*drain)(struct daemon_context *context);
	/* status - lines of the daemon's own for the status socket, behind the sessions' lines. */
	void (*status)(struct daemon_context *context, struct buffer *out);
	/* stack - bytes of every fiber's stack; 0: the scheduler's default. */
	size_t stack;
	/* workers - threads for fiber_offload; 0: none will be needed. */
	unsigned workers;
};

/* daemon_main - returns the exit status. */
int daemon_main(int argc, char **argv, const struct daemon *daemon);

/* daemon_draining - master asked this process to finish: keep no connection open for reuse. */
bool daemon_draining(const struct daemon_context *context);

/*
 * daemon_ending - it drains because the whole suite ends, or its master has: no successor will come soon.
 */
bool daemon_ending(const struct daemon_context *context);

/*
 * daemon_session_note - what the session is doing, for the status socket ("DATA", "waits for
 * cleanup"): printable ASCII, cut at 95 bytes. Cheap enough for every command.
 */
void daemon_session_note(struct daemon_session *session, struct slice note);

/*
 * daemon_session_idle - true: the session is between two requests and may be ended (its fiber
 * cancelled) when the process drains; false: it works. For IPC servers whose clients keep connections:
 * who calls over a kept connection that ends before the first byte of an answer calls once more over
 * a new one. Begins as false.
 */
void daemon_session_idle(struct daemon_session *session, bool idle);

/* daemon_stop - begin to drain by own decision (table changed, too old); master starts another. */
void daemon_stop(struct daemon_context *context);

struct table_set;
struct table_remote;
/*
 * daemon_remote - how a set of a daemon's own asks for tables that are not local: proxymap, from fibers. For
 * as long as the process lives.
 */
struct table_remote *daemon_remote(const struct settings *settings);
/* daemon_tables - in `open`: a set whose tables' troubles go to the log; default_database_type holds. */
struct table_set *daemon_tables(const struct settings *settings, bool may_block);
/*
 * daemon_watch_tables - in `start`: seal the set (table_set_seal), and drain, so that a successor opens
 * them anew, once one of its tables has changed; looked at every five seconds.
 */
void daemon_watch_tables(struct daemon_context *context, struct table_set *set);

/*
 * daemon_allow_read, daemon_allow_connect - in `open`: the configuration names a file or folder (absolute; copied)
 * that will be read, or a TCP port of a server, which the row cannot know.
 */
void daemon_allow_read(struct daemon_context *context, const char *path);
void daemon_allow_connect(struct daemon_context *context, uint16_t port);

/* daemon_session_count - sessions that are open in this process. */
size_t daemon_session_count(const struct daemon_context *context);

/*
 * What a delivery runs as, in a child that fork()ed from a daemon whose row says `user root` (local,
 * virtual, pipe): for good that user, its groups, no capabilities, and the rights of the row
 * PROGRAM-file (no network, no execve) or PROGRAM-command (execve, then whatever the command does).
 * `calls`, for files only: what calls_prepare made of that row, by the daemon when it opened.
 * -1 and errno: the child must _exit; it must not go on.
 */
enum daemon_delivery { DELIVERY_FILE, DELIVERY_COMMAND };
struct call_filter;
int daemon_become(const char *user, uid_t uid, gid_t gid, enum daemon_delivery delivery,
		  const struct call_filter *calls);

#endif
