/* SPDX-License-Identifier: ISC */
/*
 * queue/record - the one form of everything that the queue writes (doc/queue.md, "Records"), and the
 * walk over a file of them. Internal to lib/queue.
 */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H

#include "queue/queue.h"

#define RECORD_HEADER 40
#define RECORD_TRAILER 16
#define RECORD_PAYLOAD_MAX (UINT32_C(256) << 20)
#define RECORD_CONTENT_MAX (UINT64_C(1) << 42)

enum record_type { RECORD_MESSAGE = 1, RECORD_MARK = 2 };
enum record_flag { RECORD_CONTENT_FIRST = 1 };

struct record {
	enum record_type type;
	unsigned flags;
	uint64_t key;
	uint64_t offset; /* of the record in its file */
	uint64_t content_length;
	uint32_t payload_length;
	uint32_t head_crc; /* set by record_put_header and record_parse */
};

/* record_length - all of it, padding included. */
uint64_t record_length(const struct record *r);
uint64_t record_content_offset(const struct record *r);
uint64_t record_payload_offset(const struct record *r);
/* record_put_header - computes head_crc over the header and the payload. */
void record_put_header(struct record *r, struct slice payload, uint8_t to[RECORD_HEADER]);
/* record_content_seed - where the CRC over the content starts from. */
uint32_t record_content_seed(const struct record *r);
/* record_content_crc - over content that is all in memory. */
uint32_t record_content_crc(const struct record *r, struct slice content);
/* record_put_trailer - content_crc: over the content, from record_content_seed. */
void record_put_trailer(const struct record *r, uint32_t content_crc, uint8_t to[RECORD_TRAILER]);
/* record_parse_trailer - does this trailer belong to r? *content_crc: what it says. */
bool record_parse_trailer(const uint8_t from[RECORD_TRAILER], const struct record *r,
			  uint32_t *content_crc);
/* record_parse - plausible header with this key at this place? The payload is not checked yet. */
bool record_parse(const uint8_t from[RECORD_HEADER], uint64_t key, uint64_t offset,
		  struct record *r);
/* record_began - two of magic, key and offset are right: some record was begun here. */
bool record_began(const uint8_t from[RECORD_HEADER], uint64_t key, uint64_t offset);
bool record_payload_ok(const uint8_t from[RECORD_HEADER], struct slice payload);
/* record_key - the key that a header claims (files of their own: any key is right at offset 0). */
uint64_t record_key(const uint8_t from[RECORD_HEADER]);

/* A window on a file, so that a walk costs few reads. */
struct window {
	int fd;
	bool cached;   /* do not wait for the disk: a read that would have to fails with EAGAIN */
	size_t least;  /* bytes read at once */
	uint64_t offset;
	size_t length;
	struct buffer bytes;
	int errnum; /* of a failed read */
};

#define WINDOW_SIZE 65536
#define WINDOW_HEAD 8192

void window_init(struct window *w, int fd);
void window_free(struct window *w);
/* window_init_head - for the head of one record: small reads. */
void window_init_head(struct window *w, int fd, bool cached);
/* window_get - n bytes at offset, valid until the next call; null when the file is shorter. */
const uint8_t *window_get(struct window *w, uint64_t offset, size_t n);

/* record_content_ok - content and trailer through the window. */
bool record_content_ok(struct window *w, const struct record *r);

enum walk_step {
	WALK_RECORD, /* a good one: walk->record, walk->payload */
	WALK_DAMAGE, /* walk->damage_from .. walk->at: set aside */
	WALK_END,    /* nothing more; walk->at is where the next record would stand */
	WALK_ERROR   /* the file cannot be read: walk->window.errnum */
};

/* A walk over the records in [at, end) with one key. */
struct walk {
	struct window window;
	uint64_t key;
	uint64_t at;
	uint64_t end;
	bool stop_at_damage; /* a writer is at work: what is bad is unfinished */
	bool (*skip_content)(void *context, uint64_t offset); /* true: content known to be good */
	void *skip_context;
	struct record record;
	struct slice payload;
	uint64_t damage_from;
};

void walk_init(struct walk *w, int fd, uint64_t key, uint64_t from, uint64_t end);
void walk_free(struct walk *w);
enum walk_step walk_next(struct walk *w);

/* ---- little-endian numbers */
static inline void put_le(uint8_t *to, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static inline uint64_t get_le(const uint8_t *from, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)from[i] << (8 * i);
	return value;
}

/* ---- errors */
/* queue_fail - errno as a temporary failure: RES_TEMP. */
enum result queue_fail(struct queue_error *error, const char *what);
/* queue_refuse - a reason without errno; RES_PERM, for QUEUE_LOCKED RES_TEMP. */
enum result queue_refuse(struct queue_error *error, enum queue_reason reason, const char *what);

#endif
