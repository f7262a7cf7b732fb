/* SPDX-License-Identifier: ISC */
#include "blocking/proxymap/catalog.h"

#include "config/master_cf.h"
#include "config/settings.h"
#include "table/remote.h"

struct walk {
	void (*visit)(void *arg, struct slice table);
	void *arg;
};

void catalog_scan(struct slice value, void (*visit)(void *arg, struct slice table), void *arg)
{
	struct slice word, table;

	/* within braces too: pipemap:{ldap:/file, ...}, { check_recipient_access ldap:/file } */
	while (slice_next(&value, " \t\r\n,{}", &word)) {
		ssize_t equals = slice_find(word, '=');

		if (table_remote_spec(word, &table) ||
		    (equals > 0 && table_remote_spec(slice_from(word, (size_t)equals + 1), &table)))
			visit(arg, table);
	}
}

static void scan_value(void *arg, struct slice name, struct slice value)
{
	const struct walk *w = arg;

	(void)name;
	catalog_scan(value, w->visit, w->arg);
}

/* scan_service - what main.cf says with the -o of this service; nothing new when it has none. */
static void scan_service(struct walk *w, const struct settings *settings,
			 const struct master_service *service, struct arena *arena)
{
	struct slice *overrides = ARENA_ARRAY(arena, service->arg_count + 1, struct slice);
	size_t count = 0;

	for (size_t i = 0; i + 1 < service->arg_count; i++)
		if (slice_eq(service->args[i], SL("-o")))
			overrides[count++] = service->args[++i];
	if (count > 0)
		settings_visit_given(settings, overrides, count, scan_value, w);
}

void catalog_visit(const struct settings *settings, const char *dir,
		   void (*visit)(void *arg, struct slice table), void *arg)
{
	struct arena *arena = arena_create();
	struct walk w = {visit, arg};
	struct config_problems problems;
	struct master_cf services = {.count = 0};

	settings_visit_given(settings, NULL, 0, scan_value, &w);
	config_problems_init(&problems, arena);
	(void)master_cf_load(dir, settings, arena, &problems, &services);
	for (size_t i = 0; i < services.count; i++)
		scan_service(&w, settings, &services.services[i], arena);
	arena_destroy(&arena);
}
