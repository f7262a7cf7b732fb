/* SPDX-License-Identifier: ISC */
/*
 * The resolver's core and its clients, against a scripted DNS server on the loopback: the questions go the
 * whole way, dns client, multiplexed connection, libunbound, UDP and back.
 */
#include "unit.h"

#include "dns/cache.h"
#include "dns/dns.h"
#include "fiber/fiber.h"
#include "os/file.h"
#include "os/process.h"
#include "resolver/answer.h"
#include "resolver/hosts.h"
#include "resolver/rdata.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define SOON os_deadline(20 * OS_SECOND)

/* ---- the scripted server */

enum { NOERROR = 0, SERVFAIL = 2, NXDOMAIN = 3 };

struct scripted {
	const char *name;
	uint16_t type;
	int rcode;
	uint16_t answer_type;
	const char *rdata;
	size_t length;
};

#define DATA(literal) literal, sizeof(literal) - 1

static const struct scripted script[] = {
    {"mx.corp", 15, NOERROR, 15, DATA("\0\24\2mb\4corp\0")},
    {"mx.corp", 15, NOERROR, 15, DATA("\0\12\2ma\4corp\0")},
    {"mx.corp", 15, NOERROR, 15, DATA("\0\36\2mc\4corp\0")},
    {"null.corp", 15, NOERROR, 15, DATA("\0\0\0")},
    {"odd.corp", 15, NOERROR, 15, DATA("\0\12\3a b\4corp\0")}, /* a space in a label */
    {"a.corp", 1, NOERROR, 1, DATA("\300\0\2\1")},
    {"a.corp", 28, NOERROR, 28, DATA("\40\1\15\270\0\0\0\0\0\0\0\0\0\0\0\1")},
    {"only4.corp", 1, NOERROR, 1, DATA("\300\0\2\2")},
    {"half.corp", 1, NOERROR, 1, DATA("\300\0\2\3")},
    {"half.corp", 28, SERVFAIL, 0, NULL, 0},
    {"alias.corp", 1, NOERROR, 5, DATA("\1a\4corp\0")},
    {"txt.corp", 16, NOERROR, 16, DATA("\3one\4 two")},
    {"fail.corp", 15, SERVFAIL, 0, NULL, 0},
    {"fail.corp", 1, SERVFAIL, 0, NULL, 0},
    {"fail.corp", 28, SERVFAIL, 0, NULL, 0},
    {"empty.corp", 16, NOERROR, 0, NULL, 0},
    {"3.2.0.192.in-addr.arpa", 12, NOERROR, 12, DATA("\4half\4corp\0")},
    {"9.2.0.192.in-addr.arpa", 12, NOERROR, 12, DATA("\1a\4corp\0")}, /* does not lead back */
};

/* question_of - the name as text, its type, and where the question ends; 0 on nonsense. */
static size_t question_of(const unsigned char *p, size_t n, char *name, size_t size, uint16_t *type)
{
	size_t at = 12;
	size_t out = 0;

	while (at < n && p[at] != 0) {
		if (p[at] > 63 || at + p[at] >= n || out + p[at] + 2 > size)
			return 0;
		if (out > 0)
			name[out++] = '.';
		for (size_t i = 0; i < p[at]; i++)
			name[out++] = ascii_lower((char)p[at + 1 + i]);
		at += 1u + p[at];
	}
	name[out] = '\0';
	if (at + 5 > n)
		return 0;
	*type = (uint16_t)(p[at + 1] << 8 | p[at + 2]);
	return at + 5;
}

static bool known_name(const char *name)
{
	for (size_t i = 0; i < sizeof(script) / sizeof(script[0]); i++)
		if (strcmp(script[i].name, name) == 0)
			return true;
	return false;
}

static void put_answer(struct buffer *out, const struct scripted *s)
{
	const unsigned char head[] = {0xc0, 12, 0, (unsigned char)s->answer_type,     0, 1, 0, 0, 1, 44,
				      0,    (unsigned char)s->length};

	buffer_append(out, slice(head, sizeof(head)));
	buffer_append(out, slice(s->rdata, s->length));
}

static void reply(int fd, const unsigned char *p, size_t n, const struct sockaddr_storage *to,
		  socklen_t to_len)
{
	struct buffer out;
	char name[256];
	uint16_t type;
	size_t end = question_of(p, n, name, sizeof(name), &type);
	unsigned count = 0;
	int rcode;

	if (end == 0)
		return;
	rcode = known_name(name) || strchr(name, '.') == NULL ? NOERROR : NXDOMAIN;
	if (strcmp(name, "silent.corp") == 0)
		return;
	buffer_init(&out, 4096);
	buffer_append(&out, slice(p, end));
	for (size_t i = 0; i < sizeof(script) / sizeof(script[0]); i++) {
		if (strcmp(script[i].name, name) != 0 || script[i].type != type)
			continue;
		rcode = script[i].rcode;
		if (script[i].rdata == NULL)
			continue;
		put_answer(&out, &script[i]);
		count++;
	}
	out.data[2] = (char)0x81; /* a response, recursion desired and available */
	out.data[3] = (char)(0x80 | rcode);
	out.data[7] = (char)count;
	memset(out.data + 8, 0, 4);
	sendto(fd, out.data, out.len, 0, (const struct sockaddr *)to, to_len);
	buffer_free(&out);
}

static void run_dns_server(int fd)
{
	unsigned char packet[2048];

	for (;;) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(fd, packet, sizeof(packet), 0, (struct sockaddr *)&from, &len);

		if (n < 0)
			_exit(1);
		if (n > 12)
			reply(fd, packet, (size_t)n, &from, len);
	}
}

static pid_t start_dns_server(unsigned *port)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	pid_t child;

	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	*port = ntohs(in.sin_port);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		os_parent_death_signal(SIGKILL);
		run_dns_server(fd);
	}
	os_close(fd);
	return child;
}

/* ---- the resolver around its core */

struct rig {
	struct resolver *resolver;
	struct dns_client *client;
	struct fiber_fd listener;
	struct fiber *accepting;
	struct arena *arena;
	char dir[64];
	char path[96];
};

struct served {
	struct resolver *resolver;
	int fd;
};

static void serve(void *arg)
{
	struct served *s = arg;

	resolver_serve(s->resolver, s->fd);
	free(s);
}

static void accept_clients(void *arg)
{
	struct rig *rig = arg;
	int fd;

	while ((fd = fiber_accept(&rig->listener, NULL, OS_NEVER, "accept")) >= 0) {
		struct served *s = calloc(1, sizeof(*s));

		s->resolver = rig->resolver;
		s->fd = fd;
		assert_non_null(fiber_spawn("served", serve, s));
	}
	fiber_fd_close(&rig->listener);
}

static void start_rig(struct rig *rig)
{
	struct os_addr addr = {0};
	struct sockaddr_un *un = (struct sockaddr_un *)&addr.ss;
	int fd = os_socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(rig->dir, "/tmp/postrider-dns-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->path, sizeof(rig->path), "%s/resolver", rig->dir);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, rig->path, strlen(rig->path) + 1);
	addr.len = sizeof(*un);
	assert_int_equal(os_bind(fd, &addr), 0);
	assert_int_equal(os_listen(fd, 16), 0);
	fiber_fd_init(&rig->listener, fd);
	resolver_start(rig->resolver);
	rig->accepting = fiber_spawn_joinable("accepting", accept_clients, rig);
	rig->client = dns_client_create(rig->path);
	rig->arena = arena_create();
}

static void stop_rig(struct rig *rig)
{
	dns_client_destroy(&rig->client);
	fiber_cancel(rig->accepting);
	assert_int_equal(fiber_join(rig->accepting, SOON, "rig"), 0);
	fiber_sleep(os_deadline(50 * OS_MILLISECOND), "sessions end");
	resolver_stop(rig->resolver);
	arena_destroy(&rig->arena);
	unlink(rig->path); /* raw-syscall: test */
	rmdir(rig->dir);
}

static void check_mx(struct rig *rig)
{
	struct dns_answer answer;
	bool null_mx;

	assert_int_equal(dns_lookup_mx(rig->client, SL("MX.corp."), rig->arena, SOON, &answer, &null_mx),
			 DNS_FOUND);
	assert_false(null_mx);
	assert_false(answer.validated);
	assert_int_equal(answer.record_count, 3);
	assert_slice(answer.records[0].data, "ma.corp");
	assert_int_equal(answer.records[0].preference, 10);
	assert_slice(answer.records[1].data, "mb.corp");
	assert_slice(answer.records[2].data, "mc.corp");
	assert_int_equal(
	    dns_lookup_mx(rig->client, SL("null.corp"), rig->arena, SOON, &answer, &null_mx),
	    DNS_FOUND);
	assert_true(null_mx);
	assert_int_equal(dns_lookup_mx(rig->client, SL("odd.corp"), rig->arena, SOON, &answer, &null_mx),
			 DNS_NODATA);
	assert_int_equal(dns_lookup_mx(rig->client, SL("a.corp"), rig->arena, SOON, &answer, &null_mx),
			 DNS_NODATA);
	assert_int_equal(
	    dns_lookup_mx(rig->client, SL("nowhere.corp"), rig->arena, SOON, &answer, &null_mx),
	    DNS_NXDOMAIN);
	assert_int_equal(
	    dns_lookup_mx(rig->client, SL("fail.corp"), rig->arena, SOON, &answer, &null_mx),
	    DNS_TEMPFAIL);
	assert_true(answer.why.n > 0);
	assert_int_equal(dns_lookup_mx(rig->client, SL("a..b"), rig->arena, SOON, &answer, &null_mx),
			 DNS_INVALID);
	assert_int_equal(dns_lookup_mx(rig->client, SL("a\nb"), rig->arena, SOON, &answer, &null_mx),
			 DNS_INVALID);
}

static void check_addresses(struct rig *rig)
{
	struct dns_families both, six;
	struct dns_addresses out;

	dns_families_parse(SL("all"), SL("ipv6"), SL("dns"), &both);
	dns_families_parse(SL("ipv6"), SL("any"), SL("native, dns"), &six);
	assert_true(six.native && !six.ipv4 && !both.native);
	assert_int_equal(
	    dns_lookup_addresses(rig->client, SL("a.corp"), &both, rig->arena, SOON, &out), DNS_FOUND);
	assert_int_equal(out.count, 2);
	assert_int_equal(out.addresses[0].bits, 128); /* preferred */
	assert_int_equal(out.addresses[1].bytes[3], 1);
	assert_int_equal(
	    dns_lookup_addresses(rig->client, SL("alias.corp"), &both, rig->arena, SOON, &out),
	    DNS_FOUND);
	assert_slice(out.canonical, "a.corp");
	assert_int_equal(
	    dns_lookup_addresses(rig->client, SL("half.corp"), &both, rig->arena, SOON, &out),
	    DNS_FOUND);
	assert_int_equal(out.count, 1);
	assert_int_equal(
	    dns_lookup_addresses(rig->client, SL("half.corp"), &six, rig->arena, SOON, &out),
	    DNS_TEMPFAIL);
	assert_int_equal(
	    dns_lookup_addresses(rig->client, SL("only4.corp"), &six, rig->arena, SOON, &out),
	    DNS_NODATA);
	assert_int_equal(
	    dns_lookup_addresses(rig->client, SL("gone.corp"), &both, rig->arena, SOON, &out),
	    DNS_NXDOMAIN);
	assert_int_equal(
	    dns_lookup_addresses(rig->client, SL("[192.0.2.77]"), &both, rig->arena, SOON, &out),
	    DNS_FOUND);
	assert_int_equal(out.addresses[0].bytes[3], 77);
	assert_int_equal(
	    dns_lookup_addresses(rig->client, SL("[IPv6:2001:db8::5]"), &six, rig->arena, SOON, &out),
	    DNS_FOUND);
	assert_int_equal(
	    dns_lookup_addresses(rig->client, SL("[192.0.2.77]"), &six, rig->arena, SOON, &out),
	    DNS_NODATA);
	/* /etc/hosts, only where it is asked for */
	assert_int_equal(
	    dns_lookup_addresses(rig->client, SL("Hosted.corp"), &six, rig->arena, SOON, &out),
	    DNS_FOUND);
	assert_int_equal(
	    dns_lookup_addresses(rig->client, SL("hosted.corp"), &both, rig->arena, SOON, &out),
	    DNS_NXDOMAIN);
}

static void check_others(struct rig *rig)
{
	struct dns_answer answer;
	struct slice name, reverse;
	struct ip_addr ip;

	assert_int_equal(dns_lookup(rig->client, DNS_TYPE_TXT, SL("txt.corp"), rig->arena, SOON, &answer),
			 DNS_FOUND);
	assert_slice(answer.records[0].data, "one two");
	assert_int_equal(
	    dns_lookup(rig->client, DNS_TYPE_TXT, SL("empty.corp"), rig->arena, SOON, &answer),
	    DNS_NODATA);
	assert_true(ip_parse(SL("192.0.2.3"), &ip));
	assert_int_equal(dns_verify_client(rig->client, &ip, rig->arena, SOON, &name, &reverse),
			 DNS_FOUND);
	assert_slice(name, "half.corp");
	assert_true(ip_parse(SL("192.0.2.9"), &ip));
	assert_int_equal(dns_verify_client(rig->client, &ip, rig->arena, SOON, &name, &reverse),
			 DNS_NXDOMAIN);
	assert_slice(reverse, "a.corp");
	assert_true(slice_is_null(name));
	assert_true(ip_parse(SL("192.0.2.50"), &ip));
	assert_int_equal(dns_verify_client(rig->client, &ip, rig->arena, SOON, &name, &reverse),
			 DNS_FOUND);
	assert_slice(name, "four.hosted.corp");
	/* a server that does not answer: the deadline is the caller's */
	int64_t began = os_now();
	assert_int_equal(dns_lookup(rig->client, DNS_TYPE_MX, SL("silent.corp"), rig->arena,
				    os_deadline(300 * OS_MILLISECOND), &answer),
			 DNS_TEMPFAIL);
	assert_true(os_now() - began < 5 * OS_SECOND);
}

/* Many at once over the one connection. */
struct crowd {
	struct rig *rig;
	unsigned right;
};

static void ask_one(void *arg)
{
	struct crowd *crowd = arg;
	struct arena *arena = arena_create();
	struct dns_answer answer;

	if (dns_lookup(crowd->rig->client, DNS_TYPE_A, SL("a.corp"), arena, SOON, &answer) ==
		DNS_FOUND &&
	    answer.record_count == 1)
		crowd->right++;
	arena_destroy(&arena);
}

static void check_crowd(struct rig *rig)
{
	struct crowd crowd = {.rig = rig};
	struct fiber *fibers[200];

	for (size_t i = 0; i < 200; i++)
		fibers[i] = fiber_spawn_joinable("asking", ask_one, &crowd);
	for (size_t i = 0; i < 200; i++)
		assert_int_equal(fiber_join(fibers[i], SOON, "crowd"), 0);
	assert_int_equal(crowd.right, 200);
}

static void whole_way(void *arg)
{
	struct rig *rig = arg;
	struct dns_answer answer;

	start_rig(rig);
	check_mx(rig);
	check_addresses(rig);
	check_others(rig);
	check_crowd(rig);
	assert_true(fiber_stack_used(rig->accepting) < 96 * 1024);
	stop_rig(rig);
	/* no resolver at all: temporary, and soon */
	rig->client = dns_client_create(rig->path);
	rig->arena = arena_create();
	assert_int_equal(dns_lookup(rig->client, DNS_TYPE_A, SL("a.corp"), rig->arena, SOON, &answer),
			 DNS_TEMPFAIL);
	dns_client_destroy(&rig->client);
	arena_destroy(&rig->arena);
}

static void test_whole_way(void **state)
{
	struct rig rig = {0};
	unsigned port;
	pid_t server = start_dns_server(&port);
	char forwarder[64];
	const char *problem;
	struct resolver_options options = {
	    .hosts = SL("192.0.2.50 four.hosted.corp other # words\n2001:db8::7\thosted.corp\n"
			"192.0.2.50 four.hosted.corp\nnonsense here\n")};

	(void)state;
	snprintf(forwarder, sizeof(forwarder), "127.0.0.1@%u", port);
	options.forwarders = slice_str(forwarder);
	assert_int_equal(resolver_create(&options, &rig.resolver, &problem), RES_OK);
	assert_int_equal(fibers_run(NULL, whole_way, &rig), 0);
	resolver_destroy(&rig.resolver);
	kill(server, SIGKILL);
}

/* ---- the pure parts */

static void test_rdata(void **state)
{
	struct arena *arena = arena_create();
	struct resolver_answer_record record;

	(void)state;
	assert_true(rdata_convert(DNS_TYPE_SRV, SL("\0\1\0\2\0\31\1a\4corp\0"), arena, &record));
	assert_int_equal(record.preference, 1);
	assert_int_equal(record.weight, 2);
	assert_int_equal(record.port, 25);
	assert_slice(record.data, "a.corp");
	assert_false(rdata_convert(DNS_TYPE_MX, SL("\0\12\2ma\4corp"), arena, &record));
	assert_false(rdata_convert(DNS_TYPE_MX, SL("\0\12\2ma\4corp\0x"), arena, &record));
	assert_false(rdata_convert(DNS_TYPE_MX, SL("\0\12\300\14"), arena, &record));
	assert_false(rdata_convert(DNS_TYPE_PTR, SL("\3a.b\0"), arena, &record));
	assert_false(rdata_convert(DNS_TYPE_PTR, SL("\3a\nb\0"), arena, &record));
	assert_false(rdata_convert(DNS_TYPE_A, SL("\1\2\3"), arena, &record));
	assert_false(rdata_convert(DNS_TYPE_TXT, SL("\5abc"), arena, &record));
	assert_true(query_name_valid(SL("_25._tcp.mail.corp")));
	assert_false(query_name_valid(SL(".corp")));
	assert_false(query_name_valid(SL("test.")));
	arena_destroy(&arena);
}

static void test_reverse(void **state)
{
	struct arena *arena = arena_create();
	struct ip_addr ip, back;

	(void)state;
	assert_true(ip_parse(SL("192.0.2.130"), &ip));
	assert_slice(dns_reverse_name(arena, &ip), "130.2.0.192.in-addr.arpa");
	assert_true(ip_from_reverse(dns_reverse_name(arena, &ip), &back));
	assert_true(ip_equal(&ip, &back));
	assert_true(ip_parse(SL("2001:db8::567:89ab"), &ip));
	assert_slice(dns_reverse_name(arena, &ip), "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0."
						   "8.b.d.0.1.0.0.2.ip6.arpa");
	assert_true(ip_from_reverse(dns_reverse_name(arena, &ip), &back));
	assert_true(ip_equal(&ip, &back));
	assert_false(ip_from_reverse(SL("1.2.3.in-addr.arpa"), &back));
	assert_false(ip_from_reverse(SL("256.2.3.4.in-addr.arpa"), &back));
	arena_destroy(&arena);
}

/* ---- what a process keeps of the answers */

static struct dns_question about(const char *name)
{
	return (struct dns_question){.type = DNS_TYPE_MX, .name = slice_str(name)};
}

static void keep(struct dns_cache *cache, const char *name, uint32_t ttl, enum dns_status status)
{
	struct dns_record record = {.preference = 10, .data = SL("mx.example")};
	struct dns_answer answer = {.status = status,
				    .ttl = ttl,
				    .canonical = slice_str(name),
				    .records = &record,
				    .record_count = 1};

	dns_cache_put(cache, &(struct dns_question){.type = DNS_TYPE_MX, .name = slice_str(name)}, 0,
		      &answer);
}

static bool kept(struct dns_cache *cache, struct dns_question question, int64_t now)
{
	struct arena *arena = arena_create();
	struct dns_answer answer;
	bool found = dns_cache_get(cache, &question, now, arena, &answer);

	if (found) {
		assert_int_equal(answer.status, DNS_FOUND);
		assert_int_equal(answer.record_count, 1);
		assert_int_equal(answer.records[0].preference, 10);
		assert_slice(answer.records[0].data, "mx.example");
	}
	arena_destroy(&arena);
	return found;
}

static void test_cache(void **state)
{
	struct dns_cache *cache = dns_cache_create();
	char name[32];

	(void)state;
	keep(cache, "A.example", 3600, DNS_FOUND);
	keep(cache, "short.example", 2, DNS_FOUND);
	keep(cache, "never.example", 0, DNS_FOUND);
	keep(cache, "failed.example", 3600, DNS_TEMPFAIL);
	assert_true(kept(cache, about("a.EXAMPLE"), OS_SECOND));
	assert_false(kept(cache, (struct dns_question){.type = DNS_TYPE_A, .name = SL("a.example")}, 0));
	assert_false(kept(cache,
			  (struct dns_question){
			      .type = DNS_TYPE_MX, .hosts = true, .name = SL("a.example")},
			  0));
	assert_true(kept(cache, about("short.example"), 2 * OS_SECOND - 1));
	assert_false(kept(cache, about("short.example"), 2 * OS_SECOND));
	assert_false(kept(cache, about("never.example"), 0));
	assert_false(kept(cache, about("failed.example"), 0));
	assert_false(kept(cache, about("a.example"), 10 * OS_SECOND));
	/* bounded: the longest unused goes first */
	keep(cache, "used.example", 3600, DNS_FOUND);
	keep(cache, "unused.example", 3600, DNS_FOUND);
	for (int i = 0; i < 511; i++) {
		snprintf(name, sizeof(name), "%d.example", i);
		keep(cache, name, 3600, DNS_FOUND);
		assert_true(kept(cache, about("used.example"), 0));
	}
	assert_false(kept(cache, about("unused.example"), 0));
	assert_true(kept(cache, about("0.example"), 0));
	dns_cache_destroy(&cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rdata),
	    cmocka_unit_test(test_reverse),
	    cmocka_unit_test(test_cache),
	    cmocka_unit_test(test_whole_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
