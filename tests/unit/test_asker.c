/* SPDX-License-Identifier: ISC */
/*
 * A table's pool of connections, its servers and their breakers, with a module that does as it is
 * told: in fibers and on threads.
 */
#include "unit.h"

#include "blocking/proxymap/asker.h"
#include "blocking/proxymap/breaker.h"
#include "fiber/fiber.h"
#include "os/process.h"

#include <stdatomic.h>
#include <stdlib.h>

#define HOSTS 2
/* So long a connection stays without use. */
#define IDLE (500 * OS_MILLISECOND)

/* What each server does, and what was done to it; threads look, too. */
struct server {
	atomic_bool down;   /* refuses connections */
	atomic_bool silent; /* a lookup lasts until its deadline, and loses the connection */
	atomic_bool deaf;   /* it lasts longer than that: until it is told otherwise */
	atomic_bool slow;   /* a lookup takes a moment */
	atomic_bool drops;  /* a connection that was used before is lost */
	atomic_int open;
	atomic_int most; /* connections that were open at once */
	atomic_int connects;
	atomic_int lookups;
};

static struct server servers[HOSTS];

struct fake_connection {
	struct server *server;
	int used;
};

static struct server *server_of(struct slice host)
{
	return &servers[host.p[host.n - 1] - '0'];
}

static enum module_result fake_connect(const struct module_table *table, struct slice host,
				       int64_t deadline, struct arena *arena, void **connection,
				       struct slice *why)
{
	struct server *s = server_of(host);
	struct fake_connection *c;

	(void)table;
	(void)deadline;
	atomic_fetch_add(&s->connects, 1);
	if (atomic_load(&s->down)) {
		*why = arena_printf(arena, "%.*s refuses", SL_ARG(host));
		return MODULE_LOST;
	}
	if (atomic_fetch_add(&s->open, 1) + 1 > atomic_load(&s->most))
		atomic_store(&s->most, atomic_load(&s->open));
	c = calloc(1, sizeof(*c));
	c->server = s;
	*connection = c;
	return MODULE_FOUND;
}

static void fake_disconnect(const struct module_table *table, void *connection)
{
	struct fake_connection *c = connection;

	(void)table;
	atomic_fetch_sub(&c->server->open, 1);
	free(c);
}

static enum module_result fake_lookup(const struct module_table *table, void *connection,
				      struct slice key, int64_t deadline, struct arena *arena,
				      struct slice *value)
{
	struct fake_connection *c = connection;
	struct server *s = c->server;

	(void)table;
	atomic_fetch_add(&s->lookups, 1);
	if (atomic_load(&s->drops) && c->used > 0) {
		*value = SL("closed");
		return MODULE_LOST;
	}
	c->used++;
	while (atomic_load(&s->deaf) || (atomic_load(&s->silent) && os_now() < deadline))
		os_sleep(2 * OS_MILLISECOND);
	if (atomic_load(&s->slow) && !atomic_load(&s->silent))
		os_sleep(20 * OS_MILLISECOND);
	if (atomic_load(&s->silent)) {
		*value = SL("silent");
		return MODULE_LOST;
	}
	if (slice_eq(key, SL("missing")))
		return MODULE_MISSING;
	if (slice_eq(key, SL("broken"))) {
		*value = SL("no such column");
		return MODULE_TEMP;
	}
	*value = arena_printf(arena, "%.*s!", SL_ARG(key));
	return MODULE_FOUND;
}

static bool fake_applies(const struct module_table *table, struct slice key)
{
	(void)table;
	return !slice_eq(key, SL("filtered"));
}

static const struct table_module fake = {
    .version = TABLE_MODULE_VERSION,
    .type = "fake",
    .applies = fake_applies,
    .connect = fake_connect,
    .lookup = fake_lookup,
    .disconnect = fake_disconnect,
};

static const struct slice hosts[HOSTS] = {{"host0", 5}, {"host1", 5}};

static struct asker *make(struct arena *arena, bool threaded, size_t host_count, size_t connections,
			  int64_t timeout)
{
	struct asker_options options = {.name = SL("fake:table"),
					.module = &fake,
					.table = {.hosts = hosts,
						  .host_count = host_count,
						  .timeout = timeout,
						  .idle = IDLE,
						  .retry = 2 * OS_SECOND},
					.threaded = threaded,
					.connections = connections,
					.limit = 30 * OS_SECOND};

	memset(servers, 0, sizeof(servers));
	return asker_create(&options, arena);
}

static enum table_result look(struct asker *a, const char *key, struct arena *arena,
			      struct slice *value)
{
	return asker_lookup(a, slice_str(key), arena, value);
}

/* ---- each in fibers, then on threads */

static bool threaded;

static void answers(void *arg)
{
	struct arena *arena = arg;
	struct asker *a = make(arena, threaded, 1, 2, OS_SECOND);
	struct slice v;

	assert_int_equal(look(a, "x", arena, &v), TABLE_FOUND);
	assert_slice(v, "x!");
	assert_int_equal(look(a, "missing", arena, &v), TABLE_MISSING);
	assert_true(slice_is_null(v));
	assert_int_equal(look(a, "broken", arena, &v), TABLE_TEMP);
	assert_slice(v, "table fake:table: no such column");
	assert_int_equal(look(a, "y", arena, &v), TABLE_FOUND);
	/* one connection served them all: what the server says against a query is no fault of its
	 */
	assert_int_equal(servers[0].connects, 1);
	assert_int_equal(look(a, "filtered", arena, &v), TABLE_MISSING);
	assert_int_equal(servers[0].lookups, 4);
	asker_close_idle(a, true);
	assert_int_equal(servers[0].open, 0);
}

static void a_stale_connection_is_replaced(void *arg)
{
	struct arena *arena = arg;
	struct asker *a = make(arena, threaded, 1, 2, OS_SECOND);
	struct slice v;

	servers[0].drops = true;
	for (int i = 0; i < 3 * BREAKER_FAILURES; i++)
		assert_int_equal(look(a, "x", arena, &v), TABLE_FOUND);
	assert_int_equal(servers[0].connects, 3 * BREAKER_FAILURES);
	assert_int_equal(servers[0].open, 1);
	asker_close_idle(a, true);
}

static void the_next_server_is_asked(void *arg)
{
	struct arena *arena = arg;
	struct asker *a = make(arena, threaded, 2, 2, OS_SECOND);
	struct slice v;

	servers[0].down = true;
	assert_int_equal(look(a, "x", arena, &v), TABLE_FOUND);
	assert_int_equal(servers[1].lookups, 1);
	servers[1].down = servers[1].drops = true;
	assert_int_equal(look(a, "x", arena, &v), TABLE_TEMP);
	assert_slice(v, "table fake:table: host1 refuses");
	asker_close_idle(a, true);
}

static void one_that_is_silent_leaves_time_for_the_next(void *arg)
{
	struct arena *arena = arg;
	struct asker *a = make(arena, threaded, 2, 2, 400 * OS_MILLISECOND);
	struct slice v;

	servers[0].silent = true;
	assert_int_equal(look(a, "x", arena, &v), TABLE_FOUND);
	assert_int_equal(servers[0].lookups, 1);
	assert_int_equal(servers[1].lookups, 1);
	asker_close_idle(a, true);
}

static void who_is_down_is_left_alone_and_tried_again(void *arg)
{
	struct arena *arena = arg;
	struct asker *a = make(arena, threaded, 1, 2, OS_SECOND);
	struct slice v;
	int tried;

	servers[0].down = true;
	for (int i = 0; i < BREAKER_FAILURES; i++)
		assert_int_equal(look(a, "x", arena, &v), TABLE_TEMP);
	tried = servers[0].connects;
	assert_int_equal(look(a, "x", arena, &v), TABLE_TEMP);
	assert_slice(v, "table fake:table: host0 is taken for down: host0 refuses");
	assert_int_equal(servers[0].connects, tried);
	servers[0].down = false;
	(void)fiber_sleep(os_deadline(BREAKER_FIRST_PAUSE + 10 * OS_MILLISECOND), "the pause");
	assert_int_equal(look(a, "x", arena, &v), TABLE_FOUND);
	assert_int_equal(servers[0].connects, tried + 1);
	asker_close_idle(a, true);
}

static void idle_connections_are_closed(void *arg)
{
	struct arena *arena = arg;
	struct asker *a = make(arena, threaded, 1, 2, OS_SECOND);
	struct slice v;

	assert_int_equal(look(a, "x", arena, &v), TABLE_FOUND);
	asker_close_idle(a, false);
	assert_int_equal(servers[0].open, 1);
	(void)fiber_sleep(os_deadline(IDLE + 20 * OS_MILLISECOND), "idleness");
	asker_close_idle(a, false);
	assert_int_equal(servers[0].open, 0);
	assert_int_equal(look(a, "x", arena, &v), TABLE_FOUND);
	assert_int_equal(servers[0].connects, 2);
	asker_close_idle(a, true);
}

struct one {
	struct asker *asker;
	struct arena *arena;
	enum table_result result;
	struct slice value;
};

static void look_one(void *arg)
{
	struct one *one = arg;

	one->result = look(one->asker, "x", one->arena, &one->value);
}

/* Connections from the time before a server went silent are no way around its breaker. */
static void what_was_kept_is_not_asked_of_who_is_down(void *arg)
{
	struct arena *arena = arg;
	struct asker *a = make(arena, true, 1, 2 * BREAKER_FAILURES, 60 * OS_MILLISECOND);
	struct fiber *fibers[2 * BREAKER_FAILURES];
	struct one ones[2 * BREAKER_FAILURES];
	struct slice v;
	int asked;

	servers[0].slow = true;
	for (size_t i = 0; i < 2 * BREAKER_FAILURES; i++) {
		ones[i] = (struct one){.asker = a, .arena = arena_create()};
		fibers[i] = fiber_spawn_joinable("one", look_one, &ones[i]);
	}
	for (size_t i = 0; i < 2 * BREAKER_FAILURES; i++) {
		assert_int_equal(fiber_join(fibers[i], OS_NEVER, "one"), 0);
		arena_destroy(&ones[i].arena);
	}
	assert_true(servers[0].open > BREAKER_FAILURES);
	servers[0].silent = true;
	for (int i = 0; i < BREAKER_FAILURES; i++)
		assert_int_equal(look(a, "x", arena, &v), TABLE_TEMP);
	asked = servers[0].lookups;
	assert_int_equal(look(a, "x", arena, &v), TABLE_TEMP);
	assert_int_equal(servers[0].lookups, asked);
	asker_close_idle(a, false);
	assert_int_equal(servers[0].open, 0);
	asker_close_idle(a, true);
}

/* ---- on threads: many at once */

static void no_more_connections_than_allowed(void *arg)
{
	struct arena *arena = arg;
	struct asker *a = make(arena, true, 1, 3, 5 * OS_SECOND);
	struct fiber *fibers[20];
	struct one ones[20];

	for (size_t i = 0; i < 20; i++) {
		ones[i] = (struct one){.asker = a, .arena = arena_create()};
		fibers[i] = fiber_spawn_joinable("one", look_one, &ones[i]);
	}
	for (size_t i = 0; i < 20; i++) {
		assert_int_equal(fiber_join(fibers[i], OS_NEVER, "one"), 0);
		assert_int_equal(ones[i].result, TABLE_FOUND);
		arena_destroy(&ones[i].arena);
	}
	assert_int_equal(servers[0].lookups, 20);
	assert_true(servers[0].most <= 3);
	(void)arena;
	asker_close_idle(a, true);
}

/* A thread that does not come back in time is given up: the caller goes on, and its place is taken
 * until it does. */
static void a_thread_that_hangs_is_left_behind(void *arg)
{
	struct arena *arena = arg;
	struct asker *a = make(arena, true, 1, 1, 100 * OS_MILLISECOND);
	struct slice v;

	servers[0].deaf = true;
	assert_int_equal(look(a, "x", arena, &v), TABLE_TEMP);
	assert_slice(v, "table fake:table: host0: no answer in time");
	/* the only place is not free */
	assert_int_equal(look(a, "y", arena, &v), TABLE_TEMP);
	assert_slice(v, "table fake:table: all connections are busy");
	assert_int_equal(servers[0].lookups, 1);
	servers[0].deaf = false;
	(void)fiber_sleep(os_deadline(100 * OS_MILLISECOND), "the thread");
	assert_int_equal(look(a, "z", arena, &v), TABLE_FOUND);
	/* what it left of its connection was not used again */
	assert_int_equal(servers[0].connects, 2);
	asker_close_idle(a, true);
	assert_int_equal(servers[0].open, 0);
}

/* An asker lives as long as its process, and so do its threads: it is kept, for what looks for leaks. */
static struct arena *kept[32];

static void run(void (*scene)(void *arg), bool on_threads)
{
	size_t i = 0;

	while (kept[i] != NULL)
		i++;
	assert_true(i < sizeof(kept) / sizeof(kept[0]));
	kept[i] = arena_create();
	threaded = on_threads;
	assert_int_equal(fibers_run(NULL, scene, kept[i]), 0);
}

#define BOTH(scene)                               \
	static void scene##_fibers(void **state)  \
	{                                         \
		(void)state;                      \
		run(scene, false);                \
	}                                         \
	static void scene##_threads(void **state) \
	{                                         \
		(void)state;                      \
		run(scene, true);                 \
	}

BOTH(answers)
BOTH(idle_connections_are_closed)
BOTH(a_stale_connection_is_replaced)
BOTH(the_next_server_is_asked)
BOTH(one_that_is_silent_leaves_time_for_the_next)
BOTH(who_is_down_is_left_alone_and_tried_again)

static void connections_are_bounded(void **state)
{
	(void)state;
	run(no_more_connections_than_allowed, true);
}

static void kept_connections(void **state)
{
	(void)state;
	run(what_was_kept_is_not_asked_of_who_is_down, true);
}

static void a_hanging_thread(void **state)
{
	(void)state;
	run(a_thread_that_hangs_is_left_behind, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(answers_fibers),
	    cmocka_unit_test(answers_threads),
	    cmocka_unit_test(idle_connections_are_closed_fibers),
	    cmocka_unit_test(idle_connections_are_closed_threads),
	    cmocka_unit_test(a_stale_connection_is_replaced_fibers),
	    cmocka_unit_test(a_stale_connection_is_replaced_threads),
	    cmocka_unit_test(the_next_server_is_asked_fibers),
	    cmocka_unit_test(the_next_server_is_asked_threads),
	    cmocka_unit_test(one_that_is_silent_leaves_time_for_the_next_fibers),
	    cmocka_unit_test(one_that_is_silent_leaves_time_for_the_next_threads),
	    cmocka_unit_test(who_is_down_is_left_alone_and_tried_again_fibers),
	    cmocka_unit_test(who_is_down_is_left_alone_and_tried_again_threads),
	    cmocka_unit_test(connections_are_bounded),
	    cmocka_unit_test(kept_connections),
	    cmocka_unit_test(a_hanging_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
