/* SPDX-License-Identifier: ISC */
/*
 * queue - the one way to the spool; nothing else knows where a message lies. doc/queue.md is the
 * design: states, files, and what a crash leaves in each.
 *
 * Three kinds of users:
 *   writer   cleanup: makes messages durable (struct queue_writer, struct queue_batch, queue_large_*)
 *   owner    qmgr, or postsuper while qmgr is not running: struct queue, one at a time a spool
 *   reader   showq, postcat, postqueue: queue_list, queue_find, queue_read; beside a running owner
 *
 * Every function marked [disk] may wait for the disk and belongs on a worker thread in a daemon with
 * fibers. struct queue and struct queue_writer may be used from several threads; each other object
 * from one at a time. A `dirfd` is an open directory: the queue directory (queue_directory).
 *
 * Failures: RES_TEMP and RES_PERM come with a struct queue_error, which may be NULL.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "queue/envelope.h"

#include <sys/uio.h>

enum queue_reason {
	QUEUE_OK = 0,
	QUEUE_NO_SPACE,  /* ENOSPC, EDQUOT, EFBIG: 452 4.3.1 */
	QUEUE_IO,        /* any other refusal of the system: 451 4.3.0 */
	QUEUE_TOO_LARGE, /* does not fit the journal: use queue_large_begin */
	QUEUE_DAMAGED,   /* a record fails its checks; it was or will be set aside in corrupt/ */
	QUEUE_GONE,      /* no such message (any more) */
	QUEUE_LOCKED     /* another owner is running */
};

struct queue_error {
	enum queue_reason reason;
	int errnum;       /* 0: none */
	const char *what; /* static text: "write segment" */
};

/* queue_reason_text - for people: "no space left in the queue file system" ... */
const char *queue_reason_text(enum queue_reason reason);

/* Where a message is. A value: copy it, send it over IPC; it does not keep anything open. */
enum queue_place {
	QUEUE_NOWHERE = 0,
	QUEUE_IN_JOURNAL,  /* in a segment */
	QUEUE_IN_LARGE,    /* file of its own, not tried yet */
	QUEUE_IN_DEFERRED, /* file of its own, waits for next_time */
	QUEUE_IN_HOLD,     /* file of its own, waits for somebody */
	QUEUE_IN_MAILDROP, /* postdrop's, seen only by queue_list */
	QUEUE_IN_CORRUPT   /* set aside, seen only by queue_list */
};

struct queue_location {
	enum queue_place place;
	uint64_t serial; /* QUEUE_IN_JOURNAL: segment */
	uint64_t offset; /* QUEUE_IN_JOURNAL: of the record */
	struct queue_id id;
};

#define QUEUE_LOCATION_TEXT 96
/* "journal:SERIAL:OFFSET:ID", "deferred:0:0:ID": for IPC and logs. Parse checks everything. */
void queue_location_print(const struct queue_location *loc, char text[QUEUE_LOCATION_TEXT]);
bool queue_location_parse(struct slice text, struct queue_location *loc);
/* queue_place_name - "journal", "large", "deferred", "hold", "maildrop", "corrupt" */
const char *queue_place_name(enum queue_place place);

/* Where settings are asked for, NULL stands for all of the defaults. */
struct queue_settings {
	uint64_t segment_size; /* bytes of a journal segment; 0: 16 MB */
	uint64_t large_limit;  /* content beyond it goes to large/; 0: an eighth of segment_size */
	uint64_t reserve;      /* kept for done marks on a full disk; 0: 1 MB */
	unsigned free_segments;/* recycled segments kept; 0: 8 */
};

/*
 * queue_make_directories [disk] - journal large deferred hold corrupt under dirfd, where missing,
 * mode 0700, owned by whoever calls. Call at start, and as root followed by chown in set-up.
 */
enum result queue_make_directories(int dirfd, struct queue_error *error);

/*
 * queue_free_space [disk] - bytes an unprivileged writer may still use; for queue_minfree. RES_TEMP
 * when the system does not say.
 */
enum result queue_free_space(int dirfd, uint64_t *bytes);

/* ------------------------------------------------------------------ writer (cleanup) */

struct queue_writer;
struct queue_batch;

/*
 * queue_writer_open [disk] - takes a segment of its own in journal/. The dirfd is borrowed and must
 * stay open. RES_TEMP when there is no room or the disk refuses.
 */
enum result queue_writer_open(int dirfd, const struct queue_settings *settings,
			      struct queue_writer **w, struct queue_error *error);
/* queue_writer_close [disk] - no batch or large message may be under way. NULL is allowed. */
void queue_writer_close(struct queue_writer **w);
/*
 * queue_writer_rotate [disk] - leave the present segment, so that a queue_rescan finds all that is in it.
 * For a writer that may have failed to announce a message (its connection to qmgr broke).
 */
void queue_writer_rotate(struct queue_writer *w);
/* queue_writer_id - a new queue id, unique for ever; `arrival` (may be NULL) is the time in it. */
void queue_writer_id(struct queue_writer *w, struct queue_id *id, int64_t *arrival);
/* queue_writer_fits - may a message of this content size go through a batch? Else: queue_large. */
bool queue_writer_fits(const struct queue_writer *w, uint64_t content_size);

/*
 * Group commit. The owner of a batch adds the messages that are ready; queue_writer_commit makes
 * them all durable with one write and one sync, on a worker thread, while the owner fills another
 * batch. A writer commits one batch at a time (a second caller waits).
 *
 *	queue_batch_add(b, env, iov, n, txn)   ... for each message that is ready
 *	queue_writer_commit(w, b)              on a worker thread
 *	for each item: item->result == RES_OK  => durable: say 250; tell qmgr item->location
 *	queue_batch_reset(b)
 */
struct queue_batch_item {
	void *cookie; /* the caller's */
	enum result result;
	struct queue_error error;
	struct queue_location location;
};

struct queue_batch *queue_batch_create(void);
void queue_batch_destroy(struct queue_batch **b);
void queue_batch_reset(struct queue_batch *b);
/*
 * queue_batch_add - the envelope is encoded at once (env may go away); env->id must be set
 * (queue_writer_id). The content's bytes (CRLF line ends, in `count` pieces) are the caller's and
 * stay untouched until the commit has returned.
 */
void queue_batch_add(struct queue_batch *b, const struct queue_envelope *env,
		     const struct iovec *content, int count, void *cookie);
size_t queue_batch_count(const struct queue_batch *b);
uint64_t queue_batch_bytes(const struct queue_batch *b);
struct queue_batch_item *queue_batch_item(struct queue_batch *b, size_t i);
/*
 * queue_writer_commit [disk] - sets each item's result. RES_OK: the message survives any crash from
 * now on. RES_TEMP: it is refused and will not be delivered (a segment on which a write or sync
 * failed is abandoned, and its unsynced rest declared void). RES_PERM with QUEUE_TOO_LARGE: does not
 * fit. Returns RES_OK when all items are.
 */
enum result queue_writer_commit(struct queue_writer *w, struct queue_batch *b);

/*
 * A message streamed to a file of its own in large/: for content over the limit, or of unknown
 * length. Not one byte of it counts before queue_large_commit has returned RES_OK; after any failure
 * only queue_large_abort makes sense.
 */
struct queue_large;
enum result queue_large_begin(struct queue_writer *w, const struct queue_id *id,
			      struct queue_large **l, struct queue_error *error); /* [disk] */
enum result queue_large_append(struct queue_large *l, const struct iovec *content, int count,
			       struct queue_error *error); /* [disk] */
uint64_t queue_large_size(const struct queue_large *l);
/* env->id must be the id given to begin. Frees *l and sets it to NULL, whatever the result. */
enum result queue_large_commit(struct queue_large **l, const struct queue_envelope *env,
			       struct queue_location *loc, struct queue_error *error); /* [disk] */
/* Removes the file. NULL is allowed. */
void queue_large_abort(struct queue_large **l); /* [disk] */

/* ------------------------------------------------------------------ reading a message */

/*
 * An open message: envelope with the recipients' present state, and where the content's bytes lie:
 * content_size bytes of fd from content_offset, CRLF line ends, not dot-stuffed; ready for sendfile
 * or pread. The fd belongs to the message; queue_message_close closes it. Everything lies in the
 * arena given.
 */
struct queue_message {
	struct queue_location location;
	struct queue_envelope *envelope;
	int fd; /* for reading only */
	struct queue_file *shared; /* NULL: fd is the message's alone */
	uint64_t content_offset;
	uint64_t content_size;
	uint32_t content_seed, content_crc; /* for queue_message_verify */
};

/*
 * queue_read [disk] - open a message anywhere in the spool, beside a running owner. RES_PERM:
 * QUEUE_GONE, QUEUE_DAMAGED; RES_TEMP: QUEUE_IO.
 */
enum result queue_read(int dirfd, const struct queue_location *loc, struct arena *arena,
		       struct queue_message *m, struct queue_error *error);
/*
 * queue_message_verify [disk] - reads the content through and compares its checksum: before the
 * first delivery of what was not written in this life of the system.
 */
enum result queue_message_verify(const struct queue_message *m, struct queue_error *error);
/* queue_message_content [disk] - read up to n bytes from `from`; *got less only at the end. */
enum result queue_message_content(const struct queue_message *m, uint64_t from, void *buf, size_t n,
				  size_t *got);
void queue_message_close(struct queue_message *m);

/* One message of a listing. */
struct queue_entry {
	struct queue_location location;
	int64_t time;  /* deferred: next try; journal, large: arrival; others: file's time */
	uint64_t size; /* content bytes; maildrop, corrupt: the file's */
	struct slice name; /* file name, for maildrop and corrupt; valid during the call */
};

#define QUEUE_PLACE(place) (1u << (place))
#define QUEUE_ALL_PLACES                                                                   \
	(QUEUE_PLACE(QUEUE_IN_JOURNAL) | QUEUE_PLACE(QUEUE_IN_LARGE) |                     \
	 QUEUE_PLACE(QUEUE_IN_DEFERRED) | QUEUE_PLACE(QUEUE_IN_HOLD) |                     \
	 QUEUE_PLACE(QUEUE_IN_MAILDROP))

/*
 * queue_list [disk] - calls `each` for every live message in the places named (QUEUE_PLACE bits), until
 * it returns false. Read-only; beside a running owner a message that moves meanwhile may be named
 * twice or not at all. Names without reading (deferred, hold: a directory walk and one stat each).
 */
typedef bool queue_list_fn(void *context, const struct queue_entry *entry);
enum result queue_list(int dirfd, unsigned places, queue_list_fn *each, void *context,
		       struct queue_error *error);
/*
 * The same in parts, for who wants to be on with what came first. queue_lister_next [disk]: one part, a segment's
 * messages or some names; *more: there may be others. Close it, whatever it says.
 */
struct queue_lister;
struct queue_lister *queue_lister_open(int dirfd, unsigned places);
enum result queue_lister_next(struct queue_lister *q, queue_list_fn *each, void *context, bool *more,
			      struct queue_error *error);
void queue_lister_close(struct queue_lister **q);
/* queue_find [disk] - where is this id? RES_PERM with QUEUE_GONE: nowhere. */
enum result queue_find(int dirfd, const struct queue_id *id, struct queue_location *loc,
		       struct queue_error *error);

/* ------------------------------------------------------------------ owner (qmgr) */

struct queue;

/* What opening, rescanning and later work find. Called without locks held; must not call back into
 * the queue except queue_open_message. */
struct queue_watcher {
	void *context;
	/* A live message that the owner did not know. */
	void (*message)(void *context, const struct queue_entry *entry);
	/* Something is damaged and was set aside: `name` is its name in corrupt/. */
	void (*damaged)(void *context, struct slice name, uint64_t bytes, const char *why);
};

/* Counters; what the recovery and the upkeep did. */
struct queue_stats {
	uint64_t segments, free_segments, live; /* live: messages in the journal */
	uint64_t recovered, damaged, incomplete_removed, recycled;
};

/*
 * queue_open [disk] - become the owner: lock the spool, recover it, report every live message to the
 * watcher. RES_TEMP with QUEUE_LOCKED when there is an owner. Recovery may be cut at any point and
 * run again. Damaged parts never stop it.
 */
enum result queue_open(int dirfd, const struct queue_settings *settings,
		       const struct queue_watcher *watcher, struct queue **q,
		       struct queue_error *error);
/* queue_close [disk] - flush and sync marks, release the lock. NULL is allowed. */
void queue_close(struct queue **q);
void queue_stats(struct queue *q, struct queue_stats *stats);

/*
 * queue_adopt [disk, a short read when the segment is new] - a writer says that a message is there
 * (location of a committed item). *fresh: false when it is known already, or gone.
 */
enum result queue_adopt(struct queue *q, const struct queue_location *loc, bool *fresh,
			struct queue_error *error);
/* queue_adopt_known - the same where it takes no read: false when the segment is new. */
bool queue_adopt_known(struct queue *q, const struct queue_location *loc, bool *fresh);
/*
 * queue_rescan [disk] - look for messages that no one announced (a writer died between its commit
 * and the announcement); each goes to the watcher once. Call when a writer's connection ends, and
 * every few minutes. Segments of living writers are left alone: they announce what is durable.
 */
enum result queue_rescan(struct queue *q, struct queue_error *error);

/* queue_open_message [disk] - as queue_read, by the owner: sees marks not yet flushed, and sets
 * damaged messages aside (then RES_PERM with QUEUE_DAMAGED; the message is gone). `verify`: read the
 * content through as well. */
enum result queue_open_message(struct queue *q, const struct queue_location *loc, bool verify,
			       struct arena *arena, struct queue_message *m,
			       struct queue_error *error);

/*
 * queue_open_cached - the same without waiting for the disk: false when that takes queue_open_message.
 * For a message of the journal that was written a moment ago and that nothing happened to yet.
 */
bool queue_open_cached(struct queue *q, const struct queue_location *loc, struct arena *arena,
		       struct queue_message *m);

#define QUEUE_WHOLE UINT32_MAX

/* A fact to remember about a recipient (its index in the envelope) or QUEUE_WHOLE. */
struct queue_mark {
	uint32_t recipient;
	enum queue_outcome outcome; /* QUEUE_WHOLE: ignored */
	int64_t time;
	int64_t warned;    /* QUEUE_WHOLE: delay warning is queued; else 0 */
	int64_t next_time; /* QUEUE_WHOLE: set by queue_defer */
	uint32_t add_flags;/* QUEUE_WHOLE: enum queue_flag bits to set, QUEUE_EXPIRED */
	uint32_t tries;    /* set by the queue */
	struct slice dsn, text, relay, mta, remote, final;
};

/*
 * queue_mark - remember it. Buffered in memory: written by queue_flush (a crash of the process then
 * does not forget it), durable after queue_sync (a power cut does not either). Texts are copied. A final outcome stays:
 * QUEUE_DEFERRED after QUEUE_SENT is ignored.
 */
enum result queue_mark(struct queue *q, const struct queue_location *loc,
		       const struct queue_mark *mark);
/*
 * queue_gone - the message is finished (every recipient final, reports queued) or deleted. The bytes
 * are given up by a later queue_sync, after the mark is durable.
 */
enum result queue_gone(struct queue *q, const struct queue_location *loc);
/* queue_flush [disk: page cache only] - one write for each file with new marks. Once a turn. */
enum result queue_flush(struct queue *q, struct queue_error *error);
/*
 * queue_sync [disk] - flush, make all marks durable, remove the files of finished messages, recycle
 * segments in which nothing is live. On a worker thread, about once a second under load; what it
 * has not covered at a power cut is delivered again.
 */
enum result queue_sync(struct queue *q, struct queue_error *error);
/* queue_dirty - is there anything that a queue_sync would do? */
bool queue_dirty(struct queue *q);

/*
 * queue_defer [disk] - put messages aside until next_time, with reasons for the recipients that were
 * deferred (they count as marks). From the journal each gets a file of its own first: the whole is
 * durable in deferred/ before the journal's copy is marked gone. Many at once share directory syncs.
 * On RES_OK item->location is the new place.
 */
struct queue_defer_item {
	struct queue_location location; /* in: where it is; out: where it went */
	int64_t next_time;
	const struct queue_mark *marks;
	size_t mark_count;
	enum result result;
	struct queue_error error;
};
enum result queue_defer(struct queue *q, struct queue_defer_item *items, size_t count);

/* queue_hold, queue_release [disk] - to hold/ and back to deferred/ (next_time: when to try). */
enum result queue_hold(struct queue *q, struct queue_location *loc, struct queue_error *error);
enum result queue_release(struct queue *q, struct queue_location *loc, int64_t next_time,
			  struct queue_error *error);
/* queue_set_time [disk] - a deferred message's next try (postqueue -i, -f). */
enum result queue_set_time(struct queue *q, const struct queue_location *loc, int64_t next_time,
			   struct queue_error *error);
/*
 * queue_requeue [disk] - move what is not done of it to a new file in maildrop/, from where pickup takes it
 * through cleanup again. RES_OK: that file is durable and the message is gone. RES_PERM QUEUE_IO: a
 * success is to be reported first.
 */
enum result queue_requeue(struct queue *q, const struct queue_location *loc, struct queue_error *error);

#endif
