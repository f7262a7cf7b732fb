/* SPDX-License-Identifier: ISC */
#include "table/table.h"
#include "base/buffer.h"
#include "base/list.h"
#include "base/map.h"
#include "os/clock.h"
#include "os/file.h"
#include "table/file_value.h"
#include "table/fold.h"
#include "table/source.h"
#include "table/table_type.h"
#include "table/trust.h"

#include <errno.h>
#include <stdio.h>

/* A process that cannot open files ends this long after it started with a broken table. */
#define BROKEN_RETRY (60 * OS_SECOND)
/* No source of a table is larger. */
#define SOURCE_LIMIT ((off_t)1 << 30)

/* A file that was read into something that cannot be made anew in place. */
struct watched {
	struct list link;
	struct table_content file;
};

struct table {
	struct list link;
	const struct table_type *type;
	struct table_content content;
};

struct table_set {
	struct arena *arena;
	struct table_config config;
	struct list tables;
	struct list watched;
	struct map *by_name; /* "flags:type:name" -> struct table */
	int64_t created;
	bool sealed;
};

static const struct table_type *const types[] = {
    &table_cdb, &table_cidr, &table_debug, &table_environ, &table_fail, &table_inline,
    &table_internal, &table_ldap, &table_lmdb, &table_memcache, &table_mysql, &table_pcre,
    &table_pgsql, &table_pipemap, &table_randmap, &table_redis, &table_regexp,
    &table_socketmap, &table_sqlite, &table_static, &table_tcp, &table_texthash,
    &table_unionmap, &table_unix,
};

struct table_set *table_set_create(const struct table_config *config)
{
	struct arena *arena = arena_create();
	struct table_set *set = ARENA_NEW(arena, struct table_set);

	set->arena = arena;
	if (config != NULL) {
		set->config = *config;
		if (config->default_type.n > 0)
			set->config.default_type = arena_dup(arena, config->default_type);
	}
	list_init(&set->tables);
	list_init(&set->watched);
	set->by_name = map_create();
	set->created = os_now();
	return set;
}

static void content_close(const struct table_type *type, struct table_content *content)
{
	if (type != NULL && type->unload != NULL && content->state != NULL)
		type->unload(content);
	if (content->fd >= 0)
		os_close(content->fd);
	content->fd = -1;
	arena_destroy(&content->arena);
}

void table_set_destroy(struct table_set **set)
{
	struct arena *arena;

	if (*set == NULL)
		return;
	LIST_FOREACH(node, &(*set)->watched)
	{
		struct watched *watched = CONTAINER_OF(node, struct watched, link);

		if (watched->file.fd >= 0)
			os_close(watched->file.fd);
	}
	LIST_FOREACH(node, &(*set)->tables)
	{
		struct table *table = CONTAINER_OF(node, struct table, link);

		content_close(table->type, &table->content);
	}
	map_destroy(&(*set)->by_name);
	arena = (*set)->arena;
	arena_destroy(&arena);
	*set = NULL;
}

void table_set_watch(struct table_set *set, const struct table_content *file)
{
	struct watched *watched = ARENA_NEW(set->arena, struct watched);

	watched->file = *file;
	list_push_back(&set->watched, &watched->link);
}

void table_set_seal(struct table_set *set)
{
	set->sealed = true;
}

struct arena *table_set_arena(struct table_set *set)
{
	return set->arena;
}

bool table_set_may_block(const struct table_set *set)
{
	return set->config.may_block;
}

struct table_remote *table_set_remote(const struct table_set *set)
{
	return set->config.remote;
}

void table_set_warn(struct table_set *set, const char *format, ...)
{
	struct buffer text;
	va_list ap;

	if (set->config.warn == NULL)
		return;
	buffer_init(&text, 4096);
	va_start(ap, format);
	buffer_vprintf(&text, format, ap);
	va_end(ap);
	set->config.warn(set->config.data, buffer_slice(&text));
	buffer_free(&text);
}

/* table_content_fail - the reason begins with the table's name, so that a log line names it. */
void table_content_fail(struct table_content *content, const char *format, ...)
{
	struct buffer text;
	va_list ap;

	buffer_init(&text, 4096);
	va_start(ap, format);
	buffer_vprintf(&text, format, ap);
	va_end(ap);
	content->error = arena_printf(content->arena, "table %.*s: %.*s", SL_ARG(content->spec),
				      SL_ARG(buffer_slice(&text)));
	buffer_free(&text);
}

/* warn_of_doubt - a table that others can replace is used all the same, and named. */
static void warn_of_doubt(const struct table_content *content)
{
	struct slice doubt;

	if (content->set->config.warn == NULL)
		return;
	doubt = trust_doubt(content->path, &content->seen, content->arena);
	if (!slice_is_null(doubt))
		table_set_warn(content->set, "table %.*s: others could replace it: %.*s", SL_ARG(content->spec), SL_ARG(doubt));
}

bool table_content_open(struct table_content *content, const char *path)
{
	content->path = arena_str(content->arena, slice_str(path));
	content->fd = os_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (content->fd < 0) {
		int error = errno;

		table_content_fail(content, "open %s: %s", path, strerror(error));
		errno = error;
		return false;
	}
	if (os_fstat(content->fd, &content->seen) < 0) {
		table_content_fail(content, "%s: %s", path, strerror(errno));
		return false;
	}
	if (!S_ISREG(content->seen.st_mode)) {
		table_content_fail(content, "%s is not a regular file", path);
		return false;
	}
	warn_of_doubt(content);
	return true;
}

/* read_file - all of the open file. */
static bool read_file(struct table_content *content, struct slice *text)
{
	off_t size = content->seen.st_size;
	ssize_t got;
	char *data;

	if (size > SOURCE_LIMIT) {
		table_content_fail(content, "%s is too large", content->path);
		return false;
	}
	data = arena_alloc(content->arena, (size_t)size + 1);
	got = os_pread_full(content->fd, data, (size_t)size, 0);
	if (got < 0) {
		table_content_fail(content, "read %s: %s", content->path, strerror(errno));
		return false;
	}
	*text = slice(data, (size_t)got);
	return true;
}

/* braced_lines - "{ {line}, {line} }" as a text of lines. */
static bool braced_lines(struct table_content *content, struct slice *text)
{
	struct slice rest, word, line;
	struct buffer lines;
	bool good = source_braced(content->name, &rest);

	buffer_init(&lines, content->name.n + 1);
	while (good && source_word(&rest, &word)) {
		good = source_braced(word, &line);
		buffer_append(&lines, line);
		buffer_append_byte(&lines, '\n');
	}
	if (good)
		*text = arena_dup(content->arena, buffer_slice(&lines));
	else
		table_content_fail(content, "bad inline syntax: need { { rule }, { rule } .. }");
	buffer_free(&lines);
	return good;
}

bool table_content_text(struct table_content *content, struct slice *text)
{
	char *path;

	if (content->name.n > 0 && content->name.p[0] == '{')
		return braced_lines(content, text);
	path = arena_str(content->arena, content->name);
	if (path == NULL) {
		table_content_fail(content, "a file name with a NUL byte");
		return false;
	}
	return table_content_open(content, path) && read_file(content, text);
}

struct slice table_content_fold(const struct table_content *content, struct arena *arena, struct slice key)
{
	return content->flags & TABLE_ASCII ? arena_lower(arena, key) : fold_key(arena, key);
}

bool table_content_files(struct table_content *content, struct slice *value)
{
	struct slice held;

	if (!(content->flags & TABLE_FILES))
		return true;
	if (file_value_encode(*value, content->arena, &held)) {
		*value = held;
		return true;
	}
	table_content_fail(content, "%.*s", SL_ARG(held));
	return false;
}

/* find_type - the types that other software's files are named after lead to ours. */
static const struct table_type *find_type(struct slice name)
{
	if (slice_eq(name, SL("hash")) || slice_eq(name, SL("btree")))
		return &table_lmdb;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (slice_eq(name, slice_str(types[i]->name)))
			return types[i];
	return NULL;
}

static void content_load(const struct table_type *type, struct table_set *set, unsigned flags,
			 struct slice spec, struct slice name, struct table_content *content)
{
	*content = (struct table_content){
	    .set = set, .arena = arena_create(), .flags = flags, .spec = spec, .name = name,
	    .fd = -1};
	if (type != NULL)
		type->load(content);
}

/* split_spec - "proxy:type:name" to type and name. */
static void split_spec(const struct table_set *set, struct slice spec, struct slice *type,
		       struct slice *name)
{
	ssize_t colon;

	while (slice_starts(spec, SL("proxy:")))
		spec = slice_from(spec, 6);
	colon = spec.n > 0 && spec.p[0] == '/' ? -1 : slice_find(spec, ':');
	*type = colon < 0 ? set->config.default_type : slice_sub(spec, 0, (size_t)colon);
	*name = colon < 0 ? spec : slice_from(spec, (size_t)colon + 1);
}

static void table_load(struct table_set *set, struct table *table, struct slice spec,
		       unsigned flags)
{
	struct table_content *content = &table->content;
	struct slice type, name;

	split_spec(set, spec, &type, &name);
	table->type = find_type(type);
	content_load(name.n > 0 ? table->type : NULL, set, flags, spec, name, content);
	if (slice_is_null(type) || name.n == 0)
		table_content_fail(content, "need \"type:name\" here");
	else if (table->type == NULL)
		table_content_fail(content, "unsupported table type \"%.*s\"", SL_ARG(type));
	if (!slice_is_null(content->error) && !set->config.errors_unheard)
		table_set_warn(set, "%.*s", SL_ARG(content->error));
}

struct table *table_open(struct table_set *set, struct slice spec, unsigned flags)
{
	struct slice known = arena_printf(set->arena, "%u:%.*s", flags, SL_ARG(spec));
	struct table *table = map_get(set->by_name, known);

	if (table != NULL)
		return table;
	table = ARENA_NEW(set->arena, struct table);
	table_load(set, table, arena_dup(set->arena, spec), flags);
	list_push_back(&set->tables, &table->link);
	map_put(set->by_name, known, table);
	return table;
}

struct slice table_error(const struct table *table)
{
	if (slice_is_null(table->content.error) && table->type->error != NULL)
		return table->type->error(&table->content);
	return table->content.error;
}

struct slice table_name(const struct table *table)
{
	return table->content.spec;
}

bool table_has_literal_keys(const struct table *table)
{
	/* as the table behind it, which may be of such a kind again */
	while (table->type == &table_debug && table->content.state != NULL)
		table = table->content.state;
	return table->type == NULL || table->type->literal_keys;
}

enum table_result table_lookup(struct table *table, struct slice key, struct arena *arena,
			       struct slice *value)
{
	unsigned fold = table_has_literal_keys(table) ? TABLE_FOLD | TABLE_FOLD_ALL : TABLE_FOLD_ALL;
	struct slice error = table_error(table);

	*value = SL_NULL;
	if (!slice_is_null(error)) {
		*value = arena_dup(arena, error);
		return TABLE_TEMP;
	}
	if (table->content.flags & fold)
		key = table_content_fold(&table->content, arena, key);
	return table->type->lookup(&table->content, key, arena, value);
}

void table_hold(struct table *table)
{
	if (slice_is_null(table->content.error) && table->type->hold != NULL)
		table->type->hold(&table->content);
}

bool table_release(struct table *table)
{
	return !slice_is_null(table->content.error) || table->type->release == NULL ||
	       table->type->release(&table->content);
}

enum table_result table_next(struct table *table, size_t *cursor, struct arena *arena,
			     struct slice *key, struct slice *value)
{
	*value = SL_NULL;
	if (!slice_is_null(table->content.error)) {
		*value = arena_dup(arena, table->content.error);
		return TABLE_TEMP;
	}
	if (table->type->next == NULL) {
		*value = arena_printf(arena, "table %.*s: this type cannot be listed",
				      SL_ARG(table->content.spec));
		return TABLE_TEMP;
	}
	return table->type->next(&table->content, cursor, arena, key, value);
}

/* file_changed - another file under the name, or (unless live) new content in the one we hold. */
static bool file_changed(const struct table_content *content, bool live, bool sealed)
{
	const struct stat *seen = &content->seen;
	struct stat now;

	if (os_fstat(content->fd, &now) < 0 || now.st_nlink == 0)
		return true;
	if (!live &&
	    (now.st_size != seen->st_size || now.st_mtim.tv_sec != seen->st_mtim.tv_sec ||
	     now.st_mtim.tv_nsec != seen->st_mtim.tv_nsec))
		return true;
	if (sealed || os_fstatat(AT_FDCWD, content->path, &now, 0) < 0)
		return false;
	return now.st_ino != seen->st_ino || now.st_dev != seen->st_dev;
}

/* reload - read the source again; false when this process may not open it. */
static bool reload(struct table_set *set, struct table *table)
{
	struct table_content *old = &table->content, fresh;

	errno = 0;
	content_load(table->type, set, old->flags, old->spec, old->name, &fresh);
	if (fresh.fd < 0) {
		bool permitted = errno == ENOENT;

		content_close(table->type, &fresh);
		return permitted;
	}
	content_close(table->type, old);
	*old = fresh;
	if (!slice_is_null(fresh.error))
		table_set_warn(set, "%.*s", SL_ARG(fresh.error));
	return true;
}

static bool table_changed(struct table_set *set, struct table *table)
{
	struct table_content *content = &table->content;

	if (table->type == NULL || content->path == NULL)
		return false;
	if (content->fd < 0) {
		if (!set->sealed)
			return reload(set, table), false;
		return os_now() - set->created > BROKEN_RETRY;
	}
	if (!file_changed(content, table->type->live, set->sealed))
		return false;
	return set->sealed || !reload(set, table);
}

bool table_set_changed(struct table_set *set)
{
	bool restart = false;

	LIST_FOREACH(node, &set->tables)
		restart |= table_changed(set, CONTAINER_OF(node, struct table, link));
	LIST_FOREACH(node, &set->watched)
	{
		const struct watched *watched = CONTAINER_OF(node, struct watched, link);

		if (watched->file.fd >= 0)
			restart |= file_changed(&watched->file, false, set->sealed);
		else
			restart |= os_now() - set->created > BROKEN_RETRY;
	}
	return restart;
}
