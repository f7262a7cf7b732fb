/* SPDX-License-Identifier: ISC */
/*
 * pickup - takes what postdrop left in maildrop/ to cleanup. It looks there when somebody connects to its
 * socket, and with master's wake-up timer. A file is removed only after cleanup has made the message
 * durable; what cleanup cannot take now stays and is tried again; what it will never take is returned
 * to its sender; what is not postdrop's work is set aside in corrupt/.
 */
#include "daemon/daemon.h"
#include "log/events.h"
#include "os/file.h"
#include "os/zone.h"
#include "pickup/submit.h"
#include "queue/maildrop.h"

#include <errno.h>

/* A .tmp file of a postdrop that was killed; a living one is done long before. */
#define TEMPORARY_AGE (36000 * OS_SECOND)
/* A power cut brings back at most so many files whose messages may have been delivered already. */
#define MOST_UNSYNCED 64

struct pickup {
	struct daemon_context *context;
	struct submitter submitter;
	struct fiber_mutex scanning;
	bool again; /* somebody asked while a scan was under way */
	unsigned removed; /* files whose removal is not known to be durable */
};

static void set_aside(struct pickup *p, int dirfd, const char *name)
{
	if (os_renameat_noreplace(dirfd, name, p->context->queue_fd,
				  arena_printf(p->context->arena, "corrupt/maildrop-%s", name).p) == 0)
		LOG(queue_damaged, .name = slice_str(name), .reason = SL("not written by postdrop"));
}

/*
 * sync_removals - on an idle file system a removed name comes back after a power cut even half a minute
 * later, and the message would be sent a second time.
 */
static void sync_removals(struct pickup *p, int dirfd)
{
	if (p->removed > 0 && os_sync_dir(dirfd) < 0)
		LOG(warning, .text = arena_printf(p->context->arena, "sync maildrop: %s", strerrordesc_np(errno)));
	p->removed = 0;
}

static void remove_taken(struct pickup *p, int dirfd, const char *name)
{
	if (os_unlinkat(dirfd, name, 0) < 0)
		LOG(warning, .text = arena_printf(p->context->arena, "remove maildrop/%s: %s", name,
						  strerrordesc_np(errno)));
	else if (++p->removed >= MOST_UNSYNCED)
		sync_removals(p, dirfd);
}

/* is_believed - only the queue's owner may say that a message has been in the queue. */
static bool is_believed(const struct pickup *p, const struct maildrop_file *file)
{
	return file->requeued.queue_id.n == 0 || file->owner == p->context->owner_uid;
}

/* take - one file. False: nothing goes on now, stop this scan. */
static bool take(struct pickup *p, int dirfd, const char *name)
{
	struct arena *arena = arena_create();
	struct maildrop_file file;
	bool go_on = true;

	switch (maildrop_open(dirfd, name, arena, &file)) {
	case RES_OK:
		if (!is_believed(p, &file)) {
			maildrop_close(&file);
			set_aside(p, dirfd, name);
			break;
		}
		go_on = submit(&p->submitter, name, &file, arena) == RES_OK;
		maildrop_close(&file);
		if (go_on)
			remove_taken(p, dirfd, name);
		break;
	case RES_PERM:
		if (errno != ENOENT)
			set_aside(p, dirfd, name);
		break;
	case RES_TEMP:
		LOG(warning, .text = arena_printf(arena, "open maildrop/%s: %s", name,
						  strerrordesc_np(errno)));
		break;
	}
	arena_destroy(&arena);
	return go_on;
}

static void remove_if_stale(int dirfd, const char *name)
{
	struct stat st;

	if (os_fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (int64_t)st.st_mtim.tv_sec * OS_SECOND < os_wall() - TEMPORARY_AGE)
		os_unlinkat(dirfd, name, 0);
}

static void scan(struct pickup *p)
{
	int dirfd = os_openat(p->context->queue_fd, "maildrop", O_RDONLY | O_DIRECTORY, 0);
	struct os_dir *dir = dirfd >= 0 ? os_dir_open(dirfd, ".") : NULL;
	struct queue_id id;
	const char *name;

	if (dir == NULL) {
		LOG(warning, .text = arena_printf(p->context->arena, "open maildrop: %s", strerrordesc_np(errno)));
	} else {
		while (!daemon_draining(p->context) && os_dir_next(dir, &name) == 1)
			if (!queue_id_parse(slice_str(name), &id, NULL, NULL))
				remove_if_stale(dirfd, name);
			else if (!take(p, dirfd, name))
				break;
		os_dir_close(&dir);
		sync_removals(p, dirfd);
	}
	if (dirfd >= 0)
		os_close(dirfd);
}

/* look - one scan at a time; who asks during one gets another after it. */
static void look(struct daemon_context *context)
{
	struct pickup *p = context->state;

	p->again = true;
	if (fiber_mutex_lock(&p->scanning, OS_NEVER, "the scan under way") < 0)
		return;
	if (p->again) {
		p->again = false;
		scan(p);
	}
	fiber_mutex_unlock(&p->scanning);
}

/* A connection is a wake-up; what is written on it does not matter. */
static void pickup_session(struct daemon_context *context, struct daemon_session *session)
{
	os_close(session->fd);
	look(context);
}

static enum result pickup_open(struct daemon_context *context)
{
	struct pickup *p = ARENA_NEW(context->arena, struct pickup);

	p->context = context;
	fiber_mutex_init(&p->scanning);
	os_zone_open();
	context->state = p;
	return RES_OK;
}

static void pickup_start(struct daemon_context *context)
{
	struct pickup *p = context->state;

	submitter_open(&p->submitter, context->settings, context->arena);
}

static const struct daemon pickup_daemon = {
    .name = "pickup",
    .open = pickup_open,
    .start = pickup_start,
    .session = pickup_session,
    .wakeup = look,
    .exit_when_idle = true,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &pickup_daemon);
}
