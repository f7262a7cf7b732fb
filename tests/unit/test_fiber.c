/* SPDX-License-Identifier: ISC */
/* test_fiber - the scheduler. Linked twice: with the kernel, and with the simulated network and clock. */
#include "unit.h"

#include "fiber/fiber.h"
#include "sim_runs.h"

#include <errno.h>
#include <stdio.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define SOON os_deadline(5 * OS_SECOND)
#define MS(n) ((n) * OS_MILLISECOND)

/* ---- spawn, join, sleep */

static void add_one(void *arg)
{
	++*(int *)arg;
}

static void spawning(void *arg)
{
	struct fiber *f;
	int count = 0;
	uint64_t id;

	(void)arg;
	f = fiber_spawn_joinable("adder", add_one, &count);
	id = fiber_id(f);
	assert_ptr_equal(fiber_find(id), f);
	assert_int_equal(count, 0);
	assert_int_equal(fiber_join(f, SOON, "join"), 0);
	assert_int_equal(count, 1);
	assert_null(fiber_find(id));
	assert_non_null(fiber_spawn("adder", add_one, &count));
	while (count != 2)
		fiber_yield();
}

static void fibers_spawn_and_join(void **state)
{
	(void)state;
	sim_runs(spawning);
}

struct sleeper {
	int64_t at;
	int *order;
	int *next;
	int number;
};

static void sleep_and_note(void *arg)
{
	struct sleeper *s = arg;

	assert_int_equal(fiber_sleep(s->at, "sleep"), 0);
	assert_true(os_now() >= s->at);
	s->order[(*s->next)++] = s->number;
}

static void sleeping(void *arg)
{
	struct fiber *f[5];
	struct sleeper s[5];
	int order[5], next = 0;

	(void)arg;
	for (int i = 0; i < 5; i++) {
		s[i] = (struct sleeper){os_deadline(MS(5 * (5 - i))), order, &next, i};
		f[i] = fiber_spawn_joinable("sleeper", sleep_and_note, &s[i]);
	}
	for (int i = 0; i < 5; i++)
		assert_int_equal(fiber_join(f[i], SOON, "join"), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(order[i], 4 - i);
}

static void sleepers_wake_in_order_of_time(void **state)
{
	(void)state;
	sim_runs(sleeping);
}

/* ---- cancellation */

struct waits {
	struct fiber_cond cond;
	struct fiber_mutex mutex;
	struct fiber_sem sem;
	struct fiber_channel full, empty;
	struct fiber_fd a, b, listener;
	struct fiber *never;
	int kind;
	int rc;
	int error;
};

#define WAIT_KINDS 10

static int wait_some_way(struct waits *w)
{
	char byte;
	void *item;

	switch (w->kind) {
	case 0:
		return fiber_sleep(OS_NEVER, "sleep");
	case 1:
		return fiber_cond_wait(&w->cond, OS_NEVER, "cond");
	case 2:
		return fiber_mutex_lock(&w->mutex, OS_NEVER, "mutex");
	case 3:
		return fiber_sem_take(&w->sem, OS_NEVER, "sem");
	case 4:
		return fiber_channel_put(&w->full, w, OS_NEVER, "put");
	case 5:
		return fiber_channel_get(&w->empty, &item, OS_NEVER, "get");
	case 6:
		return (int)fiber_recv(&w->a, &byte, 1, OS_NEVER, "recv");
	case 7:
		fiber_fd_blocked(&w->a, OS_READABLE | OS_WRITABLE);
		return fiber_wait_fd(&w->a, OS_READABLE, OS_NEVER, "wait fd");
	case 8:
		return fiber_join(w->never, OS_NEVER, "join");
	default:
		return fiber_accept(&w->listener, NULL, OS_NEVER, "accept");
	}
}

static void wait_and_note(void *arg)
{
	struct waits *w = arg;

	w->rc = wait_some_way(w);
	w->error = errno;
	/* it stays so, until taken back */
	assert_int_equal(fiber_sleep(os_deadline(MS(1)), "again"), -1);
	assert_int_equal(errno, ECANCELED);
	assert_true(fiber_cancelled());
	fiber_uncancel();
	assert_int_equal(fiber_sleep(os_deadline(MS(1)), "goodbye"), 0);
}

/* listen_anywhere - on a free port of the loopback address. */
static int listen_anywhere(struct os_addr *addr)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&addr->ss;
	int fd = os_socket(AF_INET, SOCK_STREAM, 0);

	*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	addr->len = sizeof(*in);
	assert_int_equal(os_bind(fd, addr), 0);
	assert_int_equal(os_listen(fd, 128), 0);
	assert_int_equal(os_getsockname(fd, addr), 0);
	assert_int_not_equal(in->sin_port, 0);
	return fd;
}

static void waits_init(struct waits *w)
{
	struct os_addr addr;
	int fds[2];

	fiber_cond_init(&w->cond);
	fiber_mutex_init(&w->mutex);
	assert_int_equal(fiber_mutex_lock(&w->mutex, SOON, "mutex"), 0);
	fiber_sem_init(&w->sem, 0);
	fiber_channel_init(&w->full, 1);
	fiber_channel_init(&w->empty, 1);
	assert_int_equal(fiber_channel_put(&w->full, w, SOON, "put"), 0);
	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	fiber_fd_init(&w->a, fds[0]);
	fiber_fd_init(&w->b, fds[1]);
	fiber_fd_init_listener(&w->listener, listen_anywhere(&addr));
}

static void waits_free(struct waits *w)
{
	fiber_mutex_unlock(&w->mutex);
	fiber_channel_free(&w->full);
	fiber_channel_free(&w->empty);
	fiber_fd_close(&w->a);
	fiber_fd_close(&w->b);
	fiber_fd_close(&w->listener);
}

static void sleep_for_ever(void *arg)
{
	(void)arg;
	(void)fiber_sleep(OS_NEVER, "for ever");
}

static void try_cancel(int kind, bool before_wait)
{
	struct waits w = {.kind = kind};
	struct fiber *f;

	waits_init(&w);
	w.never = fiber_spawn_joinable("never", sleep_for_ever, NULL);
	f = fiber_spawn_joinable("waiter", wait_and_note, &w);
	if (!before_wait)
		assert_int_equal(fiber_sleep(os_deadline(MS(1)), "let it wait"), 0);
	fiber_cancel(f);
	assert_int_equal(fiber_join(f, SOON, "join"), 0);
	if (w.rc != -1 || w.error != ECANCELED)
		fail_msg("wait of kind %d: %d, errno %d", kind, w.rc, w.error);
	fiber_cancel(w.never);
	assert_int_equal(fiber_join(w.never, SOON, "join"), 0);
	waits_free(&w);
}

static void cancelling(void *arg)
{
	(void)arg;
	for (int kind = 0; kind < WAIT_KINDS; kind++) {
		try_cancel(kind, false);
		try_cancel(kind, true);
	}
}

static void every_wait_can_be_cancelled(void **state)
{
	(void)state;
	sim_runs(cancelling);
}

static void timing_out(void *arg)
{
	struct waits w = {0};
	int64_t deadline;
	void *item;
	char byte;

	(void)arg;
	waits_init(&w);
	deadline = os_deadline(MS(2));
	assert_int_equal(fiber_cond_wait(&w.cond, deadline, "cond"), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_true(os_now() >= deadline);
	assert_int_equal(fiber_sem_take(&w.sem, os_deadline(MS(2)), "sem"), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(fiber_channel_get(&w.empty, &item, os_deadline(MS(2)), "get"), -1);
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(fiber_recv(&w.a, &byte, 1, os_deadline(MS(2)), "recv"), -1);
	assert_int_equal(errno, ETIMEDOUT);
	/* what is there is taken even when the deadline has passed */
	assert_int_equal(fiber_send(&w.b, "x", 1, SOON, "send"), 1);
	assert_int_equal(fiber_wait_fd(&w.a, OS_READABLE, SOON, "arrival"), 0);
	assert_int_equal(fiber_recv(&w.a, &byte, 1, 0, "recv"), 1);
	waits_free(&w);
}

static void every_wait_has_a_deadline(void **state)
{
	(void)state;
	sim_runs(timing_out);
}

/* ---- main ends, others are cancelled */

static int ended;

static void end_on_cancel(void *arg)
{
	(void)arg;
	assert_int_equal(fiber_sleep(OS_NEVER, "for ever"), -1);
	fiber_uncancel();
	assert_int_equal(fiber_sleep(os_deadline(MS(1)), "goodbye"), 0);
	ended++;
}

static void leave_others(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100; i++)
		assert_non_null(fiber_spawn("session", end_on_cancel, NULL));
	fiber_yield();
}

static void stop_from_within(void *arg)
{
	(void)arg;
	fibers_stop();
}

static void wait_for_stop(void *arg)
{
	(void)arg;
	assert_non_null(fiber_spawn("stopper", stop_from_within, NULL));
	assert_int_equal(fiber_sleep(OS_NEVER, "for ever"), -1);
	assert_int_equal(errno, ECANCELED);
}

static void the_end_of_main_ends_all(void **state)
{
	(void)state;
	sim_runs(leave_others);
	assert_int_equal(ended % 100, 0);
	assert_true(ended > 0);
	sim_runs(wait_for_stop);
}

/* ---- waiting for each other */

struct shared {
	struct fiber_mutex mutex;
	struct fiber_sem sem;
	struct fiber_channel channel;
	int inside;
	int most_inside;
	long sum;
};

static void in_and_out(struct shared *s)
{
	if (++s->inside > s->most_inside)
		s->most_inside = s->inside;
	fiber_yield();
	s->inside--;
}

static void use_mutex(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 20; i++) {
		assert_int_equal(fiber_mutex_lock(&s->mutex, SOON, "mutex"), 0);
		in_and_out(s);
		fiber_mutex_unlock(&s->mutex);
	}
}

static void use_sem(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 20; i++) {
		assert_int_equal(fiber_sem_take(&s->sem, SOON, "sem"), 0);
		in_and_out(s);
		fiber_sem_give(&s->sem);
	}
}

static void consume(void *arg)
{
	struct shared *s = arg;
	void *item;

	while (fiber_channel_get(&s->channel, &item, SOON, "get") == 0)
		s->sum += (long)(intptr_t)item;
	assert_int_equal(errno, EPIPE);
}

static void together(struct fiber *f[], int n, void (*fn)(void *), void *arg)
{
	for (int i = 0; i < n; i++)
		f[i] = fiber_spawn_joinable("one of many", fn, arg);
	for (int i = 0; i < n; i++)
		assert_int_equal(fiber_join(f[i], SOON, "join"), 0);
}

static void sharing(void *arg)
{
	struct shared s = {0};
	struct fiber *f[10];

	(void)arg;
	fiber_mutex_init(&s.mutex);
	fiber_sem_init(&s.sem, 3);
	fiber_channel_init(&s.channel, 4);
	together(f, 10, use_mutex, &s);
	assert_int_equal(s.most_inside, 1);
	s.most_inside = 0;
	together(f, 10, use_sem, &s);
	assert_int_equal(s.most_inside, 3);
	for (int i = 0; i < 10; i++)
		f[i] = fiber_spawn_joinable("consumer", consume, &s);
	for (intptr_t i = 1; i <= 1000; i++)
		assert_int_equal(fiber_channel_put(&s.channel, (void *)i, SOON, "put"), 0);
	fiber_channel_close(&s.channel);
	for (int i = 0; i < 10; i++)
		assert_int_equal(fiber_join(f[i], SOON, "join"), 0);
	assert_int_equal(s.sum, 500500);
	fiber_channel_free(&s.channel);
}

static void mutex_semaphore_and_channel_hold(void **state)
{
	(void)state;
	sim_runs(sharing);
}

/* ---- descriptors */

#define ECHO_BYTES 200000

static void echo(void *arg)
{
	struct fiber_fd *fd = arg;
	char buf[1000];
	ssize_t n;

	while ((n = fiber_recv(fd, buf, sizeof(buf), SOON, "echo reads")) > 0) {
		struct iovec iov = {buf, (size_t)n};

		assert_int_equal(fiber_send_full(fd, &iov, 1, -1, SOON, "echo writes"), 0);
	}
	assert_int_equal(n, 0);
}

static void send_much(void *arg)
{
	struct fiber_fd *fd = arg;
	char buf[777];
	size_t sent = 0;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (char)i;
	while (sent < ECHO_BYTES) {
		size_t n = ECHO_BYTES - sent < sizeof(buf) ? ECHO_BYTES - sent : sizeof(buf);
		struct iovec iov[2] = {{buf, n / 2}, {buf + n / 2, n - n / 2}};

		assert_int_equal(fiber_send_full(fd, iov, 2, -1, SOON, "sender writes"), 0);
		sent += n;
	}
}

static void echoing(void *arg)
{
	struct fiber_fd a, b;
	struct fiber *f, *sender;
	size_t got = 0;
	int fds[2];

	(void)arg;
	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	fiber_fd_init(&a, fds[0]);
	fiber_fd_init(&b, fds[1]);
	f = fiber_spawn_joinable("echo", echo, &b);
	sender = fiber_spawn_joinable("sender", send_much, &a);
	while (got < ECHO_BYTES) {
		char buf[3000];
		ssize_t n = fiber_recv(&a, buf, sizeof(buf), SOON, "main reads");

		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], (char)((got + (size_t)i) % 777));
		got += (size_t)n;
	}
	assert_int_equal(fiber_join(sender, SOON, "join"), 0);
	assert_int_equal(os_shutdown(a.fd, SHUT_WR), 0);
	assert_int_equal(fiber_join(f, SOON, "join"), 0);
	fiber_fd_close(&a);
	fiber_fd_close(&b);
}

static void bytes_go_through_descriptors(void **state)
{
	(void)state;
	sim_runs(echoing);
}

/* ---- listening and connecting */

#define CLIENTS 50

struct server {
	struct fiber_fd listener;
	struct os_addr addr;
	struct fiber_fd conns[CLIENTS];
};

static void serve_one(void *arg)
{
	echo(arg);
	fiber_fd_close(arg);
}

static void serve(void *arg)
{
	struct server *s = arg;
	struct fiber *f[CLIENTS];

	for (int i = 0; i < CLIENTS; i++) {
		int fd = fiber_accept(&s->listener, NULL, SOON, "accept");

		assert_true(fd >= 0);
		fiber_fd_init(&s->conns[i], fd);
		f[i] = fiber_spawn_joinable("served", serve_one, &s->conns[i]);
	}
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(fiber_join(f[i], SOON, "join"), 0);
}

static void be_client(void *arg)
{
	struct server *s = arg;
	int fd = fiber_connect(&s->addr, NULL, SOON, "connect");
	struct fiber_fd f;
	char buf[5] = "hello";
	size_t got = 0;

	if (fd < 0)
		fail_msg("connect: errno %d", errno);
	fiber_fd_init(&f, fd);
	assert_int_equal(fiber_send_full(&f, &(struct iovec){buf, 5}, 1, -1, SOON, "w"), 0);
	while (got < 5) {
		ssize_t n = fiber_recv(&f, buf + got, 5 - got, SOON, "client reads");

		if (n <= 0)
			fail_msg("client reads %zd: errno %d", n, errno);
		got += (size_t)n;
	}
	assert_memory_equal(buf, "hello", 5);
	fiber_fd_close(&f);
}

static void listening(void *arg)
{
	struct server s = {0};
	struct fiber *f[CLIENTS], *server;

	(void)arg;
	fiber_fd_init_listener(&s.listener, listen_anywhere(&s.addr));
	server = fiber_spawn_joinable("server", serve, &s);
	together(f, CLIENTS, be_client, &s);
	assert_int_equal(fiber_join(server, SOON, "join"), 0);
	fiber_fd_close(&s.listener);
	assert_int_equal(fiber_connect(&s.addr, NULL, SOON, "connect"), -1);
	assert_int_equal(errno, ECONNREFUSED);
}

static void clients_reach_listeners(void **state)
{
	(void)state;
	sim_runs(listening);
}

/* ---- offload */

static void twice(void *arg)
{
	*(int *)arg *= 2;
}

static void offload_one(void *arg)
{
	int n = 21;

	fiber_offload(twice, &n, "doubling");
	assert_int_equal(n, 42);
	++*(int *)arg;
}

static void offloading(void *arg)
{
	struct fiber *f[100];
	int done = 0;

	(void)arg;
	together(f, 100, offload_one, &done);
	assert_int_equal(done, 100);
	f[0] = fiber_spawn_joinable("cancelled", offload_one, &done);
	fiber_yield();
	fiber_cancel(f[0]);
	assert_int_equal(fiber_join(f[0], SOON, "join"), 0);
	assert_int_equal(done, 101);
}

static void offloaded_work_comes_back(void **state)
{
	(void)state;
	sim_runs(offloading);
}

/* ---- signals, slices */

static void send_signal(int signo)
{
#ifdef SIMULATED
	sim_raise(signo);
#else
	assert_int_equal(kill(getpid(), signo), 0);
#endif
}

static void signalling(void *arg)
{
	struct fiber_signals s;
	sigset_t set;

	(void)arg;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGHUP);
	assert_int_equal(fiber_signals_open(&s, &set), 0);
	assert_int_equal(fiber_signal_wait(&s, os_deadline(MS(1)), "signal"), -1);
	assert_int_equal(errno, ETIMEDOUT);
	for (int i = 0; i < 3; i++) {
		send_signal(SIGUSR1);
		assert_int_equal(fiber_signal_wait(&s, SOON, "signal"), SIGUSR1);
		send_signal(SIGHUP);
		assert_int_equal(fiber_signal_wait(&s, SOON, "signal"), SIGHUP);
	}
	fiber_signals_close(&s);
}

static void signals_are_events(void **state)
{
	(void)state;
	sim_runs(signalling);
}

static void note_slow(const char *name, const char *last_wait, int64_t duration, void *arg)
{
	assert_string_equal(name, "hog");
	assert_string_equal(last_wait, "rest");
	assert_true(duration > MS(20));
	++*(int *)arg;
}

static void be_hog(void *arg)
{
	int64_t until;

	(void)arg;
	assert_int_equal(fiber_sleep(os_deadline(MS(1)), "rest"), 0);
	for (until = os_deadline(MS(25)); os_now() < until;)
		;
}

static void hogging(void *arg)
{
	struct fibers_stats stats;
	struct fiber *f = fiber_spawn_joinable("hog", be_hog, NULL);

	(void)arg;
	assert_int_equal(fiber_join(f, SOON, "join"), 0);
	fibers_get_stats(&stats);
	assert_true(stats.slow_slices >= 1);
}

static void slow_slices_are_named(void **state)
{
	int count = 0;
	const struct fibers_options options = {.slow_slice = note_slow, .slow_slice_arg = &count};

	(void)state;
#ifdef SIMULATED
	skip(); /* virtual time stands still while a fiber runs */
#endif
	assert_int_equal(fibers_run(&options, hogging, NULL), 0);
	assert_int_equal(count, 1);
}

/* ---- many */

#ifdef SIMULATED
#define MANY 300
#else
#define MANY 5000
#endif

static void pass_on(void *arg)
{
	struct fiber_cond *c = arg;

	fiber_set_peer(SL("client.example[192.0.2.1]"));
	assert_int_equal(fiber_cond_wait(c, OS_NEVER, "go"), 0);
	for (int i = 0; i < 3; i++)
		fiber_yield();
}

static bool count_waiting(const struct fiber_info *info, void *arg)
{
	if (strcmp(info->why, "go") == 0 && strcmp(info->peer, "client.example[192.0.2.1]") == 0)
		++*(int *)arg;
	return true;
}

static void crowding(void *arg)
{
	struct fiber **f = calloc(MANY, sizeof(struct fiber *));
	struct fiber_cond c;
	struct fibers_stats stats;
	int waiting = 0;

	(void)arg;
	fiber_cond_init(&c);
	for (int i = 0; i < MANY; i++) {
		f[i] = fiber_spawn_joinable("one of many", pass_on, &c);
		assert_non_null(f[i]);
	}
	assert_int_equal(fiber_sleep(os_deadline(MS(1)), "let them wait"), 0);
	fiber_foreach(count_waiting, &waiting);
	assert_int_equal(waiting, MANY);
	assert_true(fiber_stack_used(f[0]) <= 8192 + 4096);
	fiber_cond_broadcast(&c);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(fiber_join(f[i], SOON, "join"), 0);
	fibers_get_stats(&stats);
	assert_int_equal(stats.alive, 1);
	assert_true(stats.stacks_pooled > 0 && stats.stacks_pooled <= 256);
	free(f);
}

static void thousands_of_fibers_wait_and_go(void **state)
{
	(void)state;
	sim_runs(crowding);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fibers_spawn_and_join),
	    cmocka_unit_test(sleepers_wake_in_order_of_time),
	    cmocka_unit_test(every_wait_can_be_cancelled),
	    cmocka_unit_test(every_wait_has_a_deadline),
	    cmocka_unit_test(the_end_of_main_ends_all),
	    cmocka_unit_test(mutex_semaphore_and_channel_hold),
	    cmocka_unit_test(bytes_go_through_descriptors),
	    cmocka_unit_test(clients_reach_listeners),
	    cmocka_unit_test(offloaded_work_comes_back),
	    cmocka_unit_test(signals_are_events),
	    cmocka_unit_test(slow_slices_are_named),
	    cmocka_unit_test(thousands_of_fibers_wait_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
