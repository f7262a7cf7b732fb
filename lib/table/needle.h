/* SPDX-License-Identifier: ISC */
/*
 * needle - tells cheaply that a pattern cannot match a key: text that every match of the pattern has to hold is looked
 * for, by its pairs of neighbouring bytes, among the pairs that the key has. Whether letters are large or small never
 * counts, so that one answer serves all flags. Pure.
 */
#ifndef TABLE_NEEDLE_H
#define TABLE_NEEDLE_H

#include "base/slice.h"

#define NEEDLE_PAIRS 12

struct needle {
	unsigned count; /* 0: nothing is known, the pattern has to be tried */
	uint16_t pairs[NEEDLE_PAIRS];
};

/* The pairs that a key has; some that it has not may seem to be there. */
struct needle_key {
	uint64_t bits[64];
};

enum needle_syntax {
	NEEDLE_POSIX, /* extended regular expressions, as glibc has them */
	NEEDLE_PERL   /* PCRE2, without the flag x */
};

/* needle_of - of a pattern that compiles. What it does not understand, it knows nothing of. */
struct needle needle_of(struct slice pattern, enum needle_syntax syntax);
void needle_key_read(struct slice key, struct needle_key *out);
/* needle_missing - true: the pattern does not match the key. */
bool needle_missing(const struct needle *needle, const struct needle_key *key);

#endif
