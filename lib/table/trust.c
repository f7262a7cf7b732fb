/* SPDX-License-Identifier: ISC */
#include "table/trust.h"
#include "os/file.h"

#include <limits.h>
#include <stdlib.h>

/* doubt_directory - as it is now; one that cannot be seen is left to those who can. */
static struct slice doubt_directory(const char *path, const struct stat *file, struct arena *arena)
{
	struct stat st;

	if (os_fstatat(AT_FDCWD, path, &st, 0) < 0)
		return SL_NULL;
	if (st.st_uid != 0 && st.st_uid != file->st_uid)
		return arena_printf(arena, "directory %s belongs to uid %lu, neither root nor the file's owner", path,
				    (unsigned long)st.st_uid);
	if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
		return arena_printf(arena, "directory %s is writable by everybody", path);
	return SL_NULL;
}

/* doubt_directories - those above an absolute path, the next one first. */
static struct slice doubt_directories(const char *path, const struct stat *file, struct arena *arena)
{
	struct slice doubt = SL_NULL, rest = slice_str(path);
	ssize_t slash;

	while (slice_is_null(doubt) && (slash = slice_rfind(rest, '/')) >= 0) {
		rest = slice_sub(rest, 0, (size_t)slash);
		doubt = doubt_directory(rest.n > 0 ? arena_str(arena, rest) : "/", file, arena);
	}
	return doubt;
}

struct slice trust_doubt(const char *path, const struct stat *file, struct arena *arena)
{
	struct slice doubt = SL_NULL;
	char real[PATH_MAX];

	if (path[0] == '/')
		doubt = doubt_directories(path, file, arena);
	if (slice_is_null(doubt) && realpath(path, real) != NULL)
		doubt = doubt_directories(real, file, arena);
	return doubt;
}
