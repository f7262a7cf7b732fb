/* SPDX-License-Identifier: ISC */
/*
 * load_source - send messages over SMTP, with STARTTLS if told so, at a steady rate if told so.
 * Each carries the time at which it was due to be sent, for the sink to tell how long it was on the
 * road.
 */
#include "load.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	unsigned port, sessions, recipients, each, domains, rate, pause;
	unsigned long messages, length;
	const char *from, *to;
	bool tls, resume;
	SSL_CTX *ctx;
	char *body;
	size_t body_len;
	uint64_t start;
	unsigned long next, sent, failed, resumed;
} o = {.sessions = 1,
       .recipients = 1,
       .each = 1,
       .domains = 1,
       .messages = 1,
       .length = 4096,
       .from = "source@bench.test",
       .to = "user@sink.test"};

#define EHLO "EHLO source.bench.test\r\n"

struct client {
	struct wire wire;
	bool pipelining;
};

/* hello - greeting, EHLO, and TLS where it was asked for */
static bool hello(struct client *c)
{
	struct wire *w = &c->wire;

	c->pipelining = false;
	if (wire_reply(w, NULL) != 220 || !wire_write(w, EHLO, strlen(EHLO)) ||
	    wire_reply(w, &c->pipelining) != 250)
		return false;
	if (!o.tls)
		return true;
	if (wire_command(w, "STARTTLS\r\n") != 220 || !wire_start_tls(w, o.ctx))
		return false;
	o.resumed += SSL_session_reused(w->ssl) == 1;
	return wire_command(w, EHLO) == 250;
}

/* recipient - the i-th recipient's command for message `id`; "user@d%.test": the domains in turn */
static size_t recipient(char *text, size_t size, unsigned long id, unsigned i)
{
	size_t len = (size_t)snprintf(text, size, "RCPT TO:<");

	if (o.recipients > 1)
		len += (size_t)snprintf(text + len, size - len, "%u", i);
	for (const char *p = o.to; *p && len < size - 30; p++)
		if (*p == '%')
			len += (size_t)snprintf(text + len, size - len, "%lu", id % o.domains);
		else
			text[len++] = *p;
	return len + (size_t)snprintf(text + len, size - len, ">\r\n");
}

/* envelope - MAIL, RCPTs and DATA, in one go where the server offers that */
static bool envelope(struct client *c, unsigned long id)
{
	char text[6144];
	struct wire *w = &c->wire;
	size_t len;

	len = (size_t)snprintf(text, sizeof(text), "MAIL FROM:<%s>\r\n", o.from);
	for (unsigned i = 0; i <= o.recipients && len < sizeof(text) - 400; i++) {
		if (!c->pipelining) {
			if (!wire_write(w, text, len) || wire_reply(w, NULL) != 250)
				return false;
			len = 0;
		}
		if (i < o.recipients)
			len += recipient(text + len, 300, id, i);
	}
	len += (size_t)snprintf(text + len, sizeof(text) - len, "DATA\r\n");
	if (!wire_write(w, text, len))
		return false;
	for (unsigned i = 0; c->pipelining && i <= o.recipients; i++)
		if (wire_reply(w, NULL) != 250)
			return false;
	return wire_reply(w, NULL) == 354;
}

/* content - the header, and the body; a slow client sends it in small pieces with pauses */
static bool content(struct wire *w, unsigned long id, uint64_t due)
{
	char head[400];
	size_t piece = o.pause ? 64 : o.body_len;
	int n;

	n = snprintf(
	    head, sizeof(head),
	    "From: <%s>\r\nTo: <recipients@bench.test>\r\nMessage-Id: <%lu.%llu@bench.test>\r\n"
	    "Subject: bench\r\nX-Sent: %llu\r\n\r\n",
	    o.from, id, (unsigned long long)due, (unsigned long long)due);
	if (!wire_write(w, head, (size_t)n))
		return false;
	for (size_t at = 0; at < o.body_len; at += piece) {
		if (!wire_write(w, o.body + at, o.body_len - at < piece ? o.body_len - at : piece))
			return false;
		if (o.pause && !wire_flush(w))
			return false;
		if (o.pause)
			task_sleep(now() + o.pause * 1000000ull);
	}
	return wire_reply(w, NULL) == 250;
}

/* due_at - when message `id` is to be sent; waits until then */
static uint64_t due_at(unsigned long id)
{
	uint64_t due = o.start + id * (1000000000u / (o.rate ? o.rate : 1));

	if (!o.rate)
		return now();
	task_sleep(due);
	return due;
}

static void session(void *arg)
{
	struct client *c = arg;
	struct wire *w = &c->wire;
	unsigned done = 0;
	unsigned long id;

	w->fd = -1;
	while ((id = o.next++) < o.messages) {
		uint64_t due = due_at(id);
		bool ok = true;

		if (w->fd < 0) {
			done = 0;
			ok = wire_connect(w, o.port, 60) && hello(c);
		}
		ok = ok && envelope(c, id) && content(w, id, due);
		*(ok ? &o.sent : &o.failed) += 1;
		if (ok && o.each != 0 && ++done >= o.each) {
			wire_command(w, "QUIT\r\n");
			ok = false;
		}
		if (!ok)
			wire_close(w);
	}
	if (w->fd >= 0)
		wire_command(w, "QUIT\r\n");
	wire_close(w);
	SSL_SESSION_free(w->session);
}

/* make_body - lines of 78, and the final dot */
static void make_body(void)
{
	size_t lines = o.length / 80 + 1;

	o.body = malloc(lines * 80 + 4);
	if (!o.body)
		abort();
	for (size_t i = 0; i < lines; i++) {
		memset(o.body + i * 80, 'a' + (int)(i % 26), 78);
		memcpy(o.body + i * 80 + 78, "\r\n", 2);
	}
	memcpy(o.body + lines * 80, ".\r\n", 3);
	o.body_len = lines * 80 + 3;
}

/* source [-s sessions] [-m messages] [-l length] [-r recipients] [-k messages a connection, 0: all]
 *        [-f from] [-t to] [-D domains] [-w messages a second] [-p ms between pieces] [-T] [-R]
 * port */
int load_source(int argc, char **argv)
{
	struct client *clients;
	uint64_t end;
	int c;

	while ((c = getopt(argc, argv, "s:m:l:r:k:f:t:D:w:p:TR")) != -1)
		switch (c) {
		case 's':
			o.sessions = (unsigned)number(optarg);
			break;
		case 'm':
			o.messages = number(optarg);
			break;
		case 'l':
			o.length = number(optarg);
			break;
		case 'r':
			o.recipients = (unsigned)number(optarg);
			break;
		case 'k':
			o.each = (unsigned)number(optarg);
			break;
		case 'f':
			o.from = optarg;
			break;
		case 't':
			o.to = optarg;
			break;
		case 'D':
			o.domains = (unsigned)number(optarg);
			break;
		case 'w':
			o.rate = (unsigned)number(optarg);
			break;
		case 'p':
			o.pause = (unsigned)number(optarg);
			break;
		case 'T':
			o.tls = true;
			break;
		case 'R':
			o.resume = true;
			break;
		default:
			return 2;
		}
	if (optind != argc - 1)
		return 2;
	o.port = (unsigned)number(argv[optind]);
	make_body();
	if (o.tls)
		o.ctx = wire_context(NULL, o.resume);
	clients = calloc(o.sessions, sizeof(*clients));
	if (!clients)
		abort();
	o.start = now();
	run_tasks(o.sessions, session, clients, sizeof(*clients));
	end = now();
	printf("{\"sent\": %lu, \"failed\": %lu, \"resumed\": %lu, \"seconds\": %.6f}\n", o.sent,
	       o.failed, o.resumed, (double)(end - o.start) / 1e9);
	return o.failed ? 1 : 0;
}
