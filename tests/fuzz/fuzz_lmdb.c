/* SPDX-License-Identifier: ISC */
/* LMDB files: any bytes are a file to the reader; every answer comes, and a walk ends. */
#include "base/check.h"
#include "os/file.h"
#include "table/lmdb_read.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* walk - keys ascend, so that no file, however made, has more of them than it has bytes. */
static void walk(struct lmdb_reader *reader, struct arena *arena, size_t n)
{
	struct slice key = SL_NULL, next, value, again;
	const char *why;
	size_t count = 0;

	while (lmdb_after(reader, key, arena, &next, &value, &why) == LMDB_FOUND) {
		CHECK(++count <= n);
		CHECK(slice_is_null(key) || slice_cmp(key, next) < 0);
		CHECK(lmdb_get(reader, next, arena, &again, &why) != LMDB_BUSY);
		key = next;
		if (count == 500)
			break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int fd = -1;
	struct lmdb_reader *reader;
	struct slice value;
	const char *why;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	CHECK(fd >= 0 && os_ftruncate(fd, 0) == 0 && os_pwrite_full(fd, data, n, 0) == 0);
	if (lmdb_reader_create(fd, &reader, &why) == LMDB_FOUND) {
		struct arena *arena = arena_create();

		walk(reader, arena, n);
		lmdb_get(reader, slice(data, n < 20 ? n : 20), arena, &value, &why);
		lmdb_reader_destroy(&reader);
		arena_destroy(&arena);
	} else {
		CHECK(reader == NULL && why != NULL);
	}
	return 0;
}
