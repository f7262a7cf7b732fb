/* SPDX-License-Identifier: ISC */
/* account - who has an account on this machine, as the C library's name service says. */
#include "local/local.h"

#include <errno.h>
#include <pwd.h>

#define RECORD_FIRST ((size_t)1024)
#define RECORD_MAX ((size_t)1 << 20)

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

enum result account_by_uid(struct arena *arena, uid_t uid, struct account *out)
{
	return ask(arena, NULL, uid, out);
}
