/* SPDX-License-Identifier: ISC */
/*
 * privileges - what each process may do, as declared in schema/privileges/processes. Lists are words
 * separated by spaces; their meaning is said there.
 */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include "base/slice.h"

enum privilege_kind {
	KIND_MASTER,
	KIND_FIBERS,
	KIND_POOL,
	KIND_COMMAND,
	KIND_CHILD
};

enum privilege_user {
	USER_SPOOL, /* $mail_owner */
	USER_OWN,   /* ${mail_owner}-ACCOUNT */
	USER_ROOT,
	USER_CALLER /* as it was */
};

struct privileges {
	const char *name;
	enum privilege_kind kind;
	bool per_core; /* as many processes as processors; else one (pool: as many as are busy) */
	bool exclusive; /* never two at once, not even while one drains */
	enum privilege_user user;
	const char *account; /* of USER_OWN: the suffix */
	bool chroot;
	bool no_new_privs;
	const char *capabilities;
	const char *calls;
	bool any_file;
	const char *read;
	const char *write;
	const char *connect;
	const char *connect_any_if;
	const char *bind;
};

extern const struct privileges privileges[];
extern const size_t privilege_count;

/*
 * privileges_find - the row of a program, NULL when none is declared. Programs that are another one
 * under a second name have its row: lmtp is smtp; retry and discard are error.
 */
const struct privileges *privileges_find(struct slice program);

/* capability_mask - "setuid setgid" to a set of 1 << CAP_...; an unknown name is a broken invariant. */
uint64_t capability_mask(const char *names);

#endif
