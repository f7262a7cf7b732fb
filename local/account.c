/* SPDX-License-Identifier: ISC */
/* account - who has an account on this machine, as the C library's name service says. */
#include "local/local.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <pwd.h>

#define RECORD_FIRST ((size_t)1024)
#define RECORD_MAX ((size_t)1 << 20)
#define PASSWD "/etc/passwd"
/* For so long may a name service that is not a file here be behind. */
#define REMEMBER_MOST OS_SECOND

static void fill(struct arena *arena, const struct passwd *pw, struct account *out)
{
	*out = (struct account){
	    .name = arena_dup(arena, slice_str(pw->pw_name)),
	    .home = arena_dup(arena, slice_str(pw->pw_dir)),
	    .shell = arena_dup(arena, slice_str(pw->pw_shell)),
	    .uid = pw->pw_uid,
	    .gid = pw->pw_gid,
	};
}

/* ask - by name, or by uid where that is NULL. */
static enum result ask(struct arena *arena, const char *name, uid_t uid, struct account *out)
{
	for (size_t room = RECORD_FIRST; room <= RECORD_MAX; room *= 2) {
		char *record = arena_alloc(arena, room);
		struct passwd pw, *found = NULL;
		int error = name != NULL ? getpwnam_r(name, &pw, record, room, &found)
					 : getpwuid_r(uid, &pw, record, room, &found);

		if (error == ERANGE)
			continue;
		if (found != NULL) {
			fill(arena, found, out);
			return RES_OK;
		}
		/* getpwnam_r(3): these, too, mean that there is none */
		if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF ||
		    error == EPERM)
			return RES_PERM;
		errno = error;
		return RES_TEMP;
	}
	errno = ERANGE;
	return RES_TEMP;
}

enum result account_by_name(struct arena *arena, struct slice name, struct account *out)
{
	const char *text = arena_str(arena, name);

	if (text == NULL || name.n == 0)
		return RES_PERM;
	return ask(arena, text, 0, out);
}

static void copy(struct arena *arena, const struct account *from, struct account *out)
{
	*out = *from;
	out->name = arena_dup(arena, from->name);
	out->home = arena_dup(arena, from->home);
	out->shell = arena_dup(arena, from->shell);
}

/* same_file - it was not edited, nor another put in its place. */
static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

enum result account_recall(struct account_memory *m, struct arena *arena, struct slice name,
			   struct account *out)
{
	struct stat now = {0};
	enum result rc;

	if (os_fstatat(AT_FDCWD, PASSWD, &now, 0) == 0 && m->arena != NULL &&
	    slice_eq(m->asked, name) && same_file(&now, &m->passwd) && os_now() < m->until) {
		copy(arena, &m->account, out);
		return RES_OK;
	}
	rc = account_by_name(arena, name, out);
	if (rc != RES_OK)
		return rc;
	if (m->arena == NULL)
		m->arena = arena_create();
	arena_reset(m->arena);
	m->asked = arena_dup(m->arena, name);
	copy(m->arena, out, &m->account);
	m->passwd = now;
	m->until = os_now() + REMEMBER_MOST;
	return RES_OK;
}

enum result account_by_uid(struct arena *arena, uid_t uid, struct account *out)
{
	return ask(arena, NULL, uid, out);
}
