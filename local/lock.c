/* SPDX-License-Identifier: ISC */
#include "local/lock.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>

unsigned lock_kind(struct slice word)
{
	return slice_caseeq(word, SL("fcntl"))     ? LOCK_FCNTL
	       : slice_caseeq(word, SL("flock"))   ? LOCK_FLOCK
	       : slice_caseeq(word, SL("dotlock")) ? LOCK_DOT
						   : 0u;
}

struct lock_rules lock_rules_of(const struct settings *settings)
{
	struct lock_rules rules = {.delay = settings->deliver_lock_delay,
				   .stale = settings->stale_lock_time,
				   .attempts = settings->deliver_lock_attempts};
	struct slice rest = settings->mailbox_delivery_lock, word;

	while (settings_next_word(&rest, &word))
		rules.kinds |= lock_kind(word);
	return rules;
}

/* is_stale - judged by ctime, which nobody can set. */
static bool is_stale(const struct lock_rules *rules, const char *path)
{
	struct stat st;

	if (os_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return os_wall() > ((int64_t)st.st_ctim.tv_sec * OS_SECOND + rules->stale);
}

/* Most locks are held for a moment only, by a delivery beside this one, so the pauses are short at first. */
#define PAUSE_FIRST (OS_MILLISECOND / 2)
#define PAUSE_MOST (50 * OS_MILLISECOND)

struct patience {
	int64_t until;
	int64_t pause;
};

static struct patience patience(const struct lock_rules *rules)
{
	return (struct patience){os_now() + (rules->attempts - 1) * rules->delay, PAUSE_FIRST};
}

/* wait_more - false: it is over. */
static bool wait_more(struct patience *p)
{
	int64_t left = p->until - os_now();

	if (left <= 0)
		return false;
	os_sleep(p->pause < left ? p->pause : left);
	p->pause = 2 * p->pause < PAUSE_MOST ? 2 * p->pause : PAUSE_MOST;
	return true;
}

int lock_make_file(const struct lock_rules *rules, const char *path)
{
	struct patience p = patience(rules);
	int fd;

	for (;;) {
		fd = os_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0);
		if (fd >= 0)
			break;
		if (errno != EEXIST)
			return -1;
		if (is_stale(rules, path) && os_unlinkat(AT_FDCWD, path, 0) == 0)
			continue;
		if (!wait_more(&p)) {
			errno = EEXIST;
			return -1;
		}
	}
	os_close(fd);
	return 0;
}

static int lock_once(int fd, unsigned kind)
{
	return kind == LOCK_FCNTL ? os_lock_record(fd) : os_lock(fd, true, false);
}

int lock_open_file(const struct lock_rules *rules, int fd, unsigned kind)
{
	struct patience p = patience(rules);

	while (lock_once(fd, kind) < 0) {
		int error = errno;

		if (error == EAGAIN && wait_more(&p))
			continue;
		errno = error;
		return -1;
	}
	return 0;
}
