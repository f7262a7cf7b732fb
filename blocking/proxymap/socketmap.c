/* SPDX-License-Identifier: ISC */
/* socketmap - socketmap:inet:HOST:PORT:NAME and socketmap:unix:PATH:NAME tables;
 * socketmap_table(5). */
#include "base/buffer.h"
#include "blocking/proxymap/own.h"
#include "blocking/proxymap/socketmap_text.h"
#include "config/settings.h"

/* As Postfix: where there are no settings, and how long a lookup may take. */
#define REQUEST_MAX ((size_t)10000)
#define REPLY_MAX ((size_t)100000)
#define TIMEOUT (100 * OS_SECOND)
/* The digits, the colon, the comma around a reply. */
#define AROUND 16

struct socketmap_table {
	struct peer_table peer;
	struct slice name;
	size_t request_max; /* a netstring's content */
	size_t reply_max;
};

static bool socketmap_open(struct slice name, const struct settings *settings,
			   struct client_config *config, struct resolving *resolving,
			   struct arena *arena, struct module_table *table, struct slice *why)
{
	struct socketmap_table *t = ARENA_NEW(arena, struct socketmap_table);
	ssize_t colon = slice_rfind(name, ':');

	(void)config;
	t->request_max = settings ? (size_t)settings->socketmap_max_query_size : REQUEST_MAX;
	t->reply_max = settings ? (size_t)settings->socketmap_max_reply_size : REPLY_MAX;
	t->name = arena_dup(arena, slice_from(name, (size_t)(colon + 1)));
	if (colon < 0 || t->name.n == 0) {
		*why = SL("need inet:HOST:PORT:NAME or unix:PATH:NAME");
		return false;
	}
	if (!peer_open(&t->peer, slice_sub(name, 0, (size_t)colon), false, resolving, arena, table,
		       why))
		return false;
	table->timeout = TIMEOUT;
	return true;
}

static enum module_result send_request(const struct module_table *table, struct stream *stream,
				       struct slice key, int64_t deadline, struct arena *arena,
				       struct slice *why)
{
	const struct socketmap_table *t = table->state;
	enum stream_status status;
	struct buffer request;

	buffer_init(&request, t->request_max + AROUND);
	if (t->name.n + 1 + key.n > t->request_max || !socketmap_request(t->name, key, &request)) {
		buffer_free(&request);
		return MODULE_MISSING;
	}
	status = stream_write(stream, buffer_slice(&request), deadline);
	buffer_free(&request);
	if (status != STREAM_OK)
		return peer_failed(table, stream, status, "sending a request", arena, why);
	return MODULE_FOUND;
}

/* more - what has come so far, and at least a byte more. */
static enum stream_status more(struct stream *stream, struct buffer *reply, int64_t deadline)
{
	struct slice bytes;
	enum stream_status status = stream_peek(stream, deadline, &bytes);

	if (status != STREAM_OK)
		return status;
	(void)buffer_append(reply, slice_sub(bytes, 0, reply->limit - reply->len));
	stream_consume(stream, bytes.n);
	return STREAM_OK;
}

/* receive_reply - one netstring, and nothing behind it. */
static enum module_result receive_reply(const struct module_table *table, struct stream *stream,
					struct buffer *reply, int64_t deadline, struct arena *arena,
					struct slice *value)
{
	const struct socketmap_table *t = table->state;
	enum netstring state = NETSTRING_MORE;
	enum module_result result;
	struct slice payload;
	size_t size = 0;

	while (state == NETSTRING_MORE) {
		enum stream_status status = more(stream, reply, deadline);

		if (status != STREAM_OK)
			return peer_failed(table, stream, status, "receiving a reply", arena,
					   value);
		state = netstring_read(buffer_slice(reply), t->reply_max, &payload, &size);
	}
	if (state == NETSTRING_BAD || size != reply->len || stream_pending_input(stream))
		return peer_garbage(table, buffer_slice(reply), arena, value);
	result = socketmap_reply(payload, value);
	if (result == MODULE_LOST)
		return peer_garbage(table, payload, arena, value);
	*value = result == MODULE_MISSING ? SL_NULL : arena_dup(arena, *value);
	return result;
}

static enum module_result socketmap_lookup(const struct module_table *table, void *connection,
					   struct slice key, int64_t deadline, struct arena *arena,
					   struct slice *value)
{
	const struct socketmap_table *t = table->state;
	enum module_result result = send_request(table, connection, key, deadline, arena, value);
	struct buffer reply;

	if (result != MODULE_FOUND)
		return result;
	buffer_init(&reply, t->reply_max + AROUND);
	result = receive_reply(table, connection, &reply, deadline, arena, value);
	buffer_free(&reply);
	return result;
}

const struct own_type own_socketmap = {
    .module = {.version = TABLE_MODULE_VERSION,
	       .type = "socketmap",
	       .connect = peer_connect,
	       .lookup = socketmap_lookup,
	       .disconnect = peer_disconnect,
	       .ports = peer_ports},
    .open = socketmap_open,
};
