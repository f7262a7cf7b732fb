/* SPDX-License-Identifier: ISC */
/* load_wire - a blocking SMTP connection, plain or TLS. */
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

void wire_adopt(struct wire *w, int fd, unsigned seconds)
{
	struct timeval limit = {.tv_sec = seconds};
	int one = 1;

	w->fd = fd;
	w->ssl = NULL;
	w->begin = w->end = 0;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

bool wire_connect(struct wire *w, unsigned port, unsigned seconds)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	wire_adopt(w, fd, seconds);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return true;
	wire_close(w);
	return false;
}

void wire_close(struct wire *w)
{
	if (w->ssl) {
		SSL_shutdown(w->ssl); /* a session that ended without it is not resumed */
		SSL_free(w->ssl);
	}
	w->ssl = NULL;
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

bool wire_write(struct wire *w, const char *data, size_t len)
{
	size_t n;
	ssize_t did;

	if (w->ssl)
		return SSL_write_ex(w->ssl, data, len, &n) == 1;
	for (; len > 0; data += did, len -= (size_t)did) {
		did = send(w->fd, data, len, MSG_NOSIGNAL);
		if (did < 0 && errno == EINTR)
			did = 0;
		else if (did < 0)
			return false;
	}
	return true;
}

/* wire_fill - read more behind what is there */
static bool wire_fill(struct wire *w)
{
	size_t room, n = 0;
	ssize_t did;

	if (w->begin > 0) {
		memmove(w->in, w->in + w->begin, w->end - w->begin);
		w->end -= w->begin;
		w->begin = 0;
	}
	room = sizeof(w->in) - w->end;
	if (w->ssl)
		return SSL_read_ex(w->ssl, w->in + w->end, room, &n) == 1 && (w->end += n, true);
	do
		did = recv(w->fd, w->in + w->end, room, 0);
	while (did < 0 && errno == EINTR);
	if (did <= 0)
		return false;
	w->end += (size_t)did;
	return true;
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

bool wire_idle(const struct wire *w)
{
	return w->begin == w->end && (!w->ssl || SSL_pending(w->ssl) == 0);
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

bool wire_start_tls(struct wire *w, SSL_CTX *ctx, SSL_SESSION *resume)
{
	bool client = SSL_CTX_get_ssl_method(ctx) == TLS_client_method();

	w->begin = w->end = 0;
	w->ssl = SSL_new(ctx);
	if (!w->ssl || SSL_set_fd(w->ssl, w->fd) != 1)
		return false;
	if (resume)
		SSL_set_session(w->ssl, resume);
	return client ? SSL_connect(w->ssl) == 1 : SSL_accept(w->ssl) == 1;
}
