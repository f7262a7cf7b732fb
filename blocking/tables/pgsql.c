/* SPDX-License-Identifier: ISC */
/*
 * pgsql - tables in PostgreSQL, with libpq's calls that do not wait; pgsql_table(5).
 *
 * What the server says about a query (SQLSTATE) tells a mistake in it, which leaves the connection
 * as it was, from a server that goes away.
 */
#include "blocking/common/query.h"
#include "blocking/common/server.h"
#include "blocking/common/wait.h"

#include "base/check.h"
#include "os/clock.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>

#define PGSQL_PORT 5432
/* Where the end of a query is looked for at most, the key in it escaped. */
#define QUERY_LIMIT ((size_t)256 << 10)
/* More connection parameters than any server is given. */
#define PARAMETERS_MAX 12

struct pgsql {
	struct query query;
	const struct slice *targets; /* what table->hosts stand for, in the same order */
	const char *dbname, *user, *password, *encoding; /* NULL: libpq's default */
};

struct pgsql_connection {
	PGconn *pg;
	struct slice host;
	bool utf8; /* what the server expects of us */
};

static bool is_uri(struct slice host)
{
	return slice_starts(host, SL("postgresql://")) || slice_starts(host, SL("postgres://"));
}

/* option - a value of a URI that was parsed; NULL: it is not given. */
static const char *option(const PQconninfoOption *options, const char *keyword)
{
	for (; options != NULL && options->keyword != NULL; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val != NULL && options->val[0] != '\0' ? options->val
									       : NULL;
	return NULL;
}

/* shown - the host in messages: in a URI user and password stand before the @, and all kinds of
 * things behind the ?. */
static struct slice shown(struct slice host)
{
	ssize_t at, end = slice_find(host, '?'), begin = slice_search(host, SL("://"));

	if (!is_uri(host))
		return host;
	if (end >= 0)
		host = slice_sub(host, 0, (size_t)end);
	at = slice_rfind(host, '@');
	return slice_from(host, at >= 0 ? (size_t)at + 1 : (size_t)begin + 3);
}

/* ---- open */

/*
 * check_uri - what is wrong is said without the parameter's value, and without what libpq quotes of
 * it: there may be a password in it.
 */
static void check_uri(struct client_config *config, struct arena *arena, struct slice uri,
		      struct slice *why)
{
	char *problem = NULL;
	PQconninfoOption *options = PQconninfoParse(arena_str(arena, uri), &problem);
	struct slice reason = reason_line(arena, problem);

	if (options == NULL && slice_is_null(*why))
		*why = arena_printf(
		    arena, "%.*s: hosts: %.*s: %.*s", SL_ARG(client_config_source(config)),
		    SL_ARG(shown(uri)),
		    SL_ARG(slice_search(reason, SL("://")) < 0 ? reason : SL("bad URI")));
	PQconninfoFree(options);
	PQfreemem(problem);
}

/* read_hosts - true: all of them are URIs, which may bring the name of the database. */
static bool read_hosts(struct client_config *config, struct arena *arena,
		       struct module_table *table, struct slice *why)
{
	struct pgsql *pgsql = table->state;
	struct slice *names;
	struct server server;
	bool all = true;

	pgsql->targets = client_config_words(config, "hosts", "localhost", &table->host_count);
	names = ARENA_ARRAY(arena, table->host_count, struct slice);
	table->hosts = names;
	for (size_t i = 0; i < table->host_count; i++) {
		names[i] = shown(pgsql->targets[i]);
		if (is_uri(pgsql->targets[i])) {
			check_uri(config, arena, pgsql->targets[i], why);
			continue;
		}
		all = false;
		if (!server_parse(table->hosts[i], PGSQL_PORT, arena, &server))
			client_config_reject(config, "hosts",
					     "\"%.*s\": need postgresql://..., unix:/path, or "
					     "[inet:]HOST[:PORT]",
					     SL_ARG(table->hosts[i]));
	}
	return all;
}

static const char *text_or_null(struct client_config *config, const char *name,
				const char *fallback)
{
	struct slice text = client_config_text(config, name, fallback);

	return text.n > 0 ? text.p : NULL;
}

static bool pgsql_open(struct client_config *config, struct arena *arena,
		       struct module_table *table, struct slice *why)
{
	struct pgsql *pgsql = ARENA_NEW(arena, struct pgsql);

	*why = SL_NULL;
	table->state = pgsql;
	query_read_sql(&pgsql->query, config, arena, true);
	query_read_times(config, table);
	table->shuffle = true;
	pgsql->dbname = text_or_null(config, "dbname", "");
	pgsql->user = text_or_null(config, "user", "");
	pgsql->password = text_or_null(config, "password", "");
	pgsql->encoding = text_or_null(config, "encoding", "UTF8");
	if (!read_hosts(config, arena, table, why) && pgsql->dbname == NULL)
		client_config_reject(config, "dbname", "the name of a database is needed");
	if (slice_is_null(client_config_problem(config)) && slice_is_null(*why))
		return true;
	query_close(&pgsql->query);
	return false;
}

static void pgsql_close(struct module_table *table)
{
	struct pgsql *pgsql = table->state;

	query_close(&pgsql->query);
}

static bool pgsql_applies(const struct module_table *table, struct slice key)
{
	const struct pgsql *pgsql = table->state;

	return query_applies(&pgsql->query, key);
}

/* ---- what the sandbox must leave open */

/* uri_files - the files that a URI names, behind those in the list. */
static size_t uri_files(struct arena *arena, struct slice uri, const char **files, size_t n)
{
	static const char *const keywords[] = {"sslrootcert", "sslcert", "sslkey", "sslcrl",
					       "passfile"};
	PQconninfoOption *options = PQconninfoParse(arena_str(arena, uri), NULL);

	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		const char *file = option(options, keywords[i]);

		if (file != NULL && file[0] == '/')
			files[n++] = arena_dup(arena, slice_str(file)).p;
	}
	PQconninfoFree(options);
	return n;
}

static const char *const *pgsql_reads(const struct module_table *table, struct arena *arena)
{
	const struct pgsql *pgsql = table->state;
	const char **files = ARENA_ARRAY(arena, table->host_count * 5 + 1, const char *);
	size_t n = 0;

	for (size_t i = 0; i < table->host_count; i++)
		if (is_uri(pgsql->targets[i]))
			n = uri_files(arena, pgsql->targets[i], files, n);
	return files;
}

/* uri_ports - a URI may name several hosts, "port" is a list then; at most `room` of them count. */
static size_t uri_ports(struct arena *arena, struct slice uri, uint16_t *ports, size_t room)
{
	PQconninfoOption *options = PQconninfoParse(arena_str(arena, uri), NULL);
	struct slice rest = slice_str(option(options, "port")), word;
	size_t n = 0;
	uint64_t port;

	while (n < room && slice_next(&rest, ",", &word))
		if (slice_u64(word, &port) && port > 0 && port <= UINT16_MAX)
			ports[n++] = (uint16_t)port;
	if (n == 0 && room > 0)
		ports[n++] = PGSQL_PORT;
	PQconninfoFree(options);
	return n;
}

static const uint16_t *pgsql_ports(const struct module_table *table, struct arena *arena)
{
	const struct pgsql *pgsql = table->state;
	const size_t each = 8;
	uint16_t *ports = ARENA_ARRAY(arena, table->host_count * each + 1, uint16_t);
	size_t n = 0;

	for (size_t i = 0; i < table->host_count; i++) {
		struct slice host = pgsql->targets[i];
		struct server server;

		if (is_uri(host))
			n += uri_ports(arena, host, ports + n, each);
		else if (server_parse(host, PGSQL_PORT, arena, &server) && !server.local)
			ports[n++] = server.port;
	}
	return ports;
}

/* ---- connect */

struct parameters {
	const char *keyword[PARAMETERS_MAX + 1];
	const char *value[PARAMETERS_MAX + 1];
	size_t count;
};

static void set(struct parameters *parameters, const char *keyword, const char *value)
{
	if (value == NULL)
		return;
	CHECK(parameters->count < PARAMETERS_MAX);
	parameters->keyword[parameters->count] = keyword;
	parameters->value[parameters->count++] = value;
}

/* set_uri - what it says counts more than what stands before it. */
static void set_uri(struct parameters *parameters, const struct pgsql *pgsql, const char *uri)
{
	PQconninfoOption *options = PQconninfoParse(uri, NULL);

	set(parameters, "dbname", uri);
	if (option(options, "dbname") == NULL)
		set(parameters, "dbname", pgsql->dbname);
	PQconninfoFree(options);
}

/*
 * set_server - libpq wants the directory of a UNIX socket, and the number behind its name as the
 * port; here the path of the socket itself is understood as well.
 */
static void set_server(struct parameters *parameters, const struct pgsql *pgsql, struct slice host,
		       struct arena *arena)
{
	struct server server;
	ssize_t at;

	if (!server_parse(host, PGSQL_PORT, arena, &server))
		return;
	at = slice_search(server.name, SL("/.s.PGSQL."));
	if (!server.local) {
		set(parameters, "port", arena_printf(arena, "%u", server.port).p);
	} else if (at > 0) {
		set(parameters, "port", server.name.p + at + 10);
		server.name = arena_dup(arena, slice_sub(server.name, 0, (size_t)at));
	}
	set(parameters, "host", server.name.p);
	set(parameters, "dbname", pgsql->dbname);
}

static PGconn *begin(const struct pgsql *pgsql, struct slice host, struct arena *arena)
{
	struct parameters parameters = {.count = 0};

	set(&parameters, "user", pgsql->user);
	set(&parameters, "password", pgsql->password);
	set(&parameters, "client_encoding", pgsql->encoding);
	set(&parameters, "fallback_application_name", "postrider");
	/* or libpq looks for Kerberos tickets, in files that the sandbox does not know */
	set(&parameters, "gssencmode", "disable");
	if (is_uri(host))
		set_uri(&parameters, pgsql, arena_str(arena, host));
	else
		set_server(&parameters, pgsql, host, arena);
	return PQconnectStartParams(parameters.keyword, parameters.value, 1);
}

/* hush - libpq's own way is to write notices to standard error. */
static void hush(void *data, const PGresult *notice)
{
	(void)data;
	(void)notice;
}

/* finish_connect - false: *late, or PQerrorMessage tells. */
static bool finish_connect(PGconn *pg, int64_t deadline, bool *late)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	*late = false;
	if (pg == NULL || PQstatus(pg) == CONNECTION_BAD)
		return false;
	PQsetNoticeReceiver(pg, hush, NULL);
	while (status != PGRES_POLLING_OK) {
		short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;

		if (wait_fd(PQsocket(pg), events, deadline) == 0) {
			*late = true;
			return false;
		}
		status = PQconnectPoll(pg);
		if (status == PGRES_POLLING_FAILED)
			return false;
	}
	return PQsetnonblocking(pg, 1) == 0;
}

/* target_of - what one of table->hosts stands for; two may read the same, but are not the same
 * text. */
static struct slice target_of(const struct module_table *table, struct slice host)
{
	const struct pgsql *pgsql = table->state;
	size_t i = 0;

	while (i + 1 < table->host_count && table->hosts[i].p != host.p)
		i++;
	return pgsql->targets[i];
}

static enum module_result pgsql_connect(const struct module_table *table, struct slice host,
					int64_t deadline, struct arena *arena, void **connection,
					struct slice *why)
{
	PGconn *pg = begin(table->state, target_of(table, host), arena);
	struct pgsql_connection *made;
	const char *encoding;
	bool late;

	if (!finish_connect(pg, deadline, &late)) {
		*why = late ? SL("no answer in time")
			    : reason_line(arena, pg != NULL ? PQerrorMessage(pg) : "no memory");
		*why = arena_printf(arena, "connect to %.*s: %.*s", SL_ARG(host), SL_ARG(*why));
		PQfinish(pg);
		return MODULE_LOST;
	}
	made = calloc(1, sizeof(*made));
	if (made == NULL)
		out_of_memory();
	encoding = PQparameterStatus(pg, "client_encoding");
	*made = (struct pgsql_connection){
	    .pg = pg,
	    .host = host,
	    .utf8 = encoding != NULL && strcmp(encoding, "UTF8") == 0,
	};
	*connection = made;
	return MODULE_FOUND;
}

static void pgsql_disconnect(const struct module_table *table, void *connection)
{
	struct pgsql_connection *made = connection;

	(void)table;
	PQfinish(made->pg);
	free(made);
}

/* ---- look up */

static bool quote(void *context, struct slice part, struct buffer *out)
{
	struct pgsql_connection *made = context;
	int bad = 0;

	if (!buffer_reserve(out, part.n * 2 + 1))
		return false;
	out->len += PQescapeStringConn(made->pg, out->data + out->len, part.p, part.n, &bad);
	return bad == 0;
}

/* flush - all of the query is sent. */
static bool flush(PGconn *pg, int64_t deadline)
{
	int left;

	while ((left = PQflush(pg)) == 1) {
		short events = wait_fd(PQsocket(pg), POLLIN | POLLOUT, deadline);

		if (events == 0 || ((events & POLLIN) && !PQconsumeInput(pg)))
			return false;
	}
	return left == 0;
}

/*
 * next_result - of the query that was sent; *result NULL: there is no more. False: the connection
 * is broken, or the deadline has passed.
 */
static bool next_result(PGconn *pg, int64_t deadline, PGresult **result)
{
	while (PQisBusy(pg))
		if (wait_fd(PQsocket(pg), POLLIN, deadline) == 0 || !PQconsumeInput(pg))
			return false;
	*result = PQgetResult(pg);
	return true;
}

/* run - the result of the last of the statements, or of the first that failed; NULL: lost. */
static PGresult *run(PGconn *pg, const char *query, int64_t deadline)
{
	PGresult *last = NULL, *next;

	if (!PQsendQuery(pg, query) || !flush(pg, deadline))
		return NULL;
	for (;;) {
		if (!next_result(pg, deadline, &next)) {
			PQclear(last);
			return NULL;
		}
		if (next == NULL)
			return last;
		PQclear(last);
		last = next;
		if (PQresultStatus(last) == PGRES_COPY_IN || PQresultStatus(last) == PGRES_COPY_OUT)
			return last;
	}
}

/*
 * leaving - does the server say that the connection is of no more use? Classes 08 (connection) and
 * 57P (shutdown, crash, not yet started).
 */
static bool leaving(const PGconn *pg, struct slice state)
{
	return PQstatus(pg) != CONNECTION_OK || slice_starts(state, SL("08")) ||
	       slice_starts(state, SL("57P"));
}

/* failed - the result is not rows. A key in bytes that are no characters there is no key there. */
static enum module_result failed(const struct pgsql_connection *made, const PGresult *result,
				 struct arena *arena, struct slice *value)
{
	struct slice state = slice_str(PQresultErrorField(result, PG_DIAG_SQLSTATE));
	ExecStatusType status = PQresultStatus(result);

	if (slice_eq(state, SL("22021")) || slice_eq(state, SL("22P05")))
		return MODULE_MISSING;
	if (status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY)
		*value = arena_printf(arena, "%.*s: the query gives no rows", SL_ARG(made->host));
	else if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT)
		*value = arena_printf(arena, "%.*s: the query is a COPY", SL_ARG(made->host));
	else
		*value = arena_printf(arena, "%.*s: query failed: %.*s", SL_ARG(made->host),
				      SL_ARG(reason_line(arena, PQresultErrorMessage(result))));
	return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || leaving(made->pg, state)
		   ? MODULE_LOST
		   : MODULE_TEMP;
}

static enum module_result rows(const struct pgsql *pgsql, const struct lookup_text *key,
			       const PGresult *result, struct arena *arena, struct slice *value)
{
	struct answer answer;
	bool more = true;

	answer_begin(&answer, key, pgsql->query.format, pgsql->query.limit);
	for (int row = 0; more && row < PQntuples(result); row++)
		for (int column = 0; more && column < PQnfields(result); column++)
			more = answer_add(&answer, slice(PQgetvalue(result, row, column),
							 (size_t)PQgetlength(result, row, column)));
	return answer_end(&answer, arena, value);
}

static enum module_result ask(const struct pgsql *pgsql, struct pgsql_connection *made,
			      const struct lookup_text *key, const char *query, int64_t deadline,
			      struct arena *arena, struct slice *value)
{
	PGresult *result = run(made->pg, query, deadline);
	enum module_result outcome = MODULE_LOST;

	if (result == NULL)
		*value = arena_printf(arena, "%.*s: %.*s", SL_ARG(made->host),
				      SL_ARG(wait_budget(deadline, 1) == 0
						 ? SL("no answer in time")
						 : reason_line(arena, PQerrorMessage(made->pg))));
	else if (PQresultStatus(result) == PGRES_TUPLES_OK)
		outcome = rows(pgsql, key, result, arena, value);
	else
		outcome = failed(made, result, arena, value);
	PQclear(result);
	return outcome;
}

static enum module_result pgsql_lookup(const struct module_table *table, void *connection,
				       struct slice key, int64_t deadline, struct arena *arena,
				       struct slice *value)
{
	const struct pgsql *pgsql = table->state;
	struct pgsql_connection *made = connection;
	struct lookup_text text;
	struct buffer query;
	enum module_result outcome = query_admit(&pgsql->query, key, arena, &text, value);

	if (outcome != MODULE_FOUND)
		return outcome;
	if (slice_find(key, '\0') >= 0 || (made->utf8 && !lookup_text_is_utf8(&text)))
		return MODULE_MISSING;
	buffer_init(&query, QUERY_LIMIT);
	switch (template_query(pgsql->query.template, &text, quote, made, &query)) {
	case RES_OK:
		outcome = ask(pgsql, made, &text, arena_dup(arena, buffer_slice(&query)).p,
			      deadline, arena, value);
		break;
	case RES_PERM:
		outcome = MODULE_MISSING;
		break;
	case RES_TEMP:
		*value = arena_printf(arena, "the query is longer than %zu bytes", QUERY_LIMIT);
		outcome = MODULE_TEMP;
		break;
	}
	buffer_free(&query);
	return outcome;
}

const struct table_module table_module = {
    .version = TABLE_MODULE_VERSION,
    .type = "pgsql",
    .open = pgsql_open,
    .applies = pgsql_applies,
    .connect = pgsql_connect,
    .lookup = pgsql_lookup,
    .disconnect = pgsql_disconnect,
    .close = pgsql_close,
    .reads = pgsql_reads,
    .ports = pgsql_ports,
};
