/* SPDX-License-Identifier: ISC */
/*
 * test_smtp_client_sim - deliveries in a simulated network, under many seeds: two servers that answer
 * as the seed says, and may break off at each wait. Whatever they do, every recipient has exactly one
 * outcome, which is true, and no recipient's mail is taken twice.
 */
#include "unit.h"

#include "os/file.h"
#include "os/sim.h"
#include "queue/envelope.h"
#include "sim_runs.h"
#include "smtp/client.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define SOON os_deadline(4000 * OS_SECOND)
#define RCPTS 7
#define SERVERS 2

static const char body[] = "Subject: x\r\n\r\n.dot\r\n..\r\n.\r\nlast line\r\n";

struct server;

/* What the seed has chosen for a run. */
struct world {
	struct client client;
	struct settings *settings;
	struct arena *arena;
	bool lmtp;
	unsigned misfortune; /* of 1000 replies, so many are not 2xx; the same for breaking off */
	int content;
	size_t big; /* size of the content */
	struct server {
		struct world *w;
		struct fiber_fd listener;
		struct fiber *fiber;
		size_t connections;
		bool chunking, pipelining;
	} servers[SERVERS];
	size_t taken[RCPTS];   /* how often a server has taken responsibility */
	bool refused[RCPTS];   /* a server has said 5xx about it */
	size_t reported[RCPTS];
	enum delivery_status status[RCPTS];
};

/* ---- a server */

struct talk {
	struct server *server;
	struct world *w;
	struct stream s;
	bool mail;
	size_t rcpts[RCPTS];
	size_t count;
	bool over;
};

static bool by_chance(struct world *w)
{
	return sim_random(1000) < w->misfortune;
}

/* answer - 2xx or whatever comes; returns the class that the client was told, 0: it was told nothing. */
static unsigned answer(struct talk *t, const char *good)
{
	static const char *const bad[] = {"451 4.3.0 later", "550 5.7.1 never", "421 4.3.2 going", "450 no\r\n"};
	const char *text = good;

	if (by_chance(t->w)) {
		if (sim_random(2)) /* silence, then the end */
			(void)fiber_sleep(os_deadline(3000 * OS_SECOND), "nothing");
		t->over = true;
		return 0;
	}
	if (by_chance(t->w))
		text = bad[sim_random(3)];
	if (text[0] == '4' && text[2] == '1' && text[1] == '2')
		t->over = true;
	if (stream_printf(&t->s, SOON, "%s\r\n", text) != STREAM_OK)
		t->over = true;
	return (unsigned)(text[0] - '0');
}

/* take - the message is here: who gets it? Taking counts before the reply leaves, for it may be lost. */
static void take(struct talk *t)
{
	size_t replies = t->w->lmtp ? t->count : 1;

	for (size_t i = 0; i < replies && !t->over; i++) {
		bool mute = by_chance(t->w); /* takes it, and is never heard of again */
		size_t from = t->w->lmtp ? i : 0, to = t->w->lmtp ? i + 1 : t->count;
		unsigned class = mute ? 2 : answer(t, "250 2.0.0 kept");

		for (size_t r = from; r < to && class == 2; r++)
			t->w->taken[t->rcpts[r]]++;
		for (size_t r = from; r < to && class == 5; r++)
			t->w->refused[t->rcpts[r]] = true;
		t->over = t->over || mute;
	}
	t->count = 0;
	t->mail = false;
}

static void check_content(struct talk *t, const char *got, size_t n)
{
	char *want = malloc(t->w->big);

	assert_non_null(want);
	assert_int_equal(n, t->w->big);
	assert_int_equal(pread(t->w->content, want, t->w->big, 0), t->w->big);
	assert_memory_equal(got, want, n);
	free(want);
}

static void data(struct talk *t)
{
	char *got = malloc(t->w->big + 10);
	size_t n = 0;
	struct slice line;
	enum stream_line_end end;

	assert_non_null(got);
	for (;;) {
		if (by_chance(t->w) || stream_read_line(&t->s, 2000, SOON, &line, &end) != STREAM_OK) {
			t->over = true;
			free(got);
			return;
		}
		assert_int_equal(end, LINE_CRLF);
		if (slice_eq(line, SL(".")))
			break;
		if (line.n > 0 && line.p[0] == '.')
			line = slice_from(line, 1);
		assert_true(n + line.n + 2 <= t->w->big);
		memcpy(got + n, line.p, line.n);
		memcpy(got + n + line.n, "\r\n", 2);
		n += line.n + 2;
	}
	if (t->count > 0)
		check_content(t, got, n);
	else
		assert_int_equal(n, 0); /* an empty message for nobody */
	free(got);
	if (t->count > 0)
		take(t);
	else
		(void)answer(t, "554 5.5.1 no recipients");
}

static void bdat(struct talk *t, struct slice argument)
{
	struct slice word;
	uint64_t size;
	size_t got;
	char *bytes;

	assert_true(slice_next(&argument, " ", &word) && slice_u64(word, &size));
	assert_true(slice_eq(slice_trim(argument), SL("LAST")));
	assert_true(t->count > 0);
	bytes = malloc(size + 1);
	assert_non_null(bytes);
	if (stream_read_full(&t->s, bytes, size, SOON, &got) != STREAM_OK)
		t->over = true;
	else
		check_content(t, bytes, size);
	free(bytes);
	if (!t->over)
		take(t);
}

static void rcpt(struct talk *t, struct slice argument)
{
	size_t i = (size_t)(argument.p[strlen("TO:<r")] - '0');
	unsigned class;

	assert_true(i < RCPTS);
	if (!t->mail) {
		(void)stream_printf(&t->s, SOON, "503 5.5.1 need MAIL\r\n");
		return;
	}
	class = answer(t, "250 2.1.5 ok");
	if (class == 2)
		t->rcpts[t->count++] = i;
	if (class == 5)
		t->w->refused[i] = true;
}

static void mail(struct talk *t)
{
	unsigned class;

	assert_false(t->mail); /* one transaction at a time */
	class = answer(t, "250 2.1.0 ok");
	t->mail = class == 2;
	t->count = 0;
	for (size_t i = 0; i < RCPTS && class == 5; i++)
		t->w->refused[i] = true;
}

static void data_command(struct talk *t)
{
	unsigned class;

	/* some say 354 whatever came before */
	if (t->count == 0 && sim_random(2) == 0) {
		(void)stream_printf(&t->s, SOON, "554 5.5.1 no valid recipients\r\n");
		return;
	}
	class = answer(t, "354 go on");
	for (size_t i = 0; i < t->count && class == 5; i++)
		t->w->refused[t->rcpts[i]] = true;
	if (class == 3 && !t->over)
		data(t);
}

static void command(struct talk *t, struct slice line)
{
	struct slice rest = line, verb;

	assert_true(slice_next(&rest, " ", &verb));
	rest = slice_trim(rest);
	if (slice_eq(verb, SL("EHLO")) || slice_eq(verb, SL("LHLO"))) {
		(void)stream_printf(&t->s, SOON, "250-server\r\n%s%s250 DSN\r\n",
				    t->server->pipelining ? "250-PIPELINING\r\n" : "",
				    t->server->chunking ? "250-CHUNKING\r\n" : "");
	} else if (slice_eq(verb, SL("MAIL"))) {
		mail(t);
	} else if (slice_eq(verb, SL("RCPT"))) {
		rcpt(t, rest);
	} else if (slice_eq(verb, SL("DATA"))) {
		data_command(t);
	} else if (slice_eq(verb, SL("BDAT"))) {
		bdat(t, rest);
	} else if (slice_eq(verb, SL("RSET"))) {
		t->mail = false;
		t->count = 0;
		(void)answer(t, "250 2.0.0 ok");
	} else {
		assert_true(slice_eq(verb, SL("QUIT")) || slice_eq(verb, SL("HELO")));
		t->over = slice_eq(verb, SL("QUIT"));
		(void)stream_printf(&t->s, SOON, "250 2.0.0 ok\r\n");
	}
}

static void serve(void *arg)
{
	struct talk *t = arg;
	struct slice line;
	enum stream_line_end end;

	if (stream_printf(&t->s, SOON, "220 server\r\n") != STREAM_OK)
		t->over = true;
	while (!t->over && !by_chance(t->w)) {
		char copy[600];

		if (stream_read_line(&t->s, sizeof(copy), SOON, &line, &end) != STREAM_OK)
			break;
		assert_int_equal(end, LINE_CRLF);
		memcpy(copy, line.p, line.n);
		command(t, slice(copy, line.n));
		if (!t->server->pipelining && !t->over)
			assert_false(stream_buffered(&t->s) > 0);
	}
	(void)stream_close(&t->s, sim_random(2) ? SOON : 0);
	free(t);
}

static void listen_on(void *arg)
{
	struct server *server = arg;
	int fd;

	while ((fd = fiber_accept(&server->listener, NULL, OS_NEVER, "accept")) >= 0) {
		struct talk *t = calloc(1, sizeof(*t));

		assert_non_null(t);
		server->connections++;
		t->server = server;
		t->w = server->w;
		stream_init(&t->s, fd);
		assert_non_null(fiber_spawn("server", serve, t));
	}
}

static void open_server(struct world *w, size_t i)
{
	struct server *server = &w->servers[i];
	struct os_addr addr = {.len = sizeof(struct sockaddr_in)};
	struct sockaddr_in *in = (struct sockaddr_in *)&addr.ss;
	int fd = os_socket(AF_INET, SOCK_STREAM, 0);

	in->sin_family = AF_INET;
	in->sin_port = htons(2525);
	in->sin_addr.s_addr = htonl(0x0a000001u + (uint32_t)i);
	assert_int_equal(os_bind(fd, &addr), 0);
	assert_int_equal(os_listen(fd, 10), 0);
	server->w = w;
	server->chunking = sim_random(2);
	server->pipelining = sim_random(2);
	fiber_fd_init_listener(&server->listener, fd);
	server->fiber = fiber_spawn_joinable("listener", listen_on, server);
	assert_non_null(server->fiber);
}

static void close_server(struct server *server)
{
	fiber_cancel(server->fiber);
	assert_int_equal(fiber_join(server->fiber, OS_NEVER, "listener"), 0);
	fiber_fd_close(&server->listener);
}

/* ---- the delivery */

static void take_report(void *arg, size_t position, const struct agent_outcome *o)
{
	struct world *w = arg;

	assert_true(position < RCPTS);
	assert_true(o->dsn.n >= 5 && o->text.n > 0 && o->relay.n > 0);
	w->reported[position]++;
	w->status[position] = o->status;
	assert_int_equal(o->dsn.p[0], o->status == DELIVERY_STATUS_SENT	      ? '2'
				      : o->status == DELIVERY_STATUS_BOUNCED ? '5'
									      : '4');
}

static void make_content(struct world *w)
{
	char block[1000];
	size_t n = sizeof(body) - 1;

	w->content = memfd_create("content", 0);
	assert_true(w->content >= 0);
	assert_int_equal(write(w->content, body, n), n);
	memset(block, 'x', sizeof(block));
	memcpy(block + sizeof(block) - 2, "\r\n", 2);
	for (uint64_t i = sim_random(2) * sim_random(200); i > 0; i--) {
		assert_int_equal(write(w->content, block, sizeof(block)), sizeof(block));
		n += sizeof(block);
	}
	w->big = n;
}

static void make_client(struct world *w)
{
	struct config_problems problems;
	struct slice problem;
	struct slice text = SL("myhostname = client.test\nsmtp_line_length_limit = 0\n"
			       "lmtp_line_length_limit = 0\nsmtp_skip_quit_response = yes\n"
			       "inet_interfaces = loopback-only\ninet_protocols = ipv4\n");

	config_problems_init(&problems, w->arena);
	assert_int_equal(settings_parse(text, "/", NULL, 0, &problems, &w->settings), RES_OK);
	assert_int_equal(client_conf_load(w->settings, w->lmtp, w->arena, &w->client.conf, &problem), RES_OK);
	w->client.tables = table_set_create(NULL);
	w->client.tls_policies = table_list_create(w->client.tables, SL(""), TABLE_FOLD);
}

static void deliver_once(struct world *w, struct client_agent *agent)
{
	struct arena *arena = arena_create();
	struct mail_recipient recipients[RCPTS] = {0};
	struct delivery_deliver request = {
	    .queue_id = SL("4abcdef"),
	    .content = w->content,
	    .size = w->big,
	    .flags = QUEUE_DOT_LINES,
	    .sender = SL("sender@client.test"),
	    .nexthop = SL("[10.0.0.1]:2525 [10.0.0.2]:2525"),
	    .recipients = recipients,
	    .recipients_count = RCPTS,
	};
	struct job job;

	memset(w->taken, 0, sizeof(w->taken));
	memset(w->refused, 0, sizeof(w->refused));
	memset(w->reported, 0, sizeof(w->reported));
	for (size_t i = 0; i < RCPTS; i++)
		recipients[i] = (struct mail_recipient){
		    .index = (uint32_t)i, .address = arena_printf(arena, "r%zu@far.test", i)};
	job_init(&job, &w->client.conf, &request, arena);
	job.report = take_report;
	job.arg = w;
	client_deliver(agent, &job, NULL, NULL);
	client_part(agent);
	for (size_t i = 0; i < RCPTS; i++) {
		assert_int_equal(w->reported[i], 1);
		assert_true(w->taken[i] <= 1);
		if (w->status[i] == DELIVERY_STATUS_SENT)
			assert_int_equal(w->taken[i], 1);
		if (w->status[i] == DELIVERY_STATUS_BOUNCED)
			assert_true(w->refused[i] && w->taken[i] == 0);
		if (w->misfortune == 0)
			assert_int_equal(w->status[i], DELIVERY_STATUS_SENT);
	}
	arena_destroy(&arena);
}

static void scenario(void *arg)
{
	static const unsigned misfortunes[] = {0, 5, 20, 60, 200};
	struct world w = {.arena = arena_create()};
	struct client_agent agent = {.client = &w.client};
	size_t connections = 0;

	(void)arg;
	w.lmtp = sim_random(2);
	w.misfortune = misfortunes[sim_random(5)];
	make_content(&w);
	make_client(&w);
	for (size_t i = 0; i < SERVERS; i++)
		open_server(&w, i);
	for (int i = 0; i < 4; i++) {
		deliver_once(&w, &agent);
		if (sim_random(4) == 0)
			(void)fiber_sleep(os_deadline((int64_t)sim_random(3) * OS_SECOND), "pause");
	}
	client_idle(&agent, true);
	assert_null(agent.session);
	for (size_t i = 0; i < SERVERS; i++) {
		close_server(&w.servers[i]);
		connections += w.servers[i].connections;
	}
	if (w.misfortune == 0)
		assert_int_equal(connections, 1); /* one session served all four */
	(void)fiber_sleep(os_deadline(10000 * OS_SECOND), "the servers");
	close(w.content);
	table_set_destroy(&w.client.tables);
	settings_destroy(&w.settings);
	arena_destroy(&w.arena);
}

static void every_recipient_has_one_true_outcome(void **state)
{
	(void)state;
	sim_runs(scenario);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_recipient_has_one_true_outcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
