/* SPDX-License-Identifier: ISC */
/*
 * os/socket - every system call on sockets, and the poller that fibers wait on. Two
 * implementations, chosen at link time: the kernel (socket.c), and a network in memory with scripted
 * peers and seeded order (sim_net.c).
 *
 * Sockets are non-blocking and close-on-exec. -1 and errno on failure; EINTR is tried again inside.
 */
#ifndef OS_SOCKET_H
#define OS_SOCKET_H

#include "base/slice.h"

#include <sys/socket.h>
#include <sys/uio.h>

/* Room for any address this suite speaks to: IPv4, IPv6, UNIX. */
struct os_addr {
	socklen_t len;
	struct sockaddr_storage ss;
};

int os_socket(int domain, int type, int protocol);
/* os_socket_close - for all that this header makes: sockets, pollers, counters (and signals'). */
int os_socket_close(int fd);
/* os_socketpair - two connected UNIX sockets of `type`. */
int os_socketpair(int type, int fds[2]);
int os_bind(int fd, const struct os_addr *addr);
int os_listen(int fd, int backlog);
/* os_accept - ECONNABORTED and the like are the caller's to ignore; *peer may be NULL. */
int os_accept(int fd, struct os_addr *peer);
/* os_connect - EINPROGRESS: wait for writability, then os_socket_error. */
int os_connect(int fd, const struct os_addr *addr);
/* os_socket_error - the pending error of a socket, as an errno value; 0 when there is none. */
int os_socket_error(int fd);
int os_setsockopt(int fd, int level, int name, const void *value, socklen_t n);
int os_getsockname(int fd, struct os_addr *addr);
int os_getpeername(int fd, struct os_addr *addr);
int os_shutdown(int fd, int how);

ssize_t os_recv(int fd, void *buf, size_t n, int flags);
/* Sends never raise SIGPIPE. */
ssize_t os_send(int fd, const void *buf, size_t n, int flags);
ssize_t os_sendv(int fd, const struct iovec *iov, int count);
/*
 * os_send_fd, os_recv_fd - data with at most one descriptor beside it (UNIX sockets). pass: -1 for
 * none. os_recv_fd sets *got to the received descriptor or -1; it is the caller's to close.
 */
ssize_t os_send_fd(int fd, const struct iovec *iov, int count, int pass);
ssize_t os_recv_fd(int fd, void *buf, size_t n, int *got);
/* os_sendfile - file bytes into a socket without a copy; *offset is moved on. */
ssize_t os_sendfile(int sock, int file, off_t *offset, size_t n);
/* os_peer_cred - who is at the other end of a UNIX socket. */
int os_peer_cred(int fd, pid_t *pid, uid_t *uid, gid_t *gid);

/* The poller: readiness of many descriptors. Edge-triggered; a descriptor is added once. */
#define OS_READABLE 1u
#define OS_WRITABLE 2u
#define OS_HANGUP 4u    /* error or peer gone: reading tells which */
#define OS_EXCLUSIVE 8u /* os_poll_add only: of many processes that wait, wake one (listening sockets) */

struct os_event {
	void *data;
	uint32_t events;
};

int os_poll_create(void);
int os_poll_add(int poller, int fd, uint32_t events, void *data);
int os_poll_remove(int poller, int fd);
/* os_poll_wait - up to `max` events; waits until the monotonic deadline. 0 at the deadline. */
int os_poll_wait(int poller, struct os_event *events, int max, int64_t deadline);

/* A counter that another thread can raise and a poller can wait for (eventfd). */
int os_wakeup_create(void);
void os_wakeup_raise(int fd);
void os_wakeup_clear(int fd);

#endif
