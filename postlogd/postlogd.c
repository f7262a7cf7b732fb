/* SPDX-License-Identifier: ISC */
/* postlogd - the suite's log lines, from datagrams to the file that maillog_file names. postlogd(8) */
#include "config/settings.h"
#include "daemon/daemon.h"
#include "fiber/fiber.h"
#include "log/events.h"
#include "os/file.h"
#include "postlogd/log_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DATAGRAM_MAX 65536u
/* Between two looks at the socket, of which the kernel fills ten datagrams before writers wait. */
#define PAUSE (5 * OS_MILLISECOND)

struct postlogd {
	struct log_file file;
	char *datagram;
};

static enum result postlogd_open(struct daemon_context *context)
{
	const struct settings *settings = context->settings;
	struct postlogd *p = ARENA_NEW(context->arena, struct postlogd);
	struct slice path = settings->maillog_file;

	p->datagram = arena_alloc(context->arena, DATAGRAM_MAX);
	p->file.fd = -1;
	buffer_init(&p->file.lines, LOG_FILE_CHUNK);
	context->state = p;
	if (path.n == 0)
		return RES_OK; /* lines of programs that still have the old settings are dropped */
	if (!log_file_allowed(path, settings->maillog_file_prefixes)) {
		fprintf(stderr, "postlogd: maillog_file %s: not below any of maillog_file_prefixes\n",
			path.p);
		return RES_PERM;
	}
	if (log_file_open(&p->file, path, log_file_mode(settings->maillog_file_permissions), 0) !=
	    RES_OK) {
		fprintf(stderr, "postlogd: maillog_file %s: %s\n", path.p, strerror(errno));
		return RES_TEMP;
	}
	return RES_OK;
}

static void add(struct postlogd *p, size_t n)
{
	struct slice datagram = slice(p->datagram, n);

	if (log_file_add(&p->file, datagram, os_wall()))
		return;
	log_file_write(&p->file, INT64_MAX);
	log_file_add(&p->file, datagram, os_wall());
}

/* take - what has come; waits for the first datagram until the deadline. False: none came. */
static bool take(struct postlogd *p, struct fiber_fd *fd, int64_t deadline)
{
	bool any = false;
	ssize_t n;

	while ((n = fiber_recv(fd, p->datagram, DATAGRAM_MAX, any ? 0 : deadline, "log lines")) >= 0) {
		add(p, (size_t)n);
		any = true;
	}
	return any;
}

/* take_rest - what is still in the socket when the process ends. */
static void take_rest(struct postlogd *p, int fd)
{
	ssize_t n;

	while ((n = os_recv(fd, p->datagram, DATAGRAM_MAX, 0)) >= 0)
		add(p, (size_t)n);
}

/*
 * write_ready - lines wait until those that other processes wrote before them must have come, so that
 * the file tells things in the order in which they happened.
 */
static void write_ready(struct daemon_context *context, struct postlogd *p)
{
	log_file_write(&p->file, os_wall() - LOG_HOLD);
	if (log_file_deleted(&p->file))
		daemon_stop(context); /* the next process opens the new one, as root can */
}

static void postlogd_datagrams(struct daemon_context *context, int fd)
{
	struct postlogd *p = context->state;
	struct fiber_fd socket;

	fiber_fd_init(&socket, fd);
	while (!daemon_draining(context) && !fiber_cancelled()) {
		if (p->file.count == 0 && !take(p, &socket, OS_NEVER)) {
			/* cancelled, or a socket that fails: not in a circle */
			fiber_sleep(os_deadline(OS_SECOND), "after an error");
			continue;
		}
		fiber_sleep(os_deadline(PAUSE), "more log lines");
		take(p, &socket, 0);
		write_ready(context, p);
	}
	take_rest(p, fd);
	fiber_fd_close(&socket);
	log_file_close(&p->file);
}

static void postlogd_status(struct daemon_context *context, struct buffer *out)
{
	const struct postlogd *p = context->state;

	buffer_printf(out, "lines lost: %llu\n", (unsigned long long)p->file.lost);
}

static const struct daemon postlogd_daemon = {
    .name = "postlogd",
    .open = postlogd_open,
    .datagrams = postlogd_datagrams,
    .status = postlogd_status,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &postlogd_daemon);
}
