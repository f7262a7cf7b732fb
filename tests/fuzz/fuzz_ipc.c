/* SPDX-License-Identifier: ISC */
/*
 * Any bytes as the payload of any declared message: the first byte chooses the service, the second
 * the message. What decodes must encode again and decode to the same bytes.
 */
#include "base/check.h"
#include "ipc/bounce.h"
#include "ipc/cleanup.h"
#include "ipc/delivery.h"
#include "ipc/qmgr.h"
#include "ipc/resolver.h"

#include <fcntl.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ipc_message *choose(uint8_t service, uint8_t number)
{
	const struct ipc_message *const *const all[] = {cleanup_messages, qmgr_messages,
							delivery_messages, bounce_messages,
							resolver_messages};
	const struct ipc_message *const *messages = all[service % 5];
	size_t n = 0;

	while (messages[n] != NULL)
		n++;
	return messages[number % n];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ipc_message *message;
	struct ipc_frame frame = {.fd = -1};
	struct arena *arena;
	struct buffer out;
	void *m;

	if (size < 2)
		return 0;
	message = choose(data[0], data[1]);
	frame.type = message->type;
	frame.payload = slice(data + 2, size - 2);
	if (message->fd_offset != IPC_NO_FD)
		frame.fd = dup(STDIN_FILENO);
	arena = arena_create();
	m = arena_alloc(arena, message->record.size + 1);
	if (ipc_decode(message, &frame, arena, m)) {
		buffer_init(&out, IPC_FRAME_MAX + IPC_HEADER_SIZE);
		CHECK(ipc_encode(message, m, &out));
		CHECK(slice_eq(slice_from(buffer_slice(&out), IPC_HEADER_SIZE),
			       slice(data + 2, size - 2)));
		buffer_free(&out);
		if (message->fd_offset != IPC_NO_FD)
			memcpy(&frame.fd, (char *)m + message->fd_offset, sizeof(int));
	}
	ipc_frame_drop(&frame);
	arena_destroy(&arena);
	return 0;
}
