/* SPDX-License-Identifier: ISC */
#include "blocking/proxymap/socketmap_text.h"

/* More digits than any length within a limit needs. */
#define DIGITS_MAX 9

enum netstring netstring_read(struct slice bytes, size_t limit, struct slice *payload, size_t *size)
{
	size_t digits = 0, n = 0;

	while (digits < bytes.n && ascii_isdigit(bytes.p[digits])) {
		n = n * 10 + (size_t)(bytes.p[digits] - '0');
		if (++digits > DIGITS_MAX || n > limit)
			return NETSTRING_BAD;
	}
	if (digits == bytes.n)
		return NETSTRING_MORE;
	/* no zeros in front, says the definition */
	if (bytes.p[digits] != ':' || digits == 0 || (digits > 1 && bytes.p[0] == '0'))
		return NETSTRING_BAD;
	*size = digits + 1 + n + 1;
	if (bytes.n < *size)
		return NETSTRING_MORE;
	*payload = slice_sub(bytes, digits + 1, digits + 1 + n);
	return bytes.p[*size - 1] == ',' ? NETSTRING_WHOLE : NETSTRING_BAD;
}

bool socketmap_request(struct slice name, struct slice key, struct buffer *out)
{
	return buffer_printf(out, "%zu:", name.n + 1 + key.n) && buffer_append(out, name) &&
	       buffer_append_byte(out, ' ') && buffer_append(out, key) &&
	       buffer_append_byte(out, ',');
}

enum module_result socketmap_reply(struct slice payload, struct slice *value)
{
	ssize_t space = slice_find(payload, ' ');
	struct slice word = space < 0 ? payload : slice_sub(payload, 0, (size_t)space);

	if (slice_eq(word, SL("NOTFOUND")))
		return MODULE_MISSING;
	*value = space < 0 ? SL("") : slice_from(payload, (size_t)space + 1);
	if (slice_eq(word, SL("OK")))
		return space < 0 ? MODULE_LOST : MODULE_FOUND;
	if (slice_eq(word, SL("TEMP")) || slice_eq(word, SL("TIMEOUT")) ||
	    slice_eq(word, SL("PERM")))
		return MODULE_TEMP;
	return MODULE_LOST;
}
