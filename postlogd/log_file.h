/* SPDX-License-Identifier: ISC */
/* postlogd/log_file - the file that maillog_file names, appended to in whole lines. */
#ifndef POSTLOGD_LOG_FILE_H
#define POSTLOGD_LOG_FILE_H

#include "base/buffer.h"
#include "base/result.h"
#include "base/slice.h"

#include <sys/types.h>

/* One read's worth of datagrams goes out in one write. */
#define LOG_FILE_CHUNK ((size_t)256 << 10)

struct log_line {
	int64_t at; /* wall clock, microseconds */
	size_t offset;
	size_t length;
};

struct log_file {
	int fd; /* -1: none */
	struct buffer lines; /* in the order they came */
	struct log_line *order;
	size_t count, room;
	uint64_t lost; /* lines that could not be written, not yet told */
};

/*
 * log_file_allowed - maillog_file_prefixes: the path is one of them, or lies below one. "." and ".." as parts
 * of the path are refused.
 */
bool log_file_allowed(struct slice path, struct slice prefixes);
/* log_file_mode - maillog_file_permissions: an octal number up to 0777; 0600 for what is none. */
mode_t log_file_mode(struct slice text);
/*
 * log_file_open - append to `path`, made when missing; "/dev/stdout": this process's standard output. RES_TEMP and
 * errno when that fails.
 */
enum result log_file_open(struct log_file *file, struct slice path, mode_t mode, uid_t owner);
/*
 * log_file_add - a datagram: one or more lines, cleaned of control characters; those without a stamp are of
 * `now` (wall clock), and so are those that claim to be later. False when full, and nothing taken: write first.
 */
bool log_file_add(struct log_file *file, struct slice datagram, int64_t now);
/*
 * log_file_write - what was added and is not later than `until`, in the order of its times (INT64_MAX: all). A
 * failure (disk full) loses it, and the next success says how much.
 */
void log_file_write(struct log_file *file, int64_t until);
/* log_file_deleted - its name is gone: somebody rotates logs, and it should be opened anew. */
bool log_file_deleted(const struct log_file *file);
void log_file_close(struct log_file *file);

#endif
