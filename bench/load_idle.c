/* SPDX-License-Identifier: ISC */
/* load_idle - open sessions, greet, and sit there. */
#include "load.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* This many failures in a row, and a thread gives up: the server has had enough. */
#define PATIENCE 3

static struct {
	unsigned port, seconds;
	unsigned long sessions;
	SSL_CTX *ctx;
	struct wire *wires;
	atomic_ulong next, opened;
} o = {.seconds = 10, .sessions = 1};

static bool open_one(struct wire *w)
{
	if (!wire_connect(w, o.port, o.seconds))
		return false;
	if (wire_reply(w, NULL) != 220 || wire_command(w, "EHLO idle.bench.test\r\n") != 250)
		return false;
	if (!o.ctx)
		return true;
	return wire_command(w, "STARTTLS\r\n") == 220 && wire_start_tls(w, o.ctx) &&
	       wire_command(w, "EHLO idle.bench.test\r\n") == 250;
}

static void *opener(void *arg)
{
	unsigned bad = 0;
	unsigned long i;

	(void)arg;
	while (bad < PATIENCE && (i = atomic_fetch_add(&o.next, 1)) < o.sessions) {
		o.wires[i].fd = -1;
		if (open_one(&o.wires[i])) {
			atomic_fetch_add(&o.opened, 1);
			bad = 0;
		} else {
			wire_close(&o.wires[i]);
			bad++;
		}
	}
	return NULL;
}

/* idle [-s sessions] [-w seconds for each answer] [-T] port; holds them until its input ends */
int load_idle(int argc, char **argv)
{
	uint64_t start;
	int c;

	while ((c = getopt(argc, argv, "s:w:T")) != -1)
		switch (c) {
		case 's':
			o.sessions = number(optarg);
			break;
		case 'w':
			o.seconds = (unsigned)number(optarg);
			break;
		case 'T':
			o.ctx = wire_context(NULL, false);
			break;
		default:
			return 2;
		}
	if (optind != argc - 1)
		return 2;
	o.port = (unsigned)number(argv[optind]);
	o.wires = calloc(o.sessions, sizeof(*o.wires));
	if (!o.wires)
		abort();
	start = now();
	run_threads(8, opener, NULL);
	printf("{\"opened\": %lu, \"seconds\": %.6f}\n", o.opened, (double)(now() - start) / 1e9);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
