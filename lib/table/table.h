/* SPDX-License-Identifier: ISC */
/*
 * table - lookups in "type:name" tables: lmdb, cdb, texthash, inline, static, randmap, regexp,
 * pcre, cidr, environ, internal, fail, unix, unionmap, pipemap, debug. hash: and btree: mean the lmdb
 * file beside the same source; "proxy:" in front of a table is dropped; tcp, socketmap, memcache, redis, ldap, mysql, pgsql,
 * sqlite are asked through proxymap (remote.h).
 *
 * A table_set owns every table and list that is opened through it; a table opened twice with the
 * same flags is one object. Everything is read or opened in table_open: a descriptor and memory
 * are held, and a lookup afterwards needs no system call but pread and fstat, so that tables go on
 * working after chroot, change of user, and in a sandbox that knows no open().
 *
 * Opening never fails: a table that cannot be used is an object whose every lookup is
 * TABLE_TEMP with a reason that names it. A daemon starts, and answers 451.
 *
 * A set and what it owns belong to one thread. Lookups do not block, except unix: tables of a set
 * with may_block. A lookup in a table that is not local (perhaps inside another one) lets other fibers run
 * meanwhile: what the caller shares with them may be changed afterwards, what table_set_changed reads anew
 * included.
 */
#ifndef TABLE_TABLE_H
#define TABLE_TABLE_H

#include "base/arena.h"
#include "base/slice.h"

enum table_result {
	TABLE_FOUND,   /* *value is the value */
	TABLE_MISSING, /* no such key; *value is absent */
	TABLE_TEMP     /* not known: *value is the reason, for people, naming the table */
};

struct table;
struct table_list;
struct table_set;
struct table_remote;

struct table_config {
	/*
	 * Problems in a table's source that do not spoil the table ("FILE, line 3: ..."), and the
	 * reason of one that does. NULL: nobody hears of them.
	 */
	void (*warn)(void *data, struct slice text);
	void *data;
	bool errors_unheard;       /* warn does not hear the reasons: the caller asks table_error */
	struct slice default_type; /* of a name without "type:"; absent: such a name is refused */
	bool may_block;            /* unix: asks the C library at each lookup, not a snapshot */
	/*
	 * How tables that are not local (remote.h) are asked; it must live as long as the set. NULL: they are
	 * tables that cannot be used.
	 */
	struct table_remote *remote;
};

/* table_set_create - config may be NULL (nothing is heard, nothing blocks); it is copied. */
struct table_set *table_set_create(const struct table_config *config);
/* table_set_destroy - closes every table; sets *set to NULL; NULL is allowed. */
void table_set_destroy(struct table_set **set);
/*
 * table_set_seal - the process can open nothing from now on (sandbox): a changed table is not read
 * again but reported by table_set_changed, and goes on with its old content.
 */
void table_set_seal(struct table_set *set);
/*
 * table_set_changed - look whether files behind tables changed, and read those again. True when one
 * could not be read again: the process should end when idle, so that its successor opens the new
 * one. One fstat a file; call it between jobs or once in a few seconds.
 */
bool table_set_changed(struct table_set *set);

/* Flags of table_open and table_list_create. */
#define TABLE_FOLD 1u     /* lower-case keys (fold_key) for types with literal keys: nearly always */
#define TABLE_NO_SUBST 2u /* leave out pattern rules whose result holds $number (aliases, uids) */
#define TABLE_FOLD_ALL 4u /* lower-case keys for pattern tables too */
#define TABLE_KEEP_NUL 8u /* lmdb: look only for keys that end in NUL (postmap -N) */
#define TABLE_NO_NUL 16u  /* lmdb: look only for keys that do not (postmap -n) */
#define TABLE_DUP_WARN 32u /* texthash: the first of two equal keys counts; else they spoil the table */
#define TABLE_ASCII 128u /* and only A to Z are folded */
#define TABLE_FILES 64u /* sources and names give names of files; the value is what those hold, in base64 */
#define TABLE_TRUSTED 128u /* says who somebody is, or acts in his name: not from who is not authenticated */

/* table_open - never NULL; owned by the set. */
struct table *table_open(struct table_set *set, struct slice spec, unsigned flags);
/* table_error - why every lookup will be TABLE_TEMP; absent when the table is usable. */
struct slice table_error(const struct table *table);
/* table_name - "type:name" as it was asked for. */
struct slice table_name(const struct table *table);
/* table_has_literal_keys - false for regexp, pcre, cidr: no lookups of parts of an address. */
bool table_has_literal_keys(const struct table *table);

/*
 * table_lookup - key: any bytes. The value, or the reason of TABLE_TEMP, is put into the arena.
 * An empty value is a value (table_list_lookup thinks otherwise).
 */
enum table_result table_lookup(struct table *table, struct slice key, struct arena *arena,
			       struct slice *value);

/*
 * table_hold, table_release - lookups between them are spared the question whether the file behind the table is as it
 * was. table_release: false when it was not; then what they gave, TABLE_TEMP included, means nothing.
 */
void table_hold(struct table *table);
bool table_release(struct table *table);

/*
 * table_next - all entries of a table with literal keys, in its own order: start with *cursor = 0;
 * from then on *key must still be what the last call gave, its memory included. TABLE_MISSING at the
 * end. TABLE_TEMP for a type that cannot be listed.
 */
enum table_result table_next(struct table *table, size_t *cursor, struct arena *arena,
			     struct slice *key, struct slice *value);

/*
 * table_list_create - the tables of a parameter value: "type:name, type:name", split at white space
 * and commas outside {}. Never NULL; owned by the set.
 */
struct table_list *table_list_create(struct table_set *set, struct slice value, unsigned flags);
/* table_list_empty - the parameter names no table. */
bool table_list_empty(const struct table_list *list);
/* table_list_error - reason of the first table that cannot be used; absent when all can. */
struct slice table_list_error(const struct table_list *list);

/*
 * table_list_lookup - the first table that has the key answers; a TABLE_TEMP before that ends the
 * search. An empty value is TABLE_TEMP, as in Postfix: a table must say "not found" otherwise.
 * partial: key is a part of what was asked for, so only tables with literal keys are looked at.
 */
enum table_result table_list_lookup(struct table_list *list, struct slice key, bool partial,
				    struct arena *arena, struct slice *value);

#endif
