/* SPDX-License-Identifier: ISC */
/*
 * What is read back from the spool: envelopes and marks as they stand, and a file of records whose
 * checksums are made good, so that what lies behind them is reached. Properties: decoding what was encoded
 * from a decoded envelope gives the same bytes again; a walk ends, and stays inside its file.
 */
#include "base/check.h"
#include "os/file.h"
#include "os/sim_disk.h"
#include "queue/codec.h"
#include "queue/marks.h"
#include "queue/message.h"
#include "queue/record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEY UINT64_C(0x6b6579206f662072)

static void try_envelope(struct slice bytes)
{
	struct arena *arena = arena_create();
	struct queue_envelope *env, *again;
	struct buffer first, second;

	if (envelope_decode(bytes, arena, &env)) {
		buffer_init(&first, 1 << 24);
		buffer_init(&second, 1 << 24);
		CHECK(envelope_encode(env, &first));
		CHECK(envelope_decode(buffer_slice(&first), arena, &again));
		CHECK(envelope_encode(again, &second));
		CHECK(slice_eq(buffer_slice(&first), buffer_slice(&second)));
		CHECK(again->recipient_count == env->recipient_count);
		buffer_free(&first);
		buffer_free(&second);
	}
	arena_destroy(&arena);
}

static void try_mark(struct slice bytes)
{
	struct arena *arena = arena_create();
	struct queue_recipient to[2] = {{.address = SL("a")}, {.address = SL("b")}};
	struct queue_envelope env = {.recipients = to, .recipient_count = 2};
	struct stored_mark m, again;
	struct buffer first;

	if (mark_decode(bytes, &m)) {
		mark_apply(&m.mark, arena, &env);
		buffer_init(&first, 1 << 24);
		CHECK(mark_encode(&m, &first));
		CHECK(mark_decode(buffer_slice(&first), &again));
		CHECK(again.kind == m.kind && again.offset == m.offset);
		CHECK(again.mark.recipient == m.mark.recipient);
		buffer_free(&first);
	}
	arena_destroy(&arena);
}

/* make_good - wherever a record could begin, give it magic, key, place and checksums that fit. */
static void make_good(uint8_t *file, size_t size, const uint8_t *where, size_t count)
{
	uint64_t at = 0;

	for (size_t i = 0; i + 4 <= count && at + RECORD_HEADER + RECORD_TRAILER <= size; i += 4) {
		struct record r = {.type = (where[i] & 1) != 0 ? RECORD_MESSAGE : RECORD_MARK,
				   .key = KEY,
				   .offset = at,
				   .payload_length = where[i + 1],
				   .content_length = where[i + 2]};
		uint64_t content;

		if (record_length(&r) > size - at)
			break;
		record_put_header(&r, slice(file + at + RECORD_HEADER, r.payload_length), file + at);
		content = record_content_offset(&r);
		if ((where[i + 3] & 7) != 0)
			record_put_trailer(&r,
					   record_content_crc(&r, slice(file + content,
									r.content_length)),
					   file + content + r.content_length);
		at += record_length(&r) + 8 * (uint64_t)(where[i + 3] >> 5);
	}
}

static void walk_file(int fd, size_t size)
{
	enum walk_step step;
	struct walk walk;
	uint64_t before = 0;

	walk_init(&walk, fd, KEY, 0, size);
	while ((step = walk_next(&walk)) == WALK_RECORD || step == WALK_DAMAGE) {
		CHECK(walk.at > before && walk.at <= size);
		before = walk.at;
		if (step == WALK_RECORD && walk.record.type == RECORD_MESSAGE)
			try_envelope(walk.payload);
		else if (step == WALK_RECORD)
			try_mark(walk.payload);
	}
	walk_free(&walk);
}

static void try_file(const uint8_t *data, size_t size)
{
	size_t rules = size / 4;
	struct arena *arena = arena_create();
	struct queue_message m;
	struct record r;
	uint64_t append;
	uint8_t *file;
	int fd;

	sim_disk_reset(1);
	fd = os_openat(AT_FDCWD, "/file", O_RDWR | O_CREAT, 0600);
	file = malloc(size - rules + 1);
	CHECK(file != NULL && fd >= 0);
	memcpy(file, data + rules, size - rules);
	make_good(file, size - rules, data, rules);
	CHECK(os_pwrite_full(fd, file, size - rules, 0) == 0);
	free(file);
	walk_file(fd, size - rules);
	if (message_read_own(fd, arena, &m, &r, &append, NULL) == RES_OK) {
		m.fd = fd;
		queue_message_verify(&m, NULL);
	}
	os_close(fd);
	arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	switch (data[0] % 3) {
	case 0:
		try_envelope(slice(data + 1, size - 1));
		break;
	case 1:
		try_mark(slice(data + 1, size - 1));
		break;
	default:
		try_file(data + 1, size - 1);
	}
	return 0;
}
