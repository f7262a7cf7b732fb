/* SPDX-License-Identifier: ISC */
/*
 * sim_net - sockets in memory. What one end sends is cut into segments that arrive at the other, in
 * order, each at its own time; an end or a reset is a segment too. Readiness is reported as
 * edge-triggered epoll does: once for each change.
 */
#include "os/sim_world.h"
#include "os/signal.h"
#include "base/check.h"
#include "os/file.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

enum socket_kind {
	SIM_UNBOUND,
	SIM_LISTENER,
	SIM_STREAM,
	SIM_POLLER,
	SIM_COUNTER,
	SIM_SIGNALS
};

enum segment_kind {
	SEGMENT_DATA,
	SEGMENT_END,
	SEGMENT_RESET
};

struct segment {
	struct list node;
	enum segment_kind kind;
	int64_t arrives;
	size_t at;
	size_t len;
	int pass; /* a descriptor beside the first byte, or -1 */
	char data[];
};

struct sim_socket {
	struct list all;
	int fd;
	int refs;
	enum socket_kind kind;
	struct os_addr local, remote;
	/* stream */
	struct sim_socket *peer;
	struct list in_flight; /* to here */
	struct list arrived;
	size_t queued; /* bytes in both */
	size_t capacity;
	int64_t last_arrival;
	struct sim_timer delivery;
	struct sim_timer writable;
	struct sim_timer connect;
	size_t sent;
	struct sim_fault fault;
	int error;
	bool write_blocked;
	bool connecting;
	bool end_sent;
	bool end_came;
	/* listener */
	struct list backlog;
	struct list in_backlog;
	/* counter, signals */
	bool raised;
	sigset_t wanted, pending;
	/* where it is polled, or, of a poller, who is ready */
	struct sim_socket *poller;
	void *data;
	uint32_t edges;
	bool level;
	struct list ready;
};

struct hole {
	struct list node;
	struct os_addr addr;
};

/* ---- the table of descriptors */

static void *sim_alloc(size_t n)
{
	void *p = calloc(1, n);

	if (p == NULL)
		out_of_memory();
	return p;
}

static struct sim_socket *find(int fd)
{
	LIST_FOREACH(node, &sim_world.sockets) {
		struct sim_socket *s = CONTAINER_OF(node, struct sim_socket, all);

		if (s->fd == fd)
			return s;
	}
	errno = EBADF;
	return NULL;
}

static struct sim_socket *find_kind(int fd, enum socket_kind kind, int error)
{
	struct sim_socket *s = find(fd);

	if (s != NULL && s->kind == kind)
		return s;
	if (s != NULL)
		errno = error;
	return NULL;
}

/* pick - a value up to one of a few sizes, so that tiny and huge both come up often. */
static uint64_t pick(const uint64_t sizes[4])
{
	return sizes[sim_random(4)];
}

static struct sim_socket *new_socket(enum socket_kind kind)
{
	static const uint64_t capacities[4] = {256, 4096, 16384, 65536};
	static const uint64_t chunks[4] = {1, 16, 1000, 65536};
	static const uint64_t delays[4] = {1, 50, 1000, 20000};
	struct sim_socket *s = sim_alloc(sizeof(*s));

	s->kind = kind;
	s->fd = sim_world.next_fd++;
	s->refs = 1;
	s->capacity = pick(capacities);
	s->fault = sim_world.fault;
	if (s->fault.chunk_max == 0)
		s->fault.chunk_max = pick(chunks);
	if (s->fault.delay_max < 0)
		s->fault.delay_max = (int64_t)pick(delays);
	list_init(&s->in_flight);
	list_init(&s->arrived);
	list_init(&s->backlog);
	list_init(&s->in_backlog);
	list_init(&s->ready);
	list_push_front(&sim_world.sockets, &s->all);
	return s;
}

static int64_t some_time(const struct sim_socket *s)
{
	return os_now() + (int64_t)sim_random((uint64_t)s->fault.delay_max + 1);
}

/* ---- readiness */

static bool is_readable(const struct sim_socket *s)
{
	return !list_empty(&s->arrived) || s->end_came || s->error != 0 ||
	       !list_empty(&s->backlog) || s->raised || !sigisemptyset(&s->pending);
}

static bool is_writable(const struct sim_socket *s)
{
	return s->kind == SIM_STREAM && !s->connecting && !s->write_blocked;
}

static void edge(struct sim_socket *s, uint32_t events)
{
	if (s->poller == NULL)
		return;
	s->edges |= events;
	list_remove(&s->ready);
	list_push_back(&s->poller->ready, &s->ready);
}

/* ---- segments on their way */

static void deliver(void *arg);

static void schedule_delivery(struct sim_socket *s)
{
	if (!list_empty(&s->in_flight))
		sim_at(&s->delivery, CONTAINER_OF(s->in_flight.next, struct segment, node)->arrives,
		       deliver, s);
}

static void drop_segment(struct segment *g)
{
	list_remove(&g->node);
	if (g->pass >= 0)
		os_socket_close(g->pass);
	free(g);
}

static void drop_segments(struct list *segments)
{
	while (!list_empty(segments))
		drop_segment(CONTAINER_OF(segments->next, struct segment, node));
}

/* deliver - the first segment arrives. */
static void deliver(void *arg)
{
	struct sim_socket *s = arg;
	struct segment *g = CONTAINER_OF(s->in_flight.next, struct segment, node);

	list_remove(&g->node);
	if (g->kind == SEGMENT_DATA) {
		list_push_back(&s->arrived, &g->node);
		edge(s, OS_READABLE);
	} else {
		if (g->kind == SEGMENT_RESET) {
			s->error = ECONNRESET;
			s->write_blocked = false;
			drop_segments(&s->arrived);
		}
		s->end_came = true;
		edge(s, OS_READABLE | OS_WRITABLE | OS_HANGUP);
		drop_segment(g);
	}
	schedule_delivery(s);
}

/* put_segment - on the way to `to`. */
static void put_segment(struct sim_socket *to, const struct sim_socket *from,
			enum segment_kind kind, const char *data, size_t n, int pass)
{
	struct segment *g = sim_alloc(sizeof(*g) + n);

	g->kind = kind;
	g->len = n;
	g->pass = pass;
	if (n > 0)
		memcpy(g->data, data, n);
	g->arrives = some_time(from);
	if (g->arrives < to->last_arrival)
		g->arrives = to->last_arrival;
	to->last_arrival = g->arrives;
	to->queued += n;
	list_push_back(&to->in_flight, &g->node);
	schedule_delivery(to);
}

/* put_bytes - cut at random. Much at once is not cut into single bytes: a run has to end. */
static void put_bytes(struct sim_socket *to, const struct sim_socket *from, const char *data,
		      size_t n, int pass)
{
	size_t max = from->fault.chunk_max > n / 64 ? from->fault.chunk_max : n / 64;

	while (n > 0) {
		size_t len = 1 + sim_random(max);

		if (len > n)
			len = n;
		put_segment(to, from, SEGMENT_DATA, data, len, pass);
		pass = -1;
		data += len;
		n -= len;
	}
}

static void reset_both(struct sim_socket *s)
{
	if (s->peer != NULL)
		put_segment(s->peer, s, SEGMENT_RESET, NULL, 0, -1);
	s->error = ECONNRESET;
	s->end_came = true;
	s->end_sent = true;
	edge(s, OS_READABLE | OS_WRITABLE | OS_HANGUP);
}

/* ---- making, connecting, closing */

static void pair_up(struct sim_socket *a, struct sim_socket *b)
{
	a->kind = b->kind = SIM_STREAM;
	a->peer = b;
	b->peer = a;
}

int os_socket(int domain, int type, int protocol)
{
	struct sim_socket *s;

	(void)protocol;
	if (type != SOCK_STREAM) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	s = new_socket(SIM_UNBOUND);
	s->local.ss.ss_family = (sa_family_t)domain;
	s->local.len = sizeof(sa_family_t);
	return s->fd;
}

int os_socketpair(int type, int fds[2])
{
	struct sim_socket *a, *b;

	if (type != SOCK_STREAM) {
		errno = EPROTONOSUPPORT;
		return -1;
	}
	a = new_socket(SIM_STREAM);
	b = new_socket(SIM_STREAM);
	pair_up(a, b);
	a->local.ss.ss_family = b->local.ss.ss_family = AF_UNIX;
	a->local.len = b->local.len = sizeof(sa_family_t);
	a->remote = b->local;
	b->remote = a->local;
	fds[0] = a->fd;
	fds[1] = b->fd;
	return 0;
}

/* hang_up - tell the peer; what was not read makes it a reset, as TCP does. */
static void hang_up(struct sim_socket *s)
{
	struct sim_socket *peer = s->peer;

	if (peer == NULL)
		return;
	if (!list_empty(&s->arrived))
		put_segment(peer, s, SEGMENT_RESET, NULL, 0, -1);
	else if (!s->end_sent)
		put_segment(peer, s, SEGMENT_END, NULL, 0, -1);
	peer->peer = NULL;
	peer->write_blocked = false;
	edge(peer, OS_WRITABLE);
}

static void destroy(struct sim_socket *s)
{
	hang_up(s);
	while (!list_empty(&s->backlog)) {
		struct list *node = list_pop_front(&s->backlog);

		destroy(CONTAINER_OF(node, struct sim_socket, in_backlog));
	}
	drop_segments(&s->in_flight);
	drop_segments(&s->arrived);
	sim_cancel(&s->delivery);
	sim_cancel(&s->writable);
	sim_cancel(&s->connect);
	list_remove(&s->ready);
	list_remove(&s->in_backlog);
	list_remove(&s->all);
	free(s);
}

int os_socket_close(int fd)
{
	struct sim_socket *s;

	if (fd < SIM_FD_BASE)
		return close(fd);
	s = find(fd);
	if (s == NULL)
		return -1;
	if (--s->refs == 0)
		destroy(s);
	return 0;
}

size_t sim_net_clear(void)
{
	size_t n = 0;

	while (!list_empty(&sim_world.sockets)) {
		destroy(CONTAINER_OF(sim_world.sockets.next, struct sim_socket, all));
		n++;
	}
	while (!list_empty(&sim_world.holes)) {
		struct list *node = list_pop_front(&sim_world.holes);

		free(CONTAINER_OF(node, struct hole, node));
	}
	return n;
}

static bool same_addr(const struct os_addr *a, const struct os_addr *b)
{
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)&a->ss;
	const struct sockaddr_in *b4 = (const struct sockaddr_in *)&b->ss;
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)&a->ss;
	const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)&b->ss;

	if (a->ss.ss_family != b->ss.ss_family)
		return false;
	switch (a->ss.ss_family) {
	case AF_INET:
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	case AF_INET6:
		return a6->sin6_port == b6->sin6_port &&
		       memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
	default:
		return a->len == b->len && memcmp(&a->ss, &b->ss, a->len) == 0;
	}
}

static struct sim_socket *find_listener(const struct os_addr *addr)
{
	LIST_FOREACH(node, &sim_world.sockets) {
		struct sim_socket *s = CONTAINER_OF(node, struct sim_socket, all);

		if (s->kind == SIM_LISTENER && same_addr(&s->local, addr))
			return s;
	}
	return NULL;
}

/* give_port - an inet address without one gets the next. */
static void give_port(struct os_addr *addr)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&addr->ss;

	/* sin_port and sin6_port lie at the same place */
	if (addr->ss.ss_family != AF_UNIX && in->sin_port == 0)
		in->sin_port = htons(sim_world.next_port++);
}

int os_bind(int fd, const struct os_addr *addr)
{
	struct sim_socket *s = find_kind(fd, SIM_UNBOUND, EINVAL);

	if (s == NULL)
		return -1;
	if (find_listener(addr) != NULL) {
		errno = EADDRINUSE;
		return -1;
	}
	s->local = *addr;
	give_port(&s->local);
	return 0;
}

int os_listen(int fd, int backlog)
{
	struct sim_socket *s = find_kind(fd, SIM_UNBOUND, EINVAL);

	(void)backlog;
	if (s == NULL)
		return -1;
	s->kind = SIM_LISTENER;
	return 0;
}

int os_accept(int fd, struct os_addr *peer)
{
	struct sim_socket *s = find_kind(fd, SIM_LISTENER, EINVAL), *conn;

	if (s == NULL)
		return -1;
	if (list_empty(&s->backlog)) {
		errno = EAGAIN;
		return -1;
	}
	conn = CONTAINER_OF(list_pop_front(&s->backlog), struct sim_socket, in_backlog);
	if (peer != NULL)
		*peer = conn->remote;
	return conn->fd;
}

static void arrive_at(struct sim_socket *s, struct sim_socket *listener)
{
	struct sim_socket *conn = new_socket(SIM_STREAM);

	pair_up(s, conn);
	conn->local = listener->local;
	conn->remote = s->local;
	list_push_back(&listener->backlog, &conn->in_backlog);
	edge(listener, OS_READABLE);
}

/* connected - or refused; the client learns it from its readiness. */
static void connected(void *arg)
{
	struct sim_socket *s = arg;
	struct sim_socket *listener = find_listener(&s->remote);

	s->connecting = false;
	if (listener != NULL) {
		arrive_at(s, listener);
		edge(s, OS_WRITABLE);
		return;
	}
	s->error = ECONNREFUSED;
	edge(s, OS_READABLE | OS_WRITABLE | OS_HANGUP);
}

static bool is_hole(const struct os_addr *addr)
{
	LIST_FOREACH(node, &sim_world.holes)
		if (same_addr(&CONTAINER_OF(node, struct hole, node)->addr, addr))
			return true;
	return false;
}

/* client_addr - what the other side sees of a client that has bound nothing. */
static void client_addr(struct sim_socket *s, const struct os_addr *to)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&s->local.ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s->local.ss;

	if (s->local.len > sizeof(sa_family_t) || to->ss.ss_family == AF_UNIX)
		return;
	s->local.len = to->len;
	if (to->ss.ss_family == AF_INET)
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		in6->sin6_addr = in6addr_loopback;
	give_port(&s->local);
}

int os_connect(int fd, const struct os_addr *addr)
{
	struct sim_socket *s = find_kind(fd, SIM_UNBOUND, EISCONN), *listener;

	if (s == NULL)
		return -1;
	client_addr(s, addr);
	s->remote = *addr;
	if (addr->ss.ss_family == AF_UNIX) {
		listener = find_listener(addr);
		if (listener == NULL) {
			errno = ECONNREFUSED;
			return -1;
		}
		arrive_at(s, listener);
		return 0;
	}
	s->kind = SIM_STREAM;
	s->connecting = true;
	if (!is_hole(addr))
		sim_at(&s->connect, some_time(s), connected, s);
	errno = EINPROGRESS;
	return -1;
}

int os_socket_error(int fd)
{
	struct sim_socket *s = find(fd);
	int error;

	if (s == NULL)
		return EBADF;
	error = s->error;
	s->error = 0;
	return error;
}

int os_setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
	(void)level;
	(void)name;
	(void)value;
	(void)n;
	return find(fd) != NULL ? 0 : -1;
}

int os_getsockname(int fd, struct os_addr *addr)
{
	struct sim_socket *s = find(fd);

	if (s == NULL)
		return -1;
	*addr = s->local;
	return 0;
}

int os_getpeername(int fd, struct os_addr *addr)
{
	struct sim_socket *s = find_kind(fd, SIM_STREAM, ENOTCONN);

	if (s == NULL)
		return -1;
	*addr = s->remote;
	return 0;
}

int os_shutdown(int fd, int how)
{
	struct sim_socket *s = find_kind(fd, SIM_STREAM, ENOTCONN);

	if (s == NULL)
		return -1;
	if (how != SHUT_RD && !s->end_sent) {
		s->end_sent = true;
		if (s->peer != NULL)
			put_segment(s->peer, s, SEGMENT_END, NULL, 0, -1);
	}
	if (how != SHUT_WR)
		s->end_came = true;
	return 0;
}

int os_peer_cred(int fd, pid_t *pid, uid_t *uid, gid_t *gid)
{
	if (find_kind(fd, SIM_STREAM, ENOTCONN) == NULL)
		return -1;
	*pid = getpid();
	*uid = getuid();
	*gid = getgid();
	return 0;
}

/* ---- sending */

static void unblock(void *arg)
{
	struct sim_socket *s = arg;

	s->write_blocked = false;
	edge(s, OS_WRITABLE);
}

/* block - no room, or so it seems: an edge tells later. */
static void block(struct sim_socket *s, bool for_a_while)
{
	s->write_blocked = true;
	if (for_a_while)
		sim_at(&s->writable, some_time(s) + 1, unblock, s);
}

/* may_send - how many of n bytes; -1 and errno. */
static ssize_t may_send(struct sim_socket *s, size_t n)
{
	size_t room;

	if (s->error != 0) {
		errno = s->error;
		s->error = 0;
		return -1;
	}
	if (s->peer == NULL || s->end_sent || s->connecting) {
		errno = s->connecting ? EAGAIN : EPIPE;
		return -1;
	}
	room = s->peer->queued < s->capacity ? s->capacity - s->peer->queued : 0;
	if (room == 0 || sim_random(20) == 0) {
		block(s, room > 0);
		errno = EAGAIN;
		return -1;
	}
	if (n > room)
		n = room;
	else if (n > 1 && sim_random(10) == 0)
		n = 1 + sim_random(n - 1);
	else
		return (ssize_t)n;
	block(s, room > n);
	return (ssize_t)n;
}

/* sent_until - bytes until an offset of the stream, of n that go now. */
static size_t sent_until(const struct sim_socket *s, int64_t limit, size_t n)
{
	size_t left;

	if (limit < 0)
		return n;
	left = (size_t)limit > s->sent ? (size_t)limit - s->sent : 0;
	return left < n ? left : n;
}

static ssize_t send_bytes(struct sim_socket *s, const char *data, size_t n, int pass)
{
	ssize_t take = may_send(s, n);
	size_t passes;

	if (take <= 0)
		return take;
	n = sent_until(s, s->fault.reset_after, (size_t)take);
	passes = sent_until(s, s->fault.hole_after, n);
	put_bytes(s->peer, s, data, passes, pass);
	s->peer->queued += n - passes; /* in a hole there is no reader that would make room */
	s->sent += n;
	if (s->fault.reset_after >= 0 && s->sent >= (size_t)s->fault.reset_after)
		reset_both(s);
	return take;
}

ssize_t os_send(int fd, const void *buf, size_t n, int flags)
{
	struct sim_socket *s = find_kind(fd, SIM_STREAM, ENOTCONN);

	(void)flags;
	return s != NULL ? send_bytes(s, buf, n, -1) : -1;
}

ssize_t os_sendv(int fd, const struct iovec *iov, int count)
{
	return os_send_fd(fd, iov, count, -1);
}

/* take_over - the receiver's own reference to a descriptor that is passed. */
static int take_over(int fd)
{
	struct sim_socket *s;

	if (fd < 0)
		return -1;
	if (fd < SIM_FD_BASE)
		return dup(fd);
	s = find(fd);
	CHECK(s != NULL);
	s->refs++;
	return fd;
}

ssize_t os_send_fd(int fd, const struct iovec *iov, int count, int pass)
{
	struct sim_socket *s = find_kind(fd, SIM_STREAM, ENOTCONN);
	size_t total = 0;
	ssize_t r;
	char *all;

	if (s == NULL)
		return -1;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	all = sim_alloc(total + 1);
	total = 0;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > 0)
			memcpy(all + total, iov[i].iov_base, iov[i].iov_len);
		total += iov[i].iov_len;
	}
	pass = take_over(pass);
	r = send_bytes(s, all, total, pass);
	if (r < 0 && pass >= 0) {
		int saved = errno;

		os_socket_close(pass);
		errno = saved;
	}
	free(all);
	return r;
}

ssize_t os_sendfile(int sock, int file, off_t *offset, size_t n)
{
	struct sim_socket *s = find_kind(sock, SIM_STREAM, ENOTCONN);
	char chunk[8192];
	ssize_t r;

	if (s == NULL)
		return -1;
	r = os_pread_full(file, chunk, n < sizeof(chunk) ? n : sizeof(chunk), *offset);
	if (r > 0)
		r = send_bytes(s, chunk, (size_t)r, -1);
	if (r > 0)
		*offset += r;
	return r;
}

/* ---- receiving */

/* made_room - the sender may go on when half is free. */
static void made_room(struct sim_socket *s, size_t n)
{
	struct sim_socket *peer = s->peer;

	s->queued -= n;
	if (peer != NULL && peer->write_blocked && s->queued <= peer->capacity / 2)
		sim_at(&peer->writable, some_time(peer), unblock, peer);
}

static ssize_t receive(struct sim_socket *s, char *buf, size_t n, bool peek, int *got)
{
	size_t done = 0;

	LIST_FOREACH_SAFE(node, &s->arrived) {
		struct segment *g = CONTAINER_OF(node, struct segment, node);
		size_t part = g->len - g->at < n - done ? g->len - g->at : n - done;

		/* bytes with a descriptor are not joined to those before */
		if (part == 0 || (g->pass >= 0 && done > 0))
			break;
		memcpy(buf + done, g->data + g->at, part);
		done += part;
		if (peek)
			continue;
		if (g->pass >= 0 && got != NULL) {
			*got = g->pass;
			g->pass = -1;
		}
		g->at += part;
		if (g->at == g->len)
			drop_segment(g);
	}
	if (!peek)
		made_room(s, done);
	return (ssize_t)done;
}

static ssize_t recv_any(int fd, void *buf, size_t n, bool peek, int *got)
{
	struct sim_socket *s = find_kind(fd, SIM_STREAM, ENOTCONN);

	if (s == NULL)
		return -1;
	if (!list_empty(&s->arrived))
		return receive(s, buf, n, peek, got);
	if (s->error != 0) {
		errno = s->error;
		s->error = 0;
		return -1;
	}
	if (s->end_came)
		return 0;
	errno = EAGAIN;
	return -1;
}

ssize_t os_recv(int fd, void *buf, size_t n, int flags)
{
	return recv_any(fd, buf, n, (flags & MSG_PEEK) != 0, NULL);
}

ssize_t os_recv_fd(int fd, void *buf, size_t n, int *got)
{
	*got = -1;
	return recv_any(fd, buf, n, false, got);
}

/* ---- the poller */

int os_poll_create(void)
{
	return new_socket(SIM_POLLER)->fd;
}

int os_poll_add(int poller, int fd, uint32_t events, void *data)
{
	struct sim_socket *p = find_kind(poller, SIM_POLLER, EINVAL), *s = find(fd);

	if (p == NULL)
		return -1;
	if (s == NULL) {
		errno = fd < SIM_FD_BASE ? EPERM : EBADF; /* a real file never blocks */
		return -1;
	}
	CHECK(s->poller == NULL);
	s->poller = p;
	s->data = data;
	s->level = (events & OS_EXCLUSIVE) != 0;
	if (is_readable(s))
		edge(s, OS_READABLE);
	if (is_writable(s))
		edge(s, OS_WRITABLE);
	if (s->end_came || s->error != 0)
		edge(s, OS_HANGUP);
	return 0;
}

int os_poll_remove(int poller, int fd)
{
	struct sim_socket *s = find(fd);

	(void)poller;
	if (s == NULL)
		return -1;
	s->poller = NULL;
	s->edges = 0;
	list_remove(&s->ready);
	return 0;
}

/* collect - the edges since last time; a level that still stands is reported again. */
static int collect(struct sim_socket *p, struct os_event *events, int max)
{
	struct list again;
	struct list *node;
	int n = 0;

	list_init(&again);
	while (n < max && (node = list_pop_front(&p->ready)) != NULL) {
		struct sim_socket *s = CONTAINER_OF(node, struct sim_socket, ready);

		if (s->level && list_empty(&s->backlog))
			continue;
		events[n++] = (struct os_event){s->data, s->edges};
		if (s->level)
			list_push_back(&again, &s->ready);
		else
			s->edges = 0;
	}
	while ((node = list_pop_front(&again)) != NULL)
		list_push_back(&p->ready, node);
	return n;
}

int os_poll_wait(int poller, struct os_event *events, int max, int64_t deadline)
{
	struct sim_socket *p = find_kind(poller, SIM_POLLER, EINVAL);
	int n;

	if (p == NULL)
		return -1;
	while (sim_step(os_now()))
		;
	while ((n = collect(p, events, max)) == 0 && deadline > os_now()) {
		if (sim_step(deadline))
			continue;
		if (deadline == OS_NEVER)
			sim_stuck();
		sim_world.now = deadline;
	}
	return n;
}

int os_wakeup_create(void)
{
	return new_socket(SIM_COUNTER)->fd;
}

void os_wakeup_raise(int fd)
{
	struct sim_socket *s = find_kind(fd, SIM_COUNTER, EINVAL);

	CHECK(s != NULL);
	s->raised = true;
	edge(s, OS_READABLE);
}

void os_wakeup_clear(int fd)
{
	struct sim_socket *s = find_kind(fd, SIM_COUNTER, EINVAL);

	CHECK(s != NULL);
	s->raised = false;
}

/* ---- signals and faults */

int os_signal_open(const sigset_t *set)
{
	struct sim_socket *s = new_socket(SIM_SIGNALS);

	s->wanted = *set;
	sigemptyset(&s->pending);
	return s->fd;
}

int os_signal_read(int fd)
{
	struct sim_socket *s = find_kind(fd, SIM_SIGNALS, EINVAL);

	if (s == NULL)
		return -1;
	for (int signo = 1; signo < NSIG; signo++)
		if (sigismember(&s->pending, signo) == 1) {
			sigdelset(&s->pending, signo);
			return signo;
		}
	errno = EAGAIN;
	return -1;
}

void sim_raise(int signo)
{
	LIST_FOREACH(node, &sim_world.sockets) {
		struct sim_socket *s = CONTAINER_OF(node, struct sim_socket, all);

		if (s->kind != SIM_SIGNALS || sigismember(&s->wanted, signo) != 1)
			continue;
		sigaddset(&s->pending, signo);
		edge(s, OS_READABLE);
	}
}

void sim_set_fault(int fd, const struct sim_fault *fault)
{
	struct sim_socket *s = find(fd);
	struct sim_fault old;

	CHECK(s != NULL);
	old = s->fault;
	s->fault = *fault;
	if (fault->chunk_max == 0)
		s->fault.chunk_max = old.chunk_max;
	if (fault->delay_max < 0)
		s->fault.delay_max = old.delay_max;
	if (fault->reset_after == 0)
		reset_both(s);
}

void sim_set_fault_all(const struct sim_fault *fault)
{
	sim_world.fault = *fault;
}

void sim_hole(const struct os_addr *addr)
{
	struct hole *h = sim_alloc(sizeof(*h));

	h->addr = *addr;
	list_push_back(&sim_world.holes, &h->node);
}
