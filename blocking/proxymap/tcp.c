/* SPDX-License-Identifier: ISC */
/* tcp - tcp:HOST:PORT tables; tcp_table(5). */
#include "base/buffer.h"
#include "blocking/proxymap/own.h"
#include "blocking/proxymap/tcp_text.h"

/* No request is longer; its key is one byte or three each. */
#define REQUEST_LIMIT ((size_t)1 << 20)
/* As Postfix: sending and receiving. */
#define TIMEOUT (100 * OS_SECOND)

static bool tcp_open(struct slice name, const struct settings *settings,
			   struct client_config *config, struct resolving *resolving,
			   struct arena *arena, struct module_table *table, struct slice *why)
{
	struct peer_table *peer = ARENA_NEW(arena, struct peer_table);

	(void)settings;
	(void)config;
	if (!peer_open(peer, name, true, resolving, arena, table, why))
		return false;
	table->timeout = TIMEOUT;
	return true;
}

static enum module_result send_request(const struct module_table *table, struct stream *stream,
				       struct slice key, int64_t deadline, struct arena *arena,
				       struct slice *why)
{
	enum stream_status status;
	struct buffer request;

	buffer_init(&request, REQUEST_LIMIT);
	if (!tcp_request(key, &request)) {
		buffer_free(&request);
		return MODULE_MISSING;
	}
	status = stream_write(stream, buffer_slice(&request), deadline);
	buffer_free(&request);
	if (status != STREAM_OK)
		return peer_failed(table, stream, status, "sending a request", arena, why);
	return MODULE_FOUND;
}

static enum module_result tcp_lookup(const struct module_table *table, void *connection,
				     struct slice key, int64_t deadline, struct arena *arena,
				     struct slice *value)
{
	struct stream *stream = connection;
	enum module_result result = send_request(table, stream, key, deadline, arena, value);
	enum stream_status status;
	enum stream_line_end end;
	struct slice line;

	if (result != MODULE_FOUND)
		return result;
	status = stream_read_line(stream, TCP_REPLY_MAX - 1, deadline, &line, &end);
	if (status != STREAM_OK)
		return peer_failed(table, stream, status, "receiving a reply", arena, value);
	result = tcp_reply(line, arena, value);
	/* a second line belongs to no request: what follows would answer the wrong one */
	if (result == MODULE_LOST || stream_pending_input(stream))
		return peer_garbage(table, line, arena, value);
	return result;
}

const struct own_type own_tcp = {
    .module = {.version = TABLE_MODULE_VERSION,
	       .type = "tcp",
	       .connect = peer_connect,
	       .lookup = tcp_lookup,
	       .disconnect = peer_disconnect,
	       .ports = peer_ports},
    .open = tcp_open,
};
