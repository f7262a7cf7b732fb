/* SPDX-License-Identifier: ISC */
#include "tls/context.h"
#include "base/check.h"

#include <stdlib.h>

struct kept_session {
	struct list used;
	SSL_SESSION *session;
	struct slice key; /* allocated behind this struct */
};

static void forget(struct tls_context *c, struct kept_session *kept)
{
	(void)map_remove(c->sessions, kept->key);
	list_remove(&kept->used);
	SSL_SESSION_free(kept->session);
	free(kept);
}

void session_cache_drop(struct tls_context *c, struct slice key)
{
	struct kept_session *kept = map_get(c->sessions, key);

	if (kept != NULL)
		forget(c, kept);
}

void session_cache_put(struct tls_context *c, struct slice key, SSL_SESSION *session)
{
	struct kept_session *kept;

	session_cache_drop(c, key);
	if (map_count(c->sessions) >= c->sessions_max && !list_empty(&c->sessions_used))
		forget(c, CONTAINER_OF(c->sessions_used.next, struct kept_session, used));
	kept = malloc(sizeof(*kept) + key.n);
	if (kept == NULL)
		out_of_memory();
	memcpy(kept + 1, key.p, key.n);
	kept->key = slice(kept + 1, key.n);
	kept->session = session;
	list_push_back(&c->sessions_used, &kept->used);
	(void)map_put(c->sessions, kept->key, kept);
}

SSL_SESSION *session_cache_get(struct tls_context *c, struct slice key)
{
	struct kept_session *kept = map_get(c->sessions, key);

	if (kept == NULL)
		return NULL;
	if (!SSL_SESSION_is_resumable(kept->session)) {
		forget(c, kept);
		return NULL;
	}
	SSL_SESSION_up_ref(kept->session);
	return kept->session;
}

void session_cache_free(struct tls_context *c)
{
	while (!list_empty(&c->sessions_used))
		forget(c, CONTAINER_OF(c->sessions_used.next, struct kept_session, used));
	map_destroy(&c->sessions);
}
