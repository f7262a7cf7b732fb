/* SPDX-License-Identifier: ISC */
/* load_sink - take messages over SMTP and throw them away; count them, and how long they were on
 * the road. */
#include "load.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct {
	struct counters *count;
	SSL_CTX *ctx;
	unsigned delay;
} o;

struct talk {
	struct wire w;
	unsigned recipients;
};

static bool say(struct talk *t, const char *text)
{
	return wire_write(&t->w, text, strlen(text));
}

static void note_latency(uint64_t sent)
{
	uint64_t at;

	if (!sent)
		return;
	at = atomic_fetch_add(&o.count->latencies, 1);
	if (at < LATENCIES)
		o.count->latency[at] = (uint32_t)((now() - sent) / 1000);
}

/* take - the content; false when the connection failed */
static bool take(struct talk *t)
{
	struct timespec wait = {.tv_sec = o.delay / 1000, .tv_nsec = (o.delay % 1000) * 1000000L};
	bool head = true;
	uint64_t sent = 0;
	size_t len;
	char *line;

	for (;;) {
		line = wire_line(&t->w, &len);
		if (!line)
			return false;
		if (len == 1 && line[0] == '.')
			break;
		if (head && len > 8 && strncasecmp(line, "X-Sent: ", 8) == 0)
			sent = strtoull(line + 8, NULL, 10);
		head = head && len > 0;
	}
	if (o.delay)
		nanosleep(&wait, NULL);
	note_latency(sent);
	atomic_fetch_add(&o.count->recipients, t->recipients);
	atomic_store(&o.count->last, now());
	atomic_fetch_add(&o.count->messages, 1);
	t->recipients = 0;
	return say(t, "250 2.0.0 taken\r\n");
}

static bool start_tls(struct talk *t)
{
	if (!say(t, "220 2.0.0 go on\r\n") || !wire_start_tls(&t->w, o.ctx))
		return false;
	if (SSL_session_reused(t->w.ssl))
		atomic_fetch_add(&o.count->resumed, 1);
	return true;
}

static bool answer(struct talk *t, const char *line)
{
	bool offer = o.ctx && !t->w.ssl;

	if (strncasecmp(line, "EHLO", 4) == 0)
		return say(t, offer
				  ? "250-sink\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 8BITMIME\r\n"
				  : "250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n");
	if (strncasecmp(line, "STARTTLS", 8) == 0 && offer)
		return start_tls(t);
	if (strncasecmp(line, "DATA", 4) == 0)
		return say(t, "354 go on\r\n") && take(t);
	if (strncasecmp(line, "RCPT", 4) == 0)
		t->recipients++;
	if (strncasecmp(line, "QUIT", 4) == 0) {
		say(t, "221 2.0.0 bye\r\n");
		wire_flush(&t->w);
		return false;
	}
	return say(t, "250 2.0.0 ok\r\n");
}

static void *serve(void *arg)
{
	struct talk *t = arg;
	size_t len;
	char *line;

	atomic_fetch_add(&o.count->connections, 1);
	if (say(t, "220 sink ESMTP\r\n"))
		do
			line = wire_line(&t->w, &len);
		while (line && len >= 4 && answer(t, line));
	wire_close(&t->w);
	free(t);
	return NULL;
}

static int listen_on(unsigned port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 1000) != 0) {
		perror("listen");
		exit(1);
	}
	return fd;
}

static void map_counters(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(*o.count)) != 0) {
		perror(path);
		exit(1);
	}
	o.count = mmap(NULL, sizeof(*o.count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (o.count == MAP_FAILED)
		exit(1);
	close(fd);
}

static void serve_new(int fd, const pthread_attr_t *small)
{
	struct talk *t = calloc(1, sizeof(*t));
	pthread_t thread;

	if (!t)
		abort();
	wire_adopt(&t->w, fd, 600);
	if (pthread_create(&thread, small, serve, t) == 0)
		return;
	wire_close(&t->w);
	free(t);
}

/* sink -c counters [-T chain.pem [-R]] [-d ms before each 250] port; until it is ended */
int load_sink(int argc, char **argv)
{
	const char *chain = NULL, *counters = NULL;
	pthread_attr_t small;
	bool resume = false;
	int c, fd, listener;

	while ((c = getopt(argc, argv, "c:T:Rd:")) != -1)
		switch (c) {
		case 'c':
			counters = optarg;
			break;
		case 'T':
			chain = optarg;
			break;
		case 'R':
			resume = true;
			break;
		case 'd':
			o.delay = (unsigned)number(optarg);
			break;
		default:
			return 2;
		}
	if (optind != argc - 1 || !counters)
		return 2;
	map_counters(counters);
	if (chain && !(o.ctx = wire_context(chain, resume))) {
		fprintf(stderr, "sink: cannot use %s\n", chain);
		return 1;
	}
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 128 * 1024);
	pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
	listener = listen_on((unsigned)number(argv[optind]));
	puts("ready");
	fflush(stdout);
	for (;;) {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			serve_new(fd, &small);
	}
}
