/* SPDX-License-Identifier: ISC */
#include "local/outcome.h"
#include "smtp/status.h"

#include <errno.h>
#include <sys/wait.h>
#include <sysexits.h>

struct outcome outcome_sent(struct slice text)
{
	return (struct outcome){.status = DELIVERY_STATUS_SENT, .dsn = SL("2.0.0"), .text = text};
}

struct outcome outcome_failed(struct slice dsn, struct slice text)
{
	bool forever = dsn.n > 0 && dsn.p[0] == '5';

	return (struct outcome){.status =
				    forever ? DELIVERY_STATUS_BOUNCED : DELIVERY_STATUS_DEFERRED,
				.dsn = dsn,
				.text = text};
}

struct outcome outcome_failed_because(struct arena *arena, struct slice dsn, struct slice text,
				      int error)
{
	return outcome_failed(dsn, arena_printf(arena, "%.*s: %s", SL_ARG(text), strerror(error)));
}

struct slice outcome_error_dsn(int error, struct slice otherwise)
{
	switch (error) {
	case EAGAIN:
	case ESTALE:
	case ETIMEDOUT:
		return SL("4.2.0");
	case ENOSPC:
	case EIO:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case EROFS:
		return SL("4.3.0");
	case EFBIG:
	case EDQUOT:
		return SL("5.2.2");
	default:
		return otherwise;
	}
}

/* <sysexits.h> in the words that Postfix's users know. */
static const struct exit_meaning {
	int code;
	struct slice dsn;
	const char *text;
} exit_meanings[] = {
    {EX_USAGE, SL("5.3.0"), "command line usage error"},
    {EX_DATAERR, SL("5.6.0"), "data format error"},
    {EX_NOINPUT, SL("5.3.0"), "cannot open input"},
    {EX_NOUSER, SL("5.1.1"), "user unknown"},
    {EX_NOHOST, SL("5.1.2"), "host name unknown"},
    {EX_UNAVAILABLE, SL("5.3.0"), "service unavailable"},
    {EX_SOFTWARE, SL("5.3.0"), "internal software error"},
    {EX_OSERR, SL("4.3.0"), "system resource problem"},
    {EX_OSFILE, SL("5.3.0"), "critical OS file missing"},
    {EX_CANTCREAT, SL("5.2.0"), "can't create user output file"},
    {EX_IOERR, SL("5.3.0"), "input/output error"},
    {EX_TEMPFAIL, SL("4.3.0"), "temporary failure"},
    {EX_PROTOCOL, SL("5.5.0"), "remote error in protocol"},
    {EX_NOPERM, SL("5.7.0"), "permission denied"},
    {EX_CONFIG, SL("5.3.5"), "local configuration error"},
};

static const struct exit_meaning *exit_meaning(int code)
{
	for (size_t i = 0; i < sizeof(exit_meanings) / sizeof(exit_meanings[0]); i++)
		if (exit_meanings[i].code == code)
			return &exit_meanings[i];
	return NULL;
}

static struct slice with_output(struct arena *arena, struct slice text, struct slice output)
{
	if (output.n == 0)
		return text;
	return arena_printf(arena, "%.*s. Command output: %.*s", SL_ARG(text), SL_ARG(output));
}

static struct outcome failed(struct arena *arena, struct slice dsn, struct slice text,
			     struct slice output, struct slice otherwise)
{
	struct outcome o = outcome_failed(dsn, with_output(arena, text, output));

	o.diagnostic = output.n > 0 ? output : otherwise;
	return o;
}

/*
 * said_by_itself - output that begins with an enhanced status code. One that does not speak of
 * failure, from a command that failed, counts as 5.0.0.
 */
static bool said_by_itself(struct arena *arena, struct slice output, struct outcome *o)
{
	struct enhanced_status status;
	struct slice rest, dsn = SL("5.0.0");

	if (!enhanced_parse(output, &status, &rest))
		return false;
	if (status.class != 2)
		dsn = arena_printf(arena, "%u.%u.%u", status.class, status.subject, status.detail);
	*o = outcome_failed(dsn, slice_trim(rest));
	o->diagnostic = o->text;
	return true;
}

struct outcome outcome_of_command(struct arena *arena, int status, struct slice command,
				  struct slice output)
{
	const struct exit_meaning *meaning;
	struct outcome o;
	struct slice text;

	output = slice_trim(output);
	if (WIFSIGNALED(status)) {
		text = arena_printf(arena, "Command died with signal %d: \"%.*s\"",
				    WTERMSIG(status), SL_ARG(command));
		return failed(arena, SL("4.3.0"), text, output,
			      slice_str(exit_meaning(EX_SOFTWARE)->text));
	}
	if (WEXITSTATUS(status) == 0)
		return outcome_sent(
		    arena_printf(arena, "delivered to command: %.*s", SL_ARG(command)));
	if (said_by_itself(arena, output, &o))
		return o;
	meaning = exit_meaning(WEXITSTATUS(status));
	if (meaning != NULL)
		return failed(arena, meaning->dsn, slice_str(meaning->text), output,
			      slice_str(meaning->text));
	text = arena_printf(arena, "Command died with status %d: \"%.*s\"", WEXITSTATUS(status),
			    SL_ARG(command));
	return failed(arena, SL("5.3.0"), text, output, SL("unknown mail system error"));
}

struct outcome outcome_of_timeout(struct arena *arena, struct slice command, struct slice output)
{
	struct slice text =
	    arena_printf(arena, "Command time limit exceeded: \"%.*s\"", SL_ARG(command));

	return failed(arena, SL("5.3.0"), text, slice_trim(output),
		      SL("unknown mail system error"));
}
