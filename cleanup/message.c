/* SPDX-License-Identifier: ISC */
#include "cleanup/cleanup.h"

struct message *message_create(struct cleanup *process)
{
	struct arena *arena = arena_create();
	struct message *m = ARENA_NEW(arena, struct message);

	m->process = process;
	m->arena = arena;
	m->known = map_create();
	/* one field, and the chunk that its end was found in */
	buffer_init(&m->pending, (size_t)process->settings->header_size_limit + 4 * 65536);
	buffer_init(&m->content, SIZE_MAX / 2);
	content_canon_init(&m->canon);
	content_scan_init(&m->scan);
	return m;
}

void message_destroy(struct message **m)
{
	struct message *gone = *m;
	struct arena *arena;

	if (gone == NULL)
		return;
	store_release(gone);
	buffer_free(&gone->pending);
	map_destroy(&gone->known);
	arena = gone->arena;
	arena_destroy(&arena);
	*m = NULL;
}

void message_refuse(struct message *m, enum cleanup_outcome outcome, uint16_t code, struct slice dsn,
		    struct slice text)
{
	if (message_refused(m))
		return;
	m->refusal = (struct refusal){outcome, code, dsn, text};
	/* what was gathered is of no use any more; what still comes is read and dropped */
	store_release(m);
	buffer_free(&m->pending);
}
