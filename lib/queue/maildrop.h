/* SPDX-License-Identifier: ISC */
/*
 * maildrop - the files in maildrop/: what postdrop writes for a local user and pickup takes to cleanup. A
 * file is frames of schema/ipc/maildrop.ipc (envelope, recipients, content_begin), then the content as
 * it was typed, then a trailer of MAILDROP_TRAILER bytes that checks all of it: without it the file is
 * garbage of a cut-off postdrop.
 *
 * A file is written under NAME.tmp and gets its name (a queue id of postdrop's own time and pid) when
 * it is durable. It belongs to the user; the directory, which only $setgid_group may search, protects
 * it.
 */
#ifndef QUEUE_MAILDROP_H
#define QUEUE_MAILDROP_H

#include "base/arena.h"
#include "base/result.h"
#include "ipc/maildrop.h"
#include "queue/envelope.h"

#define MAILDROP_TRAILER 24
#define MAILDROP_TEMPORARY ".tmp"

/* ---- writing (postdrop) */

struct maildrop_writer {
	int dirfd; /* borrowed */
	int fd;
	struct queue_id id;
	uint32_t crc;
	uint64_t size; /* content bytes so far */
	bool in_content;
};

/* All: RES_OK, or RES_TEMP with errno. `dirfd`: maildrop/. */
enum result maildrop_create(int dirfd, struct maildrop_writer *w);
enum result maildrop_envelope(struct maildrop_writer *w, const struct maildrop_envelope *envelope);
enum result maildrop_recipient(struct maildrop_writer *w, const struct maildrop_recipient *recipient);
/* maildrop_requeued, maildrop_again - by $mail_owner only: a message that has been in the queue. */
enum result maildrop_requeued(struct maildrop_writer *w, const struct maildrop_requeued *requeued);
enum result maildrop_again(struct maildrop_writer *w, const struct maildrop_again *again);
enum result maildrop_content(struct maildrop_writer *w, struct slice bytes);
/* maildrop_commit - durable under its name when RES_OK; closed in any case. */
enum result maildrop_commit(struct maildrop_writer *w);
/* maildrop_abort - closed and removed; after a commit: no effect. */
void maildrop_abort(struct maildrop_writer *w);

/* ---- reading (pickup, showq, postcat) */

struct maildrop_file {
	int fd; /* the caller's to close, with maildrop_close */
	uid_t owner;
	int64_t time; /* of the file: wall clock, microseconds */
	struct maildrop_envelope envelope;
	struct maildrop_requeued requeued; /* queue_id is empty: it comes from postdrop */
	struct maildrop_again *recipients;
	size_t recipient_count;
	uint64_t content_offset;
	uint64_t content_size;
};

/*
 * maildrop_open - RES_OK; RES_TEMP: cannot be read now, errno; RES_PERM: no such file any more
 * (ENOENT), or not what postdrop writes (EINVAL): not a plain file with one link, torn, damaged.
 * Everything is in the arena.
 */
enum result maildrop_open(int dirfd, const char *name, struct arena *arena,
			  struct maildrop_file *file);
void maildrop_close(struct maildrop_file *file);

#endif
