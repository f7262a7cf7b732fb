/* SPDX-License-Identifier: ISC */
/* BDAT - RFC 3030. A chunk is read whatever happens, or the client and we would lose step. */
#include "log/events.h"
#include "smtp/data.h"
#include "smtpd/smtpd.h"

#include <stdlib.h>

#define PIECE ((size_t)16384)

/* Chunks of one message. */
struct bdat_state {
	struct bdat_reader reader;
	bool failed; /* a chunk was refused: the others are until RSET or LAST */
};

void bdat_release(struct transaction *t)
{
	t->bdat = NULL; /* it lives in the transaction's arena */
}

/* skip - `size` bytes that nobody wants. */
static bool skip(struct session *s, uint64_t size)
{
	while (size > 0) {
		struct slice in;
		enum stream_status status = stream_peek(&s->stream, session_deadline(s), &in);

		session_io(s, status);
		if (status != STREAM_OK)
			return false;
		if (in.n > size)
			in.n = (size_t)size;
		stream_consume(&s->stream, in.n);
		size -= in.n;
	}
	return true;
}

static bool refuse_chunk(struct session *s, uint64_t size, bool last, unsigned code,
			 const char *status, struct slice text)
{
	if (!skip(s, size))
		return false;
	reply(s, code, status, text);
	if (last)
		session_reset(s);
	else if (s->txn.bdat != NULL)
		s->txn.bdat->failed = true;
	return false;
}

/* chunk_copy - one chunk into the intake; false: the connection is gone. */
static bool chunk_copy(struct session *s)
{
	struct bdat_reader *reader = &s->txn.bdat->reader;
	struct buffer out;
	bool ended = false;
	struct slice in = SL(""), all = SL("");

	buffer_init(&out, 2 * PIECE + 8);
	/* an empty chunk is complete at once: nothing is waited for */
	ended = reader->left == 0 && bdat_reader_feed(reader, &in, &out);
	while (!ended) {
		enum stream_status status = stream_peek(&s->stream, session_deadline(s), &all);

		session_io(s, status);
		if (status != STREAM_OK)
			break;
		in = all = slice_sub(all, 0, PIECE);
		ended = bdat_reader_feed(reader, &in, &out);
		s->txn.content += out.len;
		receive_content(s, buffer_slice(&out));
		buffer_reset(&out);
		stream_consume(&s->stream, all.n - in.n);
	}
	if (ended && out.len > 0)
		receive_content(s, buffer_slice(&out));
	buffer_free(&out);
	return ended;
}

/* begin - the first chunk of a message; false: refused, the chunk is skipped. */
static bool begin(struct session *s, uint64_t size, bool last)
{
	s->txn.bdat = ARENA_NEW(s->txn.arena, struct bdat_state);
	bdat_reader_init(&s->txn.bdat->reader);
	if (!check_data(s)) {
		struct smtp_reply verdict = s->verdict;

		return refuse_chunk(s, size, last, verdict.code,
				    arena_dup(s->scratch, verdict.status).p, verdict.text);
	}
	if (receive_begin(s))
		return true;
	/* the refusal is said already; the bytes behind it still have to go */
	if (skip(s, size) && last)
		session_reset(s);
	else if (s->txn.bdat != NULL)
		s->txn.bdat->failed = true;
	return false;
}

/* in_order - may a chunk come now? If not, it is skipped and that is said. */
static bool in_order(struct session *s, uint64_t size, bool last)
{
	struct bdat_state *b = s->txn.bdat;

	if (b != NULL && b->failed)
		return refuse_chunk(s, size, last, 551, "5.0.0",
				    arena_printf(s->scratch,
						 "Discarded %llu bytes after earlier error",
						 (unsigned long long)size));
	if (!s->txn.open)
		return refuse_chunk(s, size, last, 503, "5.5.1", SL("Error: need RCPT command"));
	if (s->txn.recipients == 0)
		return refuse_chunk(s, size, last, 554, "5.5.1", SL("Error: no valid recipients"));
	return true;
}

static bool fits(struct session *s, uint64_t size)
{
	uint64_t limit = s->p->settings->message_size_limit;
	uint64_t sum;

	return limit == 0 || (!__builtin_add_overflow(s->txn.content, size, &sum) && sum <= limit);
}

static bool bad_syntax(struct session *s, struct slice args)
{
	/* where the chunk ends is not known, so nothing behind this line can be understood */
	LOG(bdat_malformed, .queue_id = session_queue_id(s), .name = s->client.name,
	    .addr = s->client.addr,
	    .input = arena_printf(s->scratch, "BDAT %.*s", SL_ARG(slice_sub(args, 0, 100))));
	reply(s, 521, "5.5.4", SL("Syntax: BDAT count [LAST]"));
	s->closing = true;
	return false;
}

bool bdat_skip(struct session *s, const struct smtp_command *c)
{
	uint64_t size;
	bool last;

	if (!smtp_bdat_parse(c->args, &size, &last) || size > INT64_MAX)
		return bad_syntax(s, c->args);
	return skip(s, size);
}

bool command_bdat(struct session *s, const struct smtp_command *c)
{
	uint64_t size;
	bool last;

	if (s->ehlo_discard & EHLO_CHUNKING) {
		reply(s, 521, "5.5.1", SL("Error: command not implemented"));
		s->closing = true;
		return false;
	}
	if (!smtp_bdat_parse(c->args, &size, &last) || size > INT64_MAX)
		return bad_syntax(s, c->args);
	if (!in_order(s, size, last))
		return false;
	if (s->txn.bdat == NULL && !begin(s, size, last))
		return false;
	if (!fits(s, size)) {
		LOG(bdat_too_big, .queue_id = session_queue_id(s), .name = s->client.name,
		    .addr = s->client.addr);
		return refuse_chunk(s, size, last, 552, "5.3.4",
				    SL("Chunk exceeds message size limit"));
	}
	bdat_reader_chunk(&s->txn.bdat->reader, size, last);
	if (!chunk_copy(s))
		return false;
	if (last)
		return receive_finish(s, s->txn.bdat->reader.canon.bare_lf);
	reply(s, 250, "2.0.0",
	      arena_printf(s->scratch, "Ok: %llu bytes", (unsigned long long)size));
	return true;
}
