/* SPDX-License-Identifier: ISC */
#include "daemon/layout.h"
#include "os/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum layout_owner { BY_ROOT, BY_OWNER };
enum layout_group { OF_ROOT, OF_OWNER, OF_DROP };

struct folder {
	const char *name;
	mode_t mode;
	enum layout_owner owner;
	enum layout_group group;
};

/*
 * private/ is open to the group of $mail_owner, which the processes under accounts of their own have;
 * public/ and the sticky, unreadable maildrop/ to $setgid_group.
 */
static const struct folder folders[] = {
    {".", 0755, BY_ROOT, OF_ROOT},	 {"pid", 0755, BY_ROOT, OF_ROOT},
    {"private", 0750, BY_OWNER, OF_OWNER}, {"public", 02710, BY_OWNER, OF_DROP},
    {"status", 0700, BY_OWNER, OF_OWNER},  {"maildrop", 01730, BY_OWNER, OF_DROP},
    {"journal", 0700, BY_OWNER, OF_OWNER}, {"large", 0700, BY_OWNER, OF_OWNER},
    {"deferred", 0700, BY_OWNER, OF_OWNER}, {"hold", 0700, BY_OWNER, OF_OWNER},
    {"corrupt", 0700, BY_OWNER, OF_OWNER},
};

struct layout {
	const struct sandbox_accounts *accounts;
	const char *root;
	int root_fd;
	bool mend;
	layout_report *report;
	void *arg;
	size_t differences;
};

static void __attribute__((format(printf, 3, 4)))
differ(struct layout *l, const char *name, const char *format, ...)
{
	char text[512], what[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%s%s%s: %s", l->root, *name == '.' ? "" : "/",
		 *name == '.' ? "" : name, what);
	l->differences++;
	if (l->report != NULL)
		l->report(l->arg, slice_str(text));
}

static uid_t owner_of(const struct layout *l, const struct folder *f)
{
	return f->owner == BY_OWNER ? l->accounts->owner_uid : 0;
}

static gid_t group_of(const struct layout *l, const struct folder *f)
{
	if (f->group == OF_DROP)
		return l->accounts->drop_gid;
	return f->group == OF_OWNER ? l->accounts->owner_gid : 0;
}

/* right - the group of what root owns does not matter. */
static bool right(const struct layout *l, const struct folder *f, const struct stat *st)
{
	return st->st_uid == owner_of(l, f) && (st->st_mode & 07777) == f->mode &&
	       (f->group == OF_ROOT || st->st_gid == group_of(l, f));
}

/* mend_folder - through a descriptor, so that nobody can put a symbolic link in between. */
static bool mend_folder(struct layout *l, const struct folder *f, struct stat *st)
{
	int fd = os_openat(l->root_fd, f->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	gid_t group = f->group == OF_ROOT ? (gid_t)-1 : group_of(l, f);
	bool done;

	if (fd < 0)
		return false;
	done = os_fchown(fd, owner_of(l, f), group) == 0 && os_fchmod(fd, f->mode) == 0 &&
	       os_fstat(fd, st) == 0;
	os_close(fd);
	return done;
}

static void check_folder(struct layout *l, const struct folder *f)
{
	struct stat st;

	if (l->mend && os_mkdirat(l->root_fd, f->name, f->mode) < 0 && errno != EEXIST)
		differ(l, f->name, "cannot be made: %s", strerror(errno));
	if (os_fstatat(l->root_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		differ(l, f->name, "%s", strerror(errno));
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		differ(l, f->name, "not a directory");
		return;
	}
	if (!right(l, f, &st) && (!l->mend || !mend_folder(l, f, &st) || !right(l, f, &st)))
		differ(l, f->name, "owner %u, group %u, mode %04o; should be %u, %u, %04o",
		       (unsigned)st.st_uid, (unsigned)st.st_gid, (unsigned)st.st_mode & 07777,
		       (unsigned)owner_of(l, f), (unsigned)group_of(l, f), (unsigned)f->mode);
}

/* make_root - $queue_directory and what is missing above it. */
static void make_root(const char *path)
{
	char part[4096];
	size_t n = strlen(path);

	if (n >= sizeof(part))
		return;
	for (size_t i = 1; i <= n; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		os_mkdirat(AT_FDCWD, part, 0755);
	}
}

size_t layout_check(const struct settings *settings, const struct sandbox_accounts *accounts,
		    bool mend, layout_report *report, void *arg)
{
	struct layout l = {.accounts = accounts,
			   .root = settings->queue_directory.p,
			   .mend = mend,
			   .report = report,
			   .arg = arg};

	if (mend)
		make_root(l.root);
	l.root_fd = os_openat(AT_FDCWD, l.root, O_RDONLY | O_DIRECTORY, 0);
	if (l.root_fd < 0) {
		differ(&l, ".", "%s", strerror(errno));
		return l.differences;
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		check_folder(&l, &folders[i]);
	os_close(l.root_fd);
	return l.differences;
}
