/* SPDX-License-Identifier: ISC */
/*
 * redis - tables in Redis: one GET (or HGET) a lookup; redis_table(5). hiredis makes and reads the
 * messages, and waits for nothing: that is done here.
 */
#include "blocking/common/query.h"
#include "blocking/common/server.h"
#include "blocking/common/wait.h"

#include "base/check.h"
#include "os/clock.h"
#include "os/socket.h"

#include <errno.h>
#include <hiredis.h>
#include <poll.h>
#include <stdlib.h>

#define REDIS_PORT 6379
/* No key in Redis that we ask for is longer. */
#define KEY_LIMIT ((size_t)64 << 10)
/* Redis has 16 databases unless it is told otherwise. */
#define DATABASE_MAX 65535

struct redis {
	struct query query; /* its template makes the key */
	struct slice prefix, hash;
	struct slice user, password;
	int database;
};

struct redis_connection {
	redisContext *context;
	struct slice host;
};

/* ---- open */

/* read_hosts - `hosts` as the other tables have it, or a `host` and its `port`. */
static void read_hosts(struct client_config *config, struct arena *arena,
		       struct module_table *table)
{
	const char *name = client_config_has(config, "hosts") ? "hosts" : "host";
	int port = client_config_number(config, "port", REDIS_PORT, 1, UINT16_MAX);
	const struct slice *words =
	    client_config_words(config, name, "localhost", &table->host_count);
	struct slice *hosts = ARENA_ARRAY(arena, table->host_count, struct slice);
	struct server server;

	if (client_config_has(config, "hosts") && client_config_has(config, "host"))
		client_config_reject(config, "host", "there is \"hosts\" as well: which counts?");
	for (size_t i = 0; i < table->host_count; i++) {
		if (!server_parse(words[i], (uint16_t)port, arena, &server))
			client_config_reject(config, name,
					     "\"%.*s\": need unix:/path or [inet:]HOST[:PORT]",
					     SL_ARG(words[i]));
		/* with its port said, whatever the default of a port is elsewhere */
		hosts[i] = server.local ? words[i]
					: arena_printf(arena, "inet:[%.*s]:%u", SL_ARG(server.name),
						       server.port);
	}
	table->hosts = server_order(hosts, table->host_count, arena);
}

static bool redis_open(struct client_config *config, struct arena *arena,
		       struct module_table *table, struct slice *why)
{
	struct redis *redis = ARENA_NEW(arena, struct redis);

	(void)why;
	table->state = redis;
	query_read(&redis->query, config, "query", client_config_text(config, "query", "%s"));
	query_read_times(config, table);
	read_hosts(config, arena, table);
	redis->prefix = client_config_text(config, "prefix", "");
	redis->hash = client_config_text(config, "hash", "");
	redis->user = client_config_text(config, "user", "");
	redis->password = client_config_text(config, "password", "");
	redis->database = client_config_number(config, "database", 0, 0, DATABASE_MAX);
	if (redis->user.n > 0 && redis->password.n == 0)
		client_config_reject(config, "user", "without a \"password\" it means nothing");
	if (slice_is_null(client_config_problem(config)))
		return true;
	query_close(&redis->query);
	return false;
}

static void redis_close(struct module_table *table)
{
	struct redis *redis = table->state;

	query_close(&redis->query);
}

static bool redis_applies(const struct module_table *table, struct slice key)
{
	const struct redis *redis = table->state;

	return query_applies(&redis->query, key);
}

static const uint16_t *redis_ports(const struct module_table *table, struct arena *arena)
{
	return server_ports(table->hosts, table->host_count, REDIS_PORT, arena);
}

/* ---- one command, one reply */

/* send_all - false: *late, or context->errstr tells. */
static bool send_all(redisContext *context, int64_t deadline, bool *late)
{
	int done = 0;

	while (!done) {
		if (wait_fd(context->fd, POLLOUT, deadline) == 0) {
			*late = true;
			return false;
		}
		if (redisBufferWrite(context, &done) != REDIS_OK)
			return false;
	}
	return true;
}

/* receive - NULL: *late, or context->errstr tells. */
static redisReply *receive(redisContext *context, int64_t deadline, bool *late)
{
	void *reply = NULL;

	for (;;) {
		if (redisGetReplyFromReader(context, &reply) != REDIS_OK)
			return NULL;
		if (reply != NULL)
			return reply;
		if (wait_fd(context->fd, POLLIN, deadline) == 0) {
			*late = true;
			return NULL;
		}
		if (redisBufferRead(context) != REDIS_OK)
			return NULL;
	}
}

/* command - one of at most 3 words; NULL: the connection is broken, *why tells. */
static redisReply *command(redisContext *context, const struct slice *words, int count,
			   int64_t deadline, struct arena *arena, struct slice *why)
{
	const char *text[3];
	size_t length[3];
	redisReply *reply = NULL;
	bool late = false;

	CHECK(count <= 3);
	for (int i = 0; i < count; i++) {
		text[i] = words[i].p;
		length[i] = words[i].n;
	}
	if (redisAppendCommandArgv(context, count, text, length) == REDIS_OK &&
	    send_all(context, deadline, &late))
		reply = receive(context, deadline, &late);
	if (reply == NULL)
		*why = late ? SL("no answer in time") : reason_line(arena, context->errstr);
	return reply;
}

/* ---- connect */

/* reach - a connected context; NULL: *why tells. */
static redisContext *reach(const struct server *server, int64_t deadline, struct arena *arena,
			   struct slice *why)
{
	redisContext *context = server->local ? redisConnectUnixNonBlock(server->name.p)
					      : redisConnectNonBlock(server->name.p, server->port);
	int error;

	if (context == NULL)
		out_of_memory();
	if (context->err == 0 && wait_fd(context->fd, POLLOUT, deadline) != 0) {
		error = os_socket_error(context->fd);
		if (error == 0)
			return context;
		*why = reason_line(arena, strerror(error));
	} else {
		*why = context->err != 0 ? reason_line(arena, context->errstr)
					 : SL("no answer in time");
	}
	redisFree(context);
	return NULL;
}

/* order - a command that is answered with OK; false: *why tells. */
static bool order(redisContext *context, const struct slice *words, int count, int64_t deadline,
		  struct arena *arena, struct slice *why)
{
	redisReply *reply = command(context, words, count, deadline, arena, why);
	bool done;

	if (reply == NULL)
		return false;
	done = reply->type == REDIS_REPLY_STATUS;
	if (!done)
		*why = arena_printf(arena, "%.*s: %.*s", SL_ARG(words[0]),
				    SL_ARG(reply->type == REDIS_REPLY_ERROR
					       ? reason_line(arena, reply->str)
					       : SL("an answer that is none")));
	freeReplyObject(reply);
	return done;
}

/* greet - say who we are, and which database we mean. */
static bool greet(const struct redis *redis, redisContext *context, int64_t deadline,
		  struct arena *arena, struct slice *why)
{
	struct slice login[3] = {SL("AUTH")}, select[2] = {SL("SELECT")};
	int count = 1;

	if (redis->user.n > 0)
		login[count++] = redis->user;
	if (redis->password.n > 0) {
		login[count++] = redis->password;
		if (!order(context, login, count, deadline, arena, why))
			return false;
	}
	if (redis->database == 0)
		return true;
	select[1] = arena_printf(arena, "%d", redis->database);
	return order(context, select, 2, deadline, arena, why);
}

static enum module_result redis_connect(const struct module_table *table, struct slice host,
					int64_t deadline, struct arena *arena, void **connection,
					struct slice *why)
{
	struct redis_connection *made;
	redisContext *context = NULL;
	struct server server;

	*why = SL("bad name");
	if (server_parse(host, REDIS_PORT, arena, &server))
		context = reach(&server, deadline, arena, why);
	if (context == NULL || !greet(table->state, context, deadline, arena, why)) {
		*why = arena_printf(arena, "connect to %.*s: %.*s", SL_ARG(host), SL_ARG(*why));
		if (context != NULL)
			redisFree(context);
		return MODULE_LOST;
	}
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		out_of_memory();
	*made = (struct redis_connection){.context = context, .host = host};
	*connection = made;
	return MODULE_FOUND;
}

static void redis_disconnect(const struct module_table *table, void *connection)
{
	struct redis_connection *made = connection;

	(void)table;
	redisFree(made->context);
	free(made);
}

/* ---- look up */

/* quote - Redis takes any bytes. */
static bool quote(void *context, struct slice part, struct buffer *out)
{
	(void)context;
	return buffer_append(out, part);
}

static struct slice reply_text(const redisReply *reply)
{
	return slice(reply->str, (size_t)reply->len);
}

/* judge - what a reply means. Some errors say that another server should be asked. */
static enum module_result judge(const struct redis *redis, const struct redis_connection *made,
				const struct lookup_text *key, const redisReply *reply,
				struct arena *arena, struct slice *value)
{
	struct answer answer;
	struct slice text;

	switch (reply->type) {
	case REDIS_REPLY_NIL:
		return MODULE_MISSING;
	case REDIS_REPLY_STRING:
		answer_begin(&answer, key, redis->query.format, redis->query.limit);
		answer_add(&answer, reply_text(reply));
		return answer_end(&answer, arena, value);
	case REDIS_REPLY_ERROR:
		text = reply_text(reply);
		*value = arena_printf(arena, "%.*s: %.*s", SL_ARG(made->host),
				      SL_ARG(reason_line(arena, reply->str)));
		return slice_starts(text, SL("LOADING")) || slice_starts(text, SL("MASTERDOWN")) ||
			       slice_starts(text, SL("NOAUTH"))
			   ? MODULE_LOST
			   : MODULE_TEMP;
	default:
		*value = arena_printf(arena, "%.*s: the answer is no string", SL_ARG(made->host));
		return MODULE_LOST;
	}
}

static enum module_result ask(const struct redis *redis, const struct redis_connection *made,
			      const struct lookup_text *key, struct slice name, int64_t deadline,
			      struct arena *arena, struct slice *value)
{
	const struct slice get[] = {SL("GET"), name}, hget[] = {SL("HGET"), redis->hash, name};
	bool hash = redis->hash.n > 0;
	enum module_result outcome;
	struct slice why;
	redisReply *reply =
	    command(made->context, hash ? hget : get, hash ? 3 : 2, deadline, arena, &why);

	if (reply == NULL) {
		*value = arena_printf(arena, "%.*s: %.*s", SL_ARG(made->host), SL_ARG(why));
		return MODULE_LOST;
	}
	outcome = judge(redis, made, key, reply, arena, value);
	freeReplyObject(reply);
	return outcome;
}

static enum module_result redis_lookup(const struct module_table *table, void *connection,
				       struct slice key, int64_t deadline, struct arena *arena,
				       struct slice *value)
{
	const struct redis *redis = table->state;
	struct lookup_text text;
	struct buffer name;
	enum module_result outcome = query_admit(&redis->query, key, arena, &text, value);

	if (outcome != MODULE_FOUND)
		return outcome;
	buffer_init(&name, KEY_LIMIT);
	buffer_append(&name, redis->prefix);
	/* a key that is too long was never stored */
	outcome = MODULE_MISSING;
	if (template_query(redis->query.template, &text, quote, NULL, &name) == RES_OK)
		outcome =
		    ask(redis, connection, &text, buffer_slice(&name), deadline, arena, value);
	buffer_free(&name);
	return outcome;
}

const struct table_module table_module = {
    .version = TABLE_MODULE_VERSION,
    .type = "redis",
    .open = redis_open,
    .applies = redis_applies,
    .connect = redis_connect,
    .lookup = redis_lookup,
    .disconnect = redis_disconnect,
    .close = redis_close,
    .ports = redis_ports,
};
