/* SPDX-License-Identifier: ISC */
/*
 * content - the descriptors of loaded messages. Those in a segment of the journal share one and never count
 * here; a message with a file of its own has one of its own, and there may be more messages loaded than
 * descriptors allowed. So only a part keep theirs while they wait for their turn; the others' files are opened
 * again for a delivery or a report, which wait while too many are at it.
 */
#include "qmgr/qmgr.h"

#include "base/check.h"
#include "os/process.h"

#include <errno.h>

#define SPARE_FILES 300 /* for segments, directories, clients, tables */

size_t descriptors_share(size_t parts)
{
	size_t files = (size_t)os_file_limit();
	size_t spare = files / 2 < SPARE_FILES ? files / 2 : SPARE_FILES;

	return (files - spare) / parts + 1;
}

static bool counts(const struct loaded *loaded)
{
	return loaded->m.fd >= 0 && loaded->m.shared == NULL;
}

void content_close(struct qmgr *q, struct loaded *loaded)
{
	CHECK(loaded->content_users == 0);
	if (counts(loaded)) {
		q->open_contents--;
		fiber_cond_broadcast(&q->contents);
	}
	queue_message_close(&loaded->m);
}

/* keep_few - half of the places are for those at work. */
static void keep_few(struct qmgr *q, struct loaded *loaded)
{
	if (counts(loaded) && q->open_contents > descriptors_share(8))
		content_close(q, loaded);
}

void content_loaded(struct qmgr *q, struct loaded *loaded)
{
	q->open_contents += counts(loaded);
	keep_few(q, loaded);
}

struct reopening {
	struct queue *queue;
	struct queue_location location;
	struct queue_message m;
	enum result result;
	struct queue_error error;
};

static void reopen_on_thread(void *arg)
{
	struct reopening *r = arg;
	struct arena *arena = arena_create();

	r->result = queue_open_message(r->queue, &r->location, false, arena, &r->m, &r->error);
	arena_destroy(&arena);
}

/* reopen - its place, and where in its file the content begins, may have changed. */
static enum result reopen(struct qmgr *q, struct message *m, struct queue_error *error)
{
	struct reopening r = {.queue = q->queue};
	struct queue_message *to = &m->loaded->m;

	message_location(m, &r.location);
	q->open_contents++; /* its place is taken before it is open */
	m->loaded->content_opening = true;
	fiber_offload(reopen_on_thread, &r, "open message");
	m->loaded->content_opening = false;
	if (r.result == RES_OK) {
		to->fd = r.m.fd;
		to->shared = r.m.shared;
		to->content_offset = r.m.content_offset;
		to->content_size = r.m.content_size;
	} else {
		*error = r.error;
	}
	q->open_contents -= !counts(m->loaded);
	fiber_cond_broadcast(&q->contents);
	return r.result;
}

/* may_reopen - false: wait for another's work on it, or for room. */
static bool may_reopen(const struct qmgr *q, const struct loaded *loaded)
{
	return !loaded->content_opening && q->open_contents < descriptors_share(4);
}

enum result content_take(struct qmgr *q, struct message *m, struct queue_error *error)
{
	struct loaded *loaded = m->loaded;

	loaded->content_users++; /* it stays once it is there */
	while (loaded->m.fd < 0) {
		enum result rc = RES_TEMP;

		if (may_reopen(q, loaded))
			rc = reopen(q, m, error);
		else if (fiber_cond_wait(&q->contents, OS_NEVER, "a descriptor for content") == 0)
			continue;
		else
			*error = (struct queue_error){.reason = QUEUE_IO, .errnum = ECANCELED};
		if (rc != RES_OK) {
			loaded->content_users--;
			return rc;
		}
	}
	return RES_OK;
}

void content_give(struct qmgr *q, struct message *m)
{
	if (--m->loaded->content_users == 0)
		keep_few(q, m->loaded);
}
