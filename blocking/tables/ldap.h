/* SPDX-License-Identifier: ISC */
/* ldap - a table in a directory as its configuration says it, and a connection to a server. */
#ifndef TABLES_LDAP_H
#define TABLES_LDAP_H

#include "blocking/common/query.h"

#include <ldap.h>

/* What becomes of the values of an attribute. */
enum ldap_kind {
	LDAP_KIND_ORDINARY, /* they are results */
	LDAP_KIND_LEAF,	    /* results, where the entry has no special attribute */
	LDAP_KIND_TERMINAL, /* results, and nothing else of the entry is */
	LDAP_KIND_SPECIAL   /* DNs and URLs, which are followed */
};

struct ldap_attribute {
	const char *name;
	enum ldap_kind kind;
};

enum ldap_bind { LDAP_BIND_NONE, LDAP_BIND_SIMPLE, LDAP_BIND_SASL };

struct ldap_table {
	struct query query; /* its template makes the filter */
	struct slice base;  /* a template too */
	int scope, dereference, version;
	bool chase_referrals;
	int64_t timeout; /* microseconds for each thing that is asked of the server */
	int size_limit, recursion_limit;
	struct ldap_attribute *attributes; /* one a name */
	size_t attribute_count;
	char **names; /* the same, NULL at the end: what is asked for */

	enum ldap_bind bind;
	const char *bind_dn, *bind_password;			 /* "" when not given */
	const char *sasl_mechanisms, *sasl_realm, *sasl_authzid; /* NULL: not given */
	int sasl_minssf;

	bool start_tls;
	const char *tls_ca_file, *tls_ca_folder, *tls_cert, *tls_key, *tls_ciphers; /* or NULL */
	bool tls_require;
};

struct ldap_connection {
	LDAP *ld;
	struct slice host;
	struct ldap_conncb callbacks;
	int64_t deadline; /* of whatever the library is doing */
};

/*
 * ldap_bound - from now on, every byte that the library reads or writes for this connection comes
 * before connection->deadline, or the connection is broken. False: it does not let us.
 */
bool ldap_bound(struct ldap_connection *connection);

/* ldap_open_connection, ldap_close_connection - those of the module. */
enum module_result ldap_open_connection(const struct module_table *table, struct slice host,
					int64_t deadline, struct arena *arena, void **connection,
					struct slice *why);
void ldap_close_connection(const struct module_table *table, void *connection);

/*
 * ldap_await - the answer to what was sent, all of it; the caller frees it. NULL: *code
 * (LDAP_TIMEOUT when there was none in time; the message is given up then).
 */
LDAPMessage *ldap_await(LDAP *ld, int message, int64_t deadline, int *code);
/* ldap_reason - what a code means, and what the server said to it. */
struct slice ldap_reason(LDAP *ld, int code, const char *said, struct arena *arena);

enum module_result ldap_find(const struct module_table *table, void *connection, struct slice key,
			     int64_t deadline, struct arena *arena, struct slice *value);

#endif
