/* SPDX-License-Identifier: ISC */
#include "commands/drop_pipe.h"
#include "os/file.h"

#include <errno.h>

/* the largest frame is one of content: 64 kB and its length */
#define PAYLOAD_MAX ((uint32_t)66000)

bool drop_pipe_write(int fd, const struct ipc_message *message, const void *m)
{
	struct buffer frame;
	bool ok;

	buffer_init(&frame, PAYLOAD_MAX + IPC_HEADER_SIZE);
	errno = EMSGSIZE;
	ok = ipc_encode(message, m, &frame) && os_write_full(fd, frame.data, frame.len) == 0;
	buffer_free(&frame);
	return ok;
}

static uint32_t get_le(const unsigned char *p, size_t n)
{
	uint32_t value = 0;

	for (size_t i = 0; i < n; i++)
		value |= (uint32_t)p[i] << (8 * i);
	return value;
}

enum drop_pipe_status drop_pipe_read(int fd, struct arena *arena, struct ipc_frame *frame)
{
	unsigned char header[IPC_HEADER_SIZE];
	ssize_t got = os_read_full(fd, header, sizeof(header));
	uint32_t n;
	char *payload;

	if (got == 0)
		return DROP_PIPE_END;
	if (got < (ssize_t)sizeof(header))
		return DROP_PIPE_BAD;
	n = get_le(header, 4);
	if (n > PAYLOAD_MAX)
		return DROP_PIPE_BAD;
	payload = arena_alloc(arena, n);
	if (os_read_full(fd, payload, n) < (ssize_t)n)
		return DROP_PIPE_BAD;
	*frame = (struct ipc_frame){.type = (uint16_t)get_le(header + 4, 2), .payload = slice(payload, n),
				    .fd = -1};
	return DROP_PIPE_FRAME;
}
