/* SPDX-License-Identifier: ISC */
/* Any line is a command or gets a sendable reply. */
#include "base/check.h"
#include "smtp/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_reply(const struct smtp_reply *reply)
{
	struct buffer out;
	struct slice s;

	buffer_init(&out, 1 << 20);
	CHECK(smtp_reply_format(&out, reply, false));
	s = buffer_slice(&out);
	CHECK(reply->code >= 400 && slice_ends(s, SL("\r\n")));
	for (size_t i = 0; i < s.n; i++)
		CHECK(ascii_isprint(s.p[i]) || s.p[i] == '\r' || s.p[i] == '\n');
	buffer_free(&out);
}

static void check_line(struct arena *arena, struct slice line, unsigned takes)
{
	struct smtp_command command;
	struct smtp_reply reply = {0};
	struct smtp_mail mail;
	struct smtp_rcpt rcpt;
	uint64_t size;
	bool last;

	smtp_command_parse(line, &command);
	CHECK(smtp_verb_name(command.verb) != NULL);
	if (smtp_mail_parse(command.args, takes, arena, &mail, &reply))
		CHECK(path_check(mail.path.address, PATH_UTF8) == PATH_OK);
	else
		check_reply(&reply);
	if (smtp_rcpt_parse(command.args, takes, takes & 1, arena, &rcpt, &reply))
		CHECK(rcpt.path.address.n > 0);
	else
		check_reply(&reply);
	smtp_bdat_parse(command.args, &size, &last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *arena = arena_create();

	check_line(arena, slice(data, n), 0);
	check_line(arena, slice(data, n), 0x1f);
	check_line(arena, slice(data, n), 0xff);
	arena_destroy(&arena);
	return 0;
}
