/* SPDX-License-Identifier: ISC */
/* queue/message - opening the message in a record. Internal to lib/queue. */
#ifndef QUEUE_MESSAGE_H
#define QUEUE_MESSAGE_H

#include "queue/marks.h"
#include "queue/record.h"

#include <stdatomic.h>

/*
 * message_read - the message record at `offset` of fd, its envelope decoded into the arena. key 0:
 * whatever the header says (files of their own). m->fd is left alone. RES_PERM QUEUE_DAMAGED.
 */
enum result message_read(int fd, uint64_t key, uint64_t offset, struct arena *arena,
			 struct queue_message *m, struct record *r, struct queue_error *error);
/* message_read_cached - the same of what lies in memory; RES_TEMP when it does not. Never waits. */
enum result message_read_cached(int fd, uint64_t key, uint64_t offset, struct arena *arena,
				struct queue_message *m, struct record *r);
/*
 * message_read_own - the same of a file of its own, with its status records merged; *append: where
 * the next of them goes.
 */
enum result message_read_own(int fd, struct arena *arena, struct queue_message *m,
			     struct record *r, uint64_t *append, struct queue_error *error);
/*
 * message_read_journal - the message at m->location, opened in the directory `journal`; m->fd is the
 * segment's, to be closed by the caller whatever the result. `marked`: there may be marks for it, so
 * all D files of the segment are read.
 */
enum result message_read_journal(int journal, bool marked, struct arena *arena,
				 struct queue_message *m, struct queue_error *error);
/* A descriptor that several messages read; closed by the last of its users, on any thread. */
struct queue_file {
	int fd;
	atomic_uint users;
};

/* queue_file_create - owns the descriptor; one user. */
struct queue_file *queue_file_create(int fd);
struct queue_file *queue_file_use(struct queue_file *f);
/* queue_file_leave - sets *f to NULL, which it may be. */
void queue_file_leave(struct queue_file **f);
/* message_directory - "large", "deferred", "hold"; NULL for places without files of their own. */
const char *message_directory(enum queue_place place);

#endif
