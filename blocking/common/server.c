/* SPDX-License-Identifier: ISC */
#include "blocking/common/server.h"

#include "os/clock.h"

/* split_port - cut ":PORT" off; false: what stands there is no port. */
static bool split_port(struct slice text, struct slice *name, uint16_t *port)
{
	ssize_t close = text.n > 0 && text.p[0] == '[' ? slice_find(text, ']') : -1;
	ssize_t colon;
	uint64_t number;

	*name = text;
	if (close > 0) {
		*name = slice_sub(text, 1, (size_t)close);
		text = slice_from(text, (size_t)close + 1);
		if (text.n == 0)
			return true;
		colon = 0;
		if (text.p[0] != ':')
			return false;
	} else {
		colon = slice_rfind(text, ':');
		/* more than one colon: an IPv6 address without a port */
		if (colon < 0 || slice_find(text, ':') != colon)
			return true;
		*name = slice_sub(text, 0, (size_t)colon);
	}
	if (!slice_u64(slice_from(text, (size_t)colon + 1), &number) || number == 0 ||
	    number > UINT16_MAX)
		return false;
	*port = (uint16_t)number;
	return true;
}

bool server_parse(struct slice text, uint16_t port, struct arena *arena, struct server *out)
{
	struct slice name;

	*out = (struct server){.port = port};
	if (slice_starts(text, SL("unix:"))) {
		out->local = true;
		out->port = 0;
		name = slice_from(text, 5);
	} else {
		if (slice_starts(text, SL("inet:")))
			text = slice_from(text, 5);
		if (!split_port(text, &name, &out->port))
			return false;
	}
	out->name = arena_dup(arena, name);
	return name.n > 0 && slice_find(name, '\0') < 0;
}

static bool is_local(struct slice text)
{
	return slice_starts(text, SL("unix:"));
}

static void swap(struct slice *a, struct slice *b)
{
	struct slice kept = *a;

	*a = *b;
	*b = kept;
}

struct slice *server_order(const struct slice *list, size_t count, struct arena *arena)
{
	struct slice *order = ARENA_ARRAY(arena, count + 1, struct slice);
	size_t n = 0, locals;

	for (size_t i = 0; i < count; i++)
		if (is_local(list[i]))
			order[n++] = list[i];
	locals = n;
	for (size_t i = 0; i < count; i++)
		if (!is_local(list[i]))
			order[n++] = list[i];
	for (size_t i = n; i > 1; i--) {
		size_t from = i > locals ? locals : 0;
		uint32_t chance;

		os_random(&chance, sizeof(chance));
		swap(&order[i - 1], &order[from + chance % (i - from)]);
	}
	return order;
}

const uint16_t *server_ports(const struct slice *list, size_t count, uint16_t port,
			     struct arena *arena)
{
	uint16_t *ports = ARENA_ARRAY(arena, count + 1, uint16_t);
	struct server server;
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (server_parse(list[i], port, arena, &server) && !server.local)
			ports[n++] = server.port;
	return ports;
}
