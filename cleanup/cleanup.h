/* SPDX-License-Identifier: ISC */
/*
 * cleanup - takes messages from smtpd, pickup, bounce and local, completes and checks them, expands virtual
 * aliases, and makes them durable together (group commit). What the rest of the folder shares.
 */
#ifndef CLEANUP_CLEANUP_H
#define CLEANUP_CLEANUP_H

#include "base/list.h"
#include "base/map.h"
#include "config/settings.h"
#include "fiber/fiber.h"
#include "ipc/cleanup.h"
#include "message/content.h"
#include "message/header_name.h"
#include "queue/queue.h"
#include "route/route.h"
#include "table/table.h"

/* The process. */
struct cleanup {
	const struct settings *settings;
	int queue_fd;
	struct table_set *tables;
	struct route *route;
	struct table_list *virtual_alias_maps;
	struct map *dropped_headers; /* message_drop_headers, lower case */
	bool propagate_extension;    /* propagate_unmatched_extensions names `virtual` */
	struct queue_writer *writer; /* NULL: no message came yet, or the disk refused so far */
	struct fiber_mutex opening;  /* of the writer: one session does it */
	struct committer *committer;
	struct fiber_sem large_places; /* worker threads that large messages may have at a time */
	uint64_t free_bytes;   /* of the queue's file system, as of `free_asked` */
	int64_t free_asked;    /* monotonic */
	size_t buffered;       /* content held in memory, all messages together */
};

/* Why a message cannot be taken; the first reason stays. */
struct refusal {
	enum cleanup_outcome outcome; /* CLEANUP_OUTCOME_OK: there is none */
	uint16_t code;
	struct slice dsn;
	struct slice text;
};

/* A message on its way in: from envelope_begin to its commit or abort. */
struct message {
	struct cleanup *process;
	struct arena *arena;
	struct cleanup_envelope_begin facts; /* as the caller gave them, in the arena */
	struct refusal refusal;

	/* envelope.c, alias.c */
	struct queue_envelope envelope;
	size_t recipient_room;
	struct map *known; /* recipients, for the duplicate filter */
	size_t rcpt_count; /* as given by the caller, before aliases */
	struct slice only_recipient; /* that one, for Received:, while it is the only one */

	/* header.c */
	bool header_begun;
	bool in_body;
	bool seen[HEADER_COUNT];
	bool resent;
	bool header_8bit;
	struct buffer pending; /* header bytes that are not a whole field yet */

	/* store.c */
	struct content_canon canon;
	struct content_scan scan;
	struct buffer content; /* in memory, until it is too much; then its next piece */
	size_t counted;	       /* of it, in process->buffered */
	struct queue_large *large;
};

/* message_refuse - remember why; texts must outlive the message (literals, or its arena). */
void message_refuse(struct message *m, enum cleanup_outcome outcome, uint16_t code, struct slice dsn,
		    struct slice text);
static inline bool message_refused(const struct message *m)
{
	return m->refusal.outcome != CLEANUP_OUTCOME_OK;
}

/* ---- message.c: the life of one */
struct message *message_create(struct cleanup *process);
void message_destroy(struct message **m);

/* ---- envelope.c */
/* envelope_begin - m->facts is set; takes a queue id. */
void envelope_begin(struct message *m);
void envelope_recipient(struct message *m, const struct cleanup_envelope_rcpt *rcpt);
/* envelope_add - one final recipient; drops duplicates. */
void envelope_add(struct message *m, const struct cleanup_envelope_rcpt *rcpt, struct slice address);

/* envelope_add_expanded - one that others stand for: nothing is delivered, its sender is told so. */
void envelope_add_expanded(struct message *m, const struct cleanup_envelope_rcpt *rcpt,
			   struct slice address);

/* ---- alias.c */
/* alias_expand - through virtual_alias_maps, each result to envelope_add. */
void alias_expand(struct message *m, const struct cleanup_envelope_rcpt *rcpt, struct slice address);

/* ---- header.c */
/* header_feed - canonical bytes of the header, and behind it the body, which goes on to store(). */
void header_feed(struct message *m, struct slice bytes);
/* header_finish - at the end of the content: a header without a body ends here. */
void header_finish(struct message *m);

/* ---- received.c */
/* received_header - the Received: field for this message, CRLF at its end. */
struct slice received_header(struct message *m);
/* missing_headers - what RFC 5322 wants, or is settled, and the message lacks. */
void missing_headers(struct message *m);

/* ---- store.c */
/* content_feed - bytes as the caller sent them. */
void content_feed(struct message *m, struct slice bytes);
void content_finish(struct message *m);
/* store - canonical bytes, to memory or a file of their own. */
void store(struct message *m, struct slice bytes);
/* refuse_queue_error - log it, and refuse with 452 4.3.1 (no room) or 451 4.3.0. */
void refuse_queue_error(struct message *m, const struct queue_error *error);
/* store_release - give memory and files back. */
void store_release(struct message *m);

/* ---- large.c: a file of its own; each of these waits for the disk, or for others who use it */
/* large_begin - m->large is there then, or the message refused; what has gathered is written. */
void large_begin(struct message *m);
/* large_append - `gather`: they may stay in memory for a while. */
void large_append(struct message *m, struct slice bytes, bool gather);
/* large_commit - anything but RES_OK: the message is refused. m->large is gone. */
enum result large_commit(struct message *m, struct queue_location *location);
void large_abort(struct message *m);

/* ---- commit.c */
struct committer *committer_start(struct cleanup *process);
/* commit_message - returns when the message is durable, or refused. The wait is not cancelled. */
void commit_message(struct message *m);
/* committer_yield - until the batch that is at the disk, if one is, has come back. */
void committer_yield(struct committer *c);
/* committer_drain - wait until qmgr knows of everything, or the deadline; then close the writer. */
void committer_drain(struct committer *c, int64_t deadline);
/* committer_backlog - messages that qmgr does not know of yet. */
size_t committer_backlog(const struct committer *c);

/* ---- session.c */
struct daemon_context;
struct daemon_session;
void cleanup_session(struct daemon_context *context, struct daemon_session *session);

#endif
