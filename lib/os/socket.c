/* SPDX-License-Identifier: ISC */
#include "os/socket.h"
#include "os/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY(result, call)                                \
	do                                                 \
		(result) = (call);                         \
	while ((result) < 0 && errno == EINTR)

int os_socket(int domain, int type, int protocol)
{
	return socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

int os_socket_close(int fd)
{
	/* Linux closes the descriptor even when it says EINTR; a second try could hit a stranger */
	if (close(fd) < 0 && errno != EINTR)
		return -1;
	return 0;
}

int os_socketpair(int type, int fds[2])
{
	return socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds);
}

int os_bind(int fd, const struct os_addr *addr)
{
	return bind(fd, (const struct sockaddr *)&addr->ss, addr->len);
}

int os_listen(int fd, int backlog)
{
	return listen(fd, backlog);
}

int os_accept(int fd, struct os_addr *peer)
{
	struct os_addr scratch;
	struct os_addr *to = peer != NULL ? peer : &scratch;
	int conn;

	to->len = sizeof(to->ss);
	RETRY(conn, accept4(fd, (struct sockaddr *)&to->ss, &to->len, SOCK_NONBLOCK | SOCK_CLOEXEC));
	return conn;
}

int os_connect(int fd, const struct os_addr *addr)
{
	/* an interrupted connect goes on by itself, like one in progress */
	if (connect(fd, (const struct sockaddr *)&addr->ss, addr->len) == 0)
		return 0;
	if (errno == EINTR)
		errno = EINPROGRESS;
	return -1;
}

int os_socket_error(int fd)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
		return errno;
	return error;
}

int os_setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
	return setsockopt(fd, level, name, value, n);
}

int os_getsockname(int fd, struct os_addr *addr)
{
	addr->len = sizeof(addr->ss);
	return getsockname(fd, (struct sockaddr *)&addr->ss, &addr->len);
}

int os_getpeername(int fd, struct os_addr *addr)
{
	addr->len = sizeof(addr->ss);
	return getpeername(fd, (struct sockaddr *)&addr->ss, &addr->len);
}

int os_shutdown(int fd, int how)
{
	return shutdown(fd, how);
}

ssize_t os_recv(int fd, void *buf, size_t n, int flags)
{
	ssize_t r;

	RETRY(r, recv(fd, buf, n, flags));
	return r;
}

ssize_t os_send(int fd, const void *buf, size_t n, int flags)
{
	ssize_t r;

	RETRY(r, send(fd, buf, n, flags | MSG_NOSIGNAL));
	return r;
}

ssize_t os_sendv(int fd, const struct iovec *iov, int count)
{
	return os_send_fd(fd, iov, count, -1);
}

/* Room for one descriptor, aligned as the kernel wants it. */
union fd_control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

ssize_t os_send_fd(int fd, const struct iovec *iov, int count, int pass)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	union fd_control control = {0};
	ssize_t r;

	if (pass >= 0) {
		struct cmsghdr *c;

		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass, sizeof(int));
	}
	RETRY(r, sendmsg(fd, &msg, MSG_NOSIGNAL));
	return r;
}

ssize_t os_recv_fd(int fd, void *buf, size_t n, int *got)
{
	struct iovec iov = {buf, n};
	union fd_control control = {0};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	ssize_t r;

	*got = -1;
	RETRY(r, recvmsg(fd, &msg, MSG_CMSG_CLOEXEC));
	if (r < 0)
		return r;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
		    c->cmsg_len == CMSG_LEN(sizeof(int)))
			memcpy(got, CMSG_DATA(c), sizeof(int));
	return r;
}

ssize_t os_sendfile(int sock, int file, off_t *offset, size_t n)
{
	ssize_t r;

	RETRY(r, sendfile(sock, file, offset, n));
	return r;
}

int os_peer_cred(int fd, pid_t *pid, uid_t *uid, gid_t *gid)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return -1;
	*pid = cred.pid;
	*uid = cred.uid;
	*gid = cred.gid;
	return 0;
}

int os_poll_create(void)
{
	return epoll_create1(EPOLL_CLOEXEC);
}

int os_poll_add(int poller, int fd, uint32_t events, void *data)
{
	struct epoll_event ev = {.data.ptr = data};

	if (events & OS_EXCLUSIVE)
		/* level-triggered: a listener that stops accepting must hear of it again */
		ev.events = EPOLLIN | EPOLLEXCLUSIVE;
	else
		ev.events = EPOLLET | EPOLLRDHUP | (events & OS_READABLE ? (uint32_t)EPOLLIN : 0) |
			    (events & OS_WRITABLE ? (uint32_t)EPOLLOUT : 0);
	return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &ev);
}

int os_poll_remove(int poller, int fd)
{
	return epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL);
}

#define POLL_BATCH 256

static uint32_t from_epoll(uint32_t ev)
{
	uint32_t events = 0;

	if (ev & EPOLLIN)
		events |= OS_READABLE;
	if (ev & EPOLLOUT)
		events |= OS_WRITABLE;
	if (ev & (EPOLLERR | EPOLLHUP | EPOLLRDHUP))
		events |= OS_HANGUP;
	return events;
}

/* milliseconds_until - rounded up, so that a timer never finds itself early and spins. */
static int milliseconds_until(int64_t deadline)
{
	int64_t left;

	if (deadline == OS_NEVER)
		return -1;
	left = deadline - os_now();
	if (left <= 0)
		return 0;
	left = (left + OS_MILLISECOND - 1) / OS_MILLISECOND;
	return left > 3600000 ? 3600000 : (int)left;
}

int os_poll_wait(int poller, struct os_event *events, int max, int64_t deadline)
{
	struct epoll_event ready[POLL_BATCH];
	int n;

	RETRY(n, epoll_wait(poller, ready, max < POLL_BATCH ? max : POLL_BATCH,
			    milliseconds_until(deadline)));
	for (int i = 0; i < n; i++)
		events[i] = (struct os_event){ready[i].data.ptr, from_epoll(ready[i].events)};
	return n;
}

int os_wakeup_create(void)
{
	return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

void os_wakeup_raise(int fd)
{
	uint64_t one = 1;
	ssize_t r;

	/* a full counter is already raised */
	RETRY(r, write(fd, &one, sizeof(one)));
}

void os_wakeup_clear(int fd)
{
	uint64_t count;
	ssize_t r;

	RETRY(r, read(fd, &count, sizeof(count)));
}
