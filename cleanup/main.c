/* SPDX-License-Identifier: ISC */
#include "cleanup/cleanup.h"
#include "daemon/daemon.h"
#include "log/events.h"
#include "os/zone.h"

#include <malloc.h>

#define DRAIN_PATIENCE (30 * OS_SECOND)
#define WORKERS 4
#define LARGE_WORKERS 2 /* of them, for messages with files of their own */
#define SPARE_MEMORY (4 << 20) /* not given back to the system as long as the process runs */

static struct map *header_names(struct slice list, struct arena *arena)
{
	struct map *names = map_create();
	struct slice word;

	while (settings_next_word(&list, &word))
		map_put(names, arena_lower(arena, word), names);
	return names;
}

/*
 * keep_memory - what one message of some size took, the next one takes: pages given back between them would
 * be asked for, and cleared, again.
 */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, SPARE_MEMORY / 4);
	mallopt(M_TRIM_THRESHOLD, SPARE_MEMORY);
}

static enum result cleanup_open(struct daemon_context *context)
{
	const struct settings *settings = context->settings;
	struct cleanup *p = ARENA_NEW(context->arena, struct cleanup);

	keep_memory();
	p->settings = settings;
	p->queue_fd = context->queue_fd;
	p->tables = daemon_tables(settings, false);
	p->route = route_create(settings, p->tables);
	p->virtual_alias_maps = table_list_create(p->tables, settings->virtual_alias_maps, TABLE_FOLD);
	p->dropped_headers = header_names(settings->message_drop_headers, context->arena);
	p->propagate_extension = settings_list_has(settings->propagate_unmatched_extensions, SL("virtual"));
	p->free_asked = INT64_MIN / 2;
	os_zone_open();
	context->state = p;
	return RES_OK;
}

static void cleanup_start(struct daemon_context *context)
{
	struct cleanup *p = context->state;

	daemon_watch_tables(context, p->tables);
	fiber_mutex_init(&p->opening);
	fiber_sem_init(&p->large_places, LARGE_WORKERS);
	p->committer = committer_start(p);
}

static void cleanup_drain(struct daemon_context *context)
{
	struct cleanup *p = context->state;

	committer_drain(p->committer, os_deadline(DRAIN_PATIENCE));
}

static void cleanup_status(struct daemon_context *context, struct buffer *out)
{
	const struct cleanup *p = context->state;

	buffer_printf(out, "memory held for messages: %zu bytes\n", p->buffered);
	buffer_printf(out, "not yet announced to qmgr: %zu\n", committer_backlog(p->committer));
}

static const struct daemon cleanup_daemon = {
    .name = "cleanup",
    .open = cleanup_open,
    .start = cleanup_start,
    .session = cleanup_session,
    .drain = cleanup_drain,
    .status = cleanup_status,
    .exit_when_idle = true,
    .workers = WORKERS,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &cleanup_daemon);
}
