/* SPDX-License-Identifier: ISC */
/*
 * mbox - append to a file, locked, and leave it as it was when that does not work. The order is
 * that of the other programs that read mailboxes: lock file first, then open, then the locks on the
 * open file. What a crash may leave at its end is told in doc/durability.md.
 */
#include "local/job.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>

struct mbox {
	struct job *job;
	int fd;
	bool readable;
	struct stat st;
	const char *lock; /* name of the lock file that we made; NULL: none */
	bool created;
};

static struct outcome because(const struct job *job, struct slice dsn, const char *text, int error)
{
	return outcome_failed_because(job->arena, dsn, slice_str(text), error);
}

static struct outcome problem(const struct job *job, const char *text, int error)
{
	return because(job, outcome_error_dsn(error, SL("5.2.0")), text, error);
}

/* ---- lock files */

/* lock_name - true: the file is locked so, or need not be. */
static bool lock_name(struct mbox *m, struct outcome *o)
{
	struct job *job = m->job;
	struct slice lock = arena_printf(job->arena, "%s.lock", job->path);
	struct slice text = arena_printf(job->arena, "unable to create lock file %s", lock.p);
	int error;

	if (!(job->locks.kinds & LOCK_DOT))
		return true;
	/* no lock files for /dev/null; a link to a file is as good as the file */
	if (os_fstatat(AT_FDCWD, job->path, &m->st, 0) == 0 && !S_ISREG(m->st.st_mode))
		return true;
	if (lock_make_file(&job->locks, lock.p) == 0) {
		m->lock = lock.p;
		if (job->privileged)
			job_leave_lock(job, lock);
		return true;
	}
	error = errno;
	*o = error == EEXIST ? because(job, SL("4.2.0"), text.p, error)
			     : problem(job, text.p, error);
	/* files lie in folders of all kinds */
	if (error == EEXIST || job->is_mailbox)
		return false;
	job_warn(job, o->text);
	return true;
}

/* ---- opening */

/*
 * trusted_link - may this symbolic link be followed? Only root's, in a folder where nobody else
 * could have put it.
 */
static bool trusted_link(const struct job *job)
{
	struct slice path = slice_str(job->path);
	ssize_t slash = slice_rfind(path, '/');
	struct slice parent =
	    slash > 0 ? arena_dup(job->arena, slice_sub(path, 0, (size_t)slash)) : SL("/");
	struct stat st;

	if (os_fstatat(AT_FDCWD, job->path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(st.st_mode) ||
	    st.st_uid != 0)
		return false;
	return os_fstatat(AT_FDCWD, parent.p, &st, 0) == 0 && st.st_uid == 0 &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH));
}

/*
 * open_to_append - 0, or -1 and errno. A file is opened for reading, too, where that is allowed,
 * and by the one descriptor, for closing another would end the record lock. Nothing else is: a FIFO
 * wants a reader.
 */
static int open_to_append(struct mbox *m, int nofollow)
{
	int flags = O_APPEND | O_NONBLOCK | O_NOCTTY | nofollow;
	int look = nofollow ? AT_SYMLINK_NOFOLLOW : 0;
	const char *path = m->job->path;
	struct stat st;

	if (os_fstatat(AT_FDCWD, path, &st, look) == 0 && S_ISREG(st.st_mode)) {
		m->fd = os_openat(AT_FDCWD, path, O_RDWR | flags, 0);
		m->readable = m->fd >= 0;
		if (m->readable || errno != EACCES)
			return m->fd < 0 ? -1 : 0;
	}
	m->fd = os_openat(AT_FDCWD, path, O_WRONLY | flags, 0);
	return m->fd < 0 ? -1 : 0;
}

static bool open_existing(struct mbox *m, struct outcome *o)
{
	const struct job *job = m->job;
	int rc = open_to_append(m, O_NOFOLLOW);

	if (rc < 0 && errno == ELOOP) {
		if (!trusted_link(job)) {
			*o = outcome_failed(SL("5.2.0"), SL("file is a symbolic link"));
			return false;
		}
		rc = open_to_append(m, 0);
	}
	if (rc < 0 || os_fstat(m->fd, &m->st) < 0) {
		*o = problem(job, "cannot open file", errno);
		return false;
	}
	/* a mailbox with a second name may be somebody else's file */
	if (S_ISREG(m->st.st_mode) && m->st.st_nlink != 1) {
		*o = outcome_failed(SL("5.2.0"), arena_printf(job->arena, "file has %lu hard links",
							      (unsigned long)m->st.st_nlink));
		return false;
	}
	return true;
}

static bool create(struct mbox *m, struct outcome *o)
{
	const struct job *job = m->job;

	m->fd =
	    os_openat(AT_FDCWD, job->path, O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (m->fd < 0 && errno == EEXIST)
		return open_existing(m, o);
	if (m->fd < 0) {
		*o = problem(job, "cannot create file exclusively", errno);
		return false;
	}
	m->created = m->readable = true;
	if (job->privileged && os_fchown(m->fd, job->owner, job->owner_group) < 0) {
		*o = problem(job, "cannot change file ownership", errno);
		return false;
	}
	return os_fstat(m->fd, &m->st) == 0;
}

static bool open_file(struct mbox *m, struct outcome *o)
{
	struct stat st;

	if (os_fstatat(AT_FDCWD, m->job->path, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return create(m, o);
	return open_existing(m, o);
}

/* ---- locks on the open file */

static bool lock_open(struct mbox *m, unsigned kind, struct outcome *o)
{
	if (!(m->job->locks.kinds & kind) || lock_open_file(&m->job->locks, m->fd, kind) == 0)
		return true;
	*o = problem(m->job, "unable to lock for exclusive access", errno);
	return false;
}

/* still_there - a reader may have replaced the file while we waited. */
static bool still_there(struct mbox *m, struct outcome *o)
{
	if (os_fstat(m->fd, &m->st) == 0 && m->st.st_nlink == 1)
		return true;
	*o = outcome_failed(SL("4.2.0"), SL("target file status changed unexpectedly"));
	return false;
}

/* ---- what may be written to, and writing */

static bool acceptable(const struct mbox *m, struct outcome *o)
{
	const struct job *job = m->job;

	if (job->is_mailbox && !S_ISREG(m->st.st_mode)) {
		*o = outcome_failed(
		    SL("5.2.0"),
		    arena_printf(job->arena, "destination %s is not a regular file", job->path));
	} else if (job->is_mailbox && job->strict_owner && m->st.st_uid != job->owner) {
		*o = outcome_failed(SL("4.2.0"),
				    arena_printf(job->arena,
						 "destination %s is not owned by recipient",
						 job->path));
		job_warn(job, SL("specify \"strict_mailbox_ownership = no\" to ignore mailbox "
				 "ownership mismatch"));
	} else if (!job->is_mailbox && S_ISREG(m->st.st_mode) &&
		   (m->st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))) {
		*o = outcome_failed(SL("5.7.1"), SL("file is executable"));
	} else {
		return true;
	}
	return false;
}

/* sync_name - of a mailbox that is new, as far as the folder can be read. */
static int sync_name(const struct mbox *m)
{
	struct slice path = slice_str(m->job->path);
	ssize_t slash = slice_rfind(path, '/');
	struct slice parent =
	    slash > 0 ? arena_dup(m->job->arena, slice_sub(path, 0, (size_t)slash)) : SL("/");
	int fd, rc;

	if (!m->created)
		return 0;
	fd = os_openat(AT_FDCWD, parent.p, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return 0;
	rc = os_sync_dir(fd);
	os_close(fd);
	return rc;
}

/*
 * missing_end - what the file needs before a From_ line, so that the line is one for those who read
 * it: an empty line. A delivery that a crash cut off, or another program, may have left the end of
 * the file anywhere.
 */
static struct slice missing_end(const struct mbox *m)
{
	char end[2] = {'\n', '\n'};
	size_t n = m->st.st_size < 2 ? (size_t)m->st.st_size : 2;

	if (!m->readable || !S_ISREG(m->st.st_mode))
		return SL("");
	if (os_pread_full(m->fd, end + 2 - n, n, m->st.st_size - (off_t)n) != (ssize_t)n ||
	    end[1] != '\n')
		return SL("\n\n");
	return end[0] != '\n' ? SL("\n") : SL("");
}

static int write_all(const struct mbox *m, const char **what)
{
	if (job_copy(m->job, missing_end(m), m->fd, what) < 0)
		return -1;
	*what = "error writing message";
	if (!S_ISREG(m->st.st_mode))
		return 0;
	return os_fsync(m->fd) < 0 ? -1 : sync_name(m);
}

static struct outcome append(const struct mbox *m)
{
	const struct job *job = m->job;
	const char *what = "error writing message";
	int error;

	if (write_all(m, &what) == 0)
		return outcome_sent(SL("delivered to mailbox"));
	error = errno;
	if (S_ISREG(m->st.st_mode) && os_ftruncate(m->fd, m->st.st_size) < 0)
		job_warn(job, arena_printf(job->arena, "%s: cannot truncate to its former size: %s",
					   job->path, strerror(errno)));
	return because(job, outcome_error_dsn(error, SL("5.3.0")), what, error);
}

/* open_and_lock - true: m->fd is ready to be appended to. */
static bool open_and_lock(struct mbox *m, struct outcome *o)
{
	if (!open_file(m, o))
		return false;
	if (!S_ISREG(m->st.st_mode))
		return true;
	return lock_open(m, LOCK_FLOCK, o) && lock_open(m, LOCK_FCNTL, o) && still_there(m, o);
}

static struct outcome deliver(struct mbox *m)
{
	const struct job *job = m->job;
	struct outcome o;

	if (lock_name(m, &o) && open_and_lock(m, &o)) {
		if (job->privileged && job_become(job) < 0)
			o = because(job, SL("4.3.0"), "cannot become the recipient", errno);
		else if (acceptable(m, &o))
			o = append(m);
	}
	if (m->fd >= 0)
		os_close(m->fd);
	/* the parent removes what only root may */
	if (m->lock != NULL && !job->privileged)
		(void)os_unlinkat(AT_FDCWD, m->lock, 0);
	return o;
}

struct outcome job_mbox(struct job *job)
{
	struct mbox m = {.job = job, .fd = -1};
	struct outcome o;
	struct slice text;

	if (job->privileged)
		job_limit_size(job);
	o = deliver(&m);
	if (o.status == DELIVERY_STATUS_SENT) {
		if (!job->is_mailbox)
			o.text = arena_printf(job->arena, "delivered to file: %s", job->path);
		return o;
	}
	text = job->is_mailbox
		   ? arena_printf(job->arena, "cannot update mailbox %s for user %.*s. ", job->path,
				  SL_ARG(job->user))
		   : arena_printf(job->arena, "cannot append message to file %s: ", job->path);
	o.text = arena_printf(job->arena, "%.*s%.*s", SL_ARG(text), SL_ARG(o.text));
	return o;
}
