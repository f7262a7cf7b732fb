/* SPDX-License-Identifier: ISC */
/*
 * test_tls - handshakes over a socket pair with certificates made here. Linked twice: with the kernel, and
 * with the simulated network, under many seeds.
 */
#include "config.h"
#include "unit.h"

#include "sim_runs.h"
#include "tls/tls.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SOON os_deadline(600 * OS_SECOND)

static char dir[] = "/tmp/test_tls.XXXXXX";
static char rsa_file[64], ec_file[64], junk_file[64];

/* ---- certificates */

static void write_identity(const char *path, EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	X509_EXTENSION *alt =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:mail.example.com");
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"mail.example.com",
				   -1, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_add_ext(cert, alt, -1);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(PEM_write_X509(f, cert), 1);
	fclose(f);
	X509_EXTENSION_free(alt);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static int make_files(void **state)
{
	FILE *f;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(rsa_file, sizeof(rsa_file), "%s/rsa.pem", dir);
	(void)snprintf(ec_file, sizeof(ec_file), "%s/ec.pem", dir);
	(void)snprintf(junk_file, sizeof(junk_file), "%s/junk.pem", dir);
	write_identity(rsa_file, EVP_RSA_gen(2048));
	write_identity(ec_file, EVP_EC_gen("prime256v1"));
	f = fopen(junk_file, "w");
	(void)fputs("no certificate\n", f);
	fclose(f);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	(void)unlink(rsa_file);
	(void)unlink(ec_file);
	(void)unlink(junk_file);
	return rmdir(dir);
}

/* ---- one connection */

struct scene {
	struct arena *arena;
	struct tls_context *server, *client;
	struct stream a, b; /* client, server */
	struct tls_want server_want, client_want;
	struct tls_facts server_facts, client_facts;
	enum stream_status server_status, client_status;
	struct slice server_problem, client_problem;
	size_t stack_used;
};

static void scene_init(struct scene *sc, const struct tls_options *server,
		       const struct tls_options *client)
{
	struct slice problem;

	*sc = (struct scene){.arena = arena_create()};
	assert_int_equal(tls_server_context(server, sc->arena, &sc->server, &problem), RES_OK);
	assert_int_equal(tls_client_context(client, sc->arena, &sc->client, &problem), RES_OK);
	sc->server_want.level = sc->client_want.level = TLS_LEVEL_MAY;
}

static void scene_free(struct scene *sc)
{
	tls_context_destroy(&sc->server);
	tls_context_destroy(&sc->client);
	arena_destroy(&sc->arena);
}

/* echo_server - shake hands, then give every line back; "BULK": a file's worth of bytes. */
static void echo_server(void *arg)
{
	static const char bulk[100000];
	struct scene *sc = arg;
	enum stream_line_end end;
	struct slice line;

	sc->server_status = tls_start_server(sc->server, &sc->b, &sc->server_want, SOON, sc->arena,
					     &sc->server_facts, &sc->server_problem);
	sc->stack_used = fiber_stack_used(fiber_self());
	while (sc->server_status == STREAM_OK &&
	       stream_read_line(&sc->b, 1000, SOON, &line, &end) == STREAM_OK) {
		if (slice_eq(line, SL("BULK")))
			assert_int_equal(stream_write(&sc->b, slice(bulk, sizeof(bulk)), SOON),
					 STREAM_OK);
		else
			assert_int_equal(stream_printf(&sc->b, SOON, "%.*s\r\n", SL_ARG(line)),
					 STREAM_OK);
	}
	(void)stream_close(&sc->b, SOON);
}

static struct fiber *connect_scene(struct scene *sc)
{
	struct fiber *f;
	int fds[2];

	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	stream_init(&sc->a, fds[0]);
	stream_init(&sc->b, fds[1]);
	f = fiber_spawn_joinable("tls server", echo_server, sc);
	sc->client_status = tls_start_client(sc->client, &sc->a, &sc->client_want, SOON, sc->arena,
					     &sc->client_facts, &sc->client_problem);
	return f;
}

static void talk(struct scene *sc)
{
	static char bulk[100000];
	enum stream_line_end end;
	struct slice line;
	size_t got;

	assert_true(tls_active(&sc->a));
	for (int i = 0; i < 5; i++)
		assert_int_equal(stream_printf(&sc->a, SOON, "line %d\r\n", i), STREAM_OK);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(stream_read_line(&sc->a, 100, SOON, &line, &end), STREAM_OK);
		assert_int_equal(line.n, 6);
		assert_int_equal(line.p[5], '0' + i);
	}
	assert_int_equal(stream_write(&sc->a, SL("BULK\r\n"), SOON), STREAM_OK);
	assert_int_equal(stream_read_full(&sc->a, bulk, sizeof(bulk), SOON, &got), STREAM_OK);
}

static void hang_up(struct scene *sc, struct fiber *f)
{
	(void)stream_close(&sc->a, SOON);
	assert_int_equal(fiber_join(f, SOON, "join"), 0);
}

static struct tls_options rsa_server(void)
{
	return (struct tls_options){.cert_file = slice_str(rsa_file),
				    .opportunistic.protocols = SL(">=TLSv1"),
				    .mandatory.protocols = SL(">=TLSv1"),
				    .session_lifetime = 3600 * OS_SECOND};
}

/* ---- scenarios */

static void plain_handshake(void *arg)
{
	struct tls_options server = rsa_server(), client = {0};
	struct scene sc;
	struct fiber *f;

	(void)arg;
	scene_init(&sc, &server, &client);
	f = connect_scene(&sc);
	assert_int_equal(sc.client_status, STREAM_OK);
	talk(&sc);
	hang_up(&sc, f);
	assert_slice(tls_summary(&sc.server_facts, sc.arena),
		     "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 "
		     "server-signature RSA-PSS (2048 bits) server-digest SHA256");
	assert_true(slice_eq(tls_summary(&sc.client_facts, sc.arena),
			     tls_summary(&sc.server_facts, sc.arena)));
	assert_string_equal(tls_trust(&sc.server_facts), "Anonymous");
	assert_string_equal(tls_trust(&sc.client_facts), "Untrusted");
	assert_slice(sc.client_facts.peer_subject, "mail.example.com");
	assert_int_equal(sc.client_facts.peer_fingerprint.n, 32 * 3 - 1);
	assert_true(sc.client_facts.verify_problem.n > 0);
#ifndef POSTRIDER_SANITIZERS
	/* half of the stack that fibers get by default */
	assert_in_range(sc.stack_used, 4096, 96 * 1024);
#endif
	scene_free(&sc);
}

static void handshakes_encrypt_and_tell(void **state)
{
	(void)state;
	sim_runs(plain_handshake);
}

static void old_protocol(void *arg)
{
	struct tls_options server = {.cert_file = slice_str(ec_file)}, client = {0};
	struct scene sc;
	struct fiber *f;

	(void)arg;
	client.opportunistic.protocols = SL("!TLSv1.3");
	client.opportunistic.exclude = SL("aNULL");
	client.ca_file = slice_str(ec_file);
	client.mandatory.protocols = SL(">=TLSv1.3");
	scene_init(&sc, &server, &client);
	f = connect_scene(&sc);
	assert_int_equal(sc.client_status, STREAM_OK);
	talk(&sc);
	hang_up(&sc, f);
	assert_slice(tls_summary(&sc.client_facts, sc.arena),
		     "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)");
	assert_string_equal(tls_trust(&sc.client_facts), "Trusted");
	sc.client_want.level = TLS_LEVEL_VERIFY;
	sc.client_want.names = (const struct slice[]){SL("other.example"), SL(".example.com")};
	sc.client_want.name_count = 2;
	f = connect_scene(&sc);
	assert_int_equal(sc.client_status, STREAM_OK);
	hang_up(&sc, f);
	assert_string_equal(sc.client_facts.protocol, "TLSv1.3");
	assert_string_equal(tls_trust(&sc.client_facts), "Verified");
	assert_true(slice_search(sc.client_facts.details, SL("server-signature ECDSA (")) > 0);
	sc.client_want.name_count = 1;
	f = connect_scene(&sc);
	assert_int_equal(sc.client_status, STREAM_OK);
	hang_up(&sc, f);
	assert_string_equal(tls_trust(&sc.client_facts), "Trusted");
	scene_free(&sc);
}

static void limits_and_names_are_kept(void **state)
{
	(void)state;
	sim_runs(old_protocol);
}

static void nothing_in_common(void *arg)
{
	struct tls_options server = rsa_server(), client = {0};
	struct scene sc;
	struct fiber *f;

	(void)arg;
	server.opportunistic.protocols = SL(">=TLSv1.3");
	client.opportunistic.protocols = SL("<=TLSv1.2");
	scene_init(&sc, &server, &client);
	f = connect_scene(&sc);
	hang_up(&sc, f);
	assert_int_equal(sc.server_status, STREAM_ERROR);
	assert_int_equal(sc.client_status, STREAM_ERROR);
	assert_true(slice_search(sc.server_problem, SL("unsupported protocol")) > 0);
	scene_free(&sc);
}

static void no_common_protocol_is_an_error(void **state)
{
	(void)state;
	sim_runs(nothing_in_common);
}

static void resuming(void *arg)
{
	struct tls_options server = rsa_server(), client = {0};
	struct scene sc;
	struct fiber *f;

	(void)arg;
	scene_init(&sc, &server, &client);
	for (int i = 0; i < 3; i++) {
		sc.client_want.session_key = i < 2 ? SL("mail.example.com:25") : SL("other");
		f = connect_scene(&sc);
		assert_int_equal(sc.client_status, STREAM_OK);
		talk(&sc);
		hang_up(&sc, f);
		assert_int_equal(sc.client_facts.resumed, i == 1);
		assert_int_equal(sc.server_facts.resumed, i == 1);
	}
	scene_free(&sc);
}

static void sessions_are_resumed(void **state)
{
	(void)state;
	sim_runs(resuming);
}

/* ---- a peer that is silent, or talks something else */

/* One server's ticket is good for another that has its keys, now or as the previous ones. */
static void shared_tickets(void *arg)
{
	static const char first[80] = "1", second[80] = "2", third[80] = "3";
	struct tls_options options = rsa_server(), client = {0};
	struct scene sc;
	static const struct {
		const char *current, *previous;
		bool resumed;
	} steps[] = {{first, NULL, false}, {first, NULL, true},	 {NULL, NULL, true}, {second, first, true},
		     {third, second, true}, {first, NULL, false}, {NULL, NULL, true}};

	(void)arg;
	scene_init(&sc, &options, &client);
	sc.client_want.session_key = SL("mail.example.com:25");
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct slice problem;
		struct fiber *f;

		if (steps[i].current != NULL) {
			tls_context_destroy(&sc.server);
			assert_int_equal(tls_server_context(&options, sc.arena, &sc.server, &problem), RES_OK);
			assert_true(tls_set_ticket_keys(
			    sc.server, slice(steps[i].current, 80),
			    slice(steps[i].previous, steps[i].previous != NULL ? 80 : 0)));
		}
		f = connect_scene(&sc);
		assert_int_equal(sc.client_status, STREAM_OK);
		talk(&sc);
		hang_up(&sc, f);
		assert_int_equal(sc.client_facts.resumed, steps[i].resumed);
	}
	assert_false(tls_set_ticket_keys(sc.server, SL("short"), SL("")));
	scene_free(&sc);
}

static void tickets_are_shared_by_those_who_have_the_keys(void **state)
{
	(void)state;
	sim_runs(shared_tickets);
}

static void no_tickets(void *arg)
{
	struct tls_options server = rsa_server(), client = {0};
	struct scene sc;

	(void)arg;
	server.session_lifetime = 0;
	scene_init(&sc, &server, &client);
	sc.client_want.session_key = SL("mail.example.com:25");
	for (int i = 0; i < 2; i++) {
		struct fiber *f = connect_scene(&sc);

		assert_int_equal(sc.client_status, STREAM_OK);
		talk(&sc);
		hang_up(&sc, f);
		assert_false(sc.client_facts.resumed);
	}
	scene_free(&sc);
}

static void without_a_lifetime_nothing_is_resumed(void **state)
{
	(void)state;
	sim_runs(no_tickets);
}

static void silent_peer(void *arg)
{
	struct tls_options server = rsa_server(), client = {0};
	struct scene sc;
	int fds[2];

	(void)arg;
	scene_init(&sc, &server, &client);
	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	stream_init(&sc.a, fds[0]);
	stream_init(&sc.b, fds[1]);
	assert_int_equal(tls_start_server(sc.server, &sc.b, &sc.server_want,
					  os_deadline(50 * OS_MILLISECOND), sc.arena,
					  &sc.server_facts, &sc.server_problem),
			 STREAM_TIMEOUT);
	(void)stream_close(&sc.b, 0);
	(void)stream_close(&sc.a, 0);

	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	stream_init(&sc.a, fds[0]);
	stream_init(&sc.b, fds[1]);
	assert_int_equal(stream_write(&sc.a, SL("MAIL FROM:<>\r\nRCPT TO:<x>\r\n"), SOON), STREAM_OK);
	assert_int_equal(stream_close(&sc.a, SOON), STREAM_OK);
	assert_int_equal(tls_start_server(sc.server, &sc.b, &sc.server_want, SOON, sc.arena,
					  &sc.server_facts, &sc.server_problem),
			 STREAM_ERROR);
	(void)stream_close(&sc.b, 0);
	scene_free(&sc);
}

static void silence_and_babble_end_the_handshake(void **state)
{
	(void)state;
	sim_runs(silent_peer);
}

/* ---- a connection that breaks at any byte of the handshake, from either side */

#ifdef SIMULATED
static int64_t break_after;

static void breaking(void *arg)
{
	struct tls_options server = rsa_server(), client = {0};
	struct sim_fault fault = SIM_FAULT_NONE;
	struct scene sc;
	struct fiber *f;
	int fds[2];

	(void)arg;
	scene_init(&sc, &server, &client);
	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	stream_init(&sc.a, fds[0]);
	stream_init(&sc.b, fds[1]);
	fault.reset_after = break_after * 13 % 2000;
	sim_set_fault(fds[break_after++ % 2], &fault);
	f = fiber_spawn_joinable("tls server", echo_server, &sc);
	sc.client_status = tls_start_client(sc.client, &sc.a, &sc.client_want, SOON, sc.arena,
					    &sc.client_facts, &sc.client_problem);
	if (sc.client_status != STREAM_OK) {
		assert_int_equal(sc.client_status, STREAM_ERROR);
		assert_true(sc.a.error == ECONNRESET || sc.a.error == EPIPE);
	}
	(void)stream_close(&sc.a, SOON);
	assert_int_equal(fiber_join(f, SOON, "join"), 0);
	assert_true(sc.server_status == STREAM_OK || sc.server_status == STREAM_ERROR);
	/* a client that has sent so little cannot have finished */
	if (fault.reset_after < 300 && break_after % 2 == 1)
		assert_int_equal(sc.server_status, STREAM_ERROR);
	scene_free(&sc);
}

static void a_broken_handshake_is_an_error(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		sim_runs(breaking);
}
#endif

/* ---- settings */

static void expect_problem(const struct tls_options *options, const char *text)
{
	struct arena *arena = arena_create();
	struct tls_context *c;
	struct slice problem;

	assert_int_equal(tls_server_context(options, arena, &c, &problem), RES_PERM);
	assert_null(c);
	if (slice_search(problem, slice_str(text)) < 0)
		fail_msg("problem is \"%.*s\"", SL_ARG(problem));
	arena_destroy(&arena);
}

static void bad_settings_are_named(void **state)
{
	struct tls_options o = {0};

	(void)state;
	expect_problem(&o, "no server certificate");
	o.cert_file = slice_str(junk_file);
	expect_problem(&o, "cannot load certificate from");
	o.cert_file = slice_str(rsa_file);
	o.key_file = slice_str(ec_file);
	expect_problem(&o, "cannot load");
	o.key_file = SL("");
	o.mandatory.protocols = SL(">=TLSv7");
	expect_problem(&o, "unknown TLS protocol \">=TLSv7\"");
	o.mandatory.protocols = SL("");
	o.mandatory.grade = SL("excellent");
	expect_problem(&o, "unknown TLS cipher grade");
	o.mandatory.grade = SL("high");
	o.mandatory.exclude = SL("aNULL, ALL");
	expect_problem(&o, "no TLS cipher is left");
	o.mandatory.exclude = SL("");
	o.ca_file = SL("/nonexistent/ca.pem");
	expect_problem(&o, "cannot load CA certificates");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_settings_are_named),
	    cmocka_unit_test(handshakes_encrypt_and_tell),
	    cmocka_unit_test(limits_and_names_are_kept),
	    cmocka_unit_test(no_common_protocol_is_an_error),
	    cmocka_unit_test(sessions_are_resumed),
	    cmocka_unit_test(tickets_are_shared_by_those_who_have_the_keys),
	    cmocka_unit_test(without_a_lifetime_nothing_is_resumed),
	    cmocka_unit_test(silence_and_babble_end_the_handshake),
#ifdef SIMULATED
	    cmocka_unit_test(a_broken_handshake_is_an_error),
#endif
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
