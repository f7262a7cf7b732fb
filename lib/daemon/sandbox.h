/* SPDX-License-Identifier: ISC */
/*
 * sandbox - put a process under its row of schema/privileges, in two steps: prepare, while it still
 * has root's rights and can look at paths; enter, which takes the rights away for good.
 */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include "base/arena.h"
#include "config/settings.h"
#include "daemon/privileges.h"

struct sandbox_accounts {
	uid_t owner_uid; /* $mail_owner */
	gid_t owner_gid;
	gid_t drop_gid; /* $setgid_group */
	uid_t uid;	/* what the row's process becomes */
	gid_t gid;
	bool fell_back; /* the row's own account is missing: $mail_owner stands in */
	char own_name[64]; /* the missing account's name, when fell_back */
};

/*
 * sandbox_accounts - look them up; for a command, which stays who it is, none but its own. RES_PERM and *missing (a user's or group's name) when $mail_owner or
 * $setgid_group does not exist.
 */
enum result sandbox_accounts(const struct privileges *row, const struct settings *settings,
			     struct sandbox_accounts *out, struct slice *missing);

/* What one process's configuration adds to its row: a file or folder to read, or a TCP port to connect to. */
struct sandbox_extra {
	struct sandbox_extra *next;
	const char *path; /* absolute; NULL: a port */
	uint16_t port;
};

struct sandbox {
	const struct privileges *row;
	struct sandbox_accounts accounts;
	const char *queue_directory;
	const struct sandbox_extra *extra;
	bool chroot;
	bool unprivileged_start; /* not started by root: no users, no chroot, no capabilities */
	int landlock_abi;	 /* 0: the kernel has none; files are then guarded by their modes only */
	int ruleset;
	const struct call_filter *calls;
};

/*
 * sandbox_prepare - `chroot` is what master.cf asks for; it is followed if the row permits it. *what is
 * set to a constant text on failure. `extra` may be NULL.
 */
enum result sandbox_prepare(const struct privileges *row, const struct settings *settings,
			    const struct sandbox_accounts *accounts, bool chroot,
			    const struct sandbox_extra *extra, struct sandbox *out, const char **what);
/*
 * sandbox_enter - working directory, root, user, capabilities, Landlock, system calls. After a
 * failure (RES_PERM, errno, *what) the process must end: it may have lost a part of its rights.
 */
enum result sandbox_enter(struct sandbox *sandbox, const char **what);

/*
 * sandbox_port_allowed - whether the row lets the process connect to this TCP port, for messages.
 */
bool sandbox_port_allowed(const struct privileges *row, const struct settings *settings,
			  uint16_t port);

#endif
