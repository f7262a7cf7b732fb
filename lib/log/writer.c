/* SPDX-License-Identifier: ISC */
/*
 * writer - the one way out for log lines. It holds the only state that is a process's and not a
 * session's: there is one log, and everything may have to say something.
 */
#include "base/check.h"
#include "fiber/fiber.h"
#include "log/events.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/socket.h"

#include <errno.h>
#include <stdio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PENDING_MAX ((size_t)1 << 20)
#define DATAGRAM_MAX 32768u
#define RECONNECT_PAUSE OS_SECOND
#define FULL_PAUSE (2 * OS_MILLISECOND)
#define CLOSE_TIME OS_SECOND
#define SYSLOG_SOCKET "/dev/log"
#define LOG_FILE_MODE 0600

static struct writer {
	bool open;
	char identity[128]; /* "postfix/smtpd" */
	char hostname[256];
	char file[512]; /* maillog_file; "": syslog */
	char socket[512];
	char service[128];
	unsigned facility;
	int resolution;
	int verbose;
	bool direct;
	bool stderr_too;
	int fd; /* datagram socket; -1 */
	int64_t retry_at;
	struct buffer pending; /* lines, each with a '\n' behind it, a stamp in front unless for syslog */
	int64_t at; /* LOG_AT: when it happened; 0: now */
	size_t pending_lines;
	uint64_t dropped;
	uint64_t dropped_told;
	time_t head_at; /* the second that `head` is of */
	char head[512]; /* what each line of that second begins with; "": to be made */
	bool has_fiber;
	struct fiber_cond more;
	pid_t pid;
} writer = {.fd = -1, .resolution = 2, .pending = {.limit = PENDING_MAX}};

/* ---- where to */

static const char *const facilities[] = {
    "kern", "user",   "mail",	"daemon", "auth",   "syslog", "lpr",	"news",
    "uucp", "cron",   "authpriv", "ftp",  "",	    "",	      "",	"",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"};

#define FACILITY_MAIL 2u

static unsigned facility_number(struct slice name)
{
	for (unsigned i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++)
		if (name.n > 0 && slice_eq(name, slice_str(facilities[i])))
			return i;
	return FACILITY_MAIL;
}

/* syslog_priority - RFC 5424 6.2.1: facility * 8 + severity */
static unsigned syslog_priority(enum log_level level)
{
	static const unsigned severity[] = {6, 4, 3, 2, 2, 7};

	return writer.facility * 8 + severity[level];
}

static void keep(char *to, size_t size, struct slice from)
{
	size_t n = from.n < size ? from.n : size - 1;

	if (n > 0)
		memcpy(to, from.p, n);
	to[n] = '\0';
}

static void disconnect(void)
{
	if (writer.fd >= 0)
		os_close(writer.fd);
	writer.fd = -1;
}

/* connect_writer - true when there is a socket to send to. */
static bool connect_writer(void)
{
	const char *path = writer.file[0] != '\0' ? writer.socket : SYSLOG_SOCKET;
	struct os_addr addr = {0};
	struct sockaddr_un *un = (struct sockaddr_un *)&addr.ss;
	size_t n = strlen(path);

	if (writer.fd >= 0)
		return true;
	if (os_now() < writer.retry_at || n >= sizeof(un->sun_path))
		return false;
	writer.retry_at = os_deadline(RECONNECT_PAUSE);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, n + 1);
	addr.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
	writer.fd = os_socket(AF_UNIX, SOCK_DGRAM, 0);
	if (writer.fd >= 0 && os_connect(writer.fd, &addr) < 0)
		disconnect();
	return writer.fd >= 0;
}

/* ---- what waits */

static void consume(size_t n, size_t lines)
{
	buffer_consume(&writer.pending, n);
	writer.pending_lines -= lines;
}

/* next_datagram - bytes that may go together: one line for syslog, several for postlogd. */
static size_t next_datagram(struct slice all, size_t *lines)
{
	size_t n = 0;

	*lines = 0;
	while (n < all.n) {
		size_t end = n + (size_t)slice_find(slice_from(all, n), '\n') + 1;

		if (n > 0 && (writer.file[0] == '\0' || end > DATAGRAM_MAX))
			break;
		n = end;
		(*lines)++;
	}
	return n;
}

/* drop_stamps - from what waits. */
static void drop_stamps(void)
{
	struct slice rest = buffer_slice(&writer.pending);
	size_t to = 0;

	while (rest.n > 0) {
		size_t n = (size_t)slice_find(rest, '\n') + 1;
		struct slice line = slice_sub(rest, 0, n);
		int64_t at;

		rest = slice_from(rest, n);
		(void)log_stamp_take(&line, &at);
		memmove(writer.pending.data + to, line.p, line.n);
		to += line.n;
	}
	buffer_truncate(&writer.pending, to);
}

/* write_direct - postlogd does not listen, and this process may write the file itself. */
static void write_direct(void)
{
	bool is_stdout = strcmp(writer.file, "/dev/stdout") == 0;
	int fd = is_stdout ? STDOUT_FILENO
			   : os_openat(AT_FDCWD, writer.file,
				       O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NOCTTY,
				       LOG_FILE_MODE);

	drop_stamps();
	if (fd < 0 || os_write_full(fd, writer.pending.data, writer.pending.len) < 0)
		writer.dropped += writer.pending_lines;
	if (fd >= 0 && !is_stdout)
		os_close(fd);
	consume(writer.pending.len, writer.pending_lines);
}

/* send_datagrams - as many as go without waiting; *at and *lines are what has gone or been given up. */
static void send_datagrams(size_t *at, size_t *lines)
{
	while (*at < writer.pending.len && connect_writer()) {
		size_t count;
		size_t n = next_datagram(slice_from(buffer_slice(&writer.pending), *at), &count);

		if (os_send(writer.fd, writer.pending.data + *at, n - 1, MSG_DONTWAIT) < 0) {
			if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
				return;
			if (errno != EMSGSIZE) {
				disconnect(); /* the receiver is gone, or another one has its name now */
				continue;
			}
			writer.dropped += count;
		}
		*at += n;
		*lines += count;
	}
}

/* send_pending - true when nothing is left. */
static bool send_pending(void)
{
	size_t at = 0;
	size_t lines = 0;

	send_datagrams(&at, &lines);
	consume(at, lines);
	if (writer.pending.len > 0 && writer.fd < 0 && writer.direct && writer.file[0] != '\0')
		write_direct();
	return writer.pending.len == 0;
}

/* make_head - "Nov 22 19:08:07 host postfix/smtpd[123]: "; syslog adds the host itself. */
static void make_head(time_t second)
{
	static const char month[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	bool to_file = writer.file[0] != '\0';
	struct tm tm;

	localtime_r(&second, &tm);
	writer.head_at = second;
	snprintf(writer.head, sizeof(writer.head), "%.3s %2d %02d:%02d:%02d %s%s%s[%d]: ",
		 month + (size_t)(tm.tm_mon % 12) * 3, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 to_file ? writer.hostname : "", to_file ? " " : "", writer.identity,
		 (int)writer.pid);
}

static void put_head(struct buffer *out, int64_t at)
{
	time_t second = (time_t)(at / OS_SECOND);

	if (second != writer.head_at || writer.head[0] == '\0')
		make_head(second);
	buffer_append_str(out, writer.head);
}

/* put_stamp - for postlogd, which puts the lines of all processes in order. */
static void put_stamp(struct buffer *out, int64_t at)
{
	buffer_append_byte(out, LOG_STAMP);
	for (int shift = 60; shift >= 0; shift -= 4)
		buffer_append_byte(out, "0123456789abcdef"[(uint64_t)at >> shift & 15]);
}

/* queue_line - false when there is no room. */
static bool queue_line(enum log_level level, struct slice text)
{
	struct buffer *out = &writer.pending;
	size_t before = out->len;
	int64_t at = writer.at != 0 ? writer.at : os_wall();

	if (writer.file[0] == '\0')
		buffer_printf(out, "<%u>", syslog_priority(level));
	else
		put_stamp(out, at);
	put_head(out, at);
	buffer_append(out, text);
	buffer_append_byte(out, '\n');
	if (!buffer_overflowed(out)) {
		writer.pending_lines++;
		return true;
	}
	buffer_truncate(out, before);
	out->overflow = false;
	return false;
}

/* tell_dropped - as soon as there is room again. */
static void tell_dropped(void)
{
	struct log_lines_lost e = {.count = writer.dropped - writer.dropped_told};
	char room[128];
	struct buffer line = {.data = room, .size = sizeof(room), .limit = sizeof(room)};

	if (e.count == 0 || writer.pending.len > PENDING_MAX / 2)
		return;
	log_render(&log_lines_lost_event, &e, 0, &line);
	if (queue_line(LOG_LEVEL_WARNING, buffer_slice(&line)))
		writer.dropped_told = writer.dropped;
}

static void write_stderr(struct slice text)
{
	char line[LOG_LINE_MAX + 160];
	int n;

	if (writer.identity[0] != '\0')
		n = snprintf(line, sizeof(line), "%s: %.*s\n", writer.identity, SL_ARG(text));
	else
		n = snprintf(line, sizeof(line), "%.*s\n", SL_ARG(text));
	os_write_full(STDERR_FILENO, line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static void write_line(enum log_level level, struct slice text)
{
	if (!writer.open || writer.stderr_too)
		write_stderr(text);
	if (!writer.open)
		return;
	tell_dropped();
	if (!queue_line(level, text))
		writer.dropped++;
	if (writer.has_fiber)
		fiber_cond_signal(&writer.more);
	else
		send_pending();
}

/* ---- the public side */

static void cut_line(struct buffer *line)
{
	if (!buffer_overflowed(line))
		return;
	buffer_truncate(line, line->limit - 4 < line->len ? line->limit - 4 : line->len);
	line->overflow = false;
	buffer_append_str(line, " ...");
}

void log_event(const struct log_event *event, const void *e)
{
	char room[LOG_LINE_MAX];
	struct buffer line = {.data = room, .size = sizeof(room), .limit = sizeof(room)};

	log_render(event, e, writer.resolution, &line);
	cut_line(&line);
	write_line(event->level, buffer_slice(&line));
}

/* write_text - the free texts, through the same door as events. */
static void __attribute__((format(printf, 2, 0)))
write_text(const struct log_event *event, const char *format, va_list ap)
{
	char text[LOG_LINE_MAX];
	int n = vsnprintf(text, sizeof(text), format, ap);
	struct log_info e = {
	    .text = slice(text, n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1)};

	log_event(event, &e);
}

#define WRITE_TEXT(event)                                \
	do {                                             \
		va_list ap;                              \
		va_start(ap, format);                    \
		write_text(&(event), format, ap);        \
		va_end(ap);                              \
	} while (0)

void log_info_text(const char *format, ...)
{
	WRITE_TEXT(log_info_event);
}

void log_warning_text(const char *format, ...)
{
	WRITE_TEXT(log_warning_event);
}

void log_error_text(const char *format, ...)
{
	WRITE_TEXT(log_error_event);
}

void log_fatal_text(const char *format, ...)
{
	WRITE_TEXT(log_fatal_event);
}

void log_debug_text(const char *format, ...)
{
	if (writer.verbose > 0)
		WRITE_TEXT(log_info_event);
}

void log_set_time(int64_t at)
{
	writer.at = at;
}

void log_set_verbose(int level)
{
	writer.verbose = level;
}

int log_verbose(void)
{
	return writer.verbose;
}

static void set_socket(struct slice directory)
{
	int n;

	if (directory.n > 0)
		n = snprintf(writer.socket, sizeof(writer.socket), "%.*s/public/%s",
			     SL_ARG(directory), writer.service);
	else
		n = snprintf(writer.socket, sizeof(writer.socket), "public/%s", writer.service);
	if (n < 0 || (size_t)n >= sizeof(writer.socket))
		writer.socket[0] = '\0';
}

enum result log_open(const struct log_options *options)
{
	int n = snprintf(writer.identity, sizeof(writer.identity), "%.*s/%.*s",
			 SL_ARG(options->syslog_name), SL_ARG(options->program));

	CHECK(n > 0);
	tzset();
	disconnect();
	keep(writer.hostname, sizeof(writer.hostname), options->hostname);
	keep(writer.file, sizeof(writer.file), options->maillog_file);
	keep(writer.service, sizeof(writer.service),
	     options->service.n > 0 ? options->service : SL("postlog"));
	set_socket(options->queue_directory);
	writer.facility = facility_number(options->syslog_facility);
	writer.resolution = options->delay_resolution;
	writer.direct = options->direct;
	writer.stderr_too = options->stderr_too;
	writer.pid = getpid();
	writer.head[0] = '\0';
	writer.retry_at = 0;
	writer.open = true;
	return connect_writer() ? RES_OK : RES_TEMP;
}

void log_entered_queue(void)
{
	set_socket(SL_NULL);
}

void log_after_fork(void)
{
	writer.pid = getpid();
	writer.head[0] = '\0';
	writer.has_fiber = false;
	buffer_reset(&writer.pending);
	writer.pending_lines = 0;
}

void log_set_program(struct slice identity)
{
	keep(writer.identity, sizeof(writer.identity), identity);
	writer.head[0] = '\0';
}

/*
 * The first line after a pause goes at once; those of a busy daemon gather for a moment, if it is postlogd that
 * they go to: syslog has no means to put them in order.
 */
static void run_writer(void *arg)
{
	int64_t next_at = 0;

	(void)arg;
	while (!fiber_cancelled()) {
		if (writer.pending.len == 0)
			fiber_cond_wait(&writer.more, OS_NEVER, "log lines");
		else if (os_now() < next_at && writer.pending.len < DATAGRAM_MAX &&
			 writer.file[0] != '\0')
			fiber_sleep(next_at, "more log lines");
		else if (!send_pending())
			fiber_sleep(os_deadline(writer.fd < 0 ? RECONNECT_PAUSE : FULL_PAUSE),
				    "room in the log");
		else
			next_at = os_deadline(LOG_GATHER);
		tell_dropped();
	}
	/* the daemon ends: from here on lines go out as they come */
	writer.has_fiber = false;
	send_pending();
}

void log_start_fiber(void)
{
	if (writer.has_fiber)
		return;
	fiber_cond_init(&writer.more);
	writer.has_fiber = fiber_spawn("log", run_writer, NULL) != NULL;
}

void log_flush(int64_t deadline)
{
	struct os_event event;
	int poller;

	if (!writer.open || send_pending())
		return;
	poller = os_poll_create();
	while (poller >= 0 && !send_pending() && os_now() < deadline) {
		int64_t pause = os_deadline(FULL_PAUSE);

		os_poll_wait(poller, &event, 1, pause < deadline ? pause : deadline);
	}
	if (poller >= 0)
		os_close(poller);
}

void log_close(void)
{
	log_flush(os_deadline(CLOSE_TIME));
	disconnect();
	buffer_free(&writer.pending);
	writer.pending_lines = 0;
	writer.open = false;
}

uint64_t log_dropped(void)
{
	return writer.dropped;
}

size_t log_pending(void)
{
	return writer.pending_lines;
}
