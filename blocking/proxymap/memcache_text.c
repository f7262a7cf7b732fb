/* SPDX-License-Identifier: ISC */
#include "blocking/proxymap/memcache_text.h"

bool memcache_key_valid(struct slice key)
{
	for (size_t i = 0; i < key.n; i++)
		if ((unsigned char)key.p[i] <= ' ' || key.p[i] == 127)
			return false;
	return key.n > 0 && key.n <= MEMCACHE_KEY_MAX;
}

bool memcache_get(struct slice key, struct buffer *out)
{
	return buffer_append(out, SL("get ")) && buffer_append(out, key) &&
	       buffer_append(out, SL("\r\n"));
}

bool memcache_set(struct slice key, int flags, int ttl, struct slice value, struct buffer *out)
{
	return buffer_append(out, SL("set ")) && buffer_append(out, key) &&
	       buffer_printf(out, " %d %d %zu\r\n", flags, ttl, value.n) &&
	       buffer_append(out, value) && buffer_append(out, SL("\r\n"));
}

/* parse_value - "VALUE KEY FLAGS BYTES", behind the first word; what a later version adds is
 * ignored. */
static bool parse_value(struct slice rest, struct slice key, size_t *size)
{
	struct slice word, flags, bytes;
	uint64_t number;

	if (!slice_next(&rest, " ", &word) || !slice_eq(word, key) ||
	    !slice_next(&rest, " ", &flags) || !slice_next(&rest, " ", &bytes))
		return false;
	if (!slice_u64(flags, &number) || !slice_u64(bytes, &number) || number > SIZE_MAX / 2)
		return false;
	*size = (size_t)number;
	return true;
}

enum memcache_line memcache_line(struct slice line, struct slice key, size_t *size)
{
	struct slice rest = line, word;

	*size = 0;
	if (!slice_next(&rest, " ", &word))
		return MEMCACHE_GARBAGE;
	if (slice_eq(word, SL("VALUE")))
		return parse_value(rest, key, size) ? MEMCACHE_VALUE : MEMCACHE_GARBAGE;
	if (slice_eq(line, SL("END")))
		return MEMCACHE_END;
	if (slice_eq(line, SL("STORED")))
		return MEMCACHE_STORED;
	if (slice_eq(line, SL("NOT_STORED")) || slice_eq(word, SL("SERVER_ERROR")) ||
	    slice_eq(word, SL("CLIENT_ERROR")) || slice_eq(line, SL("ERROR")))
		return MEMCACHE_REFUSED;
	return MEMCACHE_GARBAGE;
}
