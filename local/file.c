/* SPDX-License-Identifier: ISC */
/*
 * file - destinations from files: a user's .forward, and :include:. Read with the effective ids of
 * the user on whose behalf it is; nothing waits in between, so no other fiber sees these ids.
 */
#include "local/local.h"
#include "log/events.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>

/* No list is longer. */
#define FILE_MAX ((size_t)16 << 20)
#define READ_STEP ((size_t)65536)

/* open_as - as that user; NULL: as root. */
static int open_as(const char *path, const struct account *as, int flags)
{
	int fd, error;

	if (as != NULL && os_act_as(as->uid, as->gid) < 0)
		return -1;
	/* what is no file must not make us wait */
	fd = os_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | flags, 0);
	error = errno;
	/* not to be root again would be the end of all other deliveries */
	if (as != NULL && os_act_as(0, 0) < 0)
		os_exit_now(1);
	errno = error;
	return fd;
}

static int stat_as(const char *path, const struct account *as, int flags, struct stat *st)
{
	int rc, error;

	if (as != NULL && os_act_as(as->uid, as->gid) < 0)
		return -1;
	rc = os_fstatat(AT_FDCWD, path, st, flags);
	error = errno;
	if (as != NULL && os_act_as(0, 0) < 0)
		os_exit_now(1);
	errno = error;
	return rc;
}

static int read_all(int fd, struct buffer *text)
{
	ssize_t n;

	do {
		if (!buffer_reserve(text, READ_STEP)) {
			errno = EFBIG;
			return -1;
		}
		n = os_read(fd, text->data + text->len, READ_STEP);
		if (n > 0)
			text->len += (size_t)n;
	} while (n > 0);
	return n < 0 ? -1 : 0;
}

/* read_tokens - of an open file, which is closed. 0, or -1 and errno. */
static int read_tokens(struct delivery *d, int fd, struct tokens *list)
{
	struct buffer text;
	int rc, error;

	buffer_init(&text, FILE_MAX + READ_STEP);
	rc = read_all(fd, &text);
	error = errno;
	if (rc == 0)
		token_file(d->arena, arena_dup(d->arena, buffer_slice(&text)), EXPAND_DESTINATIONS,
			   list);
	buffer_free(&text);
	os_close(fd);
	errno = error;
	return rc;
}

/* ---- .forward */

static void ignore_forward(struct delivery *d, const char *format, const char *path)
{
	struct slice text = arena_printf(d->arena, "file %s ", path);

	LOG(warning, .text = arena_printf(d->arena, "%.*s%s", SL_ARG(text), format));
}

/* acceptable - a .forward that others could have written, or put there, is as if it were not. */
static bool acceptable(struct delivery *d, const char *path, const struct stat *st,
		       const struct account *user)
{
	if (!S_ISREG(st->st_mode))
		ignore_forward(d, "is not a regular file", path);
	else if (st->st_uid != 0 && st->st_uid != user->uid)
		ignore_forward(
		    d, arena_printf(d->arena, "has bad owner uid %lu", (unsigned long)st->st_uid).p,
		    path);
	else if (st->st_mode & S_IWOTH)
		ignore_forward(d, "is world writable", path);
	else
		return true;
	return false;
}

/* read_forward - its destinations; false when there are none, or it is not to be used. */
static bool read_forward(struct delivery *d, const char *path, const struct account *user,
			 struct tokens *list)
{
	struct stat st;
	int fd;

	if (stat_as(path, user, AT_SYMLINK_NOFOLLOW, &st) < 0 || !acceptable(d, path, &st, user))
		return false;
	fd = open_as(path, user, O_NOFOLLOW);
	/* it may have become another in the meantime */
	if (fd >= 0 && os_fstat(fd, &st) == 0 && !acceptable(d, path, &st, user)) {
		os_close(fd);
		return false;
	}
	if (fd < 0 || read_tokens(d, fd, list) < 0) {
		LOG(warning, .text = arena_printf(d->arena, "cannot open file %s: %s", path,
						  strerror(errno)));
		return false;
	}
	return list->count > 0;
}

/* find_forward - the first of forward_path that exists. */
static const char *find_forward(struct delivery *d, const struct task *t,
				const struct account *user)
{
	const struct settings *s = d->p->settings;
	struct slice rest = s->forward_path, word, path, missing = SL("");
	struct stat st;

	while (settings_next_word(&rest, &word)) {
		if (!expand_names(d, t, user, word, s->forward_expansion_filter, &path) ||
		    path.n == 0)
			continue;
		/* without an extension one setting after another may name the same file */
		if (slice_eq(path, missing))
			continue;
		if (stat_as(path.p, user, AT_SYMLINK_NOFOLLOW, &st) == 0)
			return path.p;
		missing = path;
		if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
			LOG(warning,
			    .text = arena_printf(d->arena, "%s: %s", path.p, strerror(errno)));
	}
	return NULL;
}

/* inside - is this task a part of what that file says? */
static bool inside(const struct task *t, struct slice path)
{
	for (const struct task *up = t; up != NULL; up = up->parent)
		if (up->path.p != NULL && slice_eq(up->path, path))
			return true;
	return false;
}

static void expand_forward(struct delivery *d, const struct task *t,
			   const struct recipient_name *name, const struct account *user,
			   struct slice path, const struct tokens *list)
{
	struct task how = *t;
	bool with_extension = name->extension.n > 0 && slice_search(path, name->extension) >= 0;

	how.parent = (struct task *)t;
	how.depth = t->depth + 1;
	how.from = name->local;
	how.kind = FROM_FORWARD;
	how.path = path;
	how.rights = user;
	how.owner = name->user;
	how.unmatched =
	    (d->p->propagate & FROM_FORWARD) && !with_extension ? name->extension : SL_NULL;
	if (how.notify == MAIL_NOTIFY_SUCCESS)
		how.notify = MAIL_NOTIFY_NEVER;
	how.notify &= ~(uint32_t)MAIL_NOTIFY_SUCCESS;
	d->expanded = true;
	expand_tokens(d, &how, list);
}

bool forward_deliver(struct delivery *d, const struct task *t, const struct recipient_name *name,
		     const struct account *user)
{
	const char *path;
	struct tokens list;

	/* what stands in a user's own .forward, or alias of the same name, means the mailbox */
	if (!slice_is_null(t->from) && slice_caseeq(t->from, user->name))
		return false;
	path = find_forward(d, t, user);
	if (path == NULL || inside(t, slice_str(path)))
		return false;
	/* twice would be once too much, but only if the first time it was used */
	if (map_get(d->seen, arena_printf(d->arena, "forward-used %s", path)) != NULL)
		return true;
	if (!read_forward(d, path, user, &list))
		return false;
	delivery_once(d, "forward-used", slice_str(path));
	if (d->probe) {
		struct outcome o =
		    outcome_sent(arena_printf(d->arena, "forward via file: %s", path));

		delivery_ended(d, t, &o);
		return true;
	}
	expand_forward(d, t, name, user, slice_str(path), &list);
	return true;
}

/* ---- :include: */

/*
 * include_rights - of the user whose .forward it is in, or of the alias table; where there is none,
 * of the file's owner. False: the owner has no account.
 */
static bool include_rights(struct delivery *d, struct task *how, const struct stat *st)
{
	struct account *owner;

	if (how->rights != NULL || st->st_uid == 0)
		return true;
	owner = ARENA_NEW(d->arena, struct account);
	if (account_by_uid(d->arena, st->st_uid, owner) != RES_OK)
		return false;
	how->rights = owner;
	return true;
}

static struct slice include_problem(struct delivery *d, struct slice path, const struct account *as,
				    struct stat *st)
{
	if (path.n == 0 || path.p[0] != '/')
		return arena_printf(d->arena, ":include:%.*s uses a relative path", SL_ARG(path));
	if (stat_as(path.p, as, 0, st) < 0)
		return arena_printf(d->arena, "unable to lookup :include: file %s: %s", path.p,
				    strerror(errno));
	if (!S_ISREG(st->st_mode))
		return arena_printf(d->arena, ":include: file %s is not a regular file", path.p);
	if (st->st_mode & S_IWOTH)
		return arena_printf(d->arena, ":include: file %s is world writable", path.p);
	return SL_NULL;
}

void include_deliver(struct delivery *d, const struct task *t)
{
	struct slice path = arena_dup(d->arena, t->token.text);
	struct task how = *t;
	struct stat st = {0};
	struct tokens list;
	struct slice wrong;
	int fd;

	if (!delivery_once(d, "include", path))
		return;
	wrong = include_problem(d, path, t->rights, &st);
	if (wrong.p == NULL && !include_rights(d, &how, &st))
		wrong =
		    arena_printf(d->arena, "%s: cannot find :include: file owner username", path.p);
	if (wrong.p != NULL) {
		delivery_failed(d, t, SL("5.3.5"), wrong);
		return;
	}
	fd = open_as(path.p, how.rights, 0);
	if (fd < 0 || read_tokens(d, fd, &list) < 0) {
		delivery_failed(d, t, outcome_error_dsn(errno, SL("5.3.5")),
				arena_printf(d->arena, "cannot open include file %s: %s", path.p,
					     strerror(errno)));
		return;
	}
	how.parent = (struct task *)t;
	how.depth = t->depth + 1;
	how.from = recipient_name(d, t).local;
	how.kind = FROM_INCLUDE;
	if (!(d->p->propagate & FROM_INCLUDE))
		how.unmatched = SL_NULL;
	expand_tokens(d, &how, &list);
}
