/* SPDX-License-Identifier: ISC */
#include "config/source.h"

#include "os/file.h"

#include <errno.h>

enum result config_read_fd(int fd, struct slice path, struct arena *arena,
			   struct config_problems *problems, struct slice *text)
{
	struct stat st;
	char *data;
	ssize_t n;

	if (os_fstat(fd, &st) < 0) {
		config_problem_add(problems, true, path, 0, SL_NULL, "%s", strerror(errno));
		return RES_TEMP;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > CONFIG_FILE_LIMIT) {
		config_problem_add(problems, true, path, 0, SL_NULL,
				   "a regular file of at most %lld bytes is allowed",
				   (long long)CONFIG_FILE_LIMIT);
		return RES_PERM;
	}
	data = arena_alloc(arena, (size_t)st.st_size + 1);
	n = os_pread_full(fd, data, (size_t)st.st_size, 0);
	if (n < 0) {
		config_problem_add(problems, true, path, 0, SL_NULL, "read: %s", strerror(errno));
		return RES_TEMP;
	}
	*text = slice(data, (size_t)n);
	return RES_OK;
}

enum result config_read(const char *dir, const char *name, struct arena *arena,
			struct config_problems *problems, struct slice *path, struct slice *text)
{
	enum result rc;
	int fd;

	*path = arena_printf(arena, "%s/%s", dir, name);
	/* O_NONBLOCK: a named pipe is refused, not waited for */
	fd = os_openat(AT_FDCWD, path->p, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
	if (fd < 0) {
		config_problem_add(problems, true, *path, 0, SL_NULL, "open: %s", strerror(errno));
		return RES_TEMP;
	}
	rc = config_read_fd(fd, *path, arena, problems, text);
	(void)os_close(fd); /* only read from */
	return rc;
}
