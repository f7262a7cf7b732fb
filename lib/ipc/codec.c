/* SPDX-License-Identifier: ISC */
/* codec - declared structs to frames and back. Records nest as deep as declared, not as the peer likes. */
#include "base/check.h"
#include "ipc/ipc.h"
#include "os/file.h"

/* ---- integers, little-endian */

static void put_uint(struct buffer *out, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		buffer_append_byte(out, (char)(v >> (8 * i)));
}

static bool take_bytes(struct slice *in, size_t n, struct slice *out)
{
	if (in->n < n)
		return false;
	*out = slice(in->p, n);
	*in = slice(in->p + n, in->n - n);
	return true;
}

static bool take_uint(struct slice *in, unsigned bytes, uint64_t *v)
{
	struct slice raw;

	if (!take_bytes(in, bytes, &raw))
		return false;
	*v = 0;
	for (unsigned i = 0; i < bytes; i++)
		*v |= (uint64_t)(unsigned char)raw.p[i] << (8 * i);
	return true;
}

/* integer_size - bytes on the wire and in the struct; 0 for what is no integer. */
static unsigned integer_size(enum ipc_type type)
{
	switch (type) {
	case IPC_BOOL:
	case IPC_U8:
		return 1;
	case IPC_U16:
		return 2;
	case IPC_U32:
	case IPC_ENUM:
	case IPC_FLAGS:
		return 4;
	case IPC_U64:
	case IPC_I64:
		return 8;
	default:
		return 0;
	}
}

static uint64_t load_integer(const char *member, unsigned bytes)
{
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (bytes) {
	case 1:
		memcpy(&u8, member, 1);
		return u8;
	case 2:
		memcpy(&u16, member, 2);
		return u16;
	case 4:
		memcpy(&u32, member, 4);
		return u32;
	default:
		memcpy(&u64, member, 8);
		return u64;
	}
}

static void store_integer(char *member, unsigned bytes, uint64_t v)
{
	uint8_t u8 = (uint8_t)v;
	uint16_t u16 = (uint16_t)v;
	uint32_t u32 = (uint32_t)v;

	switch (bytes) {
	case 1:
		memcpy(member, &u8, 1);
		break;
	case 2:
		memcpy(member, &u16, 2);
		break;
	case 4:
		memcpy(member, &u32, 4);
		break;
	default:
		memcpy(member, &v, 8);
	}
}

static bool integer_allowed(const struct ipc_field *f, uint64_t v)
{
	switch (f->type) {
	case IPC_BOOL:
		return v <= 1;
	case IPC_ENUM:
		return v <= f->max;
	case IPC_FLAGS:
		return (v & ~(uint64_t)f->max) == 0;
	default:
		return true;
	}
}

/* ---- texts */

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 127;
}

static bool has_control(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_control(s.p[i]))
			return true;
	return false;
}

/* put_text - what people read: too long is cut, and not inside a UTF-8 sequence. */
static void put_text(struct buffer *out, struct slice s, uint32_t max)
{
	size_t n = s.n;

	if (n > max) {
		n = max;
		while (n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80)
			n--;
	}
	put_uint(out, n, 4);
	for (size_t i = 0; i < n; i++)
		buffer_append_byte(out, is_control(s.p[i]) ? '?' : s.p[i]);
}

static bool put_slice(struct buffer *out, const struct ipc_field *f, struct slice s)
{
	if (f->type == IPC_TEXT) {
		put_text(out, s, f->max);
		return true;
	}
	if (s.n > f->max || (f->type == IPC_STR && has_control(s)))
		return false;
	put_uint(out, s.n, 4);
	buffer_append(out, s);
	return true;
}

static bool take_slice(struct slice *in, const struct ipc_field *f, struct slice *s)
{
	uint64_t n;

	if (!take_uint(in, 4, &n) || n > f->max || !take_bytes(in, (size_t)n, s))
		return false;
	if (s->n == 0)
		*s = SL_NULL;
	return f->type == IPC_BYTES || !has_control(*s);
}

/* ---- records and lists */

static bool put_record(struct buffer *out, const struct ipc_record *r, const char *m);

static bool put_list(struct buffer *out, const struct ipc_field *f, const char *m)
{
	const char *items;
	size_t count;

	memcpy(&items, m + f->offset, sizeof(items));
	memcpy(&count, m + f->count_offset, sizeof(count));
	if (count > f->max)
		return false;
	put_uint(out, count, 4);
	for (size_t i = 0; i < count; i++)
		if (!put_record(out, f->record, items + i * f->record->size))
			return false;
	return true;
}

static bool put_field(struct buffer *out, const struct ipc_field *f, const char *m)
{
	unsigned bytes = integer_size(f->type);
	struct slice s;
	uint64_t v;

	if (bytes != 0) {
		v = load_integer(m + f->offset, bytes);
		if (!integer_allowed(f, v))
			return false;
		put_uint(out, v, bytes);
		return true;
	}
	if (f->type == IPC_RECORD)
		return put_record(out, f->record, m + f->offset);
	if (f->type == IPC_LIST)
		return put_list(out, f, m);
	memcpy(&s, m + f->offset, sizeof(s));
	return put_slice(out, f, s);
}

static bool put_record(struct buffer *out, const struct ipc_record *r, const char *m)
{
	for (size_t i = 0; i < r->field_count; i++)
		if (!put_field(out, &r->fields[i], m))
			return false;
	return true;
}

bool ipc_encode(const struct ipc_message *message, const void *m, struct buffer *out)
{
	bool has_fd = false;
	size_t start = out->len;
	uint64_t n;
	int fd;

	CHECK(m != NULL || message->record.field_count == 0);
	if (buffer_overflowed(out))
		return false;
	if (message->fd_offset != IPC_NO_FD) {
		memcpy(&fd, (const char *)m + message->fd_offset, sizeof(fd));
		has_fd = fd >= 0;
	}
	put_uint(out, 0, 4);
	put_uint(out, message->type, 2);
	put_uint(out, has_fd ? IPC_FLAG_FD : 0, 2);
	if (!put_record(out, &message->record, m) || buffer_overflowed(out) ||
	    out->len - start - IPC_HEADER_SIZE > IPC_FRAME_MAX) {
		buffer_truncate(out, start);
		return false;
	}
	n = out->len - start - IPC_HEADER_SIZE;
	for (unsigned i = 0; i < 4; i++)
		out->data[start + i] = (char)(n >> (8 * i));
	return true;
}

static bool take_record(struct slice *in, const struct ipc_record *r, struct arena *arena, char *m);

/* smallest - bytes that a record takes at least: a count that cannot be true is found out early. */
static size_t smallest(const struct ipc_record *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->field_count; i++) {
		const struct ipc_field *f = &r->fields[i];
		unsigned bytes = integer_size(f->type);

		n += f->type == IPC_RECORD ? smallest(f->record) : bytes != 0 ? bytes : 4;
	}
	return n;
}

static bool take_list(struct slice *in, const struct ipc_field *f, struct arena *arena, char *m)
{
	char *items = NULL;
	uint64_t wire;
	size_t count;

	if (!take_uint(in, 4, &wire) || wire > f->max || wire * smallest(f->record) > in->n)
		return false;
	count = (size_t)wire;
	CHECK(arena != NULL);
	if (count > 0)
		items = arena_array(arena, count, f->record->size);
	for (size_t i = 0; i < count; i++)
		if (!take_record(in, f->record, arena, items + i * f->record->size))
			return false;
	memcpy(m + f->offset, &items, sizeof(items));
	memcpy(m + f->count_offset, &count, sizeof(count));
	return true;
}

static bool take_field(struct slice *in, const struct ipc_field *f, struct arena *arena, char *m)
{
	unsigned bytes = integer_size(f->type);
	struct slice s;
	uint64_t v;

	if (bytes != 0) {
		if (!take_uint(in, bytes, &v) || !integer_allowed(f, v))
			return false;
		store_integer(m + f->offset, bytes, v);
		return true;
	}
	if (f->type == IPC_RECORD)
		return take_record(in, f->record, arena, m + f->offset);
	if (f->type == IPC_LIST)
		return take_list(in, f, arena, m);
	if (!take_slice(in, f, &s))
		return false;
	memcpy(m + f->offset, &s, sizeof(s));
	return true;
}

static bool take_record(struct slice *in, const struct ipc_record *r, struct arena *arena, char *m)
{
	for (size_t i = 0; i < r->field_count; i++)
		if (!take_field(in, &r->fields[i], arena, m))
			return false;
	return true;
}

void ipc_frame_drop(struct ipc_frame *frame)
{
	if (frame->fd >= 0)
		os_close(frame->fd);
	frame->fd = -1;
}

static bool decode_payload(const struct ipc_message *message, struct slice in, struct arena *arena,
			   void *m)
{
	if (arena != NULL)
		in = arena_dup(arena, in);
	if (message->record.size > 0)
		memset(m, 0, message->record.size);
	return take_record(&in, &message->record, arena, m) && in.n == 0;
}

bool ipc_decode(const struct ipc_message *message, struct ipc_frame *frame, struct arena *arena,
		void *m)
{
	bool takes_fd = message->fd_offset != IPC_NO_FD;

	if (frame->type != message->type)
		return false;
	if ((takes_fd && frame->fd < 0) ||
	    !decode_payload(message, frame->payload, arena, m)) {
		ipc_frame_drop(frame);
		return false;
	}
	if (takes_fd) {
		memcpy((char *)m + message->fd_offset, &frame->fd, sizeof(frame->fd));
		frame->fd = -1;
	}
	ipc_frame_drop(frame);
	return true;
}
