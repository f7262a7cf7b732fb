/* SPDX-License-Identifier: ISC */
#include "daemon/daemon.h"
#include "fiber/fiber.h"
#include "log/events.h"
#include "table/remote.h"

#define LOOK_EVERY (5 * OS_SECOND)

struct watched {
	struct daemon_context *context;
	struct table_set *set;
};

static void watch_fiber(void *arg)
{
	struct watched *w = arg;

	while (fiber_sleep(os_deadline(LOOK_EVERY), "changed tables") == 0) {
		if (!table_set_changed(w->set))
			continue;
		/* the successor opens them anew; what goes on here keeps what it has */
		log_info_text("table has changed -- restarting");
		daemon_stop(w->context);
		return;
	}
}

static void warn(void *data, struct slice text)
{
	(void)data;
	LOG(warning, .text = text);
}

struct table_remote *daemon_remote(const struct settings *settings)
{
	struct arena *arena = arena_create();
	struct slice path = arena_printf(arena, "private/%.*s", SL_ARG(settings->proxymap_service_name));
	struct table_remote *remote =
	    table_remote_create(path.p, settings->proxymap_lookup_timeout + TABLE_REMOTE_GRACE);

	arena_destroy(&arena);
	return remote;
}

struct table_set *daemon_tables(const struct settings *settings, bool may_block)
{
	struct table_config config = {.warn = warn,
				      .default_type = settings->default_database_type,
				      .may_block = may_block,
				      .remote = daemon_remote(settings)};

	return table_set_create(&config);
}

void daemon_watch_tables(struct daemon_context *context, struct table_set *set)
{
	struct watched *w = ARENA_NEW(context->arena, struct watched);

	*w = (struct watched){context, set};
	table_set_seal(set);
	fiber_spawn("tables", watch_fiber, w);
}
