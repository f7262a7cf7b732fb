/* SPDX-License-Identifier: ISC */
/*
 * load - generators for the bench, where Postfix's smtp-source and smtp-sink do not reach: TLS,
 * sessions that sit idle, latencies, commands started in numbers. Blocking sockets and a thread a
 * session: what they cost is not counted, only kept low. Nothing here is shared with the suite
 * under test.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A connection, buffered for reading. */
struct wire {
	int fd;
	SSL *ssl; /* NULL: plain */
	size_t begin, end;
	char in[8192];
};

/* wire_connect - to a port of 127.0.0.1; every wait on it is bounded by `seconds`. */
bool wire_connect(struct wire *w, unsigned port, unsigned seconds);

/* wire_adopt - take over an accepted connection. */
void wire_adopt(struct wire *w, int fd, unsigned seconds);

/* wire_close - close it without ceremony; safe to repeat. */
void wire_close(struct wire *w);

/* wire_write - all of it, or false. */
bool wire_write(struct wire *w, const char *data, size_t len);

/* wire_line - one line without its end, in the wire's buffer until the next call. A line longer
 * than the buffer comes in parts. NULL: the end, or a failure. */
char *wire_line(struct wire *w, size_t *len);

/* wire_idle - whether nothing read ahead is left. */
bool wire_idle(const struct wire *w);

/* wire_reply - one SMTP reply; its code, 0 when the connection failed. `starttls`, if given,
 * becomes true when a line offers it. */
int wire_reply(struct wire *w, bool *starttls);

/* wire_command - send a command line and read its reply. */
int wire_command(struct wire *w, const char *line);

/* wire_start_tls - the handshake, as client (with a session to resume, or NULL) or server. */
bool wire_start_tls(struct wire *w, SSL_CTX *ctx, SSL_SESSION *resume);

/* now - CLOCK_MONOTONIC, nanoseconds */
uint64_t now(void);

/* What a sink tells the bench, in a file that both have mapped. */
#define LATENCIES (1u << 18)

struct counters {
	_Atomic uint64_t messages, recipients, connections, resumed, last, latencies;
	uint32_t latency[LATENCIES]; /* µs from X-Sent to the final dot; the first so many */
};

/* The four modes; each takes its arguments as main() has them and returns an exit status. */
int load_source(int argc, char **argv);
int load_sink(int argc, char **argv);
int load_idle(int argc, char **argv);
int load_spawn(int argc, char **argv);

/* number - an option's value, or the end of the program */
unsigned long number(const char *text);

/* run_threads - `count` threads with small stacks, to their end */
void run_threads(unsigned count, void *(*body)(void *), void *arg);

#endif
