/* SPDX-License-Identifier: ISC */
/* memcache - memcache:/path/to/file tables; memcache_table(5). */
#include "base/buffer.h"
#include "blocking/common/client_config.h"
#include "blocking/common/domain_filter.h"
#include "blocking/common/template.h"
#include "blocking/proxymap/memcache_text.h"
#include "blocking/proxymap/own.h"

#include <limits.h>

/* A key that is made longer than the server takes is not asked for. */
#define KEY_LIMIT ((size_t)64 * 1024)

struct memcache_table {
	struct peer_table peer;
	struct slice key_format;
	struct domain_filter *domain;
	struct slice backup;
	int flags;
	int ttl;
	size_t data_limit;
	size_t line_limit;
	int tries;
	int64_t pause;
	int64_t timeout; /* of one exchange */
};

/* ---- configuration */

static void read_limits(struct memcache_table *t, struct client_config *config)
{
	t->flags = client_config_number(config, "flags", 0, 0, INT_MAX);
	t->ttl = client_config_number(config, "ttl", 3600, 0, INT_MAX);
	t->data_limit = (size_t)client_config_number(config, "data_size_limit", 10240, 1, 1 << 20);
	t->line_limit = (size_t)client_config_number(config, "line_size_limit", 1024, 64, 1 << 20);
	t->tries = client_config_number(config, "max_try", 2, 1, 100);
	t->pause = client_config_time(config, "retry_pause", OS_SECOND, 's');
	t->timeout = client_config_time(config, "timeout", 2 * OS_SECOND, 's');
	if (t->timeout == 0)
		client_config_reject(config, "timeout", "1 or more is allowed");
}

static bool memcache_open(struct slice name, const struct settings *settings,
			   struct client_config *config, struct resolving *resolving,
			   struct arena *arena, struct module_table *table, struct slice *why)
{
	struct memcache_table *t = ARENA_NEW(arena, struct memcache_table);
	struct slice server = client_config_text(config, "memcache", "inet:localhost:11211"), bad;

	(void)settings;
	(void)name;
	t->key_format = client_config_text(config, "key_format", "%s");
	t->backup = client_config_text(config, "backup", NULL);
	t->domain = domain_filter_create(client_config_text(config, "domain", NULL));
	read_limits(t, config);
	if (!template_check(t->key_format, &bad))
		client_config_reject(config, "key_format", "\"%.*s\" means nothing here",
				     SL_ARG(bad));
	if (!slice_is_null(client_config_problem(config)))
		return false;
	if (!peer_open(&t->peer, server, false, resolving, arena, table, why)) {
		client_config_reject(config, "memcache", "%.*s", SL_ARG(*why));
		*why = SL_NULL;
		return false;
	}
	table->timeout = (t->timeout + t->pause) * t->tries;
	return true;
}

static void memcache_close(struct module_table *table)
{
	struct memcache_table *t = table->state;

	domain_filter_destroy(&t->domain);
}

static struct slice memcache_backup(const struct module_table *table)
{
	const struct memcache_table *t = table->state;

	return t->backup;
}

/* ---- keys */

static bool memcache_applies(const struct module_table *table, struct slice key)
{
	const struct memcache_table *t = table->state;
	struct arena *arena = arena_create();
	struct lookup_text text;
	struct slice why;
	bool applies;

	lookup_text_split(key, &text);
	/* a list that does not know lets the key through: the lookup says why */
	applies = template_fits_query(t->key_format, &text) &&
		  domain_filter_ask(t->domain, &text, arena, &why) != MODULE_MISSING;
	arena_destroy(&arena);
	return applies;
}

static bool as_it_is(void *context, struct slice part, struct buffer *out)
{
	(void)context;
	return buffer_append(out, part);
}

/* make_key - what the server knows it as. */
static enum module_result make_key(const struct memcache_table *t, struct slice key,
				   struct arena *arena, struct slice *made, struct slice *why)
{
	enum module_result result;
	struct lookup_text text;
	struct buffer room;

	lookup_text_split(key, &text);
	result = domain_filter_ask(t->domain, &text, arena, why);
	if (result != MODULE_FOUND)
		return result;
	buffer_init(&room, KEY_LIMIT);
	if (template_query(t->key_format, &text, as_it_is, NULL, &room) != RES_OK ||
	    !memcache_key_valid(buffer_slice(&room)))
		result = MODULE_MISSING;
	else
		*made = arena_dup(arena, buffer_slice(&room));
	buffer_free(&room);
	return result;
}

/* ---- one exchange */

/* What is said to the server, in one go, and what it is about. */
struct exchange {
	const struct module_table *table;
	struct stream *stream;
	struct slice key;
	int64_t deadline;
	struct arena *arena;
};

static enum module_result read_line(const struct exchange *x, enum memcache_line *kind,
				    size_t *size, struct slice *value)
{
	const struct memcache_table *t = x->table->state;
	enum stream_line_end end;
	struct slice line;
	enum stream_status status =
	    stream_read_line(x->stream, t->line_limit, x->deadline, &line, &end);

	if (status != STREAM_OK)
		return peer_failed(x->table, x->stream, status, "receiving a reply", x->arena,
				   value);
	*kind = memcache_line(line, x->key, size);
	if (*kind == MEMCACHE_GARBAGE)
		return peer_garbage(x->table, line, x->arena, value);
	if (*kind == MEMCACHE_REFUSED)
		*value = arena_dup(x->arena, line);
	return MODULE_FOUND;
}

/* skip - so many bytes; what nobody wants may be long. */
static enum stream_status skip(const struct exchange *x, size_t n)
{
	enum stream_status status = STREAM_OK;
	struct slice bytes;

	while (n > 0 && status == STREAM_OK) {
		status = stream_peek(x->stream, x->deadline, &bytes);
		bytes = slice_sub(bytes, 0, status == STREAM_OK ? n : 0);
		stream_consume(x->stream, bytes.n);
		n -= bytes.n;
	}
	return status;
}

/* read_end - END behind a value. */
static enum module_result read_end(const struct exchange *x, struct slice *value)
{
	enum memcache_line kind;
	size_t size;

	if (read_line(x, &kind, &size, value) != MODULE_FOUND)
		return MODULE_LOST;
	return kind == MEMCACHE_END ? MODULE_FOUND
				    : peer_garbage(x->table, SL("no END"), x->arena, value);
}

/* too_long - the server is well; the value is not for us. */
static enum module_result too_long(const struct exchange *x, size_t size, struct slice *value)
{
	const struct memcache_table *t = x->table->state;
	enum stream_status status = skip(x, size + 2);

	if (status != STREAM_OK)
		return peer_failed(x->table, x->stream, status, "receiving a value", x->arena,
				   value);
	if (read_end(x, value) != MODULE_FOUND)
		return MODULE_LOST;
	*value = arena_printf(x->arena, "a value of %zu bytes is longer than data_size_limit (%zu)",
			      size, t->data_limit);
	return MODULE_TEMP;
}

/* read_value - so many bytes, the end of their line, and END. */
static enum module_result read_value(const struct exchange *x, size_t size, struct slice *value)
{
	const struct memcache_table *t = x->table->state;
	enum stream_status status;
	struct slice why;
	size_t got;
	char *p;

	if (size > t->data_limit)
		return too_long(x, size, value);
	p = arena_alloc(x->arena, size + 2);
	status = stream_read_full(x->stream, p, size + 2, x->deadline, &got);
	if (status != STREAM_OK)
		return peer_failed(x->table, x->stream, status, "receiving a value", x->arena,
				   value);
	if (memcmp(p + size, "\r\n", 2) != 0)
		return peer_garbage(x->table, slice(p, size + 2), x->arena, value);
	if (read_end(x, &why) != MODULE_FOUND) {
		*value = why;
		return MODULE_LOST;
	}
	*value = slice(p, size);
	return MODULE_FOUND;
}

static enum module_result say(const struct exchange *x, struct slice request, struct slice *value)
{
	enum stream_status status = stream_write(x->stream, request, x->deadline);

	if (status != STREAM_OK)
		return peer_failed(x->table, x->stream, status, "sending a request", x->arena,
				   value);
	return MODULE_FOUND;
}

static enum module_result get(const struct exchange *x, struct slice request, struct slice *value)
{
	enum module_result result = say(x, request, value);
	enum memcache_line kind;
	size_t size;

	if (result == MODULE_FOUND)
		result = read_line(x, &kind, &size, value);
	if (result != MODULE_FOUND)
		return result;
	switch (kind) {
	case MEMCACHE_VALUE:
		return read_value(x, size, value);
	case MEMCACHE_END:
		return MODULE_MISSING;
	case MEMCACHE_REFUSED:
		return MODULE_TEMP;
	case MEMCACHE_STORED:
	case MEMCACHE_GARBAGE:
		break;
	}
	return peer_garbage(x->table, SL("STORED"), x->arena, value);
}

static enum module_result set(const struct exchange *x, struct slice request, struct slice *value)
{
	enum module_result result = say(x, request, value);
	enum memcache_line kind;
	size_t size;

	if (result == MODULE_FOUND)
		result = read_line(x, &kind, &size, value);
	if (result != MODULE_FOUND)
		return result;
	if (kind == MEMCACHE_STORED)
		return MODULE_FOUND;
	if (kind == MEMCACHE_REFUSED)
		return MODULE_TEMP;
	return peer_garbage(x->table, SL("a reply to get"), x->arena, value);
}

/* ---- tries */

/* anew - another connection in the place of one that failed. */
static bool anew(const struct exchange *x, struct slice *why)
{
	const struct memcache_table *t = x->table->state;
	int fd;

	(void)stream_close(x->stream, 0);
	if (t->pause > 0 && fiber_sleep(os_deadline(t->pause), "a pause before a retry") < 0)
		return false;
	fd = endpoint_connect(&t->peer.endpoint, t->peer.resolving, x->deadline, x->arena, why);
	if (fd < 0)
		return false;
	stream_init(x->stream, fd);
	return true;
}

typedef enum module_result exchanging(const struct exchange *x, struct slice request,
				      struct slice *value);

/* repeat - up to max_try times, each within the time of one exchange. */
static enum module_result repeat(exchanging *exchange, struct exchange *x, struct slice request,
				 int64_t deadline, struct slice *value)
{
	const struct memcache_table *t = x->table->state;
	enum module_result result = MODULE_LOST;

	for (int i = 0; i < t->tries && result == MODULE_LOST; i++) {
		x->deadline = deadline;
		if (i > 0 && (os_now() >= deadline || !anew(x, value)))
			break;
		if (os_deadline(t->timeout) < deadline)
			x->deadline = os_deadline(t->timeout);
		result = exchange(x, request, value);
	}
	return result;
}

static enum module_result run(exchanging *exchange, const struct module_table *table,
			      void *connection, struct slice key, struct buffer *request,
			      int64_t deadline, struct arena *arena, struct slice *value)
{
	struct exchange x = {.table = table, .stream = connection, .key = key, .arena = arena};

	return repeat(exchange, &x, buffer_slice(request), deadline, value);
}

static enum module_result memcache_lookup(const struct module_table *table, void *connection,
					  struct slice key, int64_t deadline, struct arena *arena,
					  struct slice *value)
{
	enum module_result result = make_key(table->state, key, arena, &key, value);
	struct buffer request;

	if (result != MODULE_FOUND)
		return result;
	buffer_init(&request, MEMCACHE_KEY_MAX + 16);
	(void)memcache_get(key, &request);
	result = run(get, table, connection, key, &request, deadline, arena, value);
	buffer_free(&request);
	return result;
}

static enum module_result memcache_store(const struct module_table *table, void *connection,
					 struct slice key, struct slice value, int64_t deadline,
					 struct arena *arena, struct slice *why)
{
	const struct memcache_table *t = table->state;
	enum module_result result = make_key(t, key, arena, &key, why);
	struct buffer request;

	if (result != MODULE_FOUND || value.n > t->data_limit)
		return MODULE_MISSING;
	buffer_init(&request, MEMCACHE_KEY_MAX + 64 + value.n);
	(void)memcache_set(key, t->flags, t->ttl, value, &request);
	result = run(set, table, connection, key, &request, deadline, arena, why);
	buffer_free(&request);
	return result;
}

const struct own_type own_memcache = {
    .module = {.version = TABLE_MODULE_VERSION,
	       .type = "memcache",
	       .applies = memcache_applies,
	       .connect = peer_connect,
	       .lookup = memcache_lookup,
	       .disconnect = peer_disconnect,
	       .close = memcache_close,
	       .ports = peer_ports},
    .open = memcache_open,
    .store = memcache_store,
    .backup = memcache_backup,
    .configured = true,
};
