/* SPDX-License-Identifier: ISC */
/* DATA - RFC 5321 4.1.1.4 */
#include "smtp/data.h"
#include "smtpd/smtpd.h"

/* So much input at once goes through the reader; what it puts out is at most twice that. */
#define PIECE ((size_t)16384)

static bool in_order(struct session *s, const struct smtp_command *c)
{
	if (s->txn.bdat != NULL)
		return reply_bad(s, 503, "5.5.1", SL("Error: DATA after BDAT"));
	if (!s->txn.open)
		return reply_bad(s, 503, "5.5.1", SL("Error: need RCPT command"));
	if (s->txn.recipients == 0)
		return reply_bad(s, 554, "5.5.1", SL("Error: no valid recipients"));
	if (c->args.n > 0)
		return reply_bad(s, 501, "5.5.4", SL("Syntax: DATA"));
	return true;
}

/* content_deadline - for the next bytes; smtpd_per_request_deadline bounds all of them together. */
static int64_t content_deadline(const struct session *s, int64_t begun)
{
	const struct settings *c = s->p->settings;
	int64_t earned;

	if (!c->smtpd_per_request_deadline)
		return session_deadline(s);
	earned = c->smtpd_min_data_rate > 0
		     ? (int64_t)(s->txn.content / (uint64_t)c->smtpd_min_data_rate) * OS_SECOND
		     : 0;
	return begun + c->smtpd_timeout + earned;
}

static void pass_on(struct session *s, struct buffer *out)
{
	uint64_t limit = s->p->settings->message_size_limit;

	s->txn.content += out->len;
	if (limit > 0 && s->txn.content > limit)
		s->txn.too_big = true;
	/* what is too big is read to its end, so that the reply is understood, but goes nowhere */
	if (!s->txn.too_big)
		receive_content(s, buffer_slice(out));
	buffer_reset(out);
}

/* data_copy - up to the final dot; false: the connection is gone. */
static bool data_copy(struct session *s, struct data_reader *reader)
{
	int64_t begun = os_now();
	struct buffer out;
	bool ended = false;

	buffer_init(&out, 2 * PIECE + 3);
	while (!ended) {
		struct slice all, in;
		enum stream_status status =
		    stream_peek(&s->stream, content_deadline(s, begun), &all);

		session_io(s, status);
		if (status != STREAM_OK)
			break;
		in = slice_sub(all, 0, PIECE);
		all = in;
		ended = data_reader_feed(reader, &in, &out);
		pass_on(s, &out);
		stream_consume(&s->stream, all.n - (ended ? in.n : 0));
	}
	buffer_free(&out);
	return ended;
}

bool command_data(struct session *s, const struct smtp_command *c)
{
	struct data_reader reader;

	if (!in_order(s, c))
		return false;
	if (!check_data(s))
		return reply_verdict(s);
	if (!receive_begin(s))
		return false;
	reply(s, 354, NULL, SL("End data with <CR><LF>.<CR><LF>"));
	data_reader_init(&reader, DATA_BARE_NORMALIZE);
	if (!data_copy(s, &reader))
		return false;
	return receive_finish(s, reader.bare_lf);
}
