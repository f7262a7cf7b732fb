/* SPDX-License-Identifier: ISC */
#include "blocking/proxymap/serving.h"

#include "base/list.h"
#include "base/map.h"
#include "blocking/common/client_config.h"
#include "blocking/proxymap/asker.h"
#include "blocking/proxymap/own.h"
#include "config/settings.h"
#include "os/file.h"
#include "table/remote.h"

#include <dlfcn.h>
#include <errno.h>

/* No value that goes to a caller is longer (schema/ipc/proxymap.ipc). */
#define VALUE_LIMIT ((size_t)1 << 20)

/* One table, open or not to be used. */
struct served {
	struct list link;
	struct slice spec; /* "type:name" */
	struct slice type;
	struct slice name;
	struct slice error; /* reason of every TABLE_TEMP; absent when usable */
	struct asker *asker;
	const struct own_type *own; /* NULL: a module's */
	struct module_table table;
	const struct table_module *module;
	struct table *backup; /* NULL: none */
	const char *path;     /* of its configuration; NULL: none */
	int fd;		      /* that file, held open; -1: none */
	struct stat seen;     /* of that; st_ino 0: it was not there */
};

struct serving {
	struct serving_options options;
	struct arena *arena;
	struct list tables;
	struct map *by_spec;
	struct map *modules; /* type -> struct table_module */
	size_t count;
	struct resolving *resolving;
	struct table_set *backups;
	struct table_remote inside; /* for backups that are not local */
};

static const struct own_type *const own_types[] = {&own_tcp, &own_socketmap, &own_memcache};

/* ---- backups: tables that this program opens for itself */

static enum table_result lookup_inside(struct table_remote *remote, struct slice table,
				       struct slice key, struct arena *arena, struct slice *value)
{
	return serving_lookup(CONTAINER_OF(remote, struct serving, inside), table, key, arena,
			      value);
}

static void keep_inside(struct table_remote *remote)
{
	(void)remote;
}

static void warn_backup(void *data, struct slice text)
{
	struct serving *s = data;

	s->options.warn(text);
}

static struct table_set *backup_set(struct serving *s)
{
	struct table_config config = {.warn = warn_backup, .data = s, .remote = &s->inside};

	if (s->options.settings != NULL)
		config.default_type = s->options.settings->default_database_type;
	s->inside = (struct table_remote){lookup_inside, keep_inside};
	return table_set_create(&config);
}

struct serving *serving_create(const struct serving_options *options, struct arena *arena)
{
	struct serving *s = ARENA_NEW(arena, struct serving);

	s->options = *options;
	s->arena = arena;
	list_init(&s->tables);
	s->by_spec = map_create();
	s->modules = map_create();
	s->resolving = resolving_create(options->settings, options->on_demand, arena);
	s->backups = backup_set(s);
	return s;
}

size_t serving_count(const struct serving *s)
{
	return s->count;
}

/* ---- modules */

/* load_module - once a type; NULL: *why. */
static const struct table_module *load_module(struct serving *s, struct slice type,
					      struct slice *why)
{
	const struct table_module *module = map_get(s->modules, type);
	struct slice path =
	    arena_printf(s->arena, "%s/table_%.*s.so", s->options.modules, SL_ARG(type));
	void *object;

	if (module != NULL)
		return module;
	object = dlopen(path.p, RTLD_NOW | RTLD_LOCAL);
	if (object == NULL) {
		*why = arena_printf(s->arena, "this type is not installed: %s", dlerror());
		return NULL;
	}
	module = dlsym(object, "table_module");
	if (module == NULL || module->version != TABLE_MODULE_VERSION ||
	    !slice_eq(slice_str(module->type), type)) {
		*why =
		    arena_printf(s->arena, "%s is no module of this version of Postrider", path.p);
		return NULL;
	}
	/* never unloaded: its library may have left threads' data behind */
	map_put(s->modules, type, (void *)(uintptr_t)module);
	return module;
}

/* ---- opening */

/* note_file - what the configuration file is like now, to see later that it changed. */
static void note_file(struct serving *s, struct served *t)
{
	if (t->name.n == 0 || (t->name.p[0] != '/' && t->name.p[0] != '.'))
		return;
	t->path = arena_str(s->arena, t->name);
	if (t->path == NULL)
		return;
	t->fd = os_openat(AT_FDCWD, t->path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (t->fd < 0 || os_fstat(t->fd, &t->seen) < 0)
		t->seen = (struct stat){.st_ino = 0};
}

static void warn_unused(struct serving *s, struct served *t, const struct client_config *config)
{
	struct slice name;
	size_t cursor = 0;
	unsigned line;

	while (client_config_unused(config, &cursor, &name, &line))
		s->options.warn(arena_printf(
		    s->arena, "%.*s, line %u: no table of type %.*s has a parameter \"%.*s\"",
		    SL_ARG(client_config_source(config)), line, SL_ARG(t->type), SL_ARG(name)));
}

/* open_with - what the type makes of its configuration. */
static bool open_with(struct serving *s, struct served *t, struct client_config *config,
		      struct slice *why)
{
	bool good;

	if (t->own != NULL)
		good = t->own->open(t->name, s->options.settings, config, s->resolving, s->arena,
				    &t->table, why);
	else
		good = t->module->open(config, s->arena, &t->table, why);
	if (!good && slice_is_null(*why) && config != NULL)
		*why = client_config_problem(config);
	if (good && config != NULL)
		warn_unused(s, t, config);
	return good;
}

static bool open_table(struct serving *s, struct served *t, struct slice *why)
{
	struct client_config *config = NULL;

	for (size_t i = 0; i < sizeof(own_types) / sizeof(own_types[0]); i++)
		if (slice_eq(t->type, slice_str(own_types[i]->module.type)))
			t->own = own_types[i];
	if (t->own == NULL || t->own->configured) {
		note_file(s, t);
		if (!client_config_open(s->options.settings, t->name, s->arena, &config, why))
			return false;
	}
	t->module = t->own != NULL ? &t->own->module : load_module(s, t->type, why);
	return t->module != NULL && open_with(s, t, config, why);
}

/* open_backup - of a memcache; what is a memcache itself would go round in circles. */
static bool open_backup(struct serving *s, struct served *t, struct slice *why)
{
	struct slice spec, table;

	if (t->own == NULL || t->own->backup == NULL)
		return true;
	spec = t->own->backup(&t->table);
	if (spec.n == 0)
		return true;
	if (table_remote_spec(spec, &table)) {
		if (slice_starts(table, SL("memcache:"))) {
			*why = SL("a memcache is no backup of a memcache");
			return false;
		}
		serving_add(s, table);
	}
	t->backup = table_open(s->backups, spec, 0);
	return true;
}

static void open_served(struct serving *s, struct served *t)
{
	struct slice why = SL_NULL;
	struct asker_options options = {
	    .name = t->spec, .connections = s->options.connections, .limit = s->options.limit};

	if (!open_table(s, t, &why) || !open_backup(s, t, &why)) {
		t->error = arena_printf(s->arena, "table %.*s: %.*s", SL_ARG(t->spec), SL_ARG(why));
		/* a single caller hears it from the lookup */
		if (!s->options.on_demand)
			s->options.warn(t->error);
		return;
	}
	options.module = t->module;
	options.table = t->table;
	options.threaded = t->own == NULL;
	options.store = t->own != NULL ? t->own->store : NULL;
	t->asker = asker_create(&options, s->arena);
}

void serving_add(struct serving *s, struct slice table)
{
	struct served *t;
	ssize_t colon = slice_find(table, ':');

	if (map_get(s->by_spec, table) != NULL)
		return;
	t = ARENA_NEW(s->arena, struct served);
	t->fd = -1;
	t->spec = arena_dup(s->arena, table);
	t->type = slice_sub(t->spec, 0, (size_t)colon);
	t->name = slice_from(t->spec, (size_t)colon + 1);
	list_push_back(&s->tables, &t->link);
	map_put(s->by_spec, t->spec, t);
	s->count++;
	open_served(s, t);
}

/* ---- lookups */

static struct served *find_served(struct serving *s, struct slice table)
{
	struct served *t = map_get(s->by_spec, table);
	struct slice same;

	if (t == NULL && s->options.on_demand && table_remote_spec(table, &same)) {
		serving_add(s, same);
		t = map_get(s->by_spec, same);
	}
	return t;
}

/*
 * from_backup - what the cache did not have, or could not say, the table behind it knows; what that
 * has is put into the cache, and if that cannot be done, it is asked for again.
 */
static enum table_result from_backup(struct served *t, struct slice key, struct arena *arena,
				     struct slice *value)
{
	enum table_result result = table_lookup(t->backup, key, arena, value);
	struct slice why;

	if (result == TABLE_FOUND)
		(void)asker_store(t->asker, key, *value, arena, &why);
	return result;
}

enum table_result serving_lookup(struct serving *s, struct slice table, struct slice key,
				 struct arena *arena, struct slice *value)
{
	struct served *t = find_served(s, table);
	enum table_result result;

	*value = SL_NULL;
	if (t == NULL) {
		*value = arena_printf(arena,
				      "table %.*s: proxymap does not serve it: no parameter of "
				      "main.cf or master.cf names it",
				      SL_ARG(table));
		return TABLE_TEMP;
	}
	if (!slice_is_null(t->error)) {
		*value = t->error;
		return TABLE_TEMP;
	}
	result = asker_lookup(t->asker, key, arena, value);
	if (result != TABLE_FOUND && t->backup != NULL &&
	    (t->module->applies == NULL || t->module->applies(&t->table, key)))
		result = from_backup(t, key, arena, value);
	if (result == TABLE_FOUND && value->n > VALUE_LIMIT) {
		*value = arena_printf(arena, "table %.*s: a value of %zu bytes is too long",
				      SL_ARG(t->spec), value->n);
		result = TABLE_TEMP;
	}
	return result;
}

/* ---- upkeep */

static bool differs(const struct stat *now, const struct stat *seen)
{
	return now->st_ino != seen->st_ino || now->st_dev != seen->st_dev ||
	       now->st_size != seen->st_size || now->st_mtim.tv_sec != seen->st_mtim.tv_sec ||
	       now->st_mtim.tv_nsec != seen->st_mtim.tv_nsec;
}

/*
 * file_changed - the name may lie where we cannot look any more; then the file that was read tells
 * what became of it: it was written to, or has no name any more.
 */
static bool file_changed(const struct served *t)
{
	struct stat now;

	if (t->path == NULL)
		return false;
	if (t->fd >= 0 && os_fstat(t->fd, &now) == 0 &&
	    (now.st_nlink == 0 || differs(&now, &t->seen)))
		return true;
	if (os_fstatat(AT_FDCWD, t->path, &now, 0) < 0)
		return t->seen.st_ino != 0 && errno == ENOENT;
	return differs(&now, &t->seen);
}

bool serving_changed(const struct serving *s)
{
	bool changed = table_set_changed(s->backups);

	LIST_FOREACH(node, &s->tables)
	changed |= file_changed(CONTAINER_OF(node, struct served, link));
	return changed;
}

void serving_close_idle(struct serving *s, bool all)
{
	LIST_FOREACH(node, &s->tables)
	{
		struct served *t = CONTAINER_OF(node, struct served, link);

		if (t->asker != NULL)
			asker_close_idle(t->asker, all);
	}
}

void serving_status(const struct serving *s, struct buffer *out)
{
	LIST_FOREACH(node, &s->tables)
	{
		const struct served *t = CONTAINER_OF(node, struct served, link);

		if (t->asker != NULL)
			asker_status(t->asker, out);
		else
			buffer_printf(out, "%.*s\n", SL_ARG(t->error));
	}
}

void serving_reads(const struct serving *s, void (*visit)(void *arg, const char *path), void *arg)
{
	LIST_FOREACH(node, &s->tables)
	{
		const struct served *t = CONTAINER_OF(node, struct served, link);
		const char *const *paths;

		if (t->asker == NULL || t->module->reads == NULL)
			continue;
		for (paths = t->module->reads(&t->table, s->arena); *paths != NULL; paths++)
			visit(arg, *paths);
	}
}

void serving_ports(const struct serving *s, void (*visit)(void *arg, uint16_t port), void *arg)
{
	LIST_FOREACH(node, &s->tables)
	{
		const struct served *t = CONTAINER_OF(node, struct served, link);
		const uint16_t *port;

		if (t->asker == NULL || t->module->ports == NULL)
			continue;
		for (port = t->module->ports(&t->table, s->arena); *port != 0; port++)
			visit(arg, *port);
	}
}
