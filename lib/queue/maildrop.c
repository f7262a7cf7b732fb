/* SPDX-License-Identifier: ISC */
#include "queue/maildrop.h"
#include "base/crc32c.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <stdio.h>

/* Trailer: magic 8, content size u64, CRC-32C of all before the trailer u32, the magic's end u32. */
static const char magic[8] = {'P', 'R', 'D', 'R', 'O', 'P', '1', '\n'};
#define END_MARK 0x444e4521u

#define ENVELOPE_MAX ((size_t)16384)
#define RECIPIENTS_MAX ((size_t)100000)
#define READ_CHUNK ((size_t)65536)

/* ---- writing */

static enum result put(struct maildrop_writer *w, struct slice bytes)
{
	if (os_write_full(w->fd, bytes.p, bytes.n) < 0)
		return RES_TEMP;
	w->crc = crc32c(w->crc, bytes);
	return RES_OK;
}

static enum result put_frame(struct maildrop_writer *w, const struct ipc_message *message,
			     const void *m)
{
	struct buffer frame;
	enum result rc = RES_TEMP;

	buffer_init(&frame, ENVELOPE_MAX);
	if (ipc_encode(message, m, &frame))
		rc = put(w, buffer_slice(&frame));
	else
		errno = EMSGSIZE;
	buffer_free(&frame);
	return rc;
}

static void temporary_name(const struct queue_id *id, char name[QUEUE_ID_SIZE + 8])
{
	snprintf(name, QUEUE_ID_SIZE + 8, "%s" MAILDROP_TEMPORARY, id->text);
}

enum result maildrop_create(int dirfd, struct maildrop_writer *w)
{
	char name[QUEUE_ID_SIZE + 8];

	*w = (struct maildrop_writer){.dirfd = dirfd, .fd = -1};
	/* another postdrop with this pid in this microsecond lives in another pid namespace */
	for (int tries = 0; tries < 10; tries++) {
		queue_id_make(os_wall(), (uint64_t)os_pid(), &w->id);
		temporary_name(&w->id, name);
		w->fd = os_openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
		if (w->fd >= 0)
			return RES_OK;
		if (errno != EEXIST)
			return RES_TEMP;
	}
	return RES_TEMP;
}

enum result maildrop_envelope(struct maildrop_writer *w, const struct maildrop_envelope *envelope)
{
	return put_frame(w, &maildrop_envelope_message, envelope);
}

enum result maildrop_recipient(struct maildrop_writer *w, const struct maildrop_recipient *recipient)
{
	return put_frame(w, &maildrop_recipient_message, recipient);
}

enum result maildrop_requeued(struct maildrop_writer *w, const struct maildrop_requeued *requeued)
{
	return put_frame(w, &maildrop_requeued_message, requeued);
}

enum result maildrop_again(struct maildrop_writer *w, const struct maildrop_again *again)
{
	return put_frame(w, &maildrop_again_message, again);
}

static enum result begin_content(struct maildrop_writer *w)
{
	if (w->in_content)
		return RES_OK;
	w->in_content = true;
	return put_frame(w, &maildrop_content_begin_message, NULL);
}

enum result maildrop_content(struct maildrop_writer *w, struct slice bytes)
{
	enum result rc = begin_content(w);

	if (rc == RES_OK)
		rc = put(w, bytes);
	if (rc == RES_OK)
		w->size += bytes.n;
	return rc;
}

static void put_le(char *to, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (char)(value >> (8 * i));
}

static uint64_t get_le(const char *from, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value |= (uint64_t)(unsigned char)from[i] << (8 * i);
	return value;
}

static enum result put_trailer(struct maildrop_writer *w)
{
	char trailer[MAILDROP_TRAILER];

	memcpy(trailer, magic, sizeof(magic));
	put_le(trailer + 8, w->size, 8);
	put_le(trailer + 16, w->crc, 4);
	put_le(trailer + 20, END_MARK, 4);
	return os_write_full(w->fd, trailer, sizeof(trailer)) < 0 ? RES_TEMP : RES_OK;
}

static int close_file(struct maildrop_writer *w)
{
	int fd = w->fd;

	w->fd = -1;
	return os_close(fd);
}

static enum result make_durable(struct maildrop_writer *w)
{
	char name[QUEUE_ID_SIZE + 8];

	temporary_name(&w->id, name);
	if (os_fdatasync(w->fd) < 0 || os_renameat_noreplace(w->dirfd, name, w->dirfd, w->id.text) < 0)
		return RES_TEMP;
	/*
	 * The new name: the directory cannot be opened for a sync, for its group may search it but not
	 * read it. The rename has changed the file's inode too, in the same transaction, so a sync of
	 * the file brings both to the disk (ext4, XFS, btrfs).
	 */
	if (os_fsync(w->fd) < 0) {
		os_unlinkat(w->dirfd, w->id.text, 0);
		return RES_TEMP;
	}
	return close_file(w) < 0 ? RES_TEMP : RES_OK;
}

enum result maildrop_commit(struct maildrop_writer *w)
{
	if (begin_content(w) == RES_OK && put_trailer(w) == RES_OK && make_durable(w) == RES_OK)
		return RES_OK;
	maildrop_abort(w);
	return RES_TEMP;
}

void maildrop_abort(struct maildrop_writer *w)
{
	char name[QUEUE_ID_SIZE + 8];
	int saved = errno;

	if (w->fd >= 0)
		close_file(w);
	temporary_name(&w->id, name);
	os_unlinkat(w->dirfd, name, 0);
	errno = saved;
}

/* ---- reading */

/* What is read so far, for the checksum and the frames. */
struct reader {
	int fd;
	uint64_t at;
	uint64_t end; /* where the trailer begins */
	struct arena *arena;
};

static bool bad(void)
{
	errno = EINVAL;
	return false;
}

static bool read_at(struct reader *r, size_t n, char *to)
{
	ssize_t got;

	if (n > r->end - r->at)
		return bad();
	got = os_pread_full(r->fd, to, n, (off_t)r->at);
	if (got < 0)
		return false;
	if ((size_t)got < n)
		return bad();
	r->at += n;
	return true;
}

static bool next_frame(struct reader *r, struct ipc_frame *frame)
{
	char header[IPC_HEADER_SIZE];
	uint64_t n;
	char *payload;

	if (!read_at(r, sizeof(header), header))
		return false;
	n = get_le(header, 4);
	if (n > ENVELOPE_MAX)
		return bad();
	payload = arena_alloc(r->arena, (size_t)n);
	if (!read_at(r, (size_t)n, payload))
		return false;
	*frame = (struct ipc_frame){.type = (uint16_t)get_le(header + 4, 2),
				    .payload = slice(payload, (size_t)n),
				    .fd = -1};
	return true;
}

static bool recipient_decode(struct ipc_frame *frame, struct arena *arena, bool requeued,
			     struct maildrop_again *out)
{
	struct maildrop_recipient plain;

	if (requeued)
		return maildrop_again_decode(frame, arena, out);
	if (!maildrop_recipient_decode(frame, arena, &plain))
		return false;
	*out = (struct maildrop_again){.address = plain.address, .notify = plain.notify};
	return true;
}

static bool add_recipient(struct reader *r, struct ipc_frame *frame, size_t *room,
			  struct maildrop_file *file)
{
	if (file->recipient_count == RECIPIENTS_MAX)
		return bad();
	if (file->recipient_count == *room) {
		size_t more = *room > 0 ? *room * 2 : 8;
		struct maildrop_again *list = ARENA_ARRAY(r->arena, more, struct maildrop_again);

		if (*room > 0)
			memcpy(list, file->recipients, *room * sizeof(*list));
		file->recipients = list;
		*room = more;
	}
	return recipient_decode(frame, r->arena, file->requeued.queue_id.n > 0,
				&file->recipients[file->recipient_count++]) ||
	       bad();
}

static bool read_frames(struct reader *r, struct maildrop_file *file)
{
	struct ipc_frame frame;
	size_t room = 0;

	if (!next_frame(r, &frame))
		return false;
	if (!maildrop_envelope_decode(&frame, r->arena, &file->envelope))
		return bad();
	for (;;) {
		if (!next_frame(r, &frame))
			return false;
		if (frame.type == MAILDROP_CONTENT_BEGIN)
			return true;
		if (frame.type == MAILDROP_REQUEUED && file->recipient_count == 0) {
			if (!maildrop_requeued_decode(&frame, r->arena, &file->requeued))
				return bad();
			continue;
		}
		if (!add_recipient(r, &frame, &room, file))
			return bad();
	}
}

static bool checksum(const struct reader *r, uint32_t *crc)
{
	char chunk[8192];
	uint64_t at = 0;

	*crc = 0;
	while (at < r->end) {
		size_t n = r->end - at < sizeof(chunk) ? (size_t)(r->end - at) : sizeof(chunk);
		ssize_t got = os_pread_full(r->fd, chunk, n, (off_t)at);

		if (got < 0)
			return false;
		if ((size_t)got < n)
			return bad();
		*crc = crc32c(*crc, slice(chunk, n));
		at += n;
	}
	return true;
}

static bool read_trailer(struct reader *r, const struct stat *st, struct maildrop_file *file)
{
	char trailer[MAILDROP_TRAILER];
	uint32_t crc;
	ssize_t got;

	if (!S_ISREG(st->st_mode) || st->st_nlink != 1 || st->st_size < MAILDROP_TRAILER)
		return bad();
	r->end = (uint64_t)st->st_size - MAILDROP_TRAILER;
	got = os_pread_full(r->fd, trailer, sizeof(trailer), (off_t)r->end);
	if (got < 0)
		return false;
	if (got < MAILDROP_TRAILER || memcmp(trailer, magic, sizeof(magic)) != 0 ||
	    get_le(trailer + 20, 4) != END_MARK)
		return bad();
	file->content_size = get_le(trailer + 8, 8);
	if (!checksum(r, &crc))
		return false;
	return crc == get_le(trailer + 16, 4) || bad();
}

static bool read_file(struct reader *r, struct maildrop_file *file)
{
	struct stat st;

	if (os_fstat(r->fd, &st) < 0)
		return false;
	file->owner = st.st_uid;
	file->time = (int64_t)st.st_mtim.tv_sec * OS_SECOND + st.st_mtim.tv_nsec / 1000;
	if (!read_trailer(r, &st, file) || !read_frames(r, file))
		return false;
	file->content_offset = r->at;
	return r->end - r->at == file->content_size || bad();
}

enum result maildrop_open(int dirfd, const char *name, struct arena *arena,
			  struct maildrop_file *file)
{
	struct reader r = {.arena = arena};

	*file = (struct maildrop_file){.fd = -1};
	/* O_NONBLOCK: whoever may write here could have made a FIFO */
	r.fd = os_openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	if (r.fd < 0)
		return errno == ENOENT || errno == ELOOP ? RES_PERM : RES_TEMP;
	file->fd = r.fd;
	if (read_file(&r, file))
		return RES_OK;
	maildrop_close(file);
	return errno == EINVAL ? RES_PERM : RES_TEMP;
}

void maildrop_close(struct maildrop_file *file)
{
	int saved = errno;

	if (file->fd >= 0)
		os_close(file->fd);
	file->fd = -1;
	errno = saved;
}
