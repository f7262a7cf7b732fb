/* SPDX-License-Identifier: ISC */
/*
 * unix - passwd.byname and group.byname. In a process that may block, the C library is asked at each
 * lookup. Elsewhere all accounts that it lists are read when the table is opened, and /etc/passwd or
 * /etc/group is watched for changes; accounts from directories that refuse to be listed are not
 * seen there (local_recipient_maps may name another table for those).
 */
#include "base/map.h"
#include "table/table_type.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#define ENTRY_LIMIT 65536

struct accounts {
	bool groups;
	struct map *map; /* name -> struct slice; NULL: ask each time */
};

static struct slice passwd_line(struct arena *arena, const struct passwd *pw)
{
	return arena_printf(arena, "%s:%s:%lu:%lu:%s:%s:%s", pw->pw_name, pw->pw_passwd,
			    (unsigned long)pw->pw_uid, (unsigned long)pw->pw_gid, pw->pw_gecos,
			    pw->pw_dir, pw->pw_shell);
}

static struct slice group_line(struct arena *arena, const struct group *gr)
{
	struct slice line = arena_printf(arena, "%s:%s:%lu:", gr->gr_name, gr->gr_passwd,
					 (unsigned long)gr->gr_gid);

	for (char **member = gr->gr_mem; *member != NULL; member++)
		line = arena_printf(arena, "%.*s%s%s", SL_ARG(line),
				    member == gr->gr_mem ? "" : ",", *member);
	return line;
}

static void remember(struct table_content *content, const char *name, struct slice line)
{
	struct accounts *accounts = content->state;
	struct slice *value = ARENA_NEW(content->arena, struct slice);

	*value = line;
	if (map_get(accounts->map, slice_str(name)) == NULL)
		map_put(accounts->map, slice_str(name), value);
}

static void snapshot_passwd(struct table_content *content)
{
	struct passwd *pw;

	setpwent();
	while ((pw = getpwent()) != NULL)
		remember(content, pw->pw_name, passwd_line(content->arena, pw));
	endpwent();
}

static void snapshot_group(struct table_content *content)
{
	struct group *gr;

	setgrent();
	while ((gr = getgrent()) != NULL)
		remember(content, gr->gr_name, group_line(content->arena, gr));
	endgrent();
}

static void unix_load(struct table_content *content)
{
	struct accounts *accounts = ARENA_NEW(content->arena, struct accounts);

	accounts->groups = slice_eq(content->name, SL("group.byname"));
	if (!accounts->groups && !slice_eq(content->name, SL("passwd.byname"))) {
		table_content_fail(content, "unknown table: need passwd.byname or group.byname");
		return;
	}
	content->state = accounts;
	if (table_set_may_block(content->set))
		return;
	if (!table_content_open(content, accounts->groups ? "/etc/group" : "/etc/passwd"))
		return;
	accounts->map = map_create();
	if (accounts->groups)
		snapshot_group(content);
	else
		snapshot_passwd(content);
}

static void unix_unload(struct table_content *content)
{
	struct accounts *accounts = content->state;

	if (accounts->map != NULL)
		map_destroy(&accounts->map);
}

/* ask - the C library, now. An error number of it, or 0. */
static int ask(const struct accounts *accounts, const char *name, struct arena *arena,
	       struct slice *value)
{
	char *room = arena_alloc(arena, ENTRY_LIMIT);
	struct passwd pw, *found = NULL;
	struct group gr, *group = NULL;
	int error;

	if (accounts->groups) {
		error = getgrnam_r(name, &gr, room, ENTRY_LIMIT, &group);
		if (group != NULL)
			*value = group_line(arena, group);
		return error;
	}
	error = getpwnam_r(name, &pw, room, ENTRY_LIMIT, &found);
	if (found != NULL)
		*value = passwd_line(arena, found);
	return error;
}

static enum table_result unix_ask(const struct table_content *content, struct slice key,
				  struct arena *arena, struct slice *value)
{
	const char *name = arena_str(arena, key);
	int error;

	if (name == NULL)
		return TABLE_MISSING;
	error = ask(content->state, name, arena, value);
	if (!slice_is_null(*value))
		return TABLE_FOUND;
	/* getpwnam(3) lists these as ways of saying "no such user" */
	if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM)
		return TABLE_MISSING;
	*value = arena_printf(arena, "table %.*s: %s", SL_ARG(content->spec), strerror(error));
	return TABLE_TEMP;
}

static enum table_result unix_lookup(struct table_content *content, struct slice key,
				     struct arena *arena, struct slice *value)
{
	const struct accounts *accounts = content->state;
	const struct slice *line;

	if (accounts->map == NULL)
		return unix_ask(content, key, arena, value);
	line = map_get(accounts->map, key);
	if (line == NULL)
		return TABLE_MISSING;
	*value = arena_dup(arena, *line);
	return TABLE_FOUND;
}

const struct table_type table_unix = {.name = "unix",
				      .literal_keys = true,
				      .load = unix_load,
				      .lookup = unix_lookup,
				      .unload = unix_unload};
