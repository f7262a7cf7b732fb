/* SPDX-License-Identifier: ISC */
/*
 * log - what happens is one declared event with typed fields (schema/events); the line in Postfix's
 * form is a rendering of it. "log/events.h" is generated and brings a struct and a function for
 * each event; write
 *
 *	#include "log/events.h"
 *	LOG(delivery, .queue_id = id, .to = rcpt->address, .status = SL("sent"), .text = reply);
 *
 * Members left out are absent. Texts may hold anything: control characters come out as `?`.
 *
 * One writer a process: it never waits. Lines go to /dev/log, or as datagrams to postlogd when
 * maillog_file is set; what finds no room waits in a buffer of 1 MB, then is dropped, counted, and the
 * count is logged once there is room. Call everything here from the main thread only.
 */
#ifndef LOG_LOG_H
#define LOG_LOG_H

#include "base/buffer.h"
#include "base/result.h"
#include "base/slice.h"
#include "os/clock.h"

/* ---- declared events: what the generated tables say */

enum log_level {
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING, /* "warning: " stands before the line, and so on */
	LOG_LEVEL_ERROR,
	LOG_LEVEL_FATAL,
	LOG_LEVEL_PANIC,
	LOG_LEVEL_DEBUG
};

enum log_type {
	LOG_ID,
	LOG_STR,
	LOG_ADDR, /* quoted as RFC 5321 wants it where needed */
	LOG_TEXT,
	LOG_U64,
	LOG_I64,
	LOG_DELAY, /* int64_t microseconds; below 0 counts as 0 */
	LOG_COUNTS
};

/* How often a command came: " mail=1/2" when not all went well. */
struct log_count {
	const char *name;
	uint32_t good;
	uint32_t all;
};

struct log_field {
	const char *name;
	enum log_type type;
	size_t offset;
	size_t count_offset;
};

struct log_piece {
	int when; /* index of a field that must be there; -1: always */
	const char *text;
	int field; /* follows the text; -1: none */
};

struct log_event {
	const char *name;
	enum log_level level;
	const struct log_field *fields;
	size_t field_count;
	const struct log_piece *pieces;
	size_t piece_count;
};

/* A line is cut at this many bytes, " ..." at its end. */
#define LOG_LINE_MAX 4000

#define LOG(event, ...) log_##event(&(struct log_##event){__VA_ARGS__})
/*
 * LOG_AT - the same of something that happened a moment ago: `at` is wall clock, microseconds. postlogd puts
 * the lines of all processes in the order of their times, as far as they come within LOG_HOLD.
 */
#define LOG_AT(at, event, ...) (log_set_time(at), LOG(event, __VA_ARGS__), log_set_time(0))
/* log_set_time - of the lines from now on; 0: the present. Use LOG_AT. */
void log_set_time(int64_t at);

/* log_event - render and write; use LOG. Before log_open it goes to standard error. */
void log_event(const struct log_event *event, const void *e);

/*
 * For what has no event of its own: rare, and for people only. log_fatal does not end the process.
 */
void log_info_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_fatal_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* log_debug_text - nothing unless log_set_verbose(1) or more. */
void log_debug_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_set_verbose(int level);
int log_verbose(void);

/* ---- rendering: pure */

/* log_render - the line, level's prefix included, no line end. `resolution`: digits of delays. */
void log_render(const struct log_event *event, const void *e, int resolution, struct buffer *out);
/*
 * log_delay - as Postfix writes delays: two significant digits, at most `resolution` behind the point
 * (delay_logging_resolution_limit), zeros at the end left out: 0, 0.02, 1.2, 12, 3601.
 */
void log_delay(int64_t microseconds, int resolution, struct buffer *out);

/*
 * On the way to postlogd each line of a datagram has its time in front, microseconds of wall clock:
 * LOG_STAMP and 16 hexadecimal digits. log_stamp_take - cuts that off; false, and nothing cut, where a
 * program of another kind sent a bare line.
 */
#define LOG_STAMP '\001'
#define LOG_STAMP_SIZE 17
bool log_stamp_take(struct slice *line, int64_t *at);

/* ---- the writer */

/* A busy daemon's lines gather for LOG_GATHER; postlogd waits for LOG_HOLD for what happened before. */
#define LOG_GATHER (10 * OS_MILLISECOND)
#define LOG_HOLD (20 * OS_MILLISECOND)

struct log_options {
	struct slice syslog_name;     /* settings->syslog_name: "postfix" */
	struct slice program;         /* "smtpd": the line says postfix/smtpd[PID] */
	struct slice hostname;        /* for the log file's lines; settings->myhostname */
	struct slice syslog_facility; /* "mail" */
	struct slice maillog_file;    /* empty: syslog */
	struct slice queue_directory; /* where public/postlog is, until log_entered_queue */
	struct slice service;         /* settings->postlog_service_name: "postlog" */
	int delay_resolution;         /* settings->delay_logging_resolution_limit */
	bool direct;                  /* append to maillog_file while postlogd does not listen: root's tools, master */
	bool stderr_too;              /* commands on a terminal: people read it there as well */
};

struct settings;
/* log_options_of - what main.cf says, for a program of this name; direct and stderr_too are false. */
struct log_options log_options_of(const struct settings *settings, struct slice program);

/*
 * log_open - connect before the sandbox closes in. Call again with new settings to replace. RES_TEMP
 * when the log cannot be reached now: lines are kept and it is tried again, about once a second.
 */
enum result log_open(const struct log_options *options);
/* log_entered_queue - the working directory is the queue directory now (or the root is). */
void log_entered_queue(void);
/* log_after_fork - in a child: its own pid from now on; what the parent holds back is the parent's. */
void log_after_fork(void);
/* log_set_program - another name than log_open said: postlog's -t. */
void log_set_program(struct slice identity);
/*
 * log_start_fiber - in a daemon with fibers, once: from now on lines leave together at the end of the
 * scheduler's round, several in a datagram to postlogd, and wait for room without holding anybody up.
 * A busy daemon's gather for LOG_GATHER.
 */
void log_start_fiber(void);
/* log_flush - write what waits, until the deadline at most (blocks): before exiting. */
void log_flush(int64_t deadline);
/* log_close - flushes for at most a second. */
void log_close(void);
/* log_dropped - lines lost so far: for status listings. */
uint64_t log_dropped(void);
/* log_pending - lines that wait for room. */
size_t log_pending(void);

#endif
