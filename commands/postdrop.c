/* SPDX-License-Identifier: ISC */
/*
 * postdrop - put a message into maildrop/; set-gid, so that nobody else can reach that directory.
 * Its caller is not trusted: environment, descriptors, signals and limits are set first, what comes
 * on standard input is frames that are decoded within declared bounds, and who sends is asked from
 * the system. postdrop(1)
 */
#include "commands/command.h"
#include "commands/drop_pipe.h"
#include "commands/guarded.h"
#include "ipc/ipc.h"
#include "log/log.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "queue/maildrop.h"
#include "table/match_list.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#define FRAMES_BETWEEN_RESETS 64
#define WAKE_PATIENCE (2 * OS_SECOND)

/* The file being written, for the signal handler: a stopped sendmail leaves no garbage. */
static volatile sig_atomic_t writing;
static struct maildrop_writer writer;

static void stop(int signal)
{
	if (writing)
		maildrop_abort(&writer);
	_exit(128 + signal);
}

static void catch_signals(void)
{
	static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

	os_signal_ignore(SIGPIPE);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		/* who was started with a signal ignored (nohup) stays so */
		if (signal(ending[i], SIG_IGN) != SIG_IGN)
			signal(ending[i], stop);
	/* a file size limit of the caller's is an error of write(), not the end */
	os_signal_ignore(SIGXFSZ);
}

static void parse_arguments(struct command *c, int argc, char **argv)
{
	int option;

	while ((option = command_option(c, argc, argv, "c:rv")) > 0) {
		switch (option) {
		case 'c':
			c->config_dir = optarg;
			break;
		case 'r': /* the caller wants the outcome as a status: it always gets that */
		case 'v':
			break;
		default:
			c->failure = 1;
			command_fatal(c, "usage: postdrop [-c config_dir] [-rv]");
		}
	}
}

static struct slice user_name(struct command *c)
{
	struct passwd *pw = getpwuid(getuid());

	if (pw == NULL)
		return arena_printf(c->arena, "unknown(uid=%u)", (unsigned)getuid());
	return arena_dup(c->arena, slice_str(pw->pw_name));
}

/* check_authorized - authorized_submit_users. */
static void check_authorized(struct command *c, struct slice user)
{
	struct table_set *set = table_set_create(NULL);
	struct match_list *list = match_list_create(set, c->settings->authorized_submit_users, 0);
	struct slice reason = SL_NULL;

	if (getuid() != 0 && match_list_string(list, user, c->arena, &reason) != TABLE_FOUND) {
		c->failure = EX_NOPERM;
		command_fatal(c, "user %.*s(%u) is not allowed to submit mail", SL_ARG(user),
			      (unsigned)getuid());
	}
	table_set_destroy(&set);
}

/* failed - the system would not: what the caller's exit status is, by the reason. */
static _Noreturn void failed(struct command *c, const char *what)
{
	int saved = errno;

	if (writing)
		maildrop_abort(&writer);
	writing = 0;
	c->failure = EX_TEMPFAIL;
	command_fatal(c, "%s: %s", what, strerror(saved));
}

static _Noreturn void refused(struct command *c, const char *why)
{
	if (writing)
		maildrop_abort(&writer);
	writing = 0;
	c->failure = EX_DATAERR;
	command_fatal(c, "%s", why);
}

static void take_envelope(struct command *c, struct ipc_frame *frame, struct arena *arena,
			  struct slice user)
{
	struct maildrop_envelope e;

	if (!maildrop_envelope_decode(frame, arena, &e))
		refused(c, "malformed input");
	e.uid = (uint32_t)getuid();
	e.login = user;
	e.time = os_wall();
	if (maildrop_envelope(&writer, &e) != RES_OK)
		failed(c, "write maildrop file");
}

static void take_recipient(struct command *c, struct ipc_frame *frame, struct arena *arena)
{
	struct maildrop_recipient r;

	if (!maildrop_recipient_decode(frame, arena, &r))
		refused(c, "malformed input");
	if (maildrop_recipient(&writer, &r) != RES_OK)
		failed(c, "write maildrop file");
}

static void take_content(struct command *c, struct ipc_frame *frame, struct arena *arena)
{
	uint64_t limit = c->settings->message_size_limit;
	struct maildrop_content content;

	if (!maildrop_content_decode(frame, arena, &content))
		refused(c, "malformed input");
	if (limit > 0 && writer.size + content.data.n > limit)
		refused(c, "message file too big");
	if (maildrop_content(&writer, content.data) != RES_OK)
		failed(c, "write maildrop file");
}

/* take - one frame; false after the last. */
static bool take(struct command *c, struct arena *arena, struct slice user, size_t count,
		 size_t *recipients)
{
	struct ipc_frame frame;

	if (drop_pipe_read(STDIN_FILENO, arena, &frame) != DROP_PIPE_FRAME)
		refused(c, "sendmail went away before the end of the message");
	if ((frame.type == MAILDROP_ENVELOPE) != (count == 0))
		refused(c, "malformed input");
	switch (frame.type) {
	case MAILDROP_ENVELOPE:
		take_envelope(c, &frame, arena, user);
		return true;
	case MAILDROP_RECIPIENT:
		if (writer.in_content)
			refused(c, "malformed input");
		take_recipient(c, &frame, arena);
		(*recipients)++;
		return true;
	case MAILDROP_CONTENT:
		take_content(c, &frame, arena);
		return true;
	case MAILDROP_END:
		return false;
	}
	refused(c, "malformed input");
}

static void receive(struct command *c, struct slice user)
{
	struct arena *arena = arena_create();
	size_t count = 0, recipients = 0;

	while (take(c, arena, user, count, &recipients))
		if (++count % FRAMES_BETWEEN_RESETS == 0)
			arena_reset(arena);
	if (recipients == 0)
		refused(c, "no recipients");
	arena_destroy(&arena);
}

/* wake_pickup - a courtesy: pickup looks by itself every minute. */
static void wake_pickup(const struct command *c)
{
	struct slice path =
	    arena_printf(c->arena, "public/%.*s", SL_ARG(c->settings->pickup_service_name));
	struct ipc_conn *conn;

	if (ipc_connect_blocking(path.p, os_deadline(WAKE_PATIENCE), &conn) == IPC_OK)
		ipc_conn_close(&conn);
}

int main(int argc, char **argv)
{
	struct command c = {.name = "postdrop", .failure = EX_TEMPFAIL};
	struct slice user;
	int maildrop;

	guarded_begin();
	catch_signals();
	parse_arguments(&c, argc, argv);
	command_load(&c);
	command_open_log(&c);
	user = user_name(&c);
	check_authorized(&c, user);
	guarded_confine(&c);
	log_entered_queue();
	/* the directory may be searched, not read: O_PATH is enough to make files in it */
	maildrop = os_openat(AT_FDCWD, "maildrop", O_PATH | O_DIRECTORY, 0);
	if (maildrop < 0)
		failed(&c, "open maildrop");
	if (maildrop_create(maildrop, &writer) != RES_OK)
		failed(&c, "create maildrop file");
	writing = 1;
	receive(&c, user);
	if (maildrop_commit(&writer) != RES_OK)
		failed(&c, "write maildrop file");
	writing = 0;
	wake_pickup(&c);
	log_close();
	return 0;
}
