/* SPDX-License-Identifier: ISC */
#include "base/check.h"
#include "blocking/proxymap/own.h"

#include <stdlib.h>

/* Of a reply that is not understood, a reason quotes so much. */
#define QUOTED 60

bool peer_open(struct peer_table *peer, struct slice server, bool bare, struct resolving *resolving,
	       struct arena *arena, struct module_table *table, struct slice *why)
{
	peer->host = arena_dup(arena, server);
	peer->resolving = resolving;
	if (!endpoint_parse(peer->host, bare, arena, &peer->endpoint, why))
		return false;
	peer->ports[0] = peer->endpoint.port;
	*table = (struct module_table){.state = peer, .hosts = &peer->host, .host_count = 1};
	return true;
}

enum module_result peer_connect(const struct module_table *table, struct slice host,
				int64_t deadline, struct arena *arena, void **connection,
				struct slice *why)
{
	const struct peer_table *peer = table->state;
	int fd = endpoint_connect(&peer->endpoint, peer->resolving, deadline, arena, why);
	struct stream *stream;

	(void)host;
	if (fd < 0)
		return MODULE_LOST;
	stream = calloc(1, sizeof(*stream));
	if (stream == NULL)
		out_of_memory();
	stream_init(stream, fd);
	stream_set_why(stream, "a table's server", "a table's server");
	*connection = stream;
	return MODULE_FOUND;
}

void peer_disconnect(const struct module_table *table, void *connection)
{
	(void)table;
	(void)stream_close(connection, 0);
	free(connection);
}

const uint16_t *peer_ports(const struct module_table *table, struct arena *arena)
{
	const struct peer_table *peer = table->state;

	(void)arena;
	return peer->ports;
}

static struct slice server_name(const struct module_table *table)
{
	const struct peer_table *peer = table->state;

	return peer->host;
}

enum module_result peer_failed(const struct module_table *table, const struct stream *stream,
			       enum stream_status status, const char *doing, struct arena *arena,
			       struct slice *why)
{
	const char *what =
	    status == STREAM_ERROR ? strerror(stream->error) : stream_status_text(status);

	*why = arena_printf(arena, "%.*s: %s: %s", SL_ARG(server_name(table)), doing, what);
	return MODULE_LOST;
}

enum module_result peer_garbage(const struct module_table *table, struct slice reply,
				struct arena *arena, struct slice *why)
{
	*why = arena_printf(arena, "%.*s: a reply that is not understood: \"%.*s\"",
			    SL_ARG(server_name(table)), SL_ARG(slice_sub(reply, 0, QUOTED)));
	return MODULE_LOST;
}
