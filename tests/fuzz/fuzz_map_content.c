/* SPDX-License-Identifier: ISC */
/*
 * postmap -h and -b: any bytes are a message. The first byte chooses the options. Each key is a line of the message, or
 * a header of several; no line is a key twice.
 */
#include "base/check.h"
#include "commands/map_content.h"
#include "commands/map_tool.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* What standard input still holds. */
static struct slice input;

bool map_read_line(struct arena *arena, struct slice *line)
{
	ssize_t end = slice_find(input, '\n');

	if (input.n == 0)
		return false;
	*line = arena_dup(arena, slice_sub(input, 0, end < 0 ? input.n : (size_t)end));
	input = slice_from(input, end < 0 ? input.n : (size_t)end + 1);
	return true;
}

static void count_key(void *data, struct slice key)
{
	size_t *bytes = data;

	*bytes += key.n + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	size_t bytes = 0;
	struct map_content content = {.nesting_max = 5, .boundary_max = 10, .header_max = 2000, .key = count_key, .data = &bytes};

	if (n == 0)
		return 0;
	content.headers = data[0] & 1;
	content.body = data[0] & 2;
	content.mime = data[0] & 4;
	input = slice(data + 1, n - 1);
	map_content_read(&content);
	CHECK(bytes <= n);
	/* all of it was read, unless the body did not matter */
	CHECK(input.n == 0 || (!content.body && !content.mime));
	return 0;
}
