/* SPDX-License-Identifier: ISC */
/*
 * listing - what showq tells of each message, as bytes: the NUL-separated attributes that Postfix's
 * showq writes and its postqueue (and monitors) read. "name NUL value NUL" for each attribute, an
 * empty name behind a message's attributes, another at the end of all. One attribute is ours, `next_try`; Postfix's
 * readers refuse what they do not know, so that it is only told to a client whose socket has a name (any: unix(7), autobind).
 */
#ifndef SHOWQ_LISTING_H
#define SHOWQ_LISTING_H

#include "base/buffer.h"
#include "queue/queue.h"

struct listing_recipient {
	struct slice address;
	struct slice reason; /* empty: none known */
};

struct listing_entry {
	struct slice queue_name; /* maildrop, incoming, active, deferred, hold */
	struct slice queue_id;
	int64_t time; /* seconds since 1970 */
	uint64_t size;
	bool forced_expire;
	int64_t next_try; /* seconds since 1970; 0: none is planned, for it is not deferred */
	struct slice sender; /* never empty: MAILER-DAEMON */
	const struct listing_recipient *recipients;
	size_t recipient_count;
};

/* listing_begin, listing_encode, listing_end - append to out; next_try is left out when it is 0. */
void listing_begin(struct buffer *out);
void listing_encode(const struct listing_entry *entry, struct buffer *out);
void listing_end(struct buffer *out);

/*
 * listing_decode - take one message off the front of *in. 1: entry is set, its slices point into *in, the
 * recipients are in the arena; 0: it is not all there yet; 2: the end of the listing; -1: not a
 * listing. With `first` set, what listing_begin wrote is taken off before, and *first cleared.
 */
int listing_decode(struct slice *in, bool *first, struct arena *arena, struct listing_entry *entry);

/*
 * listing_read [disk] - the entry of one message of the queue. RES_PERM: it has gone meanwhile, or
 * cannot be read. active: the queue manager has it under way.
 */
enum result listing_read(int queue_fd, const struct queue_entry *found, bool active,
			 struct arena *arena, struct listing_entry *entry);

#endif
