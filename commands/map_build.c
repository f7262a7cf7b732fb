/* SPDX-License-Identifier: ISC */
/*
 * map_build - make database files from sources, add to them, delete from them. What is made anew is sorted first;
 * what is added to a file goes there as it is read.
 */
#include "address/utf8.h"
#include "base/buffer.h"
#include "commands/map_sort.h"
#include "commands/map_source.h"
#include "commands/map_target.h"
#include "commands/map_tool.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "table/file_value.h"
#include "table/fold.h"
#include "table/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define KEYS_LIMIT ((off_t)4 << 30)
/* Of entries that are sorted at once. */
#define SORT_MEMORY ((size_t)96 << 20)
/* Warnings about keys that come twice wait, to be in the order of the source, for so many of them. */
#define MOST_DUPLICATES ((size_t)100000)

/* One map being written. */
struct build {
	struct map_tool *tool;
	const char *spec;
	const char *source; /* the file that is read */
	const char *path;   /* the .lmdb or .cdb file */
	bool cdb;
	bool nul;  /* keys and values end in one */
	bool utf8; /* or it is left out */
	struct map_target target;
	struct map_sort *sort; /* NULL: entries go to the file at once */
	struct arena *arena; /* of one line */
};

/* split_map - "type:name"; only what becomes a file can be made. */
static void split_map(struct map_tool *tool, const char *map, struct build *build)
{
	struct slice spec = slice_str(map), type = tool->command.settings->default_database_type;
	ssize_t colon = map[0] == '/' ? -1 : slice_find(spec, ':');
	bool cdb;

	if (colon >= 0)
		type = slice_sub(spec, 0, (size_t)colon);
	cdb = slice_eq(type, SL("cdb"));
	if (!cdb && !slice_eq(type, SL("lmdb")) && !slice_eq(type, SL("hash")) && !slice_eq(type, SL("btree")))
		map_fatal("unsupported dictionary type: %.*s does not support bulk-mode creation",
			  SL_ARG(type));
	if (map[colon + 1] == '\0')
		map_fatal("open dictionary: expecting \"type:name\" form instead of \"%s\"", map);
	*build = (struct build){
	    .tool = tool, .arena = arena_create(), .cdb = cdb, .utf8 = map_checks_utf8(tool)};
	/* what each library's own tools, and other postmaps, write when not told otherwise */
	build->nul = tool->nul || (!tool->no_nul && !cdb);
	build->spec = arena_printf(tool->command.arena, "%.*s:%s", SL_ARG(type), map + colon + 1).p;
	build->source = map + colon + 1;
	build->path = arena_printf(tool->command.arena, "%s.%s", build->source, cdb ? "cdb" : "lmdb").p;
}

static _Noreturn void build_failed(struct build *build)
{
	char why[600];

	/* the writer goes first: it removes the unfinished file */
	snprintf(why, sizeof(why), "%s", map_target_error(&build->target));
	map_target_end(&build->target);
	map_fatal("%s", why);
}

static struct slice with_nul(struct build *build, struct slice text)
{
	struct slice copy = arena_dup(build->arena, text);

	/* arena_dup puts a NUL behind the copy */
	copy.n++;
	return copy;
}

/* fold - upper and lower case are the same, in all of UTF-8 where that is spoken. */
static struct slice fold(const struct build *build, struct slice key)
{
	return build->utf8 ? fold_key(build->arena, key) : arena_lower(build->arena, key);
}

/* put - one entry; `nul`: as -N and the default have it. */
static void put(struct build *build, struct slice key, struct slice value, bool nul)
{
	struct map_tool *tool = build->tool;
	enum lmdb_change change;
	struct slice shown = key;

	if (nul) {
		key = with_nul(build, key);
		value = with_nul(build, value);
	}
	if (build->sort != NULL) {
		map_sort_add(build->sort, key, value, tool->replace);
		return;
	}
	change = lmdb_put(build->target.lmdb, key, value, tool->replace);
	if (change == LMDB_FAILED)
		build_failed(build);
	if (change == LMDB_UNCHANGED && !tool->ignore_existing)
		map_warn("%s: duplicate entry: \"%.*s\"", build->spec, SL_ARG(shown));
}

static void put_line(struct build *build, unsigned number, struct slice line)
{
	struct map_tool *tool = build->tool;
	struct slice key, value;

	if (build->utf8 && !utf8_valid(line)) {
		map_warn("%s, line %u: not UTF-8 (-u allows that): \"%.*s\" -- ignoring this line", build->source, number,
			 SL_ARG(line));
		return;
	}
	if (tool->parse(build->source, number, line, build->arena, &key, &value) != MAP_LINE_OK)
		return;
	if (!tool->keep_case)
		key = fold(build, key);
	if (tool->file_content && !file_value_encode(value, build->arena, &value)) {
		map_warn("%s, line %u: %.*s: skipping this entry", build->source, number, SL_ARG(value));
		return;
	}
	if (!build->cdb && key.n + build->nul > 511) {
		map_target_end(&build->target);
		map_fatal("%s, line %u: the key is longer than the 511 bytes that an LMDB file can hold", build->source,
			  number);
	}
	put(build, key, value, build->nul);
}

static void put_source(struct build *build, int fd)
{
	struct map_source source;
	struct slice line;
	enum source_line kind;

	map_source_open(&source, build->source, fd);
	while ((kind = map_source_next(&source, build->arena, &line)) != SOURCE_END) {
		if (kind == SOURCE_INDENTED)
			map_warn("%s, line %u: logical line must not start with whitespace: "
				 "\"%.*s\"",
				 build->source, source.source.first, SL_ARG(line));
		else
			put_line(build, source.source.first, line);
		arena_reset(build->arena);
	}
	map_source_close(&source);
}

/* put_signatures - what sendmail and NIS look for in an alias file; without NUL, always. */
static void put_signatures(struct build *build)
{
	char now[32];
	bool replace = build->tool->replace, quiet = build->tool->ignore_existing;

	snprintf(now, sizeof(now), "%lld", (long long)(os_wall() / OS_SECOND));
	build->tool->replace = true;
	put(build, SL("@"), SL("@"), false);
	put(build, SL("YP_MASTER_NAME"), build->tool->command.settings->myhostname, false);
	put(build, SL("YP_LAST_MODIFIED"), slice_str(now), false);
	build->tool->replace = replace;
	build->tool->ignore_existing = quiet;
}

/* ---- in the order of the keys */

/* A key that was there already. */
struct duplicate {
	struct slice key;
	uint32_t number;
};

struct duplicates {
	struct arena *arena;
	struct duplicate *items;
	size_t count;
};

static int in_order(const void *a, const void *b)
{
	const struct duplicate *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static void tell_duplicates(const struct build *build, struct duplicates *all)
{
	if (all->count > 0)
		qsort(all->items, all->count, sizeof(*all->items), in_order);
	for (size_t i = 0; i < all->count; i++)
		map_warn("%s: duplicate entry: \"%.*s\"", build->spec, SL_ARG(all->items[i].key));
	all->items = NULL;
	all->count = 0;
	arena_reset(all->arena);
}

static void add_duplicate(const struct build *build, struct duplicates *all, const struct map_entry *entry)
{
	struct slice key = entry->key;

	if (build->tool->ignore_existing)
		return;
	if (all->count == MOST_DUPLICATES)
		tell_duplicates(build, all);
	if (all->items == NULL)
		all->items = ARENA_ARRAY(all->arena, MOST_DUPLICATES, struct duplicate);
	if (build->nul)
		key.n--; /* as it was written */
	all->items[all->count++] =
	    (struct duplicate){.key = arena_dup(all->arena, key), .number = entry->number};
}

/* append_one - the entry that its key stands for in the end. */
static void append_one(struct build *build, const struct buffer *key, const struct buffer *value)
{
	if (key->len > 0 && !map_target_append(&build->target, buffer_slice(key), buffer_slice(value)))
		build_failed(build);
}

static void append_sorted(struct build *build)
{
	struct duplicates duplicates = {.arena = arena_create()};
	struct buffer key, value;
	struct map_entry entry;

	buffer_init(&key, SIZE_MAX / 2);
	buffer_init(&value, SIZE_MAX / 2);
	while (map_sort_next(build->sort, &entry)) {
		bool same = slice_eq(entry.key, buffer_slice(&key));

		if (same && !entry.replaces) {
			add_duplicate(build, &duplicates, &entry);
			continue;
		}
		if (!same)
			append_one(build, &key, &value);
		buffer_reset(&key);
		buffer_append(&key, entry.key);
		buffer_reset(&value);
		buffer_append(&value, entry.value);
	}
	append_one(build, &key, &value);
	tell_duplicates(build, &duplicates);
	buffer_free(&key);
	buffer_free(&value);
	arena_destroy(&duplicates.arena);
}

/* ---- one map */

/* read_descriptor - all of standard input. */
static struct slice read_descriptor(struct build *build, int fd)
{
	size_t size = 64 * 1024, used = 0;
	char *text = malloc(size);
	ssize_t n = 1;

	while (text != NULL && (n = os_read(fd, text + used, size - used)) > 0) {
		used += (size_t)n;
		if (used == size && (off_t)size < KEYS_LIMIT)
			text = realloc(text, size *= 2);
		else if (used == size)
			map_fatal("%s is too large", build->source);
	}
	if (text == NULL)
		map_fatal("out of memory");
	if (n < 0)
		map_fatal("read %s: %s", build->source, strerror(errno));
	return slice(text, used);
}

/*
 * lower_rights - files that a user owns are written as that user (-o: not), so that root follows
 * nobody's symbolic links.
 */
static void lower_rights(const struct build *build, const struct stat *owner)
{
	if (!build->tool->keep_root && os_euid() == 0 && owner->st_uid != 0 &&
	    os_act_as(owner->st_uid, owner->st_gid) < 0)
		map_fatal("cannot act as the owner of %s: %s", build->source, strerror(errno));
}

static void raise_rights(void)
{
	if (os_uid() == 0 && os_euid() != 0 && os_act_as(0, os_gid()) < 0)
		map_fatal("cannot become root again: %s", strerror(errno));
}

/* open_source - the source file, with its owner and mode; a database that is only added to may lack it */
static int open_source(struct build *build, struct stat *st)
{
	int fd = os_openat(AT_FDCWD, build->source, O_RDONLY, 0);

	if (fd >= 0 && os_fstat(fd, st) == 0)
		return fd;
	if (!build->tool->incremental || errno != ENOENT)
		map_fatal("open %s: %s", build->source, strerror(errno));
	if (os_fstatat(AT_FDCWD, build->path, st, 0) < 0)
		*st = (struct stat){.st_uid = os_euid(), .st_gid = os_egid(), .st_mode = 0644};
	return -1;
}

/* warn_of_doubt - what is made in such a directory somebody else can replace. */
static void warn_of_doubt(const struct build *build, const struct stat *source)
{
	struct slice doubt = trust_doubt(build->path, source, build->arena);

	if (!slice_is_null(doubt))
		map_warn("table %s: others could replace it: %.*s", build->spec, SL_ARG(doubt));
}

void map_build(struct map_tool *tool, const char *map)
{
	struct build build;
	struct stat st;
	mode_t mode;
	int fd;

	split_map(tool, map, &build);
	if (build.cdb && tool->incremental)
		map_fatal("%s: a cdb file cannot be added to, only made anew", build.spec);
	fd = open_source(&build, &st);
	warn_of_doubt(&build, &st);
	lower_rights(&build, &st);
	mode = tool->default_mode ? 0644 : st.st_mode & 0666;
	if (tool->incremental) {
		build.source = "stdin";
		build.target.lmdb = lmdb_update(build.path, mode, true);
	} else {
		build.sort = map_sort_create(build.path, SORT_MEMORY);
		build.target = map_target_build(build.cdb, build.path, mode);
	}
	if (map_target_error(&build.target) != NULL)
		build_failed(&build);
	put_source(&build, tool->incremental ? 0 : fd);
	if (tool->aliases)
		put_signatures(&build);
	if (build.sort != NULL)
		append_sorted(&build);
	if (!map_target_finish(&build.target))
		build_failed(&build);
	map_target_end(&build.target);
	raise_rights();
	if (fd >= 0)
		os_close(fd);
	map_sort_destroy(&build.sort);
	arena_destroy(&build.arena);
}

/* delete_key - with a NUL at its end, or without. */
static bool delete_key(struct build *build, struct slice key)
{
	const struct map_tool *tool = build->tool;
	enum lmdb_change change = LMDB_UNCHANGED;

	if (!tool->keep_case)
		key = fold(build, key);
	if (!tool->no_nul)
		change = lmdb_delete(build->target.lmdb, with_nul(build, key));
	if (change == LMDB_UNCHANGED && !tool->nul)
		change = lmdb_delete(build->target.lmdb, key);
	if (change == LMDB_FAILED)
		build_failed(build);
	return change == LMDB_CHANGED;
}

/* read_keys - the lines of standard input, once for all maps. */
static struct slice read_keys(struct build *build)
{
	build->source = "standard input";
	return read_descriptor(build, 0);
}

static bool delete_from(struct map_tool *tool, const char *map, struct slice *keys)
{
	struct build build;
	struct slice rest, key;
	struct stat st;
	bool found = false;

	split_map(tool, map, &build);
	if (build.cdb)
		map_fatal("%s: nothing can be deleted from a cdb file", build.spec);
	if (os_fstatat(AT_FDCWD, build.path, &st, 0) < 0)
		map_fatal("open database %s: %s", build.path, strerror(errno));
	lower_rights(&build, &st);
	build.target.lmdb = lmdb_update(build.path, 0644, false);
	if (map_target_error(&build.target) != NULL)
		build_failed(&build);
	if (slice_is_null(*keys))
		*keys = slice_eq(slice_str(tool->delete), SL("-")) ? read_keys(&build)
								   : slice_str(tool->delete);
	rest = *keys;
	if (!slice_eq(slice_str(tool->delete), SL("-")))
		found = delete_key(&build, rest);
	else
		while (slice_next(&rest, "\n", &key))
			found |= delete_key(&build, key);
	if (found && !map_target_finish(&build.target))
		build_failed(&build);
	map_target_end(&build.target);
	raise_rights();
	arena_destroy(&build.arena);
	return found;
}

int map_delete(struct map_tool *tool, char **maps)
{
	struct slice keys = SL_NULL;
	bool found = false;

	for (; *maps != NULL; maps++)
		found |= delete_from(tool, *maps, &keys);
	return found ? 0 : 1;
}
