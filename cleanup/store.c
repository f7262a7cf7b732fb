/* SPDX-License-Identifier: ISC */
/*
 * store - the content in its final form: CRLF lines. It gathers in memory, to be committed with others in one
 * write; when it is more than the journal takes, or when all messages under way fill the memory set
 * aside for them, it goes to a file of its own (large.c).
 */
#include "cleanup/cleanup.h"
#include "base/check.h"
#include "log/events.h"

/* All messages under way together; beyond it, those over SMALL go to files. */
#define MEMORY_LIMIT ((size_t)64 << 20)
#define SMALL ((size_t)65536)

void refuse_queue_error(struct message *m, const struct queue_error *error)
{
	LOG(warning, .text = arena_printf(m->arena, "%s: %s: %s%s%s", m->envelope.id.text,
					  error->what != NULL ? error->what : "queue",
					  queue_reason_text(error->reason),
					  error->errnum != 0 ? ": " : "",
					  error->errnum != 0 ? strerrordesc_np(error->errnum) : ""));
	if (error->reason == QUEUE_NO_SPACE)
		message_refuse(m, CLEANUP_OUTCOME_TEMP, 452, SL("4.3.1"),
			       SL("Error: insufficient system storage"));
	else
		message_refuse(m, CLEANUP_OUTCOME_TEMP, 451, SL("4.3.0"),
			       SL("Error: queue file write error"));
}

/* count_memory - of all messages together; a buffer's room counts, not what is in it. */
static void count_memory(struct message *m)
{
	m->process->buffered += m->content.size - m->counted;
	m->counted = m->content.size;
}

static bool must_spill(const struct message *m, size_t more)
{
	size_t size = m->content.len + more;

	return !queue_writer_fits(m->process->writer, size) ||
	       (size > SMALL && m->process->buffered > MEMORY_LIMIT);
}

static bool too_big(const struct message *m)
{
	uint64_t limit = m->process->settings->message_size_limit;

	return limit > 0 && m->scan.bytes > limit;
}

void store(struct message *m, struct slice bytes)
{
	if (message_refused(m) || bytes.n == 0)
		return;
	content_scan_feed(&m->scan, bytes);
	if (too_big(m)) {
		LOG(size_exceeded, .queue_id = queue_id_slice(&m->envelope.id));
		message_refuse(m, CLEANUP_OUTCOME_PERM, 552, SL("5.3.4"),
			       SL("Error: message file too big"));
		return;
	}
	if (m->large == NULL && must_spill(m, bytes.n))
		large_begin(m);
	if (m->large != NULL)
		large_append(m, bytes, m->process->buffered <= MEMORY_LIMIT);
	else if (!message_refused(m))
		CHECK(buffer_append(&m->content, bytes));
	count_memory(m);
}

void store_release(struct message *m)
{
	buffer_free(&m->content);
	count_memory(m);
	if (m->large != NULL)
		large_abort(m);
}

static void feed_canonical(struct message *m, struct slice bytes)
{
	if (m->in_body)
		store(m, bytes);
	else
		header_feed(m, bytes);
}

/* canonical_room - what content_canon may put out for n bytes. */
static size_t canonical_room(size_t n)
{
	return 2 * n + 3;
}

void content_feed(struct message *m, struct slice bytes)
{
	struct buffer out;

	if (message_refused(m))
		return;
	/* what came by SMTP was made canonical by the one reader of DATA and BDAT */
	if (m->facts.origin == CLEANUP_ORIGIN_SMTP) {
		feed_canonical(m, bytes);
		return;
	}
	buffer_init(&out, canonical_room(bytes.n));
	content_canon_feed(&m->canon, bytes, &out);
	feed_canonical(m, buffer_slice(&out));
	buffer_free(&out);
}

void content_finish(struct message *m)
{
	struct buffer out;

	if (message_refused(m))
		return;
	buffer_init(&out, canonical_room(0));
	content_canon_end(&m->canon, &out);
	if (m->facts.origin != CLEANUP_ORIGIN_SMTP)
		feed_canonical(m, buffer_slice(&out));
	buffer_free(&out);
	if (!m->in_body)
		header_finish(m);
	content_scan_end(&m->scan);
}
