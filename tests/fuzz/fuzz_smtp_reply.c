/* SPDX-License-Identifier: ISC */
/* A reply that was read can be written, and is read back as the same; no text begins another reply.
 */
#include "base/check.h"
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct slice cut_line(struct slice *in)
{
	ssize_t lf = slice_find(*in, '\n');
	struct slice line = lf < 0 ? *in : slice_sub(*in, 0, (size_t)lf);

	*in = lf < 0 ? SL_NULL : slice_from(*in, (size_t)lf + 1);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static enum reply_step read_reply(struct slice *in, struct buffer *text, struct reply_parser *p,
				  struct smtp_reply *out)
{
	enum reply_step step = REPLY_MORE;

	reply_parser_begin(p, text, 0);
	while (step == REPLY_MORE && in->n > 0)
		step = reply_parser_line(p, cut_line(in), out);
	return step;
}

static void check_written(const struct smtp_reply *reply)
{
	struct buffer wire, text;
	struct reply_parser p;
	struct smtp_reply again;
	struct slice in;

	buffer_init(&wire, 1 << 20);
	buffer_init(&text, 1 << 20);
	CHECK(smtp_reply_format(&wire, reply, true));
	in = buffer_slice(&wire);
	CHECK(read_reply(&in, &text, &p, &again) == REPLY_DONE);
	CHECK(in.n == 0);
	CHECK(again.code == (reply->code >= 200 && reply->code <= 599 ? reply->code : 451));
	buffer_free(&wire);
	buffer_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct slice in = slice(data, n);
	struct reply_parser p;
	struct smtp_reply reply;
	struct buffer text;

	check_written(&(struct smtp_reply){550, SL("5.1.1"), in});
	check_written(&(struct smtp_reply){250, in, in});
	buffer_init(&text, 1 << 16);
	if (smtp_reply_split(in, &reply))
		check_written(&reply);
	if (read_reply(&in, &text, &p, &reply) == REPLY_DONE)
		check_written(&reply);
	buffer_free(&text);
	return 0;
}
