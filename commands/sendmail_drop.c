/* SPDX-License-Identifier: ISC */
/* sendmail_drop - a postdrop process at the other end of a pipe. */
#include "commands/drop_pipe.h"
#include "commands/sendmail.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <signal.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define CHUNK ((size_t)65536)

/* spawn_postdrop - it reads from `from`. */
static pid_t spawn_postdrop(struct sendmail *s, int from)
{
	struct slice path = arena_printf(s->command.arena, "%.*s/postdrop",
					 SL_ARG(s->command.settings->command_directory));
	char *argv[] = {(char *)(uintptr_t) "postdrop", (char *)(uintptr_t) "-r", NULL};

	pid_t pid;

	setenv("MAIL_CONFIG", s->command.config_dir, 1);
	pid = os_spawn(path.p, argv, environ, from);
	if (pid < 0)
		sendmail_fatal(s, EX_OSERR, "execute %s: %s", path.p, strerror(errno));
	return pid;
}

void drop_begin(struct drop *d, struct sendmail *s, const struct maildrop_envelope *envelope)
{
	int ends[2];

	*d = (struct drop){.sendmail = s};
	buffer_init(&d->chunk, CHUNK);
	os_signal_ignore(SIGPIPE);
	if (pipe2(ends, O_CLOEXEC) < 0)
		sendmail_fatal(s, EX_OSERR, "unable to run postdrop: %s", strerror(errno));
	d->pid = spawn_postdrop(s, ends[0]);
	os_close(ends[0]);
	d->to = ends[1];
	if (!drop_pipe_write(d->to, &maildrop_envelope_message, envelope)) {
		if (errno == EMSGSIZE)
			sendmail_fatal(s, EX_USAGE, "an envelope text is too long or has control characters");
		d->broken = true;
	}
}

void drop_recipient(struct drop *d, struct slice address, uint32_t notify)
{
	struct maildrop_recipient r = {.address = address, .notify = notify};

	if (d->broken)
		return;
	d->recipients++;
	if (drop_pipe_write(d->to, &maildrop_recipient_message, &r))
		return;
	if (errno == EMSGSIZE)
		sendmail_fatal(d->sendmail, EX_USAGE, "bad recipient address: %.*s",
			       SL_ARG(slice_sub(address, 0, 200)));
	d->broken = true;
}

static void flush_chunk(struct drop *d)
{
	struct maildrop_content c = {.data = buffer_slice(&d->chunk)};

	if (d->chunk.len > 0 && !d->broken &&
	    !drop_pipe_write(d->to, &maildrop_content_message, &c))
		d->broken = true;
	buffer_reset(&d->chunk);
}

void drop_content(struct drop *d, struct slice bytes)
{
	while (bytes.n > 0 && !d->broken) {
		struct slice part = slice_sub(bytes, 0, CHUNK - d->chunk.len);

		buffer_append(&d->chunk, part);
		bytes = slice_from(bytes, part.n);
		if (d->chunk.len == CHUNK)
			flush_chunk(d);
	}
}

/* finish - its exit status, as sysexits; a signal is a temporary failure. */
static int finish(struct drop *d)
{
	int status;

	os_close(d->to);
	buffer_free(&d->chunk);
	if (os_wait(d->pid, &status) < 0 || !WIFEXITED(status))
		return EX_TEMPFAIL;
	return WEXITSTATUS(status);
}

bool drop_commit(struct drop *d, int *status)
{
	flush_chunk(d);
	if (!d->broken)
		d->broken = !drop_pipe_write(d->to, &maildrop_end_message, NULL);
	*status = finish(d);
	return *status == 0 && !d->broken;
}

void drop_abort(struct drop *d)
{
	/* postdrop takes the end of the pipe without an end frame for what it is, and says so */
	os_kill(d->pid, SIGTERM);
	finish(d);
}
