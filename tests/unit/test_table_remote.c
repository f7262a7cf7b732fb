/* SPDX-License-Identifier: ISC */
/* Tables that are not local, as their users see them: with a played proxymap that answers, or does
 * not. */
#include "unit.h"

#include "fiber/fiber.h"
#include "ipc/proxymap.h"
#include "os/file.h"
#include "os/socket.h"
#include "table/remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- without any proxymap: what is asked of it */

struct played {
	struct table_remote remote;
	char asked[256];
};

static enum table_result play(struct table_remote *remote, struct slice table, struct slice key,
			      struct arena *arena, struct slice *value)
{
	struct played *p = (struct played *)remote;

	snprintf(p->asked, sizeof(p->asked), "%.*s %.*s", SL_ARG(table), SL_ARG(key));
	*value = arena_dup(arena, SL("value"));
	return TABLE_FOUND;
}

static void what_is_asked(void **state)
{
	struct played p = {.remote = {.lookup = play}};
	struct table_config config = {.remote = &p.remote};
	struct table_set *set = table_set_create(&config);
	struct arena *arena = arena_create();
	struct slice value;

	(void)state;
	assert_int_equal(table_lookup(table_open(set, SL("proxy:ldap:/etc/l.cf"), TABLE_FOLD),
				      SL("Key"), arena, &value),
			 TABLE_FOUND);
	assert_string_equal(p.asked, "ldap:/etc/l.cf key");
	assert_slice(value, "value");
	/* like patterns: as it comes, and no parts of it */
	assert_int_equal(
	    table_lookup(table_open(set, SL("tcp:h:1"), TABLE_FOLD), SL("Key"), arena, &value),
	    TABLE_FOUND);
	assert_string_equal(p.asked, "tcp:h:1 Key");
	assert_false(table_has_literal_keys(table_open(set, SL("socketmap:unix:/x:n"), 0)));
	assert_true(table_has_literal_keys(table_open(set, SL("mysql:/x.cf"), 0)));
	arena_destroy(&arena);
	table_set_destroy(&set);
}

static void who_is_not_trusted(void **state)
{
	static const char *const strangers[] = {"tcp:h:1", "socketmap:inet:h:1:n",
						"proxy:memcache:/m.cf"};
	struct played p = {.remote = {.lookup = play}};
	struct table_config config = {.remote = &p.remote};
	struct table_set *set = table_set_create(&config);
	struct arena *arena = arena_create();
	struct slice value;

	(void)state;
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		struct table *table = table_open(set, slice_str(strangers[i]), TABLE_TRUSTED);

		assert_int_equal(table_lookup(table, SL("k"), arena, &value), TABLE_TEMP);
		assert_true(
		    slice_ends(value, SL("this type is not allowed for security-sensitive data")));
	}
	assert_string_equal(p.asked, "");
	assert_int_equal(
	    table_lookup(table_open(set, SL("pgsql:/p.cf"), TABLE_TRUSTED), SL("k"), arena, &value),
	    TABLE_FOUND);
	arena_destroy(&arena);
	table_set_destroy(&set);
}

static void without_a_proxymap(void **state)
{
	struct table_set *set = table_set_create(NULL);
	struct arena *arena = arena_create();
	struct slice value;

	(void)state;
	assert_int_equal(table_lookup(table_open(set, SL("ldap:/l.cf"), 0), SL("k"), arena, &value),
			 TABLE_TEMP);
	assert_slice(value, "table ldap:/l.cf: this program cannot look up in tables of this type");
	assert_int_equal(
	    table_lookup(table_open(set, SL("proxy:ldap:"), 0), SL("k"), arena, &value),
	    TABLE_TEMP);
	arena_destroy(&arena);
	table_set_destroy(&set);
}

/* ---- a proxymap that is played, over a socket */

enum mode { ANSWER, SILENT, GARBAGE, CLOSE, OTHER };

struct scene {
	char directory[32];
	char path[64];
	enum mode mode;
	unsigned asked;
	struct fiber *server;
};

static void answer(struct ipc_conn *conn, struct scene *scene, const struct proxymap_lookup *q)
{
	struct proxymap_answer a = {.id = q->id, .status = PROXYMAP_STATUS_MISSING};

	scene->asked++;
	if (slice_eq(q->key, SL("found"))) {
		a.status = PROXYMAP_STATUS_FOUND;
		a.value = SL("a\0b");
	} else if (slice_eq(q->key, SL("empty"))) {
		a.status = PROXYMAP_STATUS_FOUND;
	} else if (slice_eq(q->key, SL("temp"))) {
		a.status = PROXYMAP_STATUS_TEMP;
		a.why = SL("table x: down");
	}
	if (scene->mode == OTHER)
		a.id += 1000;
	if (scene->mode == ANSWER || scene->mode == OTHER)
		proxymap_answer_send(conn, &a, os_deadline(OS_SECOND));
}

static void serve(struct scene *scene, int fd)
{
	struct ipc_conn *conn = ipc_conn_create(fd);
	struct arena *arena = arena_create();
	struct proxymap_lookup q;
	struct iovec what = {(void *)(uintptr_t) "220 smtp ESMTP\r\n", 16};

	while (scene->mode != CLOSE &&
	       ipc_expect(conn, &proxymap_lookup_message, arena, &q, OS_NEVER) == IPC_OK) {
		answer(conn, scene, &q);
		if (scene->mode == GARBAGE) {
			(void)os_sendv(fd, &what, 1);
			break;
		}
	}
	arena_destroy(&arena);
	ipc_conn_close(&conn);
}

static void server_fiber(void *arg)
{
	struct os_addr addr = {.len = sizeof(struct sockaddr_un)};
	struct sockaddr_un *un = (struct sockaddr_un *)&addr.ss;
	struct scene *scene = arg;
	struct fiber_fd listener;
	int fd = os_socket(AF_UNIX, SOCK_STREAM, 0);

	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, scene->path, sizeof(scene->path));
	assert_int_equal(os_bind(fd, &addr), 0);
	assert_int_equal(os_listen(fd, 10), 0);
	fiber_fd_init(&listener, fd);
	while ((fd = fiber_accept(&listener, NULL, OS_NEVER, "a caller")) >= 0)
		serve(scene, fd);
	fiber_fd_close(&listener);
}

static enum table_result look(struct table_set *set, const char *key, struct arena *arena,
			      struct slice *value)
{
	return table_lookup(table_open(set, SL("sqlite:/s.cf"), 0), slice_str(key), arena, value);
}

static void run_scene(void *arg)
{
	struct scene *scene = arg;
	struct table_config config = {.remote =
					  table_remote_create(scene->path, 300 * OS_MILLISECOND)};
	struct table_set *set = table_set_create(&config);
	struct arena *arena = arena_create();
	struct slice value;

	/* nobody is there */
	assert_int_equal(look(set, "found", arena, &value), TABLE_TEMP);
	assert_slice(value, "table sqlite:/s.cf: proxymap: No such file or directory");
	scene->server = fiber_spawn("proxymap", server_fiber, scene);
	fiber_yield();
	/* after a pause in which nobody tries */
	while (look(set, "found", arena, &value) != TABLE_FOUND)
		(void)fiber_sleep(os_deadline(50 * OS_MILLISECOND), "a pause");
	assert_slice(value, "a\0b");
	assert_int_equal(look(set, "empty", arena, &value), TABLE_FOUND);
	assert_false(slice_is_null(value));
	assert_int_equal(value.n, 0);
	assert_int_equal(look(set, "missing", arena, &value), TABLE_MISSING);
	assert_int_equal(look(set, "temp", arena, &value), TABLE_TEMP);
	assert_slice(value, "table x: down");
	scene->mode = SILENT;
	assert_int_equal(look(set, "found", arena, &value), TABLE_TEMP);
	assert_slice(value, "table sqlite:/s.cf: proxymap: timeout");
	scene->mode = OTHER;
	assert_int_equal(look(set, "found", arena, &value), TABLE_TEMP);
	scene->mode = GARBAGE;
	assert_int_equal(look(set, "found", arena, &value), TABLE_TEMP);
	assert_true(slice_starts(value, SL("table sqlite:/s.cf: proxymap: ")));
	scene->mode = CLOSE;
	assert_int_equal(look(set, "found", arena, &value), TABLE_TEMP);
	scene->mode = ANSWER;
	while (look(set, "found", arena, &value) != TABLE_FOUND)
		(void)fiber_sleep(os_deadline(50 * OS_MILLISECOND), "a pause");
	fiber_cancel(scene->server);
	arena_destroy(&arena);
	table_set_destroy(&set);
	table_remote_destroy(&config.remote);
}

static void a_proxymap_that_fails(void **state)
{
	struct scene scene = {.directory = "/tmp/table_remote.XXXXXX"};

	(void)state;
	assert_non_null(mkdtemp(scene.directory));
	snprintf(scene.path, sizeof(scene.path), "%s/socket", scene.directory);
	assert_int_equal(fibers_run(NULL, run_scene, &scene), 0);
	unlink(scene.path);
	rmdir(scene.directory);
}

static void programs_without_fibers(void **state)
{
	struct table_remote *remote = table_remote_create_blocking("/nonexistent", OS_SECOND);
	struct table_config config = {.remote = remote};
	struct table_set *set = table_set_create(&config);
	struct arena *arena = arena_create();
	struct slice value;

	(void)state;
	assert_int_equal(look(set, "k", arena, &value), TABLE_TEMP);
	assert_slice(value, "table sqlite:/s.cf: proxymap: No such file or directory");
	arena_destroy(&arena);
	table_set_destroy(&set);
	table_remote_destroy(&remote);
	assert_null(remote);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_asked),	       cmocka_unit_test(who_is_not_trusted),
	    cmocka_unit_test(without_a_proxymap),      cmocka_unit_test(a_proxymap_that_fails),
	    cmocka_unit_test(programs_without_fibers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
