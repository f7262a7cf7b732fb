/* SPDX-License-Identifier: ISC */
/*
 * sqlite - tables in SQLite databases, which are read and never written; sqlite_table(5).
 *
 * A connection is the open file. One that was replaced by another meanwhile, under the same name,
 * is opened anew.
 *
 * A database with a write-ahead log (WAL) that nobody has open has no shared memory file beside it,
 * and who may not write cannot make one. It is read as one that does not change, for as long as it
 * does not.
 */
#include "blocking/common/query.h"

#include "base/check.h"
#include "os/clock.h"
#include "os/file.h"

#include <sqlite3.h>
#include <stdlib.h>

/* Where the end of a query is looked for at most, the key in it escaped. */
#define QUERY_LIMIT ((size_t)256 << 10)
/* So many steps of SQLite's machine between two looks at the clock. */
#define STEPS 10000

struct sqlite {
	struct query query;
	struct slice path; /* the only one of the hosts */
};

struct sqlite_connection {
	sqlite3 *db;
	struct stat seen; /* the file that is open */
	bool still;	  /* opened as one that does not change */
	int64_t deadline; /* of the lookup that is under way */
};

/* ---- open */

static bool sqlite_open(struct client_config *config, struct arena *arena,
			struct module_table *table, struct slice *why)
{
	struct sqlite *sqlite = ARENA_NEW(arena, struct sqlite);

	(void)why;
	table->state = sqlite;
	table->hosts = &sqlite->path;
	table->host_count = 1;
	query_read_sql(&sqlite->query, config, arena, false);
	sqlite->path = client_config_text(config, "dbpath", "");
	if (sqlite->path.n == 0)
		client_config_reject(config, "dbpath", "the name of a database file is needed");
	if (slice_is_null(client_config_problem(config)))
		return true;
	query_close(&sqlite->query);
	return false;
}

static void sqlite_close(struct module_table *table)
{
	struct sqlite *sqlite = table->state;

	query_close(&sqlite->query);
}

static bool sqlite_applies(const struct module_table *table, struct slice key)
{
	const struct sqlite *sqlite = table->state;

	return query_applies(&sqlite->query, key);
}

/*
 * sqlite_reads - the folder: the file may be replaced, and a journal beside it belongs to it. But
 * not all of the machine, nor the working directory, which is the queue's: then it is the file
 * alone.
 */
static const char *const *sqlite_reads(const struct module_table *table, struct arena *arena)
{
	const struct sqlite *sqlite = table->state;
	const char **files = ARENA_ARRAY(arena, 2, const char *);
	ssize_t slash = slice_rfind(sqlite->path, '/');

	files[0] = slash > 0 ? arena_dup(arena, slice_sub(sqlite->path, 0, (size_t)slash)).p
			     : sqlite->path.p;
	return files;
}

/* ---- connect */

/* out_of_time - SQLite asks now and then; not 0 ends what it does. */
static int out_of_time(void *arg)
{
	const struct sqlite_connection *c = arg;

	return os_now() >= c->deadline;
}

static enum module_result give_up(struct sqlite_connection *c, struct slice path,
				  struct arena *arena, struct slice *why)
{
	*why = arena_printf(arena, "open %.*s: %s", SL_ARG(path),
			    c->db != NULL ? sqlite3_errmsg(c->db) : "out of memory");
	sqlite3_close(c->db);
	free(c);
	return MODULE_LOST;
}

static bool has_log(struct slice path, struct arena *arena)
{
	struct slice log = arena_printf(arena, "%.*s-wal", SL_ARG(path));
	struct stat st;

	return os_fstatat(AT_FDCWD, log.p, &st, 0) == 0;
}

/* file_uri - https://www.sqlite.org/uri.html; still: as one that does not change. */
static const char *file_uri(struct slice path, bool still, struct arena *arena)
{
	struct slice uri;
	struct buffer out;

	buffer_init(&out, 3 * path.n + 64);
	buffer_append(&out, SL("file:"));
	for (size_t i = 0; i < path.n; i++)
		if (ascii_isalnum(path.p[i]) || slice_find(SL("/._-"), path.p[i]) >= 0)
			buffer_append_byte(&out, path.p[i]);
		else
			buffer_printf(&out, "%%%02X", (unsigned char)path.p[i]);
	if (still)
		buffer_append(&out, SL("?immutable=1"));
	uri = arena_dup(arena, buffer_slice(&out));
	buffer_free(&out);
	return uri.p;
}

/* open_file - and look into it: SQLite would do that later. */
static int open_file(struct sqlite_connection *c, const char *uri)
{
	const int flags =
	    SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_URI;
	int rc = sqlite3_open_v2(uri, &c->db, flags, NULL);

	if (rc != SQLITE_OK)
		return rc;
	sqlite3_progress_handler(c->db, STEPS, out_of_time, c);
	(void)sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	return sqlite3_exec(c->db, "PRAGMA schema_version", NULL, NULL, NULL);
}

/* wants_to_write - the file is there, but not what SQLite needs beside it. */
static bool wants_to_write(int rc)
{
	return (rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY;
}

static enum module_result sqlite_connect(const struct module_table *table, struct slice host,
					 int64_t deadline, struct arena *arena, void **connection,
					 struct slice *why)
{
	struct sqlite_connection *c = calloc(1, sizeof(*c));
	int rc;

	(void)table;
	if (c == NULL)
		out_of_memory();
	c->deadline = deadline;
	/* before it is opened: what is replaced in between is found out by the next lookup */
	if (os_fstatat(AT_FDCWD, host.p, &c->seen, 0) < 0)
		c->seen = (struct stat){.st_ino = 0};
	rc = open_file(c, file_uri(host, false, arena));
	if (wants_to_write(rc) && c->seen.st_ino != 0 && !has_log(host, arena)) {
		sqlite3_close(c->db);
		c->db = NULL;
		c->still = true;
		rc = open_file(c, file_uri(host, true, arena));
	}
	/* that a writer keeps it is the lookup's matter */
	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
		return give_up(c, host, arena, why);
	*connection = c;
	return MODULE_FOUND;
}

static void sqlite_disconnect(const struct module_table *table, void *connection)
{
	struct sqlite_connection *c = connection;

	(void)table;
	sqlite3_close(c->db);
	free(c);
}

/* ---- look up */

/* changed - another file under the name; or any change of one that is read as if there were none.
 */
static bool changed(const struct sqlite_connection *c, struct slice path, struct arena *arena)
{
	const struct stat *seen = &c->seen;
	struct stat now;

	if (os_fstatat(AT_FDCWD, path.p, &now, 0) < 0 || now.st_ino != seen->st_ino ||
	    now.st_dev != seen->st_dev)
		return true;
	return c->still &&
	       (now.st_size != seen->st_size || now.st_mtim.tv_sec != seen->st_mtim.tv_sec ||
		now.st_mtim.tv_nsec != seen->st_mtim.tv_nsec || has_log(path, arena));
}

/* quote - within '': a quote is two. A NUL would end the query. */
static bool quote(void *context, struct slice part, struct buffer *out)
{
	(void)context;
	for (size_t i = 0; i < part.n; i++)
		if (part.p[i] == '\0' || (part.p[i] == '\'' && !buffer_append_byte(out, '\'')) ||
		    !buffer_append_byte(out, part.p[i]))
			return false;
	return true;
}

/* failed - is it the query, or is the file of no use to this connection? */
static enum module_result failed(const struct sqlite_connection *c, struct slice path, int rc,
				 struct arena *arena, struct slice *value)
{
	*value = arena_printf(arena, "%.*s: %s", SL_ARG(path),
			      rc == SQLITE_INTERRUPT ? "no answer in time" : sqlite3_errmsg(c->db));
	switch (rc & 0xff) {
	case SQLITE_CANTOPEN:
	case SQLITE_CORRUPT:
	case SQLITE_IOERR:
	case SQLITE_NOTADB:
		return MODULE_LOST;
	default:
		return MODULE_TEMP;
	}
}

/* gather - the first column of each row. */
static int gather(sqlite3_stmt *statement, struct answer *answer)
{
	int rc;

	while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
		const void *text = sqlite3_column_text(statement, 0);
		size_t n = (size_t)sqlite3_column_bytes(statement, 0);

		if (text != NULL && !answer_add(answer, slice(text, n)))
			return SQLITE_DONE;
	}
	return rc;
}

static enum module_result run(struct sqlite_connection *c, const struct sqlite *sqlite,
			      const struct lookup_text *key, struct slice text, struct arena *arena,
			      struct slice *value)
{
	sqlite3_stmt *statement = NULL;
	enum module_result result;
	struct answer answer;
	int rc = sqlite3_prepare_v2(c->db, text.p, (int)text.n, &statement, NULL);

	answer_begin(&answer, key, sqlite->query.format, sqlite->query.limit);
	if (rc == SQLITE_OK)
		rc = gather(statement, &answer);
	/* the error's text is gone after it */
	if (rc != SQLITE_DONE)
		result = failed(c, sqlite->path, rc, arena, value);
	sqlite3_finalize(statement);
	if (rc == SQLITE_DONE)
		return answer_end(&answer, arena, value);
	(void)answer_end(&answer, arena, &(struct slice){NULL, 0});
	return result;
}

static enum module_result sqlite_lookup(const struct module_table *table, void *connection,
					struct slice key, int64_t deadline, struct arena *arena,
					struct slice *value)
{
	const struct sqlite *sqlite = table->state;
	struct sqlite_connection *c = connection;
	enum module_result result;
	struct lookup_text text;
	struct buffer query;
	int64_t patience = (deadline - os_now()) / OS_MILLISECOND;

	result = query_admit(&sqlite->query, key, arena, &text, value);
	if (result != MODULE_FOUND)
		return result;
	if (changed(c, sqlite->path, arena)) {
		*value = arena_printf(arena, "%.*s has changed", SL_ARG(sqlite->path));
		return MODULE_LOST;
	}
	c->deadline = deadline;
	/* a writer holds the database; half of the time, so that the query has some too */
	sqlite3_busy_timeout(c->db, patience > 2 ? (int)(patience / 2) : 1);
	buffer_init(&query, QUERY_LIMIT);
	switch (template_query(sqlite->query.template, &text, quote, NULL, &query)) {
	case RES_OK:
		result = run(c, sqlite, &text, buffer_slice(&query), arena, value);
		break;
	case RES_TEMP:
		*value = SL("the query is too long");
		result = MODULE_TEMP;
		break;
	case RES_PERM:
		result = MODULE_MISSING;
		break;
	}
	buffer_free(&query);
	return result;
}

const struct table_module table_module = {
    .version = TABLE_MODULE_VERSION,
    .type = "sqlite",
    .open = sqlite_open,
    .applies = sqlite_applies,
    .connect = sqlite_connect,
    .lookup = sqlite_lookup,
    .disconnect = sqlite_disconnect,
    .close = sqlite_close,
    .reads = sqlite_reads,
};
