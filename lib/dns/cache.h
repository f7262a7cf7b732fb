/* SPDX-License-Identifier: ISC */
/*
 * cache - the answers a process had in the last seconds. A busy client connects many times a second, a busy
 * next hop is looked up as often; the resolver, which keeps answers for their whole life, need not be
 * asked each time. Short, so that what the resolver is told (a reload, an edited hosts file) soon
 * counts everywhere. Failures are not kept.
 */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

#include "dns/dns.h"

struct dns_cache;

struct dns_cache *dns_cache_create(void);
/* dns_cache_destroy - sets *cache to NULL. */
void dns_cache_destroy(struct dns_cache **cache);

/* What was asked; names that differ only in case are the same. */
struct dns_question {
	uint16_t type;
	bool hosts; /* /etc/hosts first */
	struct slice name;
};

/* dns_cache_get - true with a copy of the answer in the arena, its ttl what is left of it. */
bool dns_cache_get(struct dns_cache *cache, const struct dns_question *question, int64_t now,
		   struct arena *arena, struct dns_answer *answer);
/* dns_cache_put - keeps a copy, in place of an older one. */
void dns_cache_put(struct dns_cache *cache, const struct dns_question *question, int64_t now,
		   const struct dns_answer *answer);

#endif
