/* SPDX-License-Identifier: ISC */
/* test_smtp_client_target - from a destination to addresses, against a scripted resolver service. */
#include "unit.h"

#include "fiber/fiber.h"
#include "ipc/resolver.h"
#include "smtp/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

struct scripted {
	uint16_t type;
	const char *name;
	enum resolver_status status;
	uint16_t preference;
	const char *data; /* an address, or a name */
};

#define A DNS_TYPE_A
#define MX DNS_TYPE_MX

/* Several lines for one question: several records. What is not here does not exist. */
static const struct scripted script[] = {
    {MX, "three.test", RESOLVER_STATUS_FOUND, 20, "b.test"},
    {MX, "three.test", RESOLVER_STATUS_FOUND, 10, "a.test"},
    {MX, "three.test", RESOLVER_STATUS_FOUND, 30, "self.test"},
    {MX, "three.test", RESOLVER_STATUS_FOUND, 40, "c.test"},
    {A, "a.test", RESOLVER_STATUS_FOUND, 0, "192.0.2.1"},
    {A, "a.test", RESOLVER_STATUS_FOUND, 0, "192.0.2.2"},
    {A, "b.test", RESOLVER_STATUS_FOUND, 0, "192.0.2.3"},
    {A, "c.test", RESOLVER_STATUS_FOUND, 0, "192.0.2.4"},
    {A, "self.test", RESOLVER_STATUS_FOUND, 0, "127.0.0.1"},
    {MX, "loop.test", RESOLVER_STATUS_FOUND, 10, "self.test"},
    {MX, "loop.test", RESOLVER_STATUS_FOUND, 20, "b.test"},
    {MX, "lame.test", RESOLVER_STATUS_FOUND, 10, "gone.test"},
    {MX, "lame.test", RESOLVER_STATUS_FOUND, 20, "self.test"},
    {MX, "empty.test", RESOLVER_STATUS_FOUND, 10, "gone.test"},
    {MX, "null.test", RESOLVER_STATUS_FOUND, 0, ""},
    {MX, "plain.test", RESOLVER_STATUS_NODATA, 0, NULL},
    {A, "plain.test", RESOLVER_STATUS_FOUND, 0, "192.0.2.5"},
    {MX, "number.test", RESOLVER_STATUS_FOUND, 5, "192.0.2.6"},
    {MX, "broken.test", RESOLVER_STATUS_TEMPFAIL, 0, NULL},
    {A, "broken.test", RESOLVER_STATUS_FOUND, 0, "192.0.2.7"},
    {MX, "half.test", RESOLVER_STATUS_FOUND, 10, "slow.test"},
    {MX, "half.test", RESOLVER_STATUS_FOUND, 20, "b.test"},
    {MX, "evil.test", RESOLVER_STATUS_FOUND, 10, "a\tb.test"},
    {A, "a\tb.test", RESOLVER_STATUS_FOUND, 0, "192.0.2.8"},
    {A, "slow.test", RESOLVER_STATUS_TEMPFAIL, 0, NULL},
};

#define SCRIPT (sizeof(script) / sizeof(script[0]))

/* ---- the service */

static struct slice record_data(struct arena *arena, const struct scripted *s)
{
	struct ip_addr ip;

	if (s->type != A)
		return slice_str(s->data);
	assert_true(ip_parse(slice_str(s->data), &ip));
	return arena_dup(arena, slice(ip.bytes, 4));
}

static enum ipc_status handle(struct ipc_conn *conn, const void *m, struct arena *arena, void *context)
{
	const struct resolver_dns_query *q = m;
	struct resolver_dns_answer answer = {.id = q->id, .status = RESOLVER_STATUS_NXDOMAIN, .ttl = 1};

	struct resolver_answer_record *records = ARENA_ARRAY(arena, SCRIPT, struct resolver_answer_record);

	(void)context;
	answer.records = records;
	for (size_t i = 0; i < SCRIPT; i++) {
		if (script[i].type != q->type || !slice_eq(q->name, slice_str(script[i].name)))
			continue;
		answer.status = script[i].status;
		if (script[i].data != NULL)
			records[answer.records_count++] = (struct resolver_answer_record){
			    .preference = script[i].preference, .data = record_data(arena, &script[i])};
	}
	return resolver_dns_answer_send(conn, &answer, os_deadline(5 * OS_SECOND));
}

static void serve(void *listener)
{
	static const struct ipc_handler handlers[] = {{&resolver_dns_query_message, handle}};
	int fd = fiber_accept(listener, NULL, OS_NEVER, "accept");
	struct ipc_conn *conn;

	if (fd < 0)
		return;
	conn = ipc_conn_create(fd);
	(void)ipc_serve(conn, handlers, 1, NULL, OS_NEVER);
	ipc_conn_close(&conn);
}

static int listen_at(const char *path)
{
	struct os_addr addr = {.len = sizeof(struct sockaddr_un)};
	struct sockaddr_un *sun = (struct sockaddr_un *)&addr.ss;
	int fd = os_socket(AF_UNIX, SOCK_STREAM, 0);

	sun->sun_family = AF_UNIX;
	(void)snprintf(sun->sun_path, sizeof(sun->sun_path), "%s", path);
	assert_int_equal(os_bind(fd, &addr), 0);
	assert_int_equal(os_listen(fd, 5), 0);
	return fd;
}

/* ---- questions */

struct world {
	struct arena *arena;
	struct client_conf conf;
	struct target_source source;
	struct own_addresses own;
	struct ip_addr mine;
	struct targets found;
	struct failure failure;
};

static enum result find(struct world *w, const char *destination)
{
	struct nexthop hop;
	const char *why;

	w->failure = (struct failure){0};
	assert_true(nexthop_parse(slice_str(destination), w->conf.lmtp, w->conf.port, &hop, &why));
	return targets_find(&w->source, &hop, slice_str(destination), w->arena, &w->found, &w->failure);
}

static void expect_target(const struct world *w, size_t i, const char *host, const char *addr)
{
	char text[IP_TEXT_SIZE];

	assert_true(i < w->found.count);
	assert_true(slice_eq(w->found.items[i].host, slice_str(host)));
	assert_true(slice_eq(ip_format(&w->found.items[i].addr, text), slice_str(addr)));
}

static void good_destinations(struct world *w)
{
	assert_int_equal(find(w, "three.test"), RES_OK);
	assert_int_equal(w->found.count, 3); /* a twice, b; not ourselves, nor what is worse */
	assert_true(slice_eq(w->found.items[0].host, SL("a.test")));
	expect_target(w, 2, "b.test", "192.0.2.3");
	assert_int_equal(w->found.items[2].port, 25);
	/* at another port ourselves is just a host */
	assert_int_equal(find(w, "three.test:2525"), RES_OK);
	assert_int_equal(w->found.count, 5);
	expect_target(w, 4, "c.test", "192.0.2.4");
	assert_int_equal(w->found.items[4].port, 2525);
	assert_int_equal(find(w, "plain.test"), RES_OK);
	expect_target(w, 0, "plain.test", "192.0.2.5");
	assert_int_equal(find(w, "[a.test]:26"), RES_OK);
	assert_int_equal(w->found.count, 2);
	assert_int_equal(find(w, "number.test"), RES_OK);
	expect_target(w, 0, "192.0.2.6", "192.0.2.6");
	assert_int_equal(find(w, "[192.0.2.9]:99"), RES_OK);
	expect_target(w, 0, "192.0.2.9", "192.0.2.9");
	assert_int_equal(find(w, "half.test"), RES_OK);
	expect_target(w, 0, "b.test", "192.0.2.3");
	w->conf.address_limit = 1;
	assert_int_equal(find(w, "three.test"), RES_OK);
	assert_int_equal(w->found.count, 1);
	w->conf.address_limit = 5;
}

static void bad_destinations(struct world *w)
{
	assert_int_equal(find(w, "nowhere.test"), RES_PERM);
	assert_slice(w->failure.dsn, "5.4.4");
	assert_slice(w->failure.text, "Host or domain name not found. Name service error for "
				      "name=nowhere.test type=A: Host not found");
	assert_int_equal(find(w, "broken.test"), RES_TEMP);
	assert_slice(w->failure.dsn, "4.4.3");
	assert_slice(w->failure.text, "Host or domain name not found. Name service error for "
				      "name=broken.test type=MX: Host not found, try again");
	assert_true(w->failure.destination);
	assert_int_equal(find(w, "null.test"), RES_PERM);
	assert_slice(w->failure.dsn, "5.1.10");
	assert_slice(w->failure.text, "Domain null.test does not accept mail (nullMX)");
	assert_int_equal(find(w, "loop.test"), RES_PERM);
	assert_slice(w->failure.dsn, "5.4.6");
	assert_slice(w->failure.text, "mail for loop.test loops back to myself");
	assert_int_equal(find(w, "[self.test]"), RES_PERM);
	assert_slice(w->failure.dsn, "5.4.6");
	assert_int_equal(find(w, "lame.test"), RES_TEMP);
	assert_slice(w->failure.dsn, "4.4.4");
	assert_slice(w->failure.text, "unable to find primary relay for lame.test");
	assert_int_equal(find(w, "empty.test"), RES_PERM);
	assert_slice(w->failure.dsn, "5.4.4");
	assert_int_equal(find(w, "evil.test"), RES_PERM);
	assert_slice(w->failure.dsn, "5.4.4");
	assert_int_equal(find(w, "three.test:nntp"), RES_TEMP);
	assert_slice(w->failure.dsn, "4.3.5");
}

static void other_settings(struct world *w)
{
	w->conf.defer_if_no_address = true;
	assert_int_equal(find(w, "empty.test"), RES_TEMP);
	assert_slice(w->failure.dsn, "4.4.4");
	w->conf.families.ipv4 = false;
	assert_int_equal(find(w, "[192.0.2.9]"), RES_PERM);
	w->conf.families.ipv4 = true;
	w->conf.lmtp = true; /* never looks for MX */
	assert_int_equal(find(w, "broken.test"), RES_OK);
	expect_target(w, 0, "broken.test", "192.0.2.7");
	assert_int_equal(find(w, "unix:private/store"), RES_OK);
	assert_int_equal(w->found.items[0].addr.bits, 0);
}

static void scenario(void *path)
{
	struct world w = {.arena = arena_create()};
	struct config_problems problems;
	struct settings *settings;
	struct dns_client *dns = dns_client_create(path);
	struct fiber_fd listener;
	struct fiber *service;
	struct slice problem;

	config_problems_init(&problems, w.arena);
	assert_int_equal(settings_parse(SL("myhostname = self.test\ninet_protocols = ipv4\n"), "/", NULL, 0,
					&problems, &settings), RES_OK);
	assert_int_equal(client_conf_load(settings, false, w.arena, &w.conf, &problem), RES_OK);
	assert_true(ip_parse(SL("127.0.0.1"), &w.mine));
	w.own = (struct own_addresses){&w.mine, 1};
	w.source = (struct target_source){&w.conf, dns, &w.own};
	fiber_fd_init_listener(&listener, listen_at(path));
	service = fiber_spawn_joinable("resolver", serve, &listener);
	assert_non_null(service);
	good_destinations(&w);
	bad_destinations(&w);
	other_settings(&w);
	dns_client_destroy(&dns);
	assert_int_equal(fiber_join(service, os_deadline(10 * OS_SECOND), "resolver"), 0);
	fiber_fd_close(&listener);
	settings_destroy(&settings);
	arena_destroy(&w.arena);
}

static void destinations_become_addresses(void **state)
{
	char directory[] = "/tmp/postrider-test-XXXXXX";
	char path[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/resolver", directory);
	assert_int_equal(fibers_run(NULL, scenario, path), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(destinations_become_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
