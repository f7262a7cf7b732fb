/* SPDX-License-Identifier: ISC */
#include "fiber/scheduler.h"
#include "base/check.h"

#include <errno.h>
#include <sys/socket.h>

/* A UNIX listener whose backlog is full tells nobody when it has room again. */
#define CONNECT_RETRY (10 * OS_MILLISECOND)

void fiber_fd_init(struct fiber_fd *f, int fd)
{
	*f = (struct fiber_fd){.fd = fd, .ready = OS_READABLE | OS_WRITABLE};
}

void fiber_fd_init_listener(struct fiber_fd *f, int fd)
{
	fiber_fd_init(f, fd);
	f->listener = true;
}

int fiber_fd_release(struct fiber_fd *f)
{
	int fd = f->fd;

	CHECK(f->reader == NULL && f->writer == NULL);
	if (f->registered)
		os_poll_remove(scheduler_here()->poller, fd);
	*f = (struct fiber_fd){.fd = -1};
	return fd;
}

void fiber_fd_close(struct fiber_fd *f)
{
	int fd;

	if (f->fd < 0)
		return;
	fd = fiber_fd_release(f);
	os_socket_close(fd);
}

static void wake_waiter(struct fiber **waiter)
{
	struct fiber *f = *waiter;

	*waiter = NULL;
	if (f != NULL)
		(void)fiber_wake(f, 0);
}

void fiber_dispatch(struct scheduler *s, const struct os_event *event)
{
	struct fiber_fd *f = event->data;

	if (f == &s->wakeup_fd) {
		offload_finish(s);
		return;
	}
	if (f->listener && f->reader == NULL) {
		/* level-triggered: it would call again and again while nobody accepts */
		os_poll_remove(s->poller, f->fd);
		f->registered = false;
	}
	f->ready |= event->events & (OS_READABLE | OS_WRITABLE);
	if (event->events & OS_HANGUP) {
		f->ready |= OS_READABLE | OS_WRITABLE;
		f->hangup = true;
	}
	if (f->ready & OS_READABLE)
		wake_waiter(&f->reader);
	if (f->ready & OS_WRITABLE)
		wake_waiter(&f->writer);
}

/* register_fd - with the poller, which tells of present readiness at once. */
static int register_fd(struct fiber_fd *f)
{
	uint32_t events = f->listener ? OS_READABLE | OS_EXCLUSIVE : OS_READABLE | OS_WRITABLE;

	if (f->registered)
		return 0;
	if (os_poll_add(scheduler_here()->poller, f->fd, events, f) == 0) {
		f->registered = true;
		return 0;
	}
	if (errno != EPERM)
		return -1;
	/* a regular file: never blocks */
	f->ready = OS_READABLE | OS_WRITABLE;
	return 0;
}

int fiber_wait_fd(struct fiber_fd *f, uint32_t events, int64_t deadline, const char *why)
{
	struct fiber *self = scheduler_here()->running;
	int error;

	if (self->cancelled)
		return fiber_failed(ECANCELED);
	if (f->ready & events)
		return 0;
	if (register_fd(f) < 0)
		return -1;
	if (f->ready & events)
		return 0;
	CHECK(!(events & OS_READABLE) || f->reader == NULL);
	CHECK(!(events & OS_WRITABLE) || f->writer == NULL);
	if (events & OS_READABLE)
		f->reader = self;
	if (events & OS_WRITABLE)
		f->writer = self;
	error = fiber_park(deadline, why);
	if (f->reader == self)
		f->reader = NULL;
	if (f->writer == self)
		f->writer = NULL;
	return fiber_failed(error);
}

void fiber_fd_blocked(struct fiber_fd *f, uint32_t events)
{
	f->ready &= ~events;
}

/* before - what every call does first: its share of the slice, cancellation, known unreadiness. */
static int before(struct fiber_fd *f, uint32_t events, int64_t deadline, const char *why)
{
	fiber_spend();
	return fiber_wait_fd(f, events, deadline, why);
}

/* again - after a failed call: true when it met EAGAIN, which is then known. */
static bool again(struct fiber_fd *f, uint32_t events)
{
	if (errno != EAGAIN && errno != EWOULDBLOCK)
		return false;
	fiber_fd_blocked(f, events);
	return true;
}

/*
 * drained - a stream that gave or took less than asked for would block now: the next edge tells of
 * more (epoll(7), question 9), and a system call is saved. Not after a hang-up, whose edge is past:
 * the calls must go on to meet the end.
 */
static ssize_t drained(struct fiber_fd *f, uint32_t events, ssize_t did, size_t asked)
{
	if (f->stream && !f->hangup && did > 0 && (size_t)did < asked)
		fiber_fd_blocked(f, events);
	return did;
}

ssize_t fiber_try_recv(struct fiber_fd *f, void *buf, size_t n)
{
	ssize_t r;

	if (!(f->ready & OS_READABLE))
		return fiber_failed(EAGAIN);
	r = os_recv(f->fd, buf, n, 0);
	if (r < 0)
		(void)again(f, OS_READABLE);
	return drained(f, OS_READABLE, r, n);
}

ssize_t fiber_try_send(struct fiber_fd *f, const void *buf, size_t n)
{
	ssize_t r;

	if (!(f->ready & OS_WRITABLE))
		return fiber_failed(EAGAIN);
	r = os_send(f->fd, buf, n, f->more ? MSG_MORE : 0);
	if (r < 0)
		(void)again(f, OS_WRITABLE);
	return drained(f, OS_WRITABLE, r, n);
}

ssize_t fiber_recv(struct fiber_fd *f, void *buf, size_t n, int64_t deadline, const char *why)
{
	while (before(f, OS_READABLE, deadline, why) == 0) {
		ssize_t r = fiber_try_recv(f, buf, n);

		if (r >= 0 || errno != EAGAIN)
			return r;
	}
	return -1;
}

ssize_t fiber_send(struct fiber_fd *f, const void *buf, size_t n, int64_t deadline, const char *why)
{
	while (before(f, OS_WRITABLE, deadline, why) == 0) {
		ssize_t r = fiber_try_send(f, buf, n);

		if (r >= 0 || errno != EAGAIN)
			return r;
	}
	return -1;
}

static ssize_t send_pass(struct fiber_fd *f, const struct iovec *iov, int count, int pass,
			 int64_t deadline, const char *why)
{
	while (before(f, OS_WRITABLE, deadline, why) == 0) {
		ssize_t r = os_send_fd(f->fd, iov, count, pass);

		if (r >= 0 || !again(f, OS_WRITABLE))
			return r;
	}
	return -1;
}

ssize_t fiber_sendv(struct fiber_fd *f, const struct iovec *iov, int count, int64_t deadline,
		    const char *why)
{
	return send_pass(f, iov, count, -1, deadline, why);
}

/* skip_sent - drop n bytes from the front of the vector. */
static void skip_sent(struct iovec **iov, int *count, size_t n)
{
	while (*count > 0 && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

int fiber_send_full(struct fiber_fd *f, struct iovec *iov, int count, int pass, int64_t deadline,
		    const char *why)
{
	skip_sent(&iov, &count, 0);
	while (count > 0) {
		ssize_t r = send_pass(f, iov, count, pass, deadline, why);

		if (r < 0)
			return -1;
		pass = -1;
		skip_sent(&iov, &count, (size_t)r);
	}
	return 0;
}

ssize_t fiber_recv_fd(struct fiber_fd *f, void *buf, size_t n, int *got, int64_t deadline,
		      const char *why)
{
	*got = -1;
	while (before(f, OS_READABLE, deadline, why) == 0) {
		ssize_t r = os_recv_fd(f->fd, buf, n, got);

		/* a read ends at each descriptor: then there may be more */
		if (r >= 0)
			return *got < 0 ? drained(f, OS_READABLE, r, n) : r;
		if (!again(f, OS_READABLE))
			return r;
	}
	return -1;
}

ssize_t fiber_sendfile(struct fiber_fd *f, int file, off_t *offset, size_t n, int64_t deadline,
		       const char *why)
{
	while (before(f, OS_WRITABLE, deadline, why) == 0) {
		ssize_t r = os_sendfile(f->fd, file, offset, n);

		if (r >= 0 || !again(f, OS_WRITABLE))
			return r;
	}
	return -1;
}

/* lost_in_backlog - errors of accept(2) that are about that connection only. */
static bool lost_in_backlog(int error)
{
	switch (error) {
	case ECONNABORTED:
	case ENETDOWN:
	case EPROTO:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
		return true;
	default:
		return false;
	}
}

int fiber_accept(struct fiber_fd *f, struct os_addr *peer, int64_t deadline, const char *why)
{
	while (before(f, OS_READABLE, deadline, why) == 0) {
		int fd = os_accept(f->fd, peer);

		if (fd >= 0)
			return fd;
		if (!again(f, OS_READABLE) && !lost_in_backlog(errno))
			return -1;
	}
	return -1;
}

/* finish_connect - 0 when the connection stands. */
static int finish_connect(struct fiber_fd *f, int64_t deadline, const char *why)
{
	fiber_fd_blocked(f, OS_WRITABLE);
	if (fiber_wait_fd(f, OS_WRITABLE, deadline, why) < 0)
		return -1;
	return fiber_failed(os_socket_error(f->fd));
}

static int connect_fd(struct fiber_fd *f, const struct os_addr *to, int64_t deadline,
		      const char *why)
{
	for (;;) {
		int64_t retry;

		if (fiber_cancelled())
			return fiber_failed(ECANCELED);
		if (os_connect(f->fd, to) == 0)
			return 0;
		if (errno == EINPROGRESS)
			return finish_connect(f, deadline, why);
		if (errno != EAGAIN || to->ss.ss_family != AF_UNIX)
			return -1;
		retry = os_deadline(CONNECT_RETRY);
		if (retry > deadline)
			return fiber_failed(ETIMEDOUT);
		if (fiber_sleep(retry, why) < 0)
			return -1;
	}
}

int fiber_connect(const struct os_addr *to, const struct os_addr *from, int64_t deadline,
		  const char *why)
{
	struct fiber_fd f;
	int fd = os_socket(to->ss.ss_family, SOCK_STREAM, 0);
	int saved;

	if (fd < 0)
		return -1;
	fiber_fd_init(&f, fd);
	if ((from == NULL || os_bind(fd, from) == 0) && connect_fd(&f, to, deadline, why) == 0)
		return fiber_fd_release(&f);
	saved = errno;
	fiber_fd_close(&f);
	return fiber_failed(saved);
}
