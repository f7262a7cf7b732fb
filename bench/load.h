/* SPDX-License-Identifier: ISC */
/*
 * load - generators for the bench, where Postfix's smtp-source and smtp-sink do not reach: TLS,
 * sessions that sit idle, latencies, commands started in numbers. What they cost is not counted, but it
 * bounds what a small machine can show: the source, which does most, runs its sessions as tasks in one
 * thread, says in one go what it has to say, and reads in one go what has come. Nothing here is
 * shared with the suite under test.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A connection, buffered. In a task it waits as a task, elsewhere as a blocking socket. */
struct wire {
	int fd;
	unsigned seconds; /* how long it waits at most */
	SSL *ssl;         /* NULL: plain */
	SSL_SESSION *session; /* client: the newest, to be resumed; the caller's to free */
	bool empty;           /* an event will tell of more to read */
	size_t begin, end, out_len;
	char in[8192];
	char out[8192];
};

/* wire_connect - to a port of 127.0.0.1; every wait on it is bounded by `seconds`. */
bool wire_connect(struct wire *w, unsigned port, unsigned seconds);

/* wire_adopt - take over an accepted connection. */
void wire_adopt(struct wire *w, int fd, unsigned seconds);

/* wire_close - close it without ceremony; safe to repeat. What was not flushed is not sent. */
void wire_close(struct wire *w);

/* wire_write - all of it, or false. It leaves when the buffer is full, or something must be read. */
bool wire_write(struct wire *w, const char *data, size_t len);
bool wire_flush(struct wire *w);

/* wire_line - one line without its end, in the wire's buffer until the next call. A line longer
 * than the buffer comes in parts. NULL: the end, or a failure. */
char *wire_line(struct wire *w, size_t *len);

/* wire_reply - one SMTP reply; its code, 0 when the connection failed. `starttls`, if given,
 * becomes true when a line offers it. */
int wire_reply(struct wire *w, bool *starttls);

/* wire_command - send a command line and read its reply. */
int wire_command(struct wire *w, const char *line);

/* wire_context - what all handshakes of clients (no chain) or of a server share. With `resume` a client
 * keeps its wires' newest sessions. NULL: the chain is no good. */
SSL_CTX *wire_context(const char *chain, bool resume);

/* wire_start_tls - the handshake; a client resumes the wire's session if there is one. */
bool wire_start_tls(struct wire *w, SSL_CTX *ctx);

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

/* run_tasks - a task for each of `count` arguments of `size` bytes, to the end of all */
void run_tasks(unsigned count, void (*body)(void *), void *args, size_t size);

/* task_running - whether a task asks. */
bool task_running(void);

/* task_watch - from now on this descriptor's events are this task's; its only one, until it is closed. */
void task_watch(int fd);

/* task_wait - for an event of the descriptor since the last one; false: the time (now()) has come. */
bool task_wait(uint64_t until);

/* task_wait_room - the same, until it takes more. */
bool task_wait_room(int fd, uint64_t until);

void task_sleep(uint64_t until);

#endif
