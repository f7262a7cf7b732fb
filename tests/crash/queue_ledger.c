/* SPDX-License-Identifier: ISC */
/*
 * queue_ledger - the queue on the simulated disk, with writers and something like qmgr at work, cut or
 * hurt at a system call; then recovered (cut again on the way, too), drained, and held against a ledger:
 * lost, corrupt, phantom, stuck, repeated beyond what doc/queue.md allows: all must be 0. A disk that
 * lies about syncs must show losses, or the rig proves nothing.
 *
 * usage: queue_ledger [--full] [--seed N] [--mode cut|kill|fail|full|lie --at N] [-v]
 */
#include "os/file.h"
#include "os/sim_disk.h"
#include "queue/queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MESSAGES 400
#define RECIPIENTS 2
#define CONTENT_MAX 9000
#define STEPS 70

enum fate { UNSENT, SENT, ACKED, REFUSED, UNKNOWN };

/* What the client and the destinations know, outside the reach of the fault. */
struct ledger {
	enum fate fate;
	unsigned delivered[RECIPIENTS];
	bool marked[RECIPIENTS];  /* queue_mark was called, not yet durable */
	bool flushed[RECIPIENTS]; /* survives the process */
	bool durable[RECIPIENTS]; /* survives a power cut */
};

struct job {
	struct queue_location location;
	bool held;
};

struct rig {
	uint64_t chance;
	int dir;
	struct queue_settings settings;
	struct queue *q;
	struct queue_writer *writers[2];
	struct ledger ledger[MESSAGES];
	unsigned sent;
	bool many_faults; /* several calls in a row fail: a refusal may not reach the disk either */
	struct job jobs[MESSAGES * 2];
	size_t job_count;
	struct arena *arena;
	unsigned lost, corrupt, phantom, stuck, repeated, twice, damaged, unavailable;
	bool verbose;
};

static uint64_t pick(struct rig *r, uint64_t below)
{
	r->chance ^= r->chance << 13;
	r->chance ^= r->chance >> 7;
	r->chance ^= r->chance << 17;
	return r->chance % below;
}

/* content_of - message n's bytes: its number, then a pattern that only n has. */
static size_t content_of(unsigned n, char *to)
{
	size_t length = 16 + (n * 2654435761u >> 7) % (n % 9 == 0 ? CONTENT_MAX - 16 : 1500);
	uint32_t x = n * 747796405u + 1;

	snprintf(to, 16, "message %06u", n);
	to[15] = '\n';
	for (size_t i = 16; i < length; i++) {
		x = x * 1664525u + 1013904223u;
		to[i] = (char)(x >> 24);
	}
	return length;
}

static void note(struct rig *r, const char *what, unsigned n)
{
	if (r->verbose)
		printf("  %s: message %u\n", what, n);
}

static void remember(struct rig *r, const struct queue_location *loc)
{
	for (size_t i = 0; i < r->job_count; i++) {
		if (strcmp(r->jobs[i].location.id.text, loc->id.text) == 0) {
			r->twice++;
			if (r->verbose)
				printf("  twice: %s in %s and %s\n", loc->id.text,
				       queue_place_name(r->jobs[i].location.place),
				       queue_place_name(loc->place));
			return;
		}
	}
	if (r->job_count < sizeof(r->jobs) / sizeof(r->jobs[0]))
		r->jobs[r->job_count++] =
			(struct job){*loc, loc->place == QUEUE_IN_HOLD};
}

static void on_message(void *context, const struct queue_entry *entry)
{
	remember(context, &entry->location);
}

static void on_damage(void *context, struct slice name, uint64_t bytes, const char *why)
{
	struct rig *r = context;

	r->damaged++;
	if (r->verbose)
		printf("  set aside: %.*s, %llu bytes: %s\n", SL_ARG(name),
		       (unsigned long long)bytes, why);
}

static bool open_queue(struct rig *r)
{
	struct queue_watcher watcher = {r, on_message, on_damage};

	r->job_count = 0;
	return queue_open(r->dir, &r->settings, &watcher, &r->q, NULL) == RES_OK;
}

static void announce(struct rig *r, const struct queue_location *loc)
{
	bool fresh;

	/* one in five is not announced: its writer died just then */
	if (r->q == NULL || pick(r, 5) == 0)
		return;
	if (queue_adopt(r->q, loc, &fresh, NULL) == RES_OK && fresh)
		remember(r, loc);
}

static struct queue_writer *a_writer(struct rig *r)
{
	struct queue_writer **w = &r->writers[pick(r, 2)];

	if (*w == NULL)
		queue_writer_open(r->dir, &r->settings, w, NULL);
	return *w;
}

static void settle(struct rig *r, unsigned n, enum result rc)
{
	if (rc == RES_OK)
		r->ledger[n].fate = ACKED;
	else
		r->ledger[n].fate = sim_disk_is_off() || r->many_faults ? UNKNOWN : REFUSED;
}

static void fill_envelope(struct queue_envelope *env, struct queue_recipient to[RECIPIENTS])
{
	to[0] = (struct queue_recipient){.address = SL("one@example.org")};
	to[1] = (struct queue_recipient){.address = SL("two@example.org")};
	*env = (struct queue_envelope){
		.sender = SL("from@example.com"), .recipients = to, .recipient_count = RECIPIENTS};
}

static void submit_batch(struct rig *r)
{
	static char contents[6][CONTENT_MAX];
	struct queue_writer *w = a_writer(r);
	struct queue_batch *b;
	unsigned first = r->sent, count = 1 + (unsigned)pick(r, 6);

	if (w == NULL || first + count > MESSAGES)
		return;
	b = queue_batch_create();
	for (unsigned i = 0; i < count; i++) {
		struct queue_recipient to[RECIPIENTS];
		struct queue_envelope env;
		struct iovec iov = {contents[i], content_of(first + i, contents[i])};

		fill_envelope(&env, to);
		queue_writer_id(w, &env.id, &env.arrival);
		queue_batch_add(b, &env, &iov, 1, NULL);
		r->ledger[first + i].fate = SENT;
	}
	r->sent += count;
	queue_writer_commit(w, b);
	for (unsigned i = 0; i < count; i++) {
		settle(r, first + i, queue_batch_item(b, i)->result);
		if (queue_batch_item(b, i)->result == RES_OK)
			announce(r, &queue_batch_item(b, i)->location);
	}
	queue_batch_destroy(&b);
}

static void submit_large(struct rig *r)
{
	static char content[CONTENT_MAX];
	struct queue_writer *w = a_writer(r);
	struct queue_recipient to[RECIPIENTS];
	struct queue_envelope env;
	struct queue_location loc;
	struct queue_large *l;
	unsigned n = r->sent;
	size_t length;
	enum result rc;

	if (w == NULL || n >= MESSAGES)
		return;
	length = content_of(n, content);
	r->sent++;
	r->ledger[n].fate = SENT;
	fill_envelope(&env, to);
	queue_writer_id(w, &env.id, &env.arrival);
	rc = queue_large_begin(w, &env.id, &l, NULL);
	for (size_t at = 0; rc == RES_OK && at < length; at += 1000) {
		struct iovec iov = {content + at, length - at < 1000 ? length - at : 1000};

		rc = queue_large_append(l, &iov, 1, NULL);
	}
	if (l != NULL && rc == RES_OK && pick(r, 8) != 0)
		rc = queue_large_commit(&l, &env, &loc, NULL);
	else
		rc = RES_TEMP;
	queue_large_abort(&l);
	settle(r, n, rc);
	if (rc == RES_OK)
		announce(r, &loc);
}

/* check_content - which message is it, and is it whole? RES_TEMP: cannot be read now. */
static enum result check_content(struct rig *r, const struct queue_message *m, unsigned *n)
{
	static char is[CONTENT_MAX], should[CONTENT_MAX];
	size_t got = 0;
	enum result rc = RES_PERM;

	if (m->content_size >= 16 && m->content_size <= sizeof(is))
		rc = queue_message_content(m, 0, is, sizeof(is), &got);
	if (rc == RES_TEMP)
		return rc;
	*n = rc == RES_OK ? (unsigned)strtoul(is + 8, NULL, 10) : r->sent;
	if (*n >= r->sent || content_of(*n, should) != got || memcmp(is, should, got) != 0 ||
	    m->envelope->recipient_count != RECIPIENTS) {
		r->corrupt++;
		return RES_PERM;
	}
	return RES_OK;
}

static void forget_job(struct rig *r, size_t i)
{
	r->jobs[i] = r->jobs[--r->job_count];
}

static void deliver_to(struct rig *r, const struct queue_location *loc, unsigned n, uint32_t i)
{
	struct queue_mark mark = {.recipient = i, .outcome = QUEUE_SENT, .dsn = SL("2.0.0")};
	struct ledger *l = &r->ledger[n];

	if (l->durable[i]) {
		r->repeated++;
		note(r, queue_place_name(loc->place), n);
		note(r, "delivered again", n);
	}
	if (l->fate == REFUSED) {
		r->phantom++;
		note(r, "refused, yet delivered", n);
	}
	l->delivered[i]++;
	if (queue_mark(r->q, loc, &mark) == RES_OK)
		l->marked[i] = true;
}

static void defer(struct rig *r, size_t i)
{
	struct queue_mark later = {.recipient = 1, .outcome = QUEUE_DEFERRED, .dsn = SL("4.4.1")};
	struct queue_defer_item item = {.location = r->jobs[i].location,
					.next_time = INT64_C(1800000000000000),
					.marks = &later,
					.mark_count = 1};

	queue_defer(r->q, &item, 1);
	r->jobs[i].location = item.location;
	r->jobs[i].held = item.location.place == QUEUE_IN_HOLD;
}

/* work_on - one attempt at one message: everything, or a part of it. */
static void work_on(struct rig *r, size_t i, bool everything)
{
	struct queue_location loc = r->jobs[i].location;
	struct queue_error error = {0};
	unsigned pending = 0, n = 0;
	struct queue_message m;
	enum result rc;

	arena_reset(r->arena);
	if (queue_open_message(r->q, &loc, true, r->arena, &m, &error) != RES_OK) {
		if (error.reason == QUEUE_GONE || error.reason == QUEUE_DAMAGED)
			forget_job(r, i);
		return;
	}
	rc = check_content(r, &m, &n);
	if (rc != RES_OK) {
		queue_message_close(&m);
		if (rc == RES_PERM)
			forget_job(r, i);
		return;
	}
	for (uint32_t k = 0; k < RECIPIENTS; k++) {
		if (m.envelope->recipients[k].outcome >= QUEUE_SENT)
			continue;
		if (everything || pick(r, 3) != 0)
			deliver_to(r, &loc, n, k);
		else
			pending++;
	}
	queue_message_close(&m);
	if (pending == 0) {
		queue_gone(r->q, &loc);
		forget_job(r, i);
	} else if (pick(r, 4) != 0) {
		defer(r, i);
	}
}

static void mark_all(struct rig *r, bool durable)
{
	for (unsigned n = 0; n < r->sent; n++) {
		for (int i = 0; i < RECIPIENTS; i++) {
			r->ledger[n].flushed[i] |= r->ledger[n].marked[i];
			if (durable)
				r->ledger[n].durable[i] |= r->ledger[n].marked[i];
		}
	}
}

static void move_some(struct rig *r)
{
	size_t i;

	if (r->job_count == 0)
		return;
	i = pick(r, r->job_count);
	if (r->jobs[i].held) {
		if (queue_release(r->q, &r->jobs[i].location, 1000000, NULL) == RES_OK)
			r->jobs[i].held = false;
	} else if (queue_hold(r->q, &r->jobs[i].location, NULL) == RES_OK) {
		r->jobs[i].held = true;
	}
}

static void one_step(struct rig *r)
{
	uint64_t what = pick(r, 20);

	if (what < 6)
		submit_batch(r);
	else if (what < 7)
		submit_large(r);
	else if (what < 14)
		for (uint64_t k = pick(r, 6); k-- > 0 && r->job_count > 0;)
			work_on(r, pick(r, r->job_count), pick(r, 2) == 0);
	else if (what < 15)
		move_some(r);
	else if (what < 16)
		queue_rescan(r->q, NULL);
	else if (what < 17)
		queue_writer_close(&r->writers[pick(r, 2)]);
	else if (what < 18) {
		if (queue_flush(r->q, NULL) == RES_OK)
			mark_all(r, false);
	} else if (queue_sync(r->q, NULL) == RES_OK)
		mark_all(r, true);
}

static void close_everything(struct rig *r)
{
	queue_writer_close(&r->writers[0]);
	queue_writer_close(&r->writers[1]);
	queue_close(&r->q);
}

static int open_root(void)
{
	return os_openat(AT_FDCWD, "/queue", O_RDONLY | O_DIRECTORY, 0);
}

static void start(struct rig *r, uint64_t seed)
{
	int root;

	sim_disk_reset(seed);
	os_mkdirat(AT_FDCWD, "/queue", 0700);
	root = os_openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
	os_sync_dir(root);
	os_close(root);
	r->chance = seed * 0x9e3779b97f4a7c15u | 1;
	r->dir = open_root();
	r->settings = (struct queue_settings){
		.segment_size = 16384, .reserve = 131072, .free_segments = 2, .large_limit = 8000};
	r->arena = arena_create();
	if (queue_make_directories(r->dir, NULL) != RES_OK || !open_queue(r))
		abort();
}

static void run_steps(struct rig *r, int steps)
{
	for (int i = 0; i < steps && !sim_disk_is_off(); i++)
		one_step(r);
}

/* what_survived - after a cut (or a kill) marks that were not covered may have been forgotten. */
static void what_survived(struct rig *r, bool kill)
{
	for (unsigned n = 0; n < r->sent; n++) {
		for (int i = 0; i < RECIPIENTS; i++) {
			if (kill)
				r->ledger[n].durable[i] |= r->ledger[n].flushed[i];
			r->ledger[n].marked[i] = r->ledger[n].flushed[i] = false;
		}
	}
}

static void restart(struct rig *r, enum sim_loss loss)
{
	close_everything(r);
	sim_disk_power_on(loss);
	what_survived(r, loss == SIM_LOSE_NONE);
	r->dir = open_root();
}

/* drain - deliver all there is; what stays is stuck. */
static void drain(struct rig *r)
{
	for (int round = 0; round < 6 && r->job_count > 0; round++)
		for (size_t i = r->job_count; i-- > 0;) {
			if (r->jobs[i].held)
				queue_release(r->q, &r->jobs[i].location, 1, NULL);
			r->jobs[i].held = false;
			work_on(r, i, true);
		}
	r->stuck += (unsigned)r->job_count;
	if (queue_sync(r->q, NULL) != RES_OK || queue_rescan(r->q, NULL) != RES_OK ||
	    queue_sync(r->q, NULL) != RES_OK)
		r->unavailable++;
}

static bool count_entry(void *context, const struct queue_entry *entry)
{
	unsigned *n = context;

	(void)entry;
	(*n)++;
	return true;
}

/* audit - the ledger's last page. */
static void audit(struct rig *r)
{
	unsigned left = 0;

	if (!open_queue(r))
		r->unavailable++;
	else
		drain(r);
	if (queue_list(r->dir, QUEUE_ALL_PLACES, count_entry, &left, NULL) != RES_OK)
		r->unavailable++;
	r->stuck += left;
	close_everything(r);
	for (unsigned n = 0; n < r->sent; n++) {
		for (int i = 0; i < RECIPIENTS; i++) {
			if (r->ledger[n].fate == ACKED && r->ledger[n].delivered[i] == 0) {
				r->lost++;
				note(r, "accepted, yet lost", n);
			}
		}
	}
	os_close(r->dir);
	arena_destroy(&r->arena);
}

enum mode { CUT, KILL, FAIL, FULL, LIE };

static const char *const mode_names[] = {"cut", "kill", "fail", "full", "lie"};

/* recover_cut - recovery itself is cut after a few calls, then done again. */
static void recover_cut(struct rig *r, enum sim_loss loss, uint64_t at)
{
	sim_disk_power_off_at(sim_disk_calls() + 1 + at % 120);
	if (open_queue(r))
		run_steps(r, 6);
	close_everything(r);
	if (sim_disk_is_off())
		restart(r, loss);
	sim_disk_power_off_at(0);
}

static void run_faults(struct rig *r, enum mode mode, uint64_t at)
{
	static const int errors[] = {EIO, ENOSPC, EDQUOT, EMFILE, EACCES};

	if (mode == CUT || mode == KILL || mode == LIE)
		sim_disk_power_off_at(at);
	if (mode == LIE)
		sim_disk_lie(true);
	r->many_faults = mode == FAIL && at % 3 > 1;
	if (mode == FAIL)
		sim_disk_fail_at(at, 1 + at % 3, errors[at % 5]);
	if (mode == FULL)
		sim_disk_capacity(sim_disk_used() + at * 97 % 120000);
	run_steps(r, STEPS);
}

/* run - one experiment; *calls: how many system calls it took up to the fault. */
static void run(struct rig *r, enum mode mode, uint64_t seed, uint64_t at, uint64_t *calls)
{
	enum sim_loss loss = mode == KILL ? SIM_LOSE_NONE :
			     mode == LIE  ? SIM_LOSE_ALL :
					    (enum sim_loss[]){SIM_LOSE_ALL, SIM_LOSE_ANY,
							      SIM_LOSE_LATEST}[(at + seed) % 3];
	bool verbose = r->verbose;

	memset(r, 0, sizeof(*r));
	r->verbose = verbose;
	start(r, seed);
	run_faults(r, mode, at);
	*calls = sim_disk_calls();
	sim_disk_lie(false);
	sim_disk_fail_at(0, 0, 0);
	if (mode == FULL && r->job_count > 0) {
		/* still full: deliveries can be marked all the same */
		for (int i = 0; i < 3 && r->job_count > 0; i++)
			work_on(r, 0, true);
		if (queue_flush(r->q, NULL) == RES_OK)
			mark_all(r, false);
		else
			r->unavailable++;
	}
	sim_disk_capacity(0);
	if (mode == FAIL || mode == FULL)
		restart(r, at % 2 == 0 ? SIM_LOSE_NONE : SIM_LOSE_ANY);
	else
		restart(r, loss);
	if (mode == CUT || mode == KILL)
		recover_cut(r, loss, at * 7 + seed);
	audit(r);
}

struct totals {
	unsigned runs, bad, lost, corrupt, phantom, stuck, repeated, twice, damaged, unavailable;
};

static void add_up(struct totals *t, const struct rig *r, enum mode mode, uint64_t seed, uint64_t at)
{
	unsigned wrong = r->lost + r->corrupt + r->phantom + r->stuck + r->repeated + r->twice +
			 r->unavailable;

	t->runs++;
	t->bad += wrong != 0;
	t->lost += r->lost;
	t->corrupt += r->corrupt;
	t->phantom += r->phantom;
	t->stuck += r->stuck;
	t->repeated += r->repeated;
	t->twice += r->twice;
	t->damaged += r->damaged;
	t->unavailable += r->unavailable;
	if (wrong != 0 && mode != LIE && t->bad <= 5)
		printf("  wrong: --mode %s --seed %llu --at %llu: lost %u corrupt %u phantom %u stuck %u "
		       "repeated %u twice %u unavailable %u\n",
		       mode_names[mode], (unsigned long long)seed, (unsigned long long)at, r->lost,
		       r->corrupt, r->phantom, r->stuck, r->repeated, r->twice, r->unavailable);
}

/* campaign - cut or hurt every `stride`-th call of a run of this seed. */
static void campaign(struct rig *r, enum mode mode, uint64_t seed, uint64_t stride,
		     struct totals *t)
{
	uint64_t all, ignored;

	run(r, mode == FULL ? CUT : mode, seed, 0, &all); /* 0: nothing happens */
	for (uint64_t at = 1 + seed % stride; at <= all; at += stride) {
		run(r, mode, seed, at, &ignored);
		add_up(t, r, mode, seed, at);
	}
}

static void print_totals(enum mode mode, const struct totals *t)
{
	printf("%-5s runs %u: lost %u corrupt %u phantom %u stuck %u repeated %u twice %u unavailable "
	       "%u (set aside %u)\n",
	       mode_names[mode], t->runs, t->lost, t->corrupt, t->phantom, t->stuck, t->repeated,
	       t->twice, t->unavailable, t->damaged);
}

static int run_all(struct rig *r, bool full, uint64_t seed)
{
	int failed = 0;

	for (enum mode mode = CUT; mode <= LIE; mode++) {
		struct totals t = {0};
		uint64_t stride = full ? (mode == LIE ? 5 : 1) : 17;

		for (uint64_t s = 0; s < (full ? 4 : 2); s++)
			campaign(r, mode, seed + s, stride, &t);
		print_totals(mode, &t);
		if (mode == LIE && t.lost == 0) {
			printf("a disk that lies lost nothing: this rig proves nothing\n");
			failed = 1;
		}
		if (mode != LIE && t.bad != 0)
			failed = 1;
	}
	return failed;
}

int main(int argc, char **argv)
{
	static struct rig rig;
	bool full = false;
	uint64_t seed = 1, at = 0, calls;
	int one = -1;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--full") == 0)
			full = true;
		else if (strcmp(argv[i], "-v") == 0)
			rig.verbose = true;
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--at") == 0 && i + 1 < argc)
			at = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--mode") == 0 && i + 1 < argc)
			for (one = LIE, i++; one > 0 && strcmp(mode_names[one], argv[i]) != 0;)
				one--;
	}
	if (one >= 0) {
		struct totals t = {0};

		run(&rig, (enum mode)one, seed, at, &calls);
		add_up(&t, &rig, (enum mode)one, seed, at);
		print_totals((enum mode)one, &t);
		return t.bad != 0;
	}
	return run_all(&rig, full, seed);
}
