/* SPDX-License-Identifier: ISC */
/*
 * mysql - tables in MariaDB and MySQL, with the calls of libmariadb that do not wait: each is begun
 * with CALL_start, and when it wants to wait, it says for what and is gone on with by CALL_cont;
 * mysql_table(5).
 */
#include "blocking/common/query.h"
#include "blocking/common/server.h"
#include "blocking/common/wait.h"

#include "base/check.h"
#include "config.h"
#include "os/clock.h"

#include <mysql.h>
#include <mysqld_error.h>
#include <errmsg.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define MYSQL_STANDARD_PORT 3306
/* Where the end of a query is looked for at most, the key in it escaped. */
#define QUERY_LIMIT ((size_t)256 << 10)
/* libmariadb runs on a stack of its own, where OpenSSL and getaddrinfo() must find room. */
#define STACK_SIZE ((size_t)512 << 10)
/* What it may wait for by itself, where it does so all the same. */
#define FALLBACK_SECONDS 20

struct mysql {
	struct query query;
	const char *dbname, *user, *password, *charset; /* NULL: the library's default */
	const char *option_file, *option_group;
	const char *tls_key, *tls_cert, *tls_ca_file, *tls_ca_path, *tls_ciphers;
	bool tls_verify;
	bool require_result_set;
	bool utf8;
};

struct mysql_connection {
	MYSQL *my;
	struct slice host;
};

/* ---- open */

static const char *text_or_null(struct client_config *config, const char *name,
				const char *fallback)
{
	struct slice text = client_config_text(config, name, fallback);

	return text.n > 0 ? text.p : NULL;
}

static void read_hosts(struct client_config *config, struct arena *arena,
		       struct module_table *table)
{
	struct server server;

	table->hosts = client_config_words(config, "hosts", "localhost", &table->host_count);
	for (size_t i = 0; i < table->host_count; i++)
		if (!server_parse(table->hosts[i], MYSQL_STANDARD_PORT, arena, &server))
			client_config_reject(config, "hosts",
					     "\"%.*s\": need unix:/path or [inet:]HOST[:PORT]",
					     SL_ARG(table->hosts[i]));
	table->hosts = server_order(table->hosts, table->host_count, arena);
}

static void read_tls(struct mysql *mysql, struct client_config *config)
{
	mysql->tls_key = text_or_null(config, "tls_key_file", "");
	mysql->tls_cert = text_or_null(config, "tls_cert_file", "");
	mysql->tls_ca_file = text_or_null(config, "tls_CAfile", "");
	mysql->tls_ca_path = text_or_null(config, "tls_CApath", "");
	mysql->tls_ciphers = text_or_null(config, "tls_ciphers", "");
	mysql->tls_verify = client_config_bool(config, "tls_verify_cert", false);
}

static bool mysql_open(struct client_config *config, struct arena *arena,
		       struct module_table *table, struct slice *why)
{
	struct mysql *mysql = ARENA_NEW(arena, struct mysql);

	(void)why;
	table->state = mysql;
	query_read_sql(&mysql->query, config, arena, false);
	query_read_times(config, table);
	read_hosts(config, arena, table);
	read_tls(mysql, config);
	mysql->dbname = text_or_null(config, "dbname", "");
	mysql->user = text_or_null(config, "user", "");
	mysql->password = text_or_null(config, "password", "");
	mysql->charset = text_or_null(config, "charset", "utf8mb4");
	mysql->utf8 = mysql->charset != NULL && slice_starts(slice_str(mysql->charset), SL("utf8"));
	mysql->option_file = text_or_null(config, "option_file", "");
	mysql->option_group = text_or_null(config, "option_group", "client");
	mysql->require_result_set = client_config_bool(config, "require_result_set", true);
	if (mysql->dbname == NULL)
		client_config_reject(config, "dbname", "the name of a database is needed");
	if (slice_is_null(client_config_problem(config))) {
		mysql_server_init(0, NULL, NULL); /* here, for it is nothing for several threads */
		return true;
	}
	query_close(&mysql->query);
	return false;
}

static void mysql_close_table(struct module_table *table)
{
	struct mysql *mysql = table->state;

	query_close(&mysql->query);
}

static bool mysql_applies(const struct module_table *table, struct slice key)
{
	const struct mysql *mysql = table->state;

	return query_applies(&mysql->query, key);
}

/* ---- what the sandbox must leave open */

static const char *const *mysql_reads(const struct module_table *table, struct arena *arena)
{
	const struct mysql *mysql = table->state;
	const char *const all[] = {MARIADB_PLUGINS, mysql->option_file, mysql->tls_key,
				   mysql->tls_cert, mysql->tls_ca_file, mysql->tls_ca_path};
	const char **files = ARENA_ARRAY(arena, sizeof(all) / sizeof(all[0]) + 3, const char *);
	size_t n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i] != NULL && all[i][0] == '/')
			files[n++] = all[i];
	if (mysql->option_file == NULL && mysql->option_group != NULL) {
		files[n++] = "/etc/my.cnf";
		files[n++] = "/etc/mysql";
	}
	return files;
}

static const uint16_t *mysql_ports(const struct module_table *table, struct arena *arena)
{
	return server_ports(table->hosts, table->host_count, MYSQL_STANDARD_PORT, arena);
}

/* ---- waiting */

/*
 * await - what the library waits for, until the deadline. Then its connection is cut, so that it
 * goes on and fails, however often it tries again.
 */
static int await(MYSQL *my, int status, int64_t deadline)
{
	int fd = mysql_get_socket(my), happened = 0;
	short events;

	events = wait_fd(fd,
			 (short)(((status & MYSQL_WAIT_READ) ? POLLIN : 0) |
				 ((status & MYSQL_WAIT_WRITE) ? POLLOUT : 0) |
				 ((status & MYSQL_WAIT_EXCEPT) ? POLLPRI : 0)),
			 deadline);
	if (events == 0) {
		if (fd >= 0)
			shutdown(fd, SHUT_RDWR);
		return MYSQL_WAIT_TIMEOUT;
	}
	if (events & (POLLIN | POLLHUP | POLLERR))
		happened |= status & MYSQL_WAIT_READ;
	if (events & (POLLOUT | POLLHUP | POLLERR))
		happened |= status & MYSQL_WAIT_WRITE;
	if (events & POLLPRI)
		happened |= status & MYSQL_WAIT_EXCEPT;
	return happened;
}

static bool run(MYSQL *my, struct slice query, int64_t deadline)
{
	int failed = 0, status = mysql_real_query_start(&failed, my, query.p, query.n);

	while (status != 0)
		status = mysql_real_query_cont(&failed, my, await(my, status, deadline));
	return failed == 0;
}

/* store - all rows of the present result; NULL: it has none, or mysql_errno() tells. */
static MYSQL_RES *store(MYSQL *my, int64_t deadline)
{
	MYSQL_RES *result = NULL;
	int status = mysql_store_result_start(&result, my);

	while (status != 0)
		status = mysql_store_result_cont(&result, my, await(my, status, deadline));
	return result;
}

/* next - 0: there is another result; -1: there is none; else it failed. */
static int next(MYSQL *my, int64_t deadline)
{
	int found = 0, status = mysql_next_result_start(&found, my);

	while (status != 0)
		status = mysql_next_result_cont(&found, my, await(my, status, deadline));
	return found;
}

/* ---- connect */

static void set_options(MYSQL *my, const struct mysql *mysql, int64_t deadline)
{
	unsigned left = (unsigned)wait_budget(deadline, OS_SECOND), most = FALLBACK_SECONDS;
	unsigned no = 0;
	my_bool verify = mysql->tls_verify;
	size_t stack = STACK_SIZE;

	mysql_options(my, MYSQL_OPT_NONBLOCK, &stack);
	mysql_options(my, MYSQL_OPT_LOCAL_INFILE, &no); /* or a server could ask for our files */
	mysql_options(my, MYSQL_OPT_CONNECT_TIMEOUT, left > 0 ? &left : &most);
	mysql_options(my, MYSQL_OPT_READ_TIMEOUT, &most);
	mysql_options(my, MYSQL_OPT_WRITE_TIMEOUT, &most);
	if (mysql->option_file != NULL)
		mysql_options(my, MYSQL_READ_DEFAULT_FILE, mysql->option_file);
	if (mysql->option_group != NULL)
		mysql_options(my, MYSQL_READ_DEFAULT_GROUP, mysql->option_group);
	if (mysql->charset != NULL)
		mysql_options(my, MYSQL_SET_CHARSET_NAME, mysql->charset);
	if (mysql->tls_key != NULL || mysql->tls_cert != NULL || mysql->tls_ca_file != NULL ||
	    mysql->tls_ca_path != NULL || mysql->tls_ciphers != NULL)
		mysql_ssl_set(my, mysql->tls_key, mysql->tls_cert, mysql->tls_ca_file,
			      mysql->tls_ca_path, mysql->tls_ciphers);
	if (mysql->tls_verify)
		mysql_options(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

static bool connect_to(MYSQL *my, const struct mysql *mysql, const struct server *server,
		       int64_t deadline)
{
	MYSQL *done = NULL;
	int status =
	    mysql_real_connect_start(&done, my, server->local ? NULL : server->name.p, mysql->user,
				     mysql->password, mysql->dbname, server->port,
				     server->local ? server->name.p : NULL, CLIENT_MULTI_RESULTS);

	while (status != 0)
		status = mysql_real_connect_cont(&done, my, await(my, status, deadline));
	return done != NULL;
}

/* reason - why the last call failed. */
static struct slice reason(MYSQL *my, int64_t deadline, struct arena *arena)
{
	if (wait_budget(deadline, 1) == 0)
		return SL("no answer in time");
	return reason_line(arena, mysql_error(my));
}

static enum module_result mysql_connect_host(const struct module_table *table, struct slice host,
					     int64_t deadline, struct arena *arena,
					     void **connection, struct slice *why)
{
	struct mysql_connection *made = calloc(1, sizeof(*made));
	struct server server;

	if (made == NULL)
		out_of_memory();
	made->host = host;
	made->my = mysql_init(NULL);
	if (made->my == NULL)
		out_of_memory();
	set_options(made->my, table->state, deadline);
	if (server_parse(host, 0, arena, &server) &&
	    connect_to(made->my, table->state, &server, deadline)) {
		*connection = made;
		return MODULE_FOUND;
	}
	*why = arena_printf(arena, "connect to %.*s: %.*s", SL_ARG(host),
			    SL_ARG(reason(made->my, deadline, arena)));
	mysql_close(made->my);
	free(made);
	return MODULE_LOST;
}

static void mysql_disconnect(const struct module_table *table, void *connection)
{
	struct mysql_connection *made = connection;

	(void)table;
	mysql_close(made->my);
	free(made);
}

/* ---- look up */

static bool quote(void *context, struct slice part, struct buffer *out)
{
	struct mysql_connection *made = context;
	unsigned long n;

	if (!buffer_reserve(out, part.n * 2 + 1))
		return false;
	n = mysql_real_escape_string(made->my, out->data + out->len, part.p, part.n);
	if (n == (unsigned long)-1)
		return false;
	out->len += n;
	return true;
}

/* failed - the server refused the query, or is gone. */
static enum module_result failed(const struct mysql_connection *made, int64_t deadline,
				 struct arena *arena, struct slice *value)
{
	unsigned error = mysql_errno(made->my);

	*value = arena_printf(arena, "%.*s: %.*s", SL_ARG(made->host),
			      SL_ARG(reason(made->my, deadline, arena)));
	/* of the library: the connection is broken. Of the server: it says that it breaks it. */
	if (error == 0 || IS_MYSQL_ERROR(error) || IS_MARIADB_ERROR(error) ||
	    error == ER_SERVER_SHUTDOWN || error == ER_NORMAL_SHUTDOWN ||
	    error == ER_CONNECTION_KILLED)
		return MODULE_LOST;
	return MODULE_TEMP;
}

static void add_rows(struct answer *answer, MYSQL_RES *result)
{
	unsigned columns = mysql_num_fields(result);
	bool more = true;
	MYSQL_ROW row;

	while (more && (row = mysql_fetch_row(result)) != NULL) {
		unsigned long *lengths = mysql_fetch_lengths(result);

		for (unsigned i = 0; more && i < columns; i++)
			more = answer_add(answer, slice(row[i], row[i] ? lengths[i] : 0));
	}
}

/*
 * collect - go through all that the query gave, so that the connection is ready for the next one:
 * at most one of the results may have rows. MODULE_FOUND: *sets says how many had.
 */
static enum module_result collect(const struct mysql_connection *made, int64_t deadline,
				  struct answer *answer, struct arena *arena, unsigned *sets,
				  struct slice *value)
{
	MYSQL *my = made->my;
	int more;

	*sets = 0;
	do {
		MYSQL_RES *result = store(my, deadline);

		if (result != NULL) {
			if (++*sets == 1)
				add_rows(answer, result);
			mysql_free_result(result);
		} else if (mysql_errno(my) != 0) {
			return failed(made, deadline, arena, value);
		}
		more = next(my, deadline);
	} while (more == 0);
	return more < 0 ? MODULE_FOUND : failed(made, deadline, arena, value);
}

static enum module_result ask(const struct mysql *mysql, const struct mysql_connection *made,
			      const struct lookup_text *key, struct slice query, int64_t deadline,
			      struct arena *arena, struct slice *value)
{
	struct answer answer;
	enum module_result outcome, ended;
	struct slice text;
	unsigned sets;

	if (!run(made->my, query, deadline))
		return failed(made, deadline, arena, value);
	answer_begin(&answer, key, mysql->query.format, mysql->query.limit);
	outcome = collect(made, deadline, &answer, arena, &sets, value);
	ended = answer_end(&answer, arena, &text);
	if (outcome != MODULE_FOUND)
		return outcome;
	if (sets == 1) {
		*value = text;
		return ended;
	}
	if (sets == 0 && !mysql->require_result_set)
		return MODULE_MISSING;
	*value = arena_printf(arena, "%.*s: %s", SL_ARG(made->host),
			      sets == 0 ? "the query gives no result set (require_result_set)"
					: "the query gives more than one result set");
	return MODULE_TEMP;
}

static enum module_result mysql_lookup(const struct module_table *table, void *connection,
				       struct slice key, int64_t deadline, struct arena *arena,
				       struct slice *value)
{
	const struct mysql *mysql = table->state;
	struct mysql_connection *made = connection;
	struct lookup_text text;
	struct buffer query;
	enum module_result outcome = query_admit(&mysql->query, key, arena, &text, value);

	if (outcome != MODULE_FOUND)
		return outcome;
	if (mysql->utf8 && !lookup_text_is_utf8(&text))
		return MODULE_MISSING;
	buffer_init(&query, QUERY_LIMIT);
	switch (template_query(mysql->query.template, &text, quote, made, &query)) {
	case RES_OK:
		outcome = ask(mysql, made, &text, buffer_slice(&query), deadline, arena, value);
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
    .type = "mysql",
    .open = mysql_open,
    .applies = mysql_applies,
    .connect = mysql_connect_host,
    .lookup = mysql_lookup,
    .disconnect = mysql_disconnect,
    .close = mysql_close_table,
    .reads = mysql_reads,
    .ports = mysql_ports,
};
