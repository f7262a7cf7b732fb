/* SPDX-License-Identifier: ISC */
/* reply - what the client is told. */
#include "smtpd/smtpd.h"

/* More than any reply of ours; a reply from a table is cut by its table. */
#define REPLY_MAX 16384

/* slow_down - who makes mistakes waits for each reply (smtpd_soft_error_limit). */
static void slow_down(struct session *s)
{
	const struct settings *c = s->p->settings;

	if (s->errors < (unsigned)c->smtpd_soft_error_limit || c->smtpd_error_sleep_time <= 0)
		return;
	session_io(s, stream_flush(&s->stream, session_deadline(s)));
	fiber_sleep(os_deadline(c->smtpd_error_sleep_time), "penalty for errors");
}

void reply_send(struct session *s, const struct smtp_reply *r)
{
	struct buffer out;

	slow_down(s);
	if (s->end != END_NONE)
		return;
	buffer_init(&out, REPLY_MAX);
	if (!smtp_reply_format(&out, r, s->txn.smtputf8)) {
		struct smtp_reply short_reply = smtp_reply(r->code, NULL, SL("Error"));

		buffer_reset(&out);
		smtp_reply_format(&out, &short_reply, false);
	}
	session_io(s, stream_write(&s->stream, buffer_slice(&out), session_deadline(s)));
	buffer_free(&out);
}

void reply(struct session *s, unsigned code, const char *status, struct slice text)
{
	struct smtp_reply r = smtp_reply(code, status, text);

	reply_send(s, &r);
}

bool reply_verdict(struct session *s)
{
	reply_send(s, &s->verdict);
	if (s->verdict.code == 421 || s->verdict.code == 521)
		s->closing = true;
	return false;
}

bool reply_bad(struct session *s, unsigned code, const char *status, struct slice text)
{
	reply(s, code, status, text);
	return false;
}
