/* SPDX-License-Identifier: ISC */
#include "daemon/daemon.h"
#include "daemon/calls.h"
#include "os/process.h"

#include <errno.h>
#include <grp.h>

#define MOST_GROUPS 256

/* user_groups - of the user's name, or only the primary one. */
static size_t user_groups(const char *user, gid_t gid, gid_t *groups)
{
	int count = MOST_GROUPS;

	groups[0] = gid;
	if (user == NULL || getgrouplist(user, gid, groups, &count) < 0)
		count = user == NULL ? 1 : MOST_GROUPS;
	return (size_t)count;
}

int daemon_become(const char *user, uid_t uid, gid_t gid, enum daemon_delivery delivery,
		  const struct call_filter *calls)
{
	gid_t groups[MOST_GROUPS];
	int rc;

	if (uid == 0 || (delivery == DELIVERY_FILE && calls == NULL)) {
		errno = EPERM;
		return -1;
	}
	if (os_become(uid, gid, groups, user_groups(user, gid, groups)) < 0 ||
	    os_capabilities_set(0) < 0)
		return -1;
	/* what a command may do is what the user may; the daemon's own filter stays on it */
	if (delivery == DELIVERY_COMMAND) {
		os_signals_default();
		return 0;
	}
	if (os_no_new_privs() < 0)
		return -1;
	rc = calls_enter(calls);
	errno = -rc;
	return rc < 0 ? -1 : 0;
}
