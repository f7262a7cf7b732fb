/* SPDX-License-Identifier: ISC */
/*
 * memcache_text - the part of memcached's text protocol that memcache_table(5) needs. Pure.
 *
 *   get KEY                      VALUE KEY FLAGS BYTES, the bytes, END; or END alone
 *   set KEY FLAGS TTL BYTES      STORED
 */
#ifndef PROXYMAP_MEMCACHE_TEXT_H
#define PROXYMAP_MEMCACHE_TEXT_H

#include "base/buffer.h"
#include "blocking/proxymap/module.h"

#define MEMCACHE_KEY_MAX 250u

/* memcache_key_valid - can the server be asked for this key? No white space, no control characters.
 */
bool memcache_key_valid(struct slice key);
bool memcache_get(struct slice key, struct buffer *out);
bool memcache_set(struct slice key, int flags, int ttl, struct slice value, struct buffer *out);

enum memcache_line {
	MEMCACHE_VALUE, /* *size bytes follow, CRLF, and a line MEMCACHE_END */
	MEMCACHE_END,
	MEMCACHE_STORED,
	MEMCACHE_REFUSED, /* NOT_STORED, SERVER_ERROR ...: the server works, but does not do it */
	MEMCACHE_GARBAGE
};

/* memcache_line - a line without its end. MEMCACHE_VALUE only if it is of this key. */
enum memcache_line memcache_line(struct slice line, struct slice key, size_t *size);

#endif
