/* SPDX-License-Identifier: ISC */
#include "blocking/proxymap/asker.h"

#include "base/check.h"
#include "base/list.h"
#include "blocking/proxymap/breaker.h"
#include "blocking/proxymap/threads.h"
#include "fiber/fiber.h"
#include "log/events.h"

#include <errno.h>
#include <stdlib.h>

#define DEFAULT_TIMEOUT (20 * OS_SECOND)
#define DEFAULT_IDLE (60 * OS_SECOND)
#define DEFAULT_RETRY (60 * OS_SECOND)
/* What a thread is given to notice that its deadline has passed. */
#define THREAD_GRACE (500 * OS_MILLISECOND)

struct host {
	struct slice name;
	struct breaker breaker;
	struct slice reason; /* why it is down; in `reasons` */
	struct arena *reasons;
	uint64_t answered;
	uint64_t failed;
};

/* In place of a time: nobody asks over this connection any more, and the next look at idle ones
 * closes it. */
#define OF_NO_USE INT64_MIN

struct connection {
	struct list link;
	void *module; /* the module's */
	struct host *host;
	int64_t idle_since;
};

struct asker {
	struct asker_options options;
	struct host *hosts;
	size_t host_count;
	struct list idle; /* connections, last used first */
	size_t busy;	  /* lookups that hold a place, given-up ones included */
	struct fiber_cond room;
	struct threads *threads; /* NULL: not started yet, or none */
	bool ending;
};

/* One try of a lookup at one server; what a thread works on. It outlives a caller that gives up. */
struct attempt {
	struct asker *asker;
	struct arena *arena;
	struct connection *connection; /* connection->module NULL: connect first */
	struct slice key;
	struct slice store; /* absent: a lookup; else what is stored under the key */
	int64_t deadline;
	enum module_result result;
	struct slice value;
};

/* What is asked, of whichever server. */
struct question {
	struct slice key;
	struct slice store;
	int64_t deadline;
	struct arena *arena; /* the caller's */
};

struct asker *asker_create(const struct asker_options *options, struct arena *arena)
{
	struct asker *a = ARENA_NEW(arena, struct asker);
	struct module_table *t = &a->options.table;

	a->options = *options;
	if (t->connections == 0)
		t->connections = options->connections;
	if (t->timeout == 0)
		t->timeout = DEFAULT_TIMEOUT;
	if (t->timeout > options->limit)
		t->timeout = options->limit;
	if (t->idle == 0)
		t->idle = DEFAULT_IDLE;
	if (t->retry == 0)
		t->retry = DEFAULT_RETRY;
	a->host_count = t->host_count;
	a->hosts = ARENA_ARRAY(arena, t->host_count, struct host);
	for (size_t i = 0; i < t->host_count; i++) {
		a->hosts[i] = (struct host){.name = t->hosts[i], .reasons = arena_create()};
		breaker_init(&a->hosts[i].breaker, t->retry);
	}
	list_init(&a->idle);
	fiber_cond_init(&a->room);
	return a;
}

/* ---- what a thread, or the fiber itself, does */

static void run_attempt(void *arg)
{
	struct attempt *t = arg;
	const struct table_module *module = t->asker->options.module;
	const struct module_table *table = &t->asker->options.table;
	struct connection *c = t->connection;

	if (c->module == NULL) {
		t->result = module->connect(table, c->host->name, t->deadline, t->arena, &c->module,
					    &t->value);
		if (t->result != MODULE_FOUND) {
			t->result = MODULE_LOST;
			c->module = NULL;
			return;
		}
	}
	if (slice_is_null(t->store))
		t->result =
		    module->lookup(table, c->module, t->key, t->deadline, t->arena, &t->value);
	else
		t->result = t->asker->options.store(table, c->module, t->key, t->store, t->deadline,
						    t->arena, &t->value);
	if (t->result == MODULE_LOST) {
		module->disconnect(table, c->module);
		c->module = NULL;
	}
}

static void run_disconnect(void *arg)
{
	struct attempt *t = arg;

	t->asker->options.module->disconnect(&t->asker->options.table, t->connection->module);
	t->connection->module = NULL;
}

static void free_attempt(struct attempt *t)
{
	struct arena *arena = t->arena;

	arena_destroy(&arena);
}

/* leave_place - somebody else's turn. */
static void leave_place(struct asker *a)
{
	a->busy--;
	fiber_cond_signal(&a->room);
}

/* end_disconnect - a place was held for it, too. */
static void end_disconnect(void *arg)
{
	struct attempt *t = arg;

	leave_place(t->asker);
	free(t->connection);
	free_attempt(t);
}

static struct attempt *new_attempt(struct asker *a, struct connection *c)
{
	struct arena *arena = arena_create();
	struct attempt *t = ARENA_NEW(arena, struct attempt);

	*t = (struct attempt){.asker = a, .arena = arena, .connection = c, .result = MODULE_LOST};
	return t;
}

static struct threads *threads_of(struct asker *a)
{
	if (a->threads == NULL)
		a->threads = threads_create((unsigned)a->options.table.connections);
	return a->threads;
}

/* discard - close a connection whose place is still held; gives the place up. */
static void discard(struct asker *a, struct connection *c)
{
	struct attempt *t = new_attempt(a, c);

	if (c->module == NULL || !a->options.threaded) {
		if (c->module != NULL)
			run_disconnect(t);
		end_disconnect(t);
		return;
	}
	if (threads_run(threads_of(a), run_disconnect, end_disconnect, t,
			os_deadline(THREAD_GRACE)))
		end_disconnect(t);
}

/* given_up - the caller of this attempt went long ago; what it left of a connection is not trusted.
 */
static void given_up(void *arg)
{
	struct attempt *t = arg;
	struct connection *c = t->connection;
	struct asker *a = t->asker;

	free_attempt(t);
	if (c->module == NULL) {
		free(c);
		leave_place(a);
		return;
	}
	c->idle_since = OF_NO_USE;
	list_push_back(&a->idle, &c->link);
	leave_place(a);
}

/* ---- places */

static bool any_host_admits(const struct asker *a)
{
	int64_t now = os_now();

	for (size_t i = 0; i < a->host_count; i++)
		if (breaker_would_admit(&a->hosts[i].breaker, now))
			return true;
	return false;
}

enum place { PLACE_HELD, PLACE_DOWN, PLACE_BUSY };

/* take_place - as many lookups at once as there may be connections. */
static enum place take_place(struct asker *a, int64_t deadline)
{
	while (a->busy >= a->options.table.connections) {
		if (!any_host_admits(a))
			return PLACE_DOWN;
		if (fiber_cond_wait(&a->room, deadline, "room for a lookup") < 0)
			return PLACE_BUSY;
	}
	a->busy++;
	return PLACE_HELD;
}

/* ---- servers */

static void note_success(struct asker *a, struct host *h)
{
	h->answered++;
	if (breaker_success(&h->breaker) == BREAKER_CLOSED)
		LOG(table_server_up, .table = a->options.name, .server = h->name);
}

static void note_failure(struct asker *a, struct host *h, struct slice reason)
{
	h->failed++;
	arena_reset(h->reasons);
	h->reason = arena_dup(h->reasons, reason);
	if (breaker_failure(&h->breaker, os_now()) != BREAKER_OPENED)
		return;
	LOG(table_server_down, .table = a->options.name, .server = h->name,
	    .failures = h->breaker.failures, .reason = reason);
	/* a server that is silent would be so on those as well */
	LIST_FOREACH(node, &a->idle)
	{
		struct connection *c = CONTAINER_OF(node, struct connection, link);

		if (c->host == h)
			c->idle_since = OF_NO_USE;
	}
	/* who waits for a place hears it at once */
	fiber_cond_broadcast(&a->room);
}

static size_t random_below(size_t n)
{
	uint32_t v;

	os_random(&v, sizeof(v));
	return n > 0 ? v % n : 0;
}

/* next_host - one that may be asked and was not yet, in order from `first`; NULL: none. */
static struct host *next_host(struct asker *a, size_t first, bool *tried)
{
	for (size_t i = 0; i < a->host_count; i++) {
		size_t n = (first + i) % a->host_count;

		if (!tried[n] && breaker_admit(&a->hosts[n].breaker, os_now())) {
			tried[n] = true;
			return &a->hosts[n];
		}
	}
	return NULL;
}

/* down_reason - why nobody is asked: the last server's trouble. */
static struct slice down_reason(const struct asker *a, struct arena *arena)
{
	for (size_t i = a->host_count; i > 0; i--)
		if (a->hosts[i - 1].reason.n > 0)
			return arena_printf(arena, "%.*s is taken for down: %.*s",
					    SL_ARG(a->hosts[i - 1].name),
					    SL_ARG(a->hosts[i - 1].reason));
	return SL("no server may be asked");
}

/* ---- one try */

/* kept_connection - the one that was used last, but none that is to be closed. */
static struct connection *kept_connection(struct asker *a)
{
	LIST_FOREACH(node, &a->idle)
	{
		struct connection *c = CONTAINER_OF(node, struct connection, link);

		if (c->idle_since == OF_NO_USE)
			continue;
		list_remove(&c->link);
		return c;
	}
	return NULL;
}

static struct connection *new_connection(struct host *host)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL)
		out_of_memory();
	c->host = host;
	return c;
}

/* keep - for the next lookup; nobody may close it while the other is under way. */
static void keep(struct asker *a, struct connection *c)
{
	if (a->ending) {
		a->busy++;
		discard(a, c);
		return;
	}
	c->idle_since = os_now();
	list_push_front(&a->idle, &c->link);
}

/*
 * try_once - ask over this connection, which is taken over, until then. MODULE_LOST: *value says
 * why; *gave_up: the place is held by what still runs.
 */
static enum module_result try_once(struct asker *a, struct connection *c, const struct question *q,
				   int64_t until, struct slice *value, bool *gave_up)
{
	struct attempt *t = new_attempt(a, c);
	enum module_result result;

	t->key = arena_dup(t->arena, q->key);
	if (!slice_is_null(q->store))
		t->store = arena_dup(t->arena, q->store);
	t->deadline = until;
	*gave_up = a->options.threaded &&
		   !threads_run(threads_of(a), run_attempt, given_up, t, until + THREAD_GRACE);
	if (*gave_up) {
		*value = arena_printf(q->arena, "%.*s: no answer in time", SL_ARG(c->host->name));
		return MODULE_LOST;
	}
	if (!a->options.threaded)
		run_attempt(t);
	result = t->result;
	*value = result == MODULE_MISSING ? SL_NULL : arena_dup(q->arena, t->value);
	free_attempt(t);
	if (result == MODULE_LOST)
		free(c);
	else
		keep(a, c);
	return result;
}

/*
 * ask_kept - over a connection that is there already. MODULE_LOST: ask anew. That a server closed
 * it meanwhile is no failure; that it let the time pass is.
 */
static enum module_result ask_kept(struct asker *a, const struct question *q, struct slice *value,
				   bool *gave_up)
{
	struct connection *c = kept_connection(a);
	enum module_result result;
	struct host *host;

	if (c == NULL)
		return MODULE_LOST;
	host = c->host;
	result = try_once(a, c, q, q->deadline, value, gave_up);
	if (result != MODULE_LOST)
		note_success(a, host);
	else if (*gave_up || os_now() >= q->deadline)
		note_failure(a, host, *value);
	return result;
}

/* share_of - the time for the next server: one that is silent leaves some for the `others` that may
 * follow. */
static int64_t share_of(int64_t deadline, size_t others)
{
	int64_t now = os_now();

	return now + (deadline - now) / (int64_t)(others + 1);
}

/* ask - a place is held; if *gave_up, not by the caller any more. */
static enum module_result ask(struct asker *a, const struct question *q, struct slice *value,
			      bool *gave_up)
{
	bool *tried = ARENA_ARRAY(q->arena, a->host_count, bool);
	size_t first = a->options.table.shuffle ? random_below(a->host_count) : 0;
	size_t others = a->host_count;
	enum module_result result;
	struct host *host;

	*value = SL_NULL;
	*gave_up = false;
	result = ask_kept(a, q, value, gave_up);
	while (result == MODULE_LOST && !*gave_up && os_now() < q->deadline && !fiber_cancelled() &&
	       (host = next_host(a, first, tried)) != NULL) {
		result = try_once(a, new_connection(host), q, share_of(q->deadline, --others),
				  value, gave_up);
		if (result != MODULE_LOST)
			note_success(a, host);
		else if (fiber_cancelled())
			breaker_abandon(&host->breaker);
		else
			note_failure(a, host, *value);
	}
	if (result == MODULE_LOST && slice_is_null(*value))
		*value = down_reason(a, q->arena);
	return result;
}

static enum table_result temporary(const struct asker *a, struct arena *arena, struct slice reason,
				   struct slice *value)
{
	*value = arena_printf(arena, "table %.*s: %.*s", SL_ARG(a->options.name), SL_ARG(reason));
	return TABLE_TEMP;
}

static enum table_result run_question(struct asker *a, const struct question *q,
				      struct slice *value)
{
	enum module_result result;
	bool gave_up;

	switch (take_place(a, q->deadline)) {
	case PLACE_DOWN:
		return temporary(a, q->arena, down_reason(a, q->arena), value);
	case PLACE_BUSY:
		return temporary(a, q->arena, SL("all connections are busy"), value);
	case PLACE_HELD:
		break;
	}
	result = ask(a, q, value, &gave_up);
	if (!gave_up)
		leave_place(a);
	switch (result) {
	case MODULE_FOUND:
		return TABLE_FOUND;
	case MODULE_MISSING:
		return TABLE_MISSING;
	case MODULE_TEMP:
	case MODULE_LOST:
		break;
	}
	return temporary(a, q->arena, *value, value);
}

enum table_result asker_lookup(struct asker *a, struct slice key, struct arena *arena,
			       struct slice *value)
{
	struct question q = {
	    .key = key, .deadline = os_deadline(a->options.table.timeout), .arena = arena};

	*value = SL_NULL;
	if (a->options.module->applies != NULL &&
	    !a->options.module->applies(&a->options.table, key))
		return TABLE_MISSING;
	return run_question(a, &q, value);
}

enum table_result asker_store(struct asker *a, struct slice key, struct slice value,
			      struct arena *arena, struct slice *why)
{
	struct question q = {.key = key,
			     .store = slice_is_null(value) ? SL("") : value,
			     .deadline = os_deadline(a->options.table.timeout),
			     .arena = arena};

	return run_question(a, &q, why);
}

/* ---- upkeep */

/* due_connection - one that has waited for long, or is of no use any more. */
static struct connection *due_connection(struct asker *a, bool all)
{
	int64_t now = os_now();

	LIST_FOREACH(node, &a->idle)
	{
		struct connection *c = CONTAINER_OF(node, struct connection, link);

		if (!all && c->idle_since != OF_NO_USE &&
		    now - c->idle_since < a->options.table.idle)
			continue;
		list_remove(&c->link);
		return c;
	}
	return NULL;
}

void asker_close_idle(struct asker *a, bool all)
{
	struct connection *c;

	a->ending |= all;
	while ((c = due_connection(a, all)) != NULL) {
		/* its thread counts as a lookup, so that there is one for it */
		if (!all && a->busy >= a->options.table.connections) {
			list_push_back(&a->idle, &c->link);
			return;
		}
		a->busy++;
		discard(a, c);
	}
}

void asker_status(const struct asker *a, struct buffer *out)
{
	size_t idle = 0;

	LIST_FOREACH(node, (struct list *)(uintptr_t)&a->idle)
	idle++;
	for (size_t i = 0; i < a->host_count; i++) {
		const struct host *h = &a->hosts[i];

		buffer_printf(
		    out,
		    "%.*s: server %.*s: %s, answered: %llu, failed: %llu, busy: %zu, idle: %zu\n",
		    SL_ARG(a->options.name), SL_ARG(h->name), h->breaker.open ? "down" : "up",
		    (unsigned long long)h->answered, (unsigned long long)h->failed, a->busy, idle);
	}
}
