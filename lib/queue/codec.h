/* SPDX-License-Identifier: ISC */
/* queue/codec - envelopes and marks as the payloads of records. Internal to lib/queue; fuzzed. */
#ifndef QUEUE_CODEC_H
#define QUEUE_CODEC_H

#include "queue/queue.h"

/* envelope_encode - false when the buffer's limit would be passed. Status is not written. */
bool envelope_encode(const struct queue_envelope *env, struct buffer *to);
/*
 * envelope_decode - everything is copied into the arena. Fields of types not known are skipped. False
 * when the bytes are no envelope, or the id is no id.
 */
bool envelope_decode(struct slice bytes, struct arena *arena, struct queue_envelope **env);
/* envelope_id - only the id; for walks. */
bool envelope_id(struct slice bytes, struct queue_id *id, int64_t *arrival);

enum mark_kind {
	MARK_STATUS = 1,
	MARK_GONE, /* finished, or moved to a file of its own */
	MARK_VOID  /* segments: nothing from this offset on was ever accepted */
};

/* A mark as it is stored: which message (offset of its record), what. */
struct stored_mark {
	enum mark_kind kind;
	uint64_t offset;
	struct queue_mark mark;
};

bool mark_encode(const struct stored_mark *m, struct buffer *to);
/* mark_decode - texts point into bytes. */
bool mark_decode(struct slice bytes, struct stored_mark *m);
/*
 * mark_apply - texts are copied into the arena; an index out of range is ignored,
 * and so is what would make a final recipient unfinished again.
 */
void mark_apply(const struct queue_mark *mark, struct arena *arena, struct queue_envelope *env);
/* mark_of_recipient, mark_of_whole - the present state again as a mark; false: nothing to say. */
bool mark_of_recipient(const struct queue_envelope *env, size_t i, struct queue_mark *mark);
bool mark_of_whole(const struct queue_envelope *env, struct queue_mark *mark);

#endif
