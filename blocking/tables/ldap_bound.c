/* SPDX-License-Identifier: ISC */
/*
 * libldap bounds the wait for a connection, and for an answer that has not begun. A TLS handshake,
 * and an answer that stops half way, it waits for without end. So there is a layer of ours between
 * the socket and what libldap puts upon it, which waits before each byte, and no longer than until
 * the deadline.
 */
#include "blocking/tables/ldap.h"

#include "blocking/common/wait.h"
#include "os/clock.h"
#include "os/socket.h"

#include <errno.h>
#include <poll.h>
#include <sys/time.h>

/* Between the socket (LBER_SBIOD_LEVEL_PROVIDER) and TLS (LBER_SBIOD_LEVEL_TRANSPORT). */
#define OUR_LEVEL 15

/* ready - may bytes go that way now? False: errno. */
static bool ready(Sockbuf_IO_Desc *layer, short events)
{
	const struct ldap_connection *connection = layer->sbiod_pvt;
	int fd = -1;

	ber_sockbuf_ctrl(layer->sbiod_sb, LBER_SB_OPT_GET_FD, &fd);
	if (wait_fd(fd, events, connection->deadline) != 0)
		return true;
	errno = ETIMEDOUT;
	return false;
}

static int setup(Sockbuf_IO_Desc *layer, void *argument)
{
	layer->sbiod_pvt = argument;
	return 0;
}

static int control(Sockbuf_IO_Desc *layer, int option, void *argument)
{
	return LBER_SBIOD_CTRL_NEXT(layer, option, argument);
}

static ber_slen_t read_bound(Sockbuf_IO_Desc *layer, void *data, ber_len_t n)
{
	ber_slen_t got;

	do {
		if (LBER_SBIOD_CTRL_NEXT(layer, LBER_SB_OPT_DATA_READY, NULL) <= 0 &&
		    !ready(layer, POLLIN))
			return -1;
		got = LBER_SBIOD_READ_NEXT(layer, data, n);
	} while (got < 0 && errno == EAGAIN);
	return got;
}

static ber_slen_t write_bound(Sockbuf_IO_Desc *layer, void *data, ber_len_t n)
{
	ber_slen_t put;

	do {
		if (!ready(layer, POLLOUT))
			return -1;
		put = LBER_SBIOD_WRITE_NEXT(layer, data, n);
	} while (put < 0 && errno == EAGAIN);
	return put;
}

static Sockbuf_IO bound = {
    .sbi_setup = setup,
    .sbi_ctrl = control,
    .sbi_read = read_bound,
    .sbi_write = write_bound,
};

/*
 * added - a connection (to the server, or where it refers us to) has been made. The socket has a
 * time limit of its own, for a write to a peer that takes nothing any more blocks in spite of
 * POLLOUT.
 */
static int added(LDAP *ld, Sockbuf *sockbuf, LDAPURLDesc *url, struct sockaddr *address,
		 struct ldap_conncb *callbacks)
{
	struct timeval second = {1, 0};
	int fd = -1;

	(void)ld;
	(void)url;
	(void)address;
	ber_sockbuf_ctrl(sockbuf, LBER_SB_OPT_GET_FD, &fd);
	if (os_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second)) < 0)
		return -1;
	return ber_sockbuf_add_io(sockbuf, &bound, OUR_LEVEL, callbacks->lc_arg);
}

static void removed(LDAP *ld, Sockbuf *sockbuf, struct ldap_conncb *callbacks)
{
	(void)ld;
	(void)sockbuf;
	(void)callbacks;
}

bool ldap_bound(struct ldap_connection *connection)
{
	connection->callbacks = (struct ldap_conncb){added, removed, connection};
	return ldap_set_option(connection->ld, LDAP_OPT_CONNECT_CB, &connection->callbacks) ==
	       LDAP_OPT_SUCCESS;
}
