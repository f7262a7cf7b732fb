/* SPDX-License-Identifier: ISC */
/*
 * requeue - from the queue back to maildrop/, for another way through pickup and cleanup. The new
 * file is durable before the message is marked gone: a crash between the two leaves both, and the
 * message is delivered twice, never lost.
 */
#include "os/file.h"
#include "queue/maildrop.h"
#include "queue/owner.h"

#define CHUNK ((size_t)65536)

static bool is_undone(const struct queue_recipient *r)
{
	/* one that has failed, of which nobody was told: its failure will be met again */
	return r->outcome == QUEUE_PENDING || r->outcome == QUEUE_DEFERRED || r->outcome == QUEUE_FAILED;
}

/* report_owed - a success that would not be met again. */
static bool report_owed(const struct queue_envelope *env)
{
	for (size_t i = 0; i < env->recipient_count; i++)
		if (env->recipients[i].outcome == QUEUE_SENT || env->recipients[i].outcome == QUEUE_EXPANDED)
			return true;
	return false;
}

static enum result put_head(const struct queue_envelope *env, struct maildrop_writer *w)
{
	struct maildrop_envelope e = {
	    .sender = env->sender,
	    .full_name = env->full_name,
	    .login = env->login_sender,
	    .time = env->arrival,
	    .ret = (enum mail_ret)env->ret,
	    .envid = env->envid,
	    .body = env->flags & QUEUE_BODY_8BITMIME ? SL("8BITMIME") : SL(""),
	    .gateway = slice_eq(env->rewrite_context, SL("remote")),
	    .verify = env->flags & QUEUE_VERIFY,
	    .record = (env->flags & QUEUE_RECORD) && env->tries == 0,
	    .smtputf8 = env->flags & QUEUE_SMTPUTF8,
	};
	struct maildrop_requeued r = {.queue_id = queue_id_slice(&env->id), .filter = env->content_filter};
	enum result rc = maildrop_envelope(w, &e);

	return rc == RES_OK ? maildrop_requeued(w, &r) : rc;
}

static enum result put_recipients(const struct queue_envelope *env, struct maildrop_writer *w)
{
	enum result rc = RES_OK;

	for (size_t i = 0; i < env->recipient_count && rc == RES_OK; i++) {
		const struct queue_recipient *r = &env->recipients[i];
		struct maildrop_again again = {.address = r->address,
					       .orig = r->original,
					       .orcpt = r->orcpt,
					       .notify = r->notify};

		if (is_undone(r))
			rc = maildrop_again(w, &again);
	}
	return rc;
}

static enum result put_content(const struct queue_message *m, struct maildrop_writer *w,
			       struct arena *arena)
{
	char *chunk = arena_alloc(arena, CHUNK);
	enum result rc = RES_OK;

	for (uint64_t at = 0; at < m->content_size && rc == RES_OK;) {
		size_t got = 0;

		rc = queue_message_content(m, at, chunk, CHUNK, &got);
		if (rc == RES_OK && got == 0)
			rc = RES_TEMP;
		if (rc == RES_OK)
			rc = maildrop_content(w, slice(chunk, got));
		at += got;
	}
	return rc;
}

/* write_file - durable under its name, the directory included, when RES_OK. */
static enum result write_file(int dir, const struct queue_message *m, struct arena *arena,
			      struct queue_error *error)
{
	struct maildrop_writer w;
	enum result rc;

	if (maildrop_create(dir, &w) != RES_OK)
		return queue_fail(error, "create maildrop file");
	rc = put_head(m->envelope, &w);
	if (rc == RES_OK)
		rc = put_recipients(m->envelope, &w);
	if (rc == RES_OK)
		rc = put_content(m, &w, arena);
	if (rc != RES_OK) {
		rc = queue_fail(error, "write maildrop file");
		maildrop_abort(&w);
	} else if (maildrop_commit(&w) != RES_OK || os_sync_dir(dir) < 0) {
		rc = queue_fail(error, "commit maildrop file");
	}
	return rc;
}

enum result queue_requeue(struct queue *q, const struct queue_location *loc, struct queue_error *error)
{
	struct arena *arena = arena_create();
	struct queue_message m;
	enum result rc = queue_open_message(q, loc, true, arena, &m, error);
	int dir;

	if (rc == RES_OK) {
		dir = os_openat(q->dir, "maildrop", O_RDONLY | O_DIRECTORY, 0);
		if (report_owed(m.envelope))
			rc = queue_refuse(error, QUEUE_IO, "a report is owed first");
		else if (dir < 0)
			rc = queue_fail(error, "open maildrop");
		else
			rc = write_file(dir, &m, arena, error);
		if (dir >= 0)
			os_close(dir);
		queue_message_close(&m);
	}
	if (rc == RES_OK)
		rc = queue_gone(q, loc);
	/* at once, for each message: who is killed among many has repeated one at most */
	if (rc == RES_OK)
		(void)queue_sync(q, NULL);
	arena_destroy(&arena);
	return rc;
}
