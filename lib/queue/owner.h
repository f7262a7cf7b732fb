/* SPDX-License-Identifier: ISC */
/* queue/owner - the owner's memory of the spool. Internal to lib/queue. */
#ifndef QUEUE_OWNER_H
#define QUEUE_OWNER_H

#include "base/list.h"
#include "base/map.h"
#include "queue/codec.h"
#include "queue/marks.h"
#include "queue/message.h"
#include "queue/segment.h"

#include <pthread.h>

/* Marks on their way to the end of a file. What is not yet durable stays in memory. */
struct mark_log {
	int fd; /* -1: not open */
	uint64_t key;
	uint64_t at; /* where the next record goes */
	struct buffer pending; /* each: 4 bytes of length, payload */
	size_t flushed; /* bytes of pending that are written, not yet durable */
	bool broken; /* a write failed: another file must take over */
};

void mark_log_init(struct mark_log *log, uint64_t key);
void mark_log_free(struct mark_log *log);
void mark_log_add(struct mark_log *log, const struct stored_mark *m);
/* mark_log_flush - one write of all that is not written; -1 and errno. */
int mark_log_flush(struct mark_log *log);
/* mark_log_settle - the first `n` bytes of pending are durable. */
void mark_log_settle(struct mark_log *log, size_t n);

struct segment_entry {
	uint64_t offset;
	bool gone;
	bool marked; /* D knows something about it */
};

struct segment {
	struct list node;
	struct segment_header header;
	uint64_t end; /* of what counts: the size, or where it is void from */
	int fd;       /* carries the lock once sealed */
	struct queue_file *reader; /* what its messages are read from; NULL: none was yet */
	bool sealed;  /* no writer any more */
	bool loaded;  /* the first walk has been made: old marks are known */
	bool complete;/* walked to its end after it was sealed */
	uint64_t scanned;
	struct segment_entry *entries; /* by offset */
	size_t count, size;
	size_t live;
	unsigned generations; /* of D files there are */
	struct mark_log log;
};

/* A file of its own that has marks in memory, or is to be removed. */
struct own_file {
	struct queue_id id;
	enum queue_place place;
	struct mark_log log;
	bool gone;
	unsigned users; /* threads at work on it */
	struct list unwritten; /* in queue->unwritten: it has marks that no flush has met */
};

struct queue {
	int dir, journal, large, deferred, hold, corrupt, lock_file, reserve;
	struct queue_settings settings;
	struct queue_watcher watcher;
	pthread_mutex_t upkeep; /* one rescan, sync or recycling at a time; taken before lock */
	pthread_mutex_t own_io; /* writing to files of their own, renaming them; taken between the two */
	pthread_mutex_t segment_io; /* writing to D files; the same. Never both */
	pthread_mutex_t lock;   /* all below; not held while a file is written */
	struct list segments; /* by serial */
	struct map *by_serial;
	struct map *files; /* id -> struct own_file */
	struct list unwritten; /* own_file.unwritten */
	size_t open_logs; /* of files of their own */
	struct map *large_known;
	bool journal_dirty; /* a name in journal/ is not durable yet */
	uint64_t reserve_left; /* bytes of the reserve that are still held back */
	struct queue_stats stats;
};

/* ---- owner.c */
int queue_place_fd(const struct queue *q, enum queue_place place);
struct segment *queue_segment(struct queue *q, uint64_t serial);
struct segment_entry *segment_entry_find(const struct segment *s, uint64_t offset);
/* segment_entry_add - a new entry, live unless gone. */
void segment_entry_add(struct segment *s, uint64_t offset, bool gone, bool marked);
void segment_free(struct queue *q, struct segment **s);
/* queue_add_segment - open and remember S<serial>; RES_PERM: no good (set aside if it can be). */
enum result queue_add_segment(struct queue *q, uint64_t serial, struct segment **s,
			      struct queue_error *error);
struct own_file *own_file_get(struct queue *q, const struct queue_location *loc);
/*
 * own_file_put - done with it; forgotten when nothing is pending. Few keep their descriptors meanwhile, and
 * none that is to be removed. Lock held.
 */
void own_file_put(struct queue *q, struct own_file *f);

/* ---- recover.c */
/* even_locked: also as far as a living writer has come. */
enum result queue_walk_segment(struct queue *q, struct segment *s, bool even_locked,
			       struct queue_error *error);
enum result queue_scan(struct queue *q, bool first, struct queue_error *error);

/* ---- aside.c: what is damaged goes to corrupt/ and is reported */
void queue_aside_bytes(struct queue *q, int fd, const char *name, uint64_t from, uint64_t to,
		       const char *why);
void queue_aside_file(struct queue *q, int dir, const char *name, const char *new_name,
		      const char *why);

/* ---- flush.c */
/* segment_flush - segment_io held, lock not; the reserve is spent when the disk is full. */
int segment_flush(struct queue *q, struct segment *s);
/* segment_flush_serial - nothing held; a segment that is no more is all right. */
int segment_flush_serial(struct queue *q, uint64_t serial);
/* own_file_flush - the same for a file of its own; own_io held, lock not, and the caller is one of its users. */
int own_file_flush(struct queue *q, struct own_file *f);

/* ---- move.c */
/*
 * store_copy - m with its present status as a new file in `place`, synced and then named; a file of that
 * name is replaced. The directory is not synced. RES_PERM QUEUE_DAMAGED: its content is not what was written.
 */
enum result store_copy(struct queue *q, const struct queue_message *m, enum queue_place place,
		       int64_t mtime, struct queue_error *error);

#endif
