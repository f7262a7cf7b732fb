/* SPDX-License-Identifier: ISC */
/*
 * postconf_file - main.cf or master.cf is changed by writing a new one beside it, which takes the
 * old one's place only once it is on disk. The new one is locked meanwhile: of two that edit, the
 * second waits, and changes what the first has written.
 */
#include "commands/postconf.h"

#include "config/source.h"
#include "os/file.h"

#include <errno.h>

static const char *temporary(struct postconf *pc, const struct edited_file *file)
{
	return arena_printf(pc->arena, "%s.tmp", file->name).p;
}

/* same_file - NAME.tmp is still the file that was locked: another may have renamed it while we
 * waited. */
static bool same_file(int dirfd, const char *name, int fd)
{
	struct stat a, b;

	return os_fstatat(dirfd, name, &a, AT_SYMLINK_NOFOLLOW) == 0 && os_fstat(fd, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int open_locked(struct postconf *pc, const struct edited_file *file)
{
	const char *name = temporary(pc, file);

	for (;;) {
		int fd = os_openat(file->dirfd, name, O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);

		if (fd < 0)
			postconf_fatal("create %s/%s: %s", pc->dir, name, strerror(errno));
		if (os_lock(fd, true, true) < 0)
			postconf_fatal("lock %s/%s: %s", pc->dir, name, strerror(errno));
		if (same_file(file->dirfd, name, fd))
			return fd;
		(void)os_close(fd);
	}
}

static void take_owner_and_mode(struct postconf *pc, const struct edited_file *file)
{
	struct stat st;

	if (os_fstatat(file->dirfd, file->name, &st, 0) < 0)
		postconf_fatal("stat %s/%s: %s", pc->dir, file->name, strerror(errno));
	if (os_fchown(file->fd, st.st_uid, st.st_gid) < 0 ||
	    os_fchmod(file->fd, st.st_mode & 07777) < 0 || os_ftruncate(file->fd, 0) < 0)
		postconf_fatal("give %s/%s the owner and mode of %s: %s", pc->dir,
			       temporary(pc, file), file->name, strerror(errno));
}

void edited_file_open(struct postconf *pc, const char *name, struct edited_file *file)
{
	*file = (struct edited_file){.name = name};
	file->dirfd = os_openat(AT_FDCWD, pc->dir, O_RDONLY | O_DIRECTORY, 0);
	if (file->dirfd < 0)
		postconf_fatal("open %s: %s", pc->dir, strerror(errno));
	file->fd = open_locked(pc, file);
	take_owner_and_mode(pc, file);
	/* Read only now, under the lock: what another postconf has just written counts. */
	if (config_read(pc->dir, name, pc->arena, &pc->problems, &file->path, &file->text) !=
	    RES_OK)
		postconf_fatal("%s", config_problem_text(pc->arena, &pc->problems.items[0]).p);
}

void edited_file_commit(struct postconf *pc, struct edited_file *file)
{
	const char *name = temporary(pc, file);

	if (buffer_overflowed(&pc->out))
		postconf_fatal("the new %s is too large", file->name);
	if (os_write_full(file->fd, pc->out.data, pc->out.len) < 0 || os_fsync(file->fd) < 0) {
		int error = errno;

		(void)os_unlinkat(file->dirfd, name, 0);
		postconf_fatal("write %s/%s: %s", pc->dir, name, strerror(error));
	}
	if (os_renameat(file->dirfd, name, file->dirfd, file->name) < 0)
		postconf_fatal("rename %s/%s: %s", pc->dir, name, strerror(errno));
	if (os_close(file->fd) < 0 || os_sync_dir(file->dirfd) < 0)
		postconf_fatal("sync %s: %s", pc->dir, strerror(errno));
	(void)os_close(file->dirfd);
	buffer_reset(&pc->out);
}
