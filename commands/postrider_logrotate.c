/* SPDX-License-Identifier: ISC */
#include "commands/postrider.h"
#include "log/log.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ROTATE_PATIENCE (5 * OS_SECOND)

static bool exists(const char *path)
{
	struct stat st;

	return os_fstatat(AT_FDCWD, path, &st, 0) == 0;
}

/* compress - when the daemon that writes the log has gone over to the new file. */
static int compress(const struct control *c, const char *log, const char *rotated)
{
	char *const argv[] = {(char *)c->conf->settings->maillog_file_compressor.p,
			      (char *)(uintptr_t)rotated, NULL};
	int64_t deadline = os_deadline(ROTATE_PATIENCE);

	if (argv[0][0] == '\0')
		return 0;
	while (!exists(log) && os_now() < deadline)
		os_sleep(POSTRIDER_POLL_PAUSE);
	os_sleep(OS_SECOND); /* what its predecessor had still to write */
	return postrider_run("maillog_file_compressor", argv);
}

/* time_suffix - false: the format gives nothing, or more than fits. */
static bool time_suffix(const char *format, char *out, size_t size)
{
	time_t now = (time_t)(os_wall() / OS_SECOND);
	struct tm tm;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the administrator's; strftime() reads nothing but tm */
	return localtime_r(&now, &tm) != NULL && strftime(out, size, format, &tm) > 0;
#pragma GCC diagnostic pop
}

int postrider_logrotate(struct control *c)
{
	const struct settings *s = c->conf->settings;
	const char *log = s->maillog_file.p, *rotated;
	char suffix[128];
	pid_t pid = postrider_master(c);

	if (s->maillog_file.n == 0 || slice_starts(s->maillog_file, SL("/dev/"))) {
		log_fatal_text("maillog_file is \"%s\": only a file of its own can be rotated", log);
		return 1;
	}
	if (!time_suffix(s->maillog_file_rotate_suffix.p, suffix, sizeof(suffix))) {
		log_fatal_text("maillog_file_rotate_suffix: bad value \"%s\": a format of strftime(3) for 1 to "
			       "127 bytes is allowed", s->maillog_file_rotate_suffix.p);
		return 1;
	}
	rotated = arena_printf(c->arena, "%s.%s", log, suffix).p;
	if (os_renameat_noreplace(AT_FDCWD, log, AT_FDCWD, rotated) < 0) {
		log_fatal_text("rename %s to %s: %s", log, rotated, strerror(errno));
		return 1;
	}
	if (pid != 0 && os_kill(pid, SIGHUP) < 0)
		log_warning_text("cannot signal process %d: %s", (int)pid, strerror(errno));
	return compress(c, log, rotated);
}
