/* SPDX-License-Identifier: ISC */
#include "base/buffer.h"
#include "commands/postrider_status.h"
#include "os/address.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE (2 * OS_SECOND)
#define LISTING_LIMIT ((size_t)64 << 20)
#define PIECE ((size_t)65536)
#define PROCESSES_MAX 512

/* connect_to - by its bare name: a path below the queue directory may be longer than an address holds. */
static int connect_to(const char *name)
{
	struct os_addr addr;
	int fd;

	if (!os_addr_unix(slice_str(name), &addr))
		return -1;
	fd = os_socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd >= 0 && os_connect(fd, &addr) < 0) {
		os_close(fd);
		return -1;
	}
	return fd;
}

/* read_listing - to its end; false when it did not come by the deadline. */
static bool read_listing(int fd, int64_t deadline, struct buffer *out)
{
	for (;;) {
		struct pollfd in = {.fd = fd, .events = POLLIN};
		int64_t left = deadline - os_now();
		ssize_t n;

		if (left <= 0 || poll(&in, 1, (int)(left / OS_MILLISECOND) + 1) <= 0 ||
		    !buffer_reserve(out, PIECE))
			return false;
		n = os_recv(fd, out->data + out->len, PIECE, 0);
		if (n <= 0)
			return n == 0;
		out->len += (size_t)n;
	}
}

static void print_one(const char *name)
{
	int fd = connect_to(name);
	struct buffer out;

	if (fd < 0) {
		/* left by a process that is gone: master binds the name anew when it needs it */
		if (errno != ECONNREFUSED && errno != ENOENT)
			printf("# %s: %s\n", name, strerror(errno));
		return;
	}
	buffer_init(&out, LISTING_LIMIT);
	if (!read_listing(fd, os_deadline(PATIENCE), &out))
		printf("# %s: does not answer\n", name);
	fwrite(out.data, 1, out.len, stdout);
	putchar('\n');
	buffer_free(&out);
	os_close(fd);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

bool postrider_status_print(const char *queue_directory)
{
	char *names[PROCESSES_MAX];
	struct os_dir *dir;
	const char *name;
	size_t n = 0;

	if (os_chdir(queue_directory) < 0 || os_chdir("status") < 0)
		return false;
	dir = os_dir_open(AT_FDCWD, ".");
	if (dir == NULL)
		return false;
	while (n < sizeof(names) / sizeof(names[0]) && os_dir_next(dir, &name) > 0)
		if ((names[n] = strdup(name)) != NULL)
			n++;
	os_dir_close(&dir);
	qsort(names, n, sizeof(names[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		print_one(names[i]);
		free(names[i]);
	}
	return true;
}
