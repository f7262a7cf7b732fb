/* SPDX-License-Identifier: ISC */
/*
 * config/database - parameters of LDAP, SQL and memcache tables. A table ldap:/file has them in
 * that file; one whose name is no path, ldap:accounts, has them in main.cf: accounts_server_host.
 */
#ifndef CONFIG_DATABASE_H
#define CONFIG_DATABASE_H

#include "base/arena.h"

/* The next type:name of such a type in a list of tables; prefixes such as proxy: are skipped. */
struct database_table {
	struct slice type;
	struct slice name;
};

/* database_next - false at the end of the text. */
bool database_next(struct slice *text, struct database_table *table);
/* database_in_file - its parameters are in a file of its own. */
bool database_in_file(const struct database_table *table);
/* database_parameters - the names, separated by spaces, that a table of this type knows. */
struct slice database_parameters(struct slice type);
/* database_knows - is this one of them? */
bool database_knows(struct slice type, struct slice parameter);

#endif
