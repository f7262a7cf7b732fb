/* SPDX-License-Identifier: ISC */
/* remote_types - the types that proxymap asks a server for, as the other types see them. */
#include "table/remote.h"
#include "table/table_type.h"

/*
 * remote_load - nothing is asked yet: whether proxymap knows the table, and whether its server is
 * there, is seen by each lookup.
 */
static void remote_load(struct table_content *content)
{
	content->state = table_set_remote(content->set);
	if (content->state == NULL)
		table_content_fail(content, "this program cannot look up in tables of this type");
	else if (content->name.n == 0)
		table_content_fail(content, "a name is missing behind the colon");
}

/*
 * unauthenticated_load - anybody may be at the other end, so these may not say who a user is, or
 * what is done in a user's name.
 */
static void unauthenticated_load(struct table_content *content)
{
	if (content->flags & TABLE_TRUSTED)
		table_content_fail(content, "this type is not allowed for security-sensitive data");
	else
		remote_load(content);
}

static enum table_result remote_lookup(struct table_content *content, struct slice key,
				       struct arena *arena, struct slice *value)
{
	struct table_remote *remote = content->state;
	struct slice table;

	if (!table_remote_spec(content->spec, &table))
		table = content->spec;
	return remote->lookup(remote, table, key, arena, value);
}

#define REMOTE(type, literal, loader)            \
	const struct table_type table_##type = { \
	    .name = #type, .literal_keys = (literal), .load = (loader), .lookup = remote_lookup}

/* Like pattern tables, the first two are asked for whole keys only, as the client has them. */
REMOTE(tcp, false, unauthenticated_load);
REMOTE(socketmap, false, unauthenticated_load);
REMOTE(memcache, true, unauthenticated_load);
REMOTE(redis, true, remote_load);
REMOTE(ldap, true, remote_load);
REMOTE(mysql, true, remote_load);
REMOTE(pgsql, true, remote_load);
REMOTE(sqlite, true, remote_load);

bool table_remote_type(struct slice type)
{
	static const struct table_type *const types[] = {
	    &table_tcp,	 &table_socketmap, &table_memcache, &table_redis,
	    &table_ldap, &table_mysql,	   &table_pgsql,    &table_sqlite};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (slice_eq(type, slice_str(types[i]->name)))
			return true;
	return false;
}

bool table_remote_spec(struct slice spec, struct slice *table)
{
	ssize_t colon;

	while (slice_starts(spec, SL("!")))
		spec = slice_from(spec, 1);
	while (slice_starts(spec, SL("proxy:")))
		spec = slice_from(spec, 6);
	colon = slice_find(spec, ':');
	*table = spec;
	return colon > 0 && table_remote_type(slice_sub(spec, 0, (size_t)colon));
}

void table_remote_destroy(struct table_remote **remote)
{
	if (*remote != NULL)
		(*remote)->destroy(*remote);
	*remote = NULL;
}
