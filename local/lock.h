/* SPDX-License-Identifier: ISC */
/*
 * lock - the locks that programs take on a mailbox file, with the patience that main.cf gives them. For a child of
 * local, and for postlock: the calls wait with plain sleeps.
 */
#ifndef LOCAL_LOCK_H
#define LOCAL_LOCK_H

#include "config/settings.h"

#define LOCK_FCNTL 1u
#define LOCK_FLOCK 2u
#define LOCK_DOT 4u

struct lock_rules {
	int64_t delay; /* deliver_lock_delay: a lock is tried for (attempts - 1) times this long */
	int64_t stale; /* stale_lock_time: an older lock file is nobody's */
	unsigned kinds;
	int32_t attempts; /* deliver_lock_attempts */
};

/* lock_kind - of "fcntl", "flock", "dotlock"; 0 for another word. */
unsigned lock_kind(struct slice word);
/* lock_rules_of - what the settings say; `kinds`: mailbox_delivery_lock. */
struct lock_rules lock_rules_of(const struct settings *settings);

/*
 * lock_make_file - 0, and `path` is ours to remove; -1 and errno: EEXIST when somebody else holds it for
 * too long.
 */
int lock_make_file(const struct lock_rules *rules, const char *path);
/* lock_open_file - one kind, LOCK_FCNTL or LOCK_FLOCK, on an open file; it ends when the file is closed. */
int lock_open_file(const struct lock_rules *rules, int fd, unsigned kind);

#endif
