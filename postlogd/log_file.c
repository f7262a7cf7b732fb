/* SPDX-License-Identifier: ISC */
#include "postlogd/log_file.h"
#include "base/check.h"
#include "log/log.h"
#include "os/file.h"

#include <stdlib.h>
#include <unistd.h>

#define MODE_DEFAULT 0600

static bool has_dots(struct slice path)
{
	struct slice part;

	while (slice_next(&path, "/", &part))
		if (slice_eq(part, SL(".")) || slice_eq(part, SL("..")))
			return true;
	return false;
}

bool log_file_allowed(struct slice path, struct slice prefixes)
{
	struct slice prefix;

	if (has_dots(path))
		return false;
	while (slice_next(&prefixes, " \t\r\n,", &prefix)) {
		if (!slice_starts(path, prefix))
			continue;
		if (path.n == prefix.n || prefix.p[prefix.n - 1] == '/' || path.p[prefix.n] == '/')
			return true;
	}
	return false;
}

mode_t log_file_mode(struct slice text)
{
	mode_t mode = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '7' || mode > 0777)
			return MODE_DEFAULT;
		mode = (mode_t)(mode << 3 | (mode_t)(text.p[i] - '0'));
	}
	return text.n == 0 || mode > 0777 ? MODE_DEFAULT : mode;
}

enum result log_file_open(struct log_file *file, struct slice path, mode_t mode, uid_t owner)
{
	char name[1024];

	*file = (struct log_file){.fd = -1};
	buffer_init(&file->lines, LOG_FILE_CHUNK);
	if (slice_eq(path, SL("/dev/stdout"))) {
		file->fd = STDOUT_FILENO;
		return RES_OK;
	}
	if (path.n >= sizeof(name))
		return RES_TEMP;
	memcpy(name, path.p, path.n);
	name[path.n] = '\0';
	file->fd = os_openat(AT_FDCWD, name, O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK, 0);
	if (file->fd >= 0)
		return RES_OK;
	file->fd = os_openat(AT_FDCWD, name,
			     O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY, mode);
	if (file->fd < 0)
		return RES_TEMP;
	if (owner != 0)
		(void)os_fchown(file->fd, owner, (gid_t)-1);
	return RES_OK;
}

static void remember(struct log_file *file, const struct log_line *line)
{
	if (file->count == file->room) {
		file->room = file->room != 0 ? 2 * file->room : 64;
		file->order = reallocarray(file->order, file->room, sizeof(*file->order));
		if (file->order == NULL)
			out_of_memory();
	}
	file->order[file->count++] = *line;
}

/* add_line - there is room for it. */
static void add_line(struct log_file *file, struct slice text, int64_t now)
{
	struct log_line line = {.at = now, .offset = file->lines.len};

	if (!log_stamp_take(&text, &line.at) || line.at > now)
		line.at = now;
	if (text.n == 0)
		return;
	buffer_append(&file->lines, text);
	for (size_t i = line.offset; i < file->lines.len; i++)
		if ((unsigned char)file->lines.data[i] < ' ' || file->lines.data[i] == 127)
			file->lines.data[i] = '?';
	buffer_append_byte(&file->lines, '\n');
	line.length = file->lines.len - line.offset;
	remember(file, &line);
}

bool log_file_add(struct log_file *file, struct slice datagram, int64_t now)
{
	struct slice text;

	if (!buffer_reserve(&file->lines, datagram.n + 1))
		return false;
	while (datagram.n > 0) {
		ssize_t end = slice_find(datagram, '\n');

		text = slice_sub(datagram, 0, end < 0 ? datagram.n : (size_t)end);
		datagram = slice_from(datagram, text.n + (end >= 0));
		add_line(file, text, now);
	}
	return true;
}

/* tell_lost - after a time without room; the line looks like those around it. */
static void tell_lost(struct log_file *file, struct slice like)
{
	ssize_t colon = slice_search(like, SL("]: "));
	struct buffer line;

	if (file->lost == 0)
		return;
	buffer_init(&line, 1024);
	buffer_append(&line, slice_sub(like, 0, colon < 0 ? 0 : (size_t)colon + 3));
	buffer_printf(&line, "warning: %llu log lines were lost\n", (unsigned long long)file->lost);
	if (os_write_full(file->fd, line.data, line.len) == 0)
		file->lost = 0;
	buffer_free(&line);
}

static int earlier(const void *a, const void *b)
{
	const struct log_line *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static struct slice line_text(const struct log_file *file, size_t i)
{
	return slice(file->lines.data + file->order[i].offset, file->order[i].length);
}

/* keep_from - the lines behind the first n stay. */
static void keep_from(struct log_file *file, size_t n)
{
	struct buffer rest;

	buffer_init(&rest, LOG_FILE_CHUNK);
	for (size_t i = n; i < file->count; i++) {
		struct slice text = line_text(file, i);

		file->order[i - n] = (struct log_line){file->order[i].at, rest.len, text.n};
		buffer_append(&rest, text);
	}
	file->count -= n;
	buffer_free(&file->lines);
	file->lines = rest;
}

void log_file_write(struct log_file *file, int64_t until)
{
	struct buffer out;
	size_t n = 0;

	if (file->count == 0)
		return;
	qsort(file->order, file->count, sizeof(*file->order), earlier);
	buffer_init(&out, LOG_FILE_CHUNK);
	while (n < file->count && file->order[n].at <= until)
		buffer_append(&out, line_text(file, n++));
	if (n > 0 && (file->fd < 0 || os_write_full(file->fd, out.data, out.len) < 0))
		file->lost += n;
	else if (n > 0)
		tell_lost(file, line_text(file, 0));
	keep_from(file, n);
	buffer_free(&out);
}

bool log_file_deleted(const struct log_file *file)
{
	struct stat st;

	return file->fd >= 0 && os_fstat(file->fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_nlink == 0;
}

void log_file_close(struct log_file *file)
{
	log_file_write(file, INT64_MAX);
	if (file->fd > STDERR_FILENO)
		os_close(file->fd);
	file->fd = -1;
	buffer_free(&file->lines);
	free(file->order);
	file->order = NULL;
	file->count = file->room = 0;
}
