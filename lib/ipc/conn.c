/* SPDX-License-Identifier: ISC */
/* conn - one connection: frames out, frames in, descriptors beside them. */
#include "base/check.h"
#include "ipc/ipc.h"
#include "os/address.h"
#include "os/file.h"

#include <errno.h>
#include <stdlib.h>

/* Descriptors that came ahead of the frame they belong to: a read ends at each, so few suffice. */
#define FDS_MAX 4
#define READ_SIZE 16384u

struct ipc_conn {
	struct fiber_fd fd;
	int poller; /* blocking connections; -1: fibers */
	bool broken;
	const char *why;
	struct buffer in;
	size_t used; /* of `in`: up to the end of the frame handed out last */
	struct buffer out;
	bool gathered; /* `out` holds frames that nobody is sending yet */
	int fds[FDS_MAX];
	size_t fd_count;
};

const char *ipc_status_text(enum ipc_status status)
{
	static const char *const text[] = {"ok",	     "connection closed",  "timeout",
					   "cancelled",	     "connection lost",	   "malformed message",
					   "value too long"};

	return text[status];
}

static struct ipc_conn *conn_new(int fd)
{
	struct ipc_conn *conn = calloc(1, sizeof(*conn));

	if (conn == NULL)
		out_of_memory();
	fiber_fd_init(&conn->fd, fd);
	conn->fd.stream = true;
	conn->poller = -1;
	conn->why = "ipc";
	buffer_init(&conn->in, IPC_FRAME_MAX + IPC_HEADER_SIZE + READ_SIZE);
	buffer_init(&conn->out, IPC_FRAME_MAX + IPC_HEADER_SIZE);
	return conn;
}

struct ipc_conn *ipc_conn_create(int fd)
{
	return conn_new(fd);
}

void ipc_conn_close(struct ipc_conn **conn)
{
	struct ipc_conn *c = *conn;

	if (c == NULL)
		return;
	for (size_t i = 0; i < c->fd_count; i++)
		os_close(c->fds[i]);
	if (c->poller >= 0) {
		os_close(c->poller);
		os_close(fiber_fd_release(&c->fd));
	} else {
		fiber_fd_close(&c->fd);
	}
	buffer_free(&c->in);
	buffer_free(&c->out);
	free(c);
	*conn = NULL;
}

void ipc_conn_set_why(struct ipc_conn *conn, const char *why)
{
	conn->why = why;
}

int ipc_conn_peer(struct ipc_conn *conn, pid_t *pid, uid_t *uid)
{
	gid_t gid;

	return os_peer_cred(conn->fd.fd, pid, uid, &gid);
}

bool ipc_conn_clean(const struct ipc_conn *conn)
{
	return !conn->broken && conn->used == conn->in.len && conn->fd_count == 0 &&
	       !conn->gathered;
}

bool ipc_conn_usable(struct ipc_conn *conn)
{
	char c;

	return ipc_conn_clean(conn) && os_recv(conn->fd.fd, &c, 1, MSG_PEEK) < 0 &&
	       errno == EAGAIN;
}

bool ipc_conn_quiet(struct ipc_conn *conn)
{
	/* a descriptor known to be empty is with the poller: input or the end would have shown */
	if (conn->poller < 0 && conn->fd.registered && !(conn->fd.ready & OS_READABLE))
		return ipc_conn_clean(conn);
	return ipc_conn_usable(conn);
}

/* ---- waiting, in both ways */

/* status_of_errno - what a failed call means; the connection is done for, but after a timeout. */
static enum ipc_status status_of_errno(void)
{
	switch (errno) {
	case ETIMEDOUT:
		return IPC_TIMEOUT;
	case ECANCELED:
		return IPC_CANCELLED;
	default:
		return IPC_LOST;
	}
}

/* block_until - a command waits: until something happens on the socket. */
static int block_until(struct ipc_conn *conn, int64_t deadline)
{
	struct os_event event;
	int n = os_poll_wait(conn->poller, &event, 1, deadline);

	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0 ? 0 : -1;
}

static ssize_t receive_some(struct ipc_conn *conn, void *buf, size_t n, int *got, int64_t deadline)
{
	ssize_t r;

	if (conn->poller < 0)
		return fiber_recv_fd(&conn->fd, buf, n, got, deadline, conn->why);
	while ((r = os_recv_fd(conn->fd.fd, buf, n, got)) < 0 && errno == EAGAIN)
		if (block_until(conn, deadline) < 0)
			return -1;
	return r;
}

static int send_blocking(struct ipc_conn *conn, struct iovec *iov, int pass, int64_t deadline)
{
	while (iov->iov_len > 0) {
		ssize_t r = os_send_fd(conn->fd.fd, iov, 1, pass);

		if (r < 0) {
			if (errno != EAGAIN || block_until(conn, deadline) < 0)
				return -1;
			continue;
		}
		pass = -1;
		iov->iov_base = (char *)iov->iov_base + r;
		iov->iov_len -= (size_t)r;
	}
	return 0;
}

/* send_bytes - whole frames; after a failure perhaps half a frame is on its way. */
static enum ipc_status send_bytes(struct ipc_conn *conn, struct slice bytes, int pass,
				  int64_t deadline)
{
	struct iovec iov = {(void *)(uintptr_t)bytes.p, bytes.n};
	int failed;

	if (conn->broken) {
		errno = EPIPE;
		return IPC_LOST;
	}
	if (conn->poller >= 0)
		failed = send_blocking(conn, &iov, pass, deadline);
	else
		failed = fiber_send_full(&conn->fd, &iov, 1, pass, deadline, conn->why);
	if (failed == 0)
		return IPC_OK;
	conn->broken = true;
	return status_of_errno();
}

/* ---- frames */

/* flush - send what waits in `out`, with the descriptor of its last frame. */
static enum ipc_status flush(struct ipc_conn *conn, int pass, int64_t deadline)
{
	enum ipc_status status;

	/* another fiber may receive meanwhile: it is not to send this again */
	conn->gathered = false;
	status = send_bytes(conn, buffer_slice(&conn->out), pass, deadline);
	if (conn->out.size > READ_SIZE)
		buffer_free(&conn->out);
	else
		buffer_reset(&conn->out);
	return status;
}

enum ipc_status ipc_add(struct ipc_conn *conn, const struct ipc_message *message, const void *m)
{
	CHECK(message->fd_offset == IPC_NO_FD);
	if (!ipc_encode(message, m, &conn->out))
		return IPC_REFUSED;
	conn->gathered = true;
	return IPC_OK;
}

enum ipc_status ipc_send(struct ipc_conn *conn, const struct ipc_message *message, const void *m,
			 int64_t deadline)
{
	int pass = -1;

	if (conn->broken) {
		errno = EPIPE;
		return IPC_LOST;
	}
	if (!ipc_encode(message, m, &conn->out))
		return IPC_REFUSED;
	if (message->fd_offset != IPC_NO_FD)
		memcpy(&pass, (const char *)m + message->fd_offset, sizeof(pass));
	return flush(conn, pass, deadline);
}

enum ipc_status ipc_send_encoded(struct ipc_conn *conn, struct slice frames, int64_t deadline)
{
	enum ipc_status status = IPC_OK;

	if (conn->gathered)
		status = flush(conn, -1, deadline);
	return status == IPC_OK ? send_bytes(conn, frames, -1, deadline) : status;
}

static uint64_t header_uint(const char *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return v;
}

/* take_in - one read, of `room` bytes at most. */
static enum ipc_status take_in(struct ipc_conn *conn, size_t room, int64_t deadline)
{
	ssize_t r;
	int got;

	if (!buffer_reserve(&conn->in, room))
		return IPC_GARBAGE;
	r = receive_some(conn, conn->in.data + conn->in.len, room, &got, deadline);
	if (r < 0)
		return status_of_errno();
	if (got >= 0) {
		if (conn->fd_count == FDS_MAX) {
			os_close(got);
			return IPC_GARBAGE;
		}
		conn->fds[conn->fd_count++] = got;
	}
	if (r == 0) {
		errno = ECONNRESET;
		return conn->in.len == 0 ? IPC_END : IPC_LOST;
	}
	conn->in.len += (size_t)r;
	return IPC_OK;
}

/*
 * take_more - one read, after which there may still be too little. What was gathered for the peer
 * goes out before it is waited for: it may be waiting for just that.
 */
static enum ipc_status take_more(struct ipc_conn *conn, size_t missing, int64_t deadline)
{
	size_t room = missing > READ_SIZE ? missing : READ_SIZE;
	enum ipc_status status;

	if (!conn->gathered)
		return take_in(conn, room, deadline);
	if (conn->poller < 0 && (conn->fd.ready & OS_READABLE) != 0) {
		/* perhaps there is more: the last read was a full one */
		status = take_in(conn, room, 0);
		if (status != IPC_TIMEOUT)
			return status;
	}
	return flush(conn, -1, deadline);
}

/* fill - read until `want` bytes are buffered behind those handed out. */
static enum ipc_status fill(struct ipc_conn *conn, size_t want, int64_t deadline)
{
	enum ipc_status status = IPC_OK;

	if (conn->in.len - conn->used >= want)
		return IPC_OK;
	buffer_consume(&conn->in, conn->used);
	conn->used = 0;
	if (conn->in.len == 0 && conn->in.size > 2 * READ_SIZE)
		buffer_free(&conn->in);
	while (status == IPC_OK && conn->in.len < want)
		status = take_more(conn, want - conn->in.len, deadline);
	return status;
}

/* take_fd - the descriptor that the frame's flag promises. */
static bool take_fd(struct ipc_conn *conn, unsigned flags, struct ipc_frame *frame)
{
	frame->fd = -1;
	if ((flags & ~IPC_FLAG_FD) != 0)
		return false;
	if ((flags & IPC_FLAG_FD) == 0)
		return true;
	if (conn->fd_count == 0)
		return false;
	frame->fd = conn->fds[0];
	conn->fd_count--;
	memmove(conn->fds, conn->fds + 1, conn->fd_count * sizeof(conn->fds[0]));
	return true;
}

static enum ipc_status receive_frame(struct ipc_conn *conn, struct ipc_frame *frame,
				     int64_t deadline)
{
	enum ipc_status status = fill(conn, IPC_HEADER_SIZE, deadline);
	size_t length;
	char *p;

	if (status != IPC_OK)
		return status;
	length = (size_t)header_uint(conn->in.data + conn->used, 4);
	if (length > IPC_FRAME_MAX)
		return IPC_GARBAGE;
	status = fill(conn, IPC_HEADER_SIZE + length, deadline);
	if (status != IPC_OK)
		return status;
	p = conn->in.data + conn->used;
	frame->type = (uint16_t)header_uint(p + 4, 2);
	frame->payload = slice(p + IPC_HEADER_SIZE, length);
	conn->used += IPC_HEADER_SIZE + length;
	return take_fd(conn, (unsigned)header_uint(p + 6, 2), frame) ? IPC_OK : IPC_GARBAGE;
}

enum ipc_status ipc_receive(struct ipc_conn *conn, struct ipc_frame *frame, int64_t deadline)
{
	enum ipc_status status;

	frame->fd = -1;
	if (conn->broken) {
		errno = EPIPE;
		return IPC_LOST;
	}
	status = receive_frame(conn, frame, deadline);
	if (status != IPC_OK && status != IPC_TIMEOUT && status != IPC_CANCELLED)
		conn->broken = true;
	return status;
}

enum ipc_status ipc_expect(struct ipc_conn *conn, const struct ipc_message *message,
			   struct arena *arena, void *m, int64_t deadline)
{
	struct ipc_frame frame;
	enum ipc_status status = ipc_receive(conn, &frame, deadline);

	if (status != IPC_OK)
		return status;
	if (!ipc_decode(message, &frame, arena, m)) {
		ipc_frame_drop(&frame);
		conn->broken = true;
		return IPC_GARBAGE;
	}
	return IPC_OK;
}

enum ipc_status ipc_call(struct ipc_conn *conn, const struct ipc_message *request, const void *m,
			 const struct ipc_message *reply, struct arena *arena, void *r,
			 int64_t deadline)
{
	enum ipc_status status = ipc_send(conn, request, m, deadline);

	return status == IPC_OK ? ipc_expect(conn, reply, arena, r, deadline) : status;
}

/* ---- making connections */

enum ipc_status ipc_connect(const char *path, int64_t deadline, struct ipc_conn **conn)
{
	struct os_addr addr;
	int fd;

	*conn = NULL;
	if (!os_addr_unix(slice_str(path), &addr))
		return IPC_LOST;
	fd = fiber_connect(&addr, NULL, deadline, path);
	if (fd < 0)
		return status_of_errno();
	*conn = conn_new(fd);
	return IPC_OK;
}

/* How long a command sleeps while the listener's queue is full: the socket cannot be waited for. */
#define BUSY_PAUSE (20 * OS_MILLISECOND)

static int connect_blocking(int fd, int poller, const struct os_addr *addr, int64_t deadline)
{
	while (os_connect(fd, addr) < 0) {
		struct os_event event;
		int64_t pause = os_deadline(BUSY_PAUSE);

		if (errno != EAGAIN && errno != EINPROGRESS)
			return -1;
		if (os_now() >= deadline) {
			errno = ETIMEDOUT;
			return -1;
		}
		os_poll_wait(poller, &event, 1, pause < deadline ? pause : deadline);
	}
	return 0;
}

struct ipc_conn *ipc_conn_create_blocking(int fd)
{
	int poller = os_poll_create();
	struct ipc_conn *conn;
	int saved;

	if (poller < 0 || os_poll_add(poller, fd, OS_READABLE | OS_WRITABLE, NULL) < 0) {
		saved = errno;
		os_close(fd);
		if (poller >= 0)
			os_close(poller);
		errno = saved;
		return NULL;
	}
	conn = conn_new(fd);
	conn->poller = poller;
	return conn;
}

/* connect_unix - a connected socket, or -1. */
static int connect_unix(const struct os_addr *addr, int64_t deadline)
{
	int fd = os_socket(AF_UNIX, SOCK_STREAM, 0);
	int poller = os_poll_create();
	int saved;

	if (fd < 0 || poller < 0 || connect_blocking(fd, poller, addr, deadline) < 0) {
		saved = errno;
		if (fd >= 0)
			os_close(fd);
		fd = -1;
		errno = saved;
	}
	if (poller >= 0)
		os_close(poller);
	return fd;
}

enum ipc_status ipc_connect_blocking(const char *path, int64_t deadline, struct ipc_conn **conn)
{
	struct os_addr addr;
	int fd;

	*conn = NULL;
	if (!os_addr_unix(slice_str(path), &addr))
		return IPC_LOST;
	fd = connect_unix(&addr, deadline);
	if (fd >= 0)
		*conn = ipc_conn_create_blocking(fd);
	return *conn != NULL ? IPC_OK : status_of_errno();
}

/* ---- serving */

static enum ipc_status serve_one(struct ipc_conn *conn, struct ipc_frame *frame,
				 const struct ipc_handler *handlers, size_t count, void *context,
				 struct arena *arena)
{
	for (size_t i = 0; i < count; i++) {
		const struct ipc_message *message = handlers[i].message;
		void *m;

		if (message->type != frame->type)
			continue;
		m = arena_alloc(arena, message->record.size + 1);
		if (!ipc_decode(message, frame, arena, m))
			return IPC_GARBAGE;
		return handlers[i].handle(conn, m, arena, context);
	}
	ipc_frame_drop(frame);
	return IPC_GARBAGE;
}

enum ipc_status ipc_serve(struct ipc_conn *conn, const struct ipc_handler *handlers, size_t count,
			  void *context, int64_t idle)
{
	struct arena *arena = arena_create();
	struct ipc_frame frame;
	enum ipc_status status;

	for (;;) {
		status = ipc_receive(conn, &frame, os_deadline(idle));
		if (status != IPC_OK)
			break;
		status = serve_one(conn, &frame, handlers, count, context, arena);
		if (status != IPC_OK)
			break;
		arena_reset(arena);
	}
	arena_destroy(&arena);
	return status;
}
