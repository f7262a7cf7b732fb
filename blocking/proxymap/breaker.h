/* SPDX-License-Identifier: ISC */
/*
 * breaker - patience with one server: after some failures in a row it counts as down, and nobody
 * waits for it; after a pause one lookup tries it. The pause doubles with each such failure. Pure:
 * the time is told.
 */
#ifndef PROXYMAP_BREAKER_H
#define PROXYMAP_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

/* So many failures in a row, and the server is down. */
#define BREAKER_FAILURES 3
#define BREAKER_FIRST_PAUSE INT64_C(1000000)

struct breaker {
	unsigned failures; /* in a row */
	bool open;	   /* it is down */
	bool probing;	   /* one lookup tries it */
	int64_t pause;
	int64_t longest;
	int64_t until; /* when open: no probe before */
};

enum breaker_change { BREAKER_SAME, BREAKER_OPENED, BREAKER_CLOSED };

/* breaker_init - longest: microseconds, of the pause between two probes. */
void breaker_init(struct breaker *b, int64_t longest);
/*
 * breaker_admit - may a lookup go to this server now? Who is told yes says later how it went, with
 * one of the three below.
 */
bool breaker_admit(struct breaker *b, int64_t now);
/* breaker_would_admit - the same question, and nothing follows from the answer. */
bool breaker_would_admit(const struct breaker *b, int64_t now);
enum breaker_change breaker_success(struct breaker *b);
enum breaker_change breaker_failure(struct breaker *b, int64_t now);
/* breaker_abandon - it was not tried after all. */
void breaker_abandon(struct breaker *b);

#endif
