/* SPDX-License-Identifier: ISC */
#include "smtp/nexthop.h"

/* after_host - what may stand behind the host: nothing, or ":port". */
static bool after_host(struct slice rest, struct slice default_port, struct nexthop *out)
{
	out->port = default_port;
	if (rest.n == 0)
		return true;
	if (rest.p[0] != ':' || rest.n == 1)
		return false;
	out->port = slice_from(rest, 1);
	return slice_find(out->port, ':') < 0;
}

static bool parse_bracketed(struct slice text, struct slice default_port, struct nexthop *out)
{
	ssize_t end = slice_find(text, ']');

	if (end < 0)
		return false;
	out->host = slice_sub(text, 1, (size_t)end);
	return after_host(slice_from(text, (size_t)end + 1), default_port, out);
}

static bool parse_inet(struct slice text, struct slice default_port, struct nexthop *out)
{
	ssize_t colon = slice_find(text, ':');

	if (text.n > 0 && text.p[0] == '[')
		return parse_bracketed(text, default_port, out);
	out->mx = true;
	out->host = colon < 0 ? text : slice_sub(text, 0, (size_t)colon);
	return after_host(slice_from(text, out->host.n), default_port, out);
}

bool nexthop_parse(struct slice text, bool lmtp, struct slice default_port, struct nexthop *out,
		   const char **why)
{
	*out = (struct nexthop){.path = SL_NULL};
	*why = "malformed destination";
	if (lmtp && slice_starts(text, SL("unix:"))) {
		out->path = slice_from(text, strlen("unix:"));
		*why = "empty socket name";
		return out->path.n > 0;
	}
	if (lmtp && slice_starts(text, SL("inet:")))
		text = slice_from(text, strlen("inet:"));
	if (!parse_inet(text, default_port, out))
		return false;
	if (lmtp)
		out->mx = false;
	if (out->host.n > 1 && out->host.p[out->host.n - 1] == '.')
		out->host.n--;
	*why = "empty host name";
	return out->host.n > 0;
}

/* entry_port - "smtps=submissions=465": the number when `name` is one of the names. */
static uint16_t entry_port(struct slice entry, struct slice name)
{
	struct slice word;
	uint64_t number;
	bool found = false;

	while (slice_next(&entry, "=", &word)) {
		if (slice_eq(word, name))
			found = true;
		else if (found && slice_u64(word, &number) && number <= UINT16_MAX)
			return (uint16_t)number;
	}
	return 0;
}

uint16_t nexthop_port(struct slice port, struct slice known)
{
	struct slice entry;
	uint64_t number;
	uint16_t found;

	if (slice_u64(port, &number))
		return number <= UINT16_MAX ? (uint16_t)number : 0;
	while (slice_next(&known, ", \t\r\n", &entry)) {
		found = entry_port(entry, port);
		if (found != 0)
			return found;
	}
	return 0;
}
