/* SPDX-License-Identifier: ISC */
#include "postlogd/log_file.h"
#include "os/file.h"

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

bool log_file_add(struct log_file *file, struct slice datagram)
{
	struct buffer *b = &file->lines;
	size_t from = b->len;

	while (datagram.n > 0 && datagram.p[datagram.n - 1] == '\n')
		datagram.n--;
	if (datagram.n == 0)
		return true;
	if (!buffer_reserve(b, datagram.n + 1))
		return false;
	buffer_append(b, datagram);
	for (size_t i = from; i < b->len; i++)
		if (((unsigned char)b->data[i] < ' ' && b->data[i] != '\n') || b->data[i] == 127)
			b->data[i] = '?';
	return buffer_append_byte(b, '\n');
}

static uint64_t count_lines(struct slice text)
{
	uint64_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
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

void log_file_write(struct log_file *file)
{
	struct slice text = buffer_slice(&file->lines);

	if (text.n == 0)
		return;
	if (file->fd < 0 || os_write_full(file->fd, text.p, text.n) < 0)
		file->lost += count_lines(text);
	else
		tell_lost(file, text);
	buffer_reset(&file->lines);
}

bool log_file_deleted(const struct log_file *file)
{
	struct stat st;

	return file->fd >= 0 && os_fstat(file->fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_nlink == 0;
}

void log_file_close(struct log_file *file)
{
	log_file_write(file);
	if (file->fd > STDERR_FILENO)
		os_close(file->fd);
	file->fd = -1;
	buffer_free(&file->lines);
}
