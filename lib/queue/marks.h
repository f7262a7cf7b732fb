/* SPDX-License-Identifier: ISC */
/* queue/marks - the done marks of one segment, or those behind a file of its own. Internal. */
#ifndef QUEUE_MARKS_H
#define QUEUE_MARKS_H

#include "base/map.h"
#include "queue/codec.h"

struct mark_entry {
	bool gone;
	size_t count, size;
	struct stored_mark *marks; /* in the order they were made; texts in the set's arena */
};

struct mark_set {
	struct arena *arena;
	struct map *by_offset;
	uint64_t void_from; /* 0: the segment is good to its end */
	unsigned generations;
	uint64_t damaged; /* records that were skipped */
};

void mark_set_init(struct mark_set *set);
void mark_set_free(struct mark_set *set);
/* mark_set_add - a decoded mark; copied. */
void mark_set_add(struct mark_set *set, const struct stored_mark *m);
/* mark_set_find - NULL: nothing is known about the message at this offset. */
const struct mark_entry *mark_set_find(const struct mark_set *set, uint64_t offset);
/* mark_set_load [disk] - all generations of D files; a file that is missing is no error. */
enum result mark_set_load(struct mark_set *set, int journal, uint64_t serial, uint64_t key,
			  struct queue_error *error);
/* mark_set_apply - merge what is known of the message at `offset` into its envelope. */
void mark_set_apply(const struct mark_set *set, uint64_t offset, struct arena *arena,
		    struct queue_envelope *env);
/* mark_set_read [disk] - add the mark records of one file from `from` on; *end: where to append. */
enum result mark_set_read(struct mark_set *set, int fd, uint64_t key, uint64_t from, uint64_t *end,
			  struct queue_error *error);

#endif
