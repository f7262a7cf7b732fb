/* SPDX-License-Identifier: ISC */
/* queue/segment - names, headers and taking of journal segments. Internal to lib/queue. */
#ifndef QUEUE_SEGMENT_H
#define QUEUE_SEGMENT_H

#include "queue/queue.h"

#define SEGMENT_BLOCK 4096 /* header block: two copies, half a block apart */
#define SEGMENT_SIZE_MIN UINT64_C(16384)
#define SEGMENT_SIZE_DEFAULT (UINT64_C(16) << 20)

/* "segment `serial` with `key` is void from `from`": set when from != 0. */
struct segment_void {
	uint64_t serial;
	uint64_t key;
	uint64_t from;
};

struct segment_header {
	uint64_t serial;
	uint64_t key;
	uint64_t size;
	struct segment_void ended; /* the segment that this one replaces after a failure */
};

#define SEGMENT_NAME 48
/* segment_name - "S17"; kind is S, F or D (with generation: "D17.0"). */
void segment_name(char kind, uint64_t serial, char name[SEGMENT_NAME]);
void segment_mark_name(uint64_t serial, unsigned generation, char name[SEGMENT_NAME]);
/* segment_parse_name - kind 'S', 'F', 'D' with their serial, 'N' with 0; false: none of ours. */
bool segment_parse_name(const char *name, char *kind, uint64_t *serial, unsigned *generation);

/*
 * segment_read_header - of `serial`, either copy. RES_PERM: QUEUE_DAMAGED (no copy is good),
 * QUEUE_GONE (good, but of another use of the file).
 */
enum result segment_read_header(int fd, uint64_t serial, struct segment_header *h,
				struct queue_error *error);

/*
 * segment_take [disk] - a locked segment with a new serial, durable under its name, empty. `ended` is
 * written into its header. *fd is the caller's; closing it unlocks.
 */
enum result segment_take(int journal, uint64_t size, const struct segment_void *ended,
			 struct segment_header *h, int *fd, struct queue_error *error);

/* The serials in use, for loops over the journal. */
struct segment_list {
	uint64_t *serials;
	size_t count;
	size_t size;
};
/* segment_list_read - serials of one kind, ascending; *highest (may be NULL) of S, F and D. */
enum result segment_list_read(int journal, char kind, struct segment_list *list, uint64_t *highest,
			      struct queue_error *error);
void segment_list_free(struct segment_list *list);

#endif
