/* SPDX-License-Identifier: ISC */
/* CDB files: any bytes are a file to the reader; every answer comes, and a walk ends. */
#include "base/check.h"
#include "os/file.h"
#include "table/cdb_read.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* walk - no entry is shorter than its header, so that no file has more of them than it has bytes. */
static void walk(const struct cdb_reader *reader, struct arena *arena, size_t n)
{
	struct slice key, value, again;
	const char *why = NULL;
	size_t cursor = 0, count = 0, last = 0;

	while (cdb_reader_step(reader, &cursor, arena, &key, &value, &why) == CDB_FOUND) {
		CHECK(++count <= n && cursor > last);
		CHECK(key.n + value.n <= n);
		last = cursor;
		if (count < 50)
			cdb_reader_get(reader, key, arena, &again, &why);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int fd = -1;
	struct arena *arena = arena_create();
	const struct cdb_reader *reader;
	struct slice value;
	const char *why = NULL;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	CHECK(fd >= 0 && os_ftruncate(fd, 0) == 0 && os_pwrite_full(fd, data, n, 0) == 0);
	reader = cdb_reader_create(fd, arena, &why);
	if (reader != NULL) {
		walk(reader, arena, n);
		for (size_t i = 0; i < 40 && i < n; i++)
			cdb_reader_get(reader, slice(data + n - i, i), arena, &value, &why);
		/* a file that shrinks under its reader does no harm */
		CHECK(os_ftruncate(fd, (off_t)(n / 2)) == 0);
		walk(reader, arena, n);
	} else {
		CHECK(why != NULL);
	}
	arena_destroy(&arena);
	return 0;
}
