/* SPDX-License-Identifier: ISC */
/* load_wire - an SMTP connection, plain or TLS. */
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- the socket */

void wire_adopt(struct wire *w, int fd, unsigned seconds)
{
	struct timeval limit = {.tv_sec = seconds};
	int one = 1;

	w->fd = fd;
	w->seconds = seconds;
	w->ssl = NULL;
	w->begin = w->end = w->out_len = 0;
	w->empty = false;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (task_running()) {
		task_watch(fd);
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

bool wire_connect(struct wire *w, unsigned port, unsigned seconds)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int type = SOCK_STREAM | SOCK_CLOEXEC | (task_running() ? SOCK_NONBLOCK : 0);
	int fd = socket(AF_INET, type, 0);

	if (fd < 0)
		return false;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	wire_adopt(w, fd, seconds);
	/* how it ends the first read tells */
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 || errno == EINPROGRESS)
		return true;
	wire_close(w);
	return false;
}

void wire_close(struct wire *w)
{
	if (w->ssl) {
		/* a session that ended without it is not resumed; a server that has said its last waits for
		 * nothing any more */
		SSL_set_quiet_shutdown(w->ssl, !SSL_is_server(w->ssl));
		SSL_shutdown(w->ssl);
		SSL_free(w->ssl);
	}
	w->ssl = NULL;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static uint64_t limit_of(const struct wire *w)
{
	return now() + w->seconds * 1000000000ull;
}

static bool send_all(struct wire *w, const char *data, size_t len, int flags)
{
	ssize_t did;

	for (; len > 0; data += did, len -= (size_t)did) {
		did = send(w->fd, data, len, MSG_NOSIGNAL | flags);
		if (did >= 0)
			continue;
		did = 0;
		if (errno != EINTR && (errno != EAGAIN || !task_wait_room(w->fd, limit_of(w))))
			return false;
	}
	return true;
}

/* receive - some bytes; 0 for the end and for failures */
static size_t receive(struct wire *w, char *data, size_t room)
{
	ssize_t did;

	for (;;) {
		if (w->empty && !task_wait(limit_of(w)))
			return 0;
		w->empty = false;
		did = recv(w->fd, data, room, 0);
		if (did >= 0)
			break;
		if (errno != EINTR && (errno != EAGAIN || !task_running()))
			return 0;
		w->empty = errno == EAGAIN;
	}
	w->empty = task_running() && (size_t)did < room;
	return (size_t)did;
}

/* ---- TLS over it; to OpenSSL the socket always looks as if it blocked */

static int bio_read(BIO *bio, char *data, int room)
{
	return (int)receive(BIO_get_data(bio), data, (size_t)room);
}

/* A client's end of the handshake goes with the command that follows. */
static int bio_write(BIO *bio, const char *data, int len)
{
	struct wire *w = BIO_get_data(bio);
	bool more = SSL_get_state(w->ssl) == TLS_ST_CW_FINISHED && SSL_version(w->ssl) == TLS1_3_VERSION;

	return send_all(w, data, (size_t)len, more ? MSG_MORE : 0) ? len : -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method; /* made with the context */

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct wire *w = SSL_get_app_data(ssl);

	SSL_SESSION_free(w->session);
	w->session = session;
	return 1;
}

static bool set_server(SSL_CTX *ctx, const char *chain, bool resume)
{
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"sink", 4);
	if (!resume) {
		SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx, 0);
	}
	return SSL_CTX_use_certificate_chain_file(ctx, chain) == 1 &&
	       SSL_CTX_use_PrivateKey_file(ctx, chain, SSL_FILETYPE_PEM) == 1;
}

static void set_client(SSL_CTX *ctx, bool resume)
{
	SSL_CTX_set_session_cache_mode(
	    ctx, resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
	SSL_CTX_sess_set_new_cb(ctx, keep_session);
}

SSL_CTX *wire_context(const char *chain, bool resume)
{
	SSL_CTX *ctx = SSL_CTX_new(chain ? TLS_server_method() : TLS_client_method());

	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
	if (!ctx || !method)
		abort();
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
	SSL_CTX_set_mode(ctx, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(ctx, 1);
	if (!chain)
		set_client(ctx, resume);
	else if (!set_server(ctx, chain, resume))
		return NULL;
	return ctx;
}

bool wire_start_tls(struct wire *w, SSL_CTX *ctx)
{
	BIO *bio = BIO_new(method);

	if (!wire_flush(w))
		return false;
	w->begin = w->end = 0;
	w->ssl = SSL_new(ctx);
	if (!w->ssl || !bio)
		abort();
	BIO_set_data(bio, w);
	BIO_set_init(bio, 1);
	SSL_set_bio(w->ssl, bio, bio);
	SSL_set_app_data(w->ssl, w);
	if (SSL_is_server(w->ssl))
		return SSL_accept(w->ssl) == 1;
	if (w->session)
		SSL_set_session(w->ssl, w->session);
	return SSL_connect(w->ssl) == 1;
}

/* ---- what is said */

static bool write_through(struct wire *w, const char *data, size_t len)
{
	size_t n;

	if (w->ssl)
		return SSL_write_ex(w->ssl, data, len, &n) == 1;
	return send_all(w, data, len, 0);
}

bool wire_flush(struct wire *w)
{
	size_t len = w->out_len;

	w->out_len = 0;
	return len == 0 || write_through(w, w->out, len);
}

bool wire_write(struct wire *w, const char *data, size_t len)
{
	if (w->out_len + len > sizeof(w->out) && !wire_flush(w))
		return false;
	if (len > sizeof(w->out))
		return write_through(w, data, len);
	memcpy(w->out + w->out_len, data, len);
	w->out_len += len;
	return true;
}

/* wire_fill - read more behind what is there */
static bool wire_fill(struct wire *w)
{
	size_t room, n = 0;

	if (!wire_flush(w))
		return false;
	if (w->begin > 0) {
		memmove(w->in, w->in + w->begin, w->end - w->begin);
		w->end -= w->begin;
		w->begin = 0;
	}
	room = sizeof(w->in) - w->end;
	if (!w->ssl)
		n = receive(w, w->in + w->end, room);
	else if (SSL_read_ex(w->ssl, w->in + w->end, room, &n) != 1)
		return false;
	w->end += n;
	return n > 0;
}

char *wire_line(struct wire *w, size_t *len)
{
	char *line, *end;

	for (;;) {
		line = w->in + w->begin;
		end = memchr(line, '\n', w->end - w->begin);
		if (end) {
			w->begin = (size_t)(end + 1 - w->in);
			*len = (size_t)(end - line);
			if (*len > 0 && line[*len - 1] == '\r')
				(*len)--;
			return line;
		}
		if (w->end - w->begin == sizeof(w->in)) {
			w->begin = w->end;
			*len = sizeof(w->in);
			return line;
		}
		if (!wire_fill(w))
			return NULL;
	}
}

int wire_reply(struct wire *w, bool *pipelining)
{
	size_t len;
	char *line;

	do {
		line = wire_line(w, &len);
		if (!line || len < 3)
			return 0;
		if (pipelining && len >= 14 && strncmp(line + 4, "PIPELINING", 10) == 0)
			*pipelining = true;
	} while (len > 3 && line[3] == '-');
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

int wire_command(struct wire *w, const char *line)
{
	return wire_write(w, line, strlen(line)) ? wire_reply(w, NULL) : 0;
}
