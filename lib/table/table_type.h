/* SPDX-License-Identifier: ISC */
/* table_type - what a table type brings; only for the files of this folder. */
#ifndef TABLE_TABLE_TYPE_H
#define TABLE_TABLE_TYPE_H

#include "table/table.h"

#include <sys/stat.h>

/* What one reading of a table's source gave; replaced as a whole when the source changes. */
struct table_content {
	struct table_set *set; /* for warnings and nested tables */
	struct arena *arena;   /* all that state points to, except what unload frees */
	void *state;           /* of the type; non-null when loaded */
	struct slice error;    /* reason of every TABLE_TEMP; absent when usable */
	struct slice name;     /* behind the colon */
	struct slice spec;     /* "type:name" for messages */
	unsigned flags;
	char *path;       /* the file behind it; NULL: none */
	int fd;           /* that file, held open; -1: none */
	struct stat seen; /* as it was when read */
};

struct table_type {
	const char *name;
	bool literal_keys;
	bool live; /* content may change within the file while lookups see it: watch only for a new file */
	/* load - fill state, or call table_content_fail. */
	void (*load)(struct table_content *content);
	enum table_result (*lookup)(struct table_content *content, struct slice key,
				    struct arena *arena, struct slice *value);
	/* error - why nothing can be looked up for now, beside content->error; absent: it can. NULL: always. */
	struct slice (*error)(const struct table_content *content);
	/* hold, release - as table_hold(), table_release(); NULL where lookups ask nothing */
	void (*hold)(struct table_content *content);
	bool (*release)(struct table_content *content);
	/* next - NULL: cannot be listed. */
	enum table_result (*next)(struct table_content *content, size_t *cursor,
				  struct arena *arena, struct slice *key, struct slice *value);
	/* unload - what the arena does not free; may be NULL; state may be NULL. */
	void (*unload)(struct table_content *content);
};

extern const struct table_type table_cdb;
extern const struct table_type table_cidr;
extern const struct table_type table_debug;
extern const struct table_type table_environ;
extern const struct table_type table_fail;
extern const struct table_type table_inline;
extern const struct table_type table_internal;
extern const struct table_type table_ldap;
extern const struct table_type table_lmdb;
extern const struct table_type table_memcache;
extern const struct table_type table_mysql;
extern const struct table_type table_pcre;
extern const struct table_type table_pgsql;
extern const struct table_type table_pipemap;
extern const struct table_type table_randmap;
extern const struct table_type table_redis;
extern const struct table_type table_regexp;
extern const struct table_type table_socketmap;
extern const struct table_type table_sqlite;
extern const struct table_type table_static;
extern const struct table_type table_tcp;
extern const struct table_type table_texthash;
extern const struct table_type table_unionmap;
extern const struct table_type table_unix;

void table_content_fail(struct table_content *content, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void table_set_warn(struct table_set *set, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct arena *table_set_arena(struct table_set *set);
bool table_set_may_block(const struct table_set *set);
struct table_remote *table_set_remote(const struct table_set *set);
/* table_set_watch - have the set look after an open file (fd -1: one that could not be opened). */
void table_set_watch(struct table_set *set, const struct table_content *file);

/* table_content_open - open the file and note its state; false: content->error tells. */
bool table_content_open(struct table_content *content, const char *path);
/*
 * table_content_text - the whole source: the file that the name says, or the lines of
 * "{ {line}, {line} }". False: content->error tells.
 */
bool table_content_text(struct table_content *content, struct slice *text);
/* table_content_fold - a key as the table's flags want it. */
struct slice table_content_fold(const struct table_content *content, struct arena *arena, struct slice key);
/* table_content_files - with TABLE_FILES, a value that names files becomes what they hold; false: content->error. */
bool table_content_files(struct table_content *content, struct slice *value);

#endif
