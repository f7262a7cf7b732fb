/* SPDX-License-Identifier: ISC */
/*
 * transport - records between OpenSSL and a descriptor. OpenSSL sees a non-blocking BIO over lib/os; the
 * waiting is done here, outside of it: its error queue belongs to the thread, so that no other fiber may run
 * between a call and the look at its error.
 */
#include "tls/context.h"
#include "base/check.h"

#include <openssl/err.h>

#include <errno.h>
#include <stdlib.h>

/* ---- the BIO: its data is the stream's descriptor */

static int bio_read(BIO *bio, char *buf, int n)
{
	ssize_t r = fiber_try_recv(BIO_get_data(bio), buf, (size_t)n);

	BIO_clear_retry_flags(bio);
	if (r < 0 && errno == EAGAIN)
		BIO_set_retry_read(bio);
	return (int)r;
}

/*
 * ticket_only - nobody waits for a session ticket of TLSv1.3, which ends the server's part of the handshake:
 * it goes with what the server says next.
 */
static bool ticket_only(const SSL *ssl)
{
	return SSL_get_state(ssl) == TLS_ST_SW_SESSION_TICKET;
}

static int bio_write(BIO *bio, const char *buf, int n)
{
	struct fiber_fd *fd = BIO_get_data(bio);
	bool more = fd->more;
	ssize_t r;

	fd->more = more || ticket_only(BIO_get_app_data(bio));
	r = fiber_try_send(fd, buf, (size_t)n);
	fd->more = more;
	BIO_clear_retry_flags(bio);
	if (r < 0 && errno == EAGAIN)
		BIO_set_retry_write(bio);
	return (int)r;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

/* One for the process; made at the first context, before there are threads. */
static BIO_METHOD *bio_method(void)
{
	static BIO_METHOD *method;

	if (method == NULL) {
		method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fiber");
		if (method == NULL)
			out_of_memory();
		BIO_meth_set_read(method, bio_read);
		BIO_meth_set_write(method, bio_write);
		BIO_meth_set_ctrl(method, bio_ctrl);
	}
	return method;
}

static void attach(SSL *ssl, struct fiber_fd *fd)
{
	BIO *bio = BIO_new(bio_method());

	if (bio == NULL)
		out_of_memory();
	BIO_set_data(bio, fd);
	if (BIO_set_app_data(bio, ssl) != 1)
		out_of_memory();
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
}

/* ---- waiting */

/*
 * after_call - what a call that returned `rc` <= 0 needs: 1 try again at once after waiting, 0 the peer's
 * orderly end, -1 errno.
 */
static int after_call(SSL *ssl, int rc, struct fiber_fd *fd, int64_t deadline, const char *why)
{
	int saved = errno;

	switch (SSL_get_error(ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return fiber_wait_fd(fd, OS_READABLE, deadline, why) < 0 ? -1 : 1;
	case SSL_ERROR_WANT_WRITE:
		return fiber_wait_fd(fd, OS_WRITABLE, deadline, why) < 0 ? -1 : 1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		/* no errno: the connection ended in the middle */
		errno = saved != 0 ? saved : ECONNRESET;
		return -1;
	default:
		errno = EPROTO;
		return -1;
	}
}

static void before_call(void)
{
	fiber_spend();
	ERR_clear_error();
	errno = 0;
}

static int clamp(size_t n)
{
	return n > 1 << 20 ? 1 << 20 : (int)n;
}

static ssize_t transport_read(void *state, struct fiber_fd *fd, void *buf, size_t n,
			      int64_t deadline, const char *why)
{
	for (;;) {
		int rc;

		before_call();
		if (fiber_cancelled()) {
			errno = ECANCELED;
			return -1;
		}
		rc = SSL_read(state, buf, clamp(n));
		if (rc > 0)
			return rc;
		rc = after_call(state, rc, fd, deadline, why);
		if (rc <= 0)
			return rc;
	}
}

static ssize_t transport_write(void *state, struct fiber_fd *fd, const void *buf, size_t n,
			       int64_t deadline, const char *why)
{
	for (;;) {
		int rc;

		before_call();
		if (fiber_cancelled()) {
			errno = ECANCELED;
			return -1;
		}
		rc = SSL_write(state, buf, clamp(n));
		if (rc > 0)
			return rc;
		rc = after_call(state, rc, fd, deadline, why);
		if (rc == 0)
			errno = EPIPE;
		if (rc <= 0)
			return -1;
	}
}

static int transport_wait(void *state, struct fiber_fd *fd, int64_t deadline, const char *why)
{
	return fiber_wait_fd(fd, SSL_want_write((SSL *)state) ? OS_WRITABLE : OS_READABLE,
			     deadline, why);
}

/* transport_close - say so, but wait for nothing: the peer's answer changes nothing any more. */
static void transport_close(void *state, struct fiber_fd *fd, int64_t deadline)
{
	(void)fd;
	ERR_clear_error();
	if (deadline > 0)
		(void)SSL_shutdown(state);
	ERR_clear_error();
	free(SSL_get_app_data((SSL *)state)); /* the key of a client's session */
	SSL_free(state);
}

static const struct stream_transport transport = {
    .name = "tls",
    .read = transport_read,
    .write = transport_write,
    .wait = transport_wait,
    .close = transport_close,
};

bool tls_active(const struct stream *stream)
{
	return stream->transport == &transport;
}

enum stream_status transport_handshake(SSL *ssl, struct stream *stream, int64_t deadline,
				       const char *why)
{
	struct fiber_fd *fd = &stream->fd;
	int rc;

	attach(ssl, fd);
	stream_set_transport(stream, &transport, ssl);
	do {
		before_call();
		rc = SSL_do_handshake(ssl);
		if (rc == 1)
			return STREAM_OK;
		rc = after_call(ssl, rc, fd, deadline, why);
	} while (rc > 0);
	stream->error = rc == 0 ? ECONNRESET : errno;
	switch (stream->error) {
	case ETIMEDOUT:
		return STREAM_TIMEOUT;
	case ECANCELED:
		return STREAM_CANCELLED;
	default:
		return STREAM_ERROR;
	}
}
