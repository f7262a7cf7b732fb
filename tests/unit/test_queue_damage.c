/* SPDX-License-Identifier: ISC */
/*
 * Bits flipped and files cut short, everywhere: the message that was hit is set aside and reported, the
 * others go on, and nothing that comes out differs from what went in (reliability rule R4).
 */
#include "unit.h"

#include "os/file.h"
#include "os/sim_disk.h"
#include "queue/queue.h"

#include <errno.h>
#include <stdio.h>

#define COUNT 6
#define BLOCK 4096
#define SIZE 16384

static struct queue_settings settings = {.segment_size = SIZE, .reserve = 4096};
static struct queue_location locations[COUNT];
static uint64_t used_end; /* of the segment */

struct seen {
	bool live[COUNT];
	struct queue_location where[COUNT];
	size_t damaged;
};

static size_t number_of(const struct queue_id *id)
{
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(id->text, locations[i].id.text) == 0)
			return i;
	fail_msg("an id that nobody gave: %s", id->text);
	return 0;
}

static void on_message(void *context, const struct queue_entry *entry)
{
	struct seen *seen = context;
	size_t i = number_of(&entry->location.id);

	assert_false(seen->live[i]);
	seen->live[i] = true;
	seen->where[i] = entry->location;
}

static void on_damage(void *context, struct slice name, uint64_t bytes, const char *why)
{
	struct seen *seen = context;

	(void)name;
	(void)bytes;
	(void)why;
	seen->damaged++;
}

static size_t content_of(size_t i, char *to)
{
	size_t n = 100 + i * 37;

	memset(to, (int)('a' + i), n);
	return n;
}

/* build - one segment of COUNT messages on a new disk; its directory. */
static int build(void)
{
	static char contents[COUNT][512];
	struct queue_batch *b = queue_batch_create();
	struct queue_writer *w;
	int dir;

	sim_disk_reset(7);
	dir = os_openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
	assert_int_equal(queue_make_directories(dir, NULL), RES_OK);
	assert_int_equal(queue_writer_open(dir, &settings, &w, NULL), RES_OK);
	for (size_t i = 0; i < COUNT; i++) {
		struct queue_recipient to = {.address = SL("a@example.org")};
		struct queue_envelope env = {
			.sender = SL("s@example.com"), .recipients = &to, .recipient_count = 1};
		struct iovec iov = {contents[i], content_of(i, contents[i])};

		queue_writer_id(w, &env.id, &env.arrival);
		queue_batch_add(b, &env, &iov, 1, NULL);
	}
	assert_int_equal(queue_writer_commit(w, b), RES_OK);
	for (size_t i = 0; i < COUNT; i++)
		locations[i] = queue_batch_item(b, i)->location;
	used_end = BLOCK + queue_batch_bytes(b);
	queue_batch_destroy(&b);
	queue_writer_close(&w);
	return dir;
}

static struct queue *recover(int dir, struct seen *seen)
{
	struct queue_watcher watcher = {seen, on_message, on_damage};
	struct queue *q;

	memset(seen, 0, sizeof(*seen));
	assert_int_equal(queue_open(dir, &settings, &watcher, &q, NULL), RES_OK);
	return q;
}

/* check_live - each live one opens whole and as it was written, or is set aside; how many are good. */
static size_t check_live(struct queue *q, struct seen *seen)
{
	struct arena *arena = arena_create();
	size_t good = 0;

	for (size_t i = 0; i < COUNT; i++) {
		char is[512], should[512];
		struct queue_message m;
		size_t got;

		if (!seen->live[i] ||
		    queue_open_message(q, &seen->where[i], true, arena, &m, NULL) != RES_OK)
			continue;
		assert_int_equal(queue_message_content(&m, 0, is, sizeof(is), &got), RES_OK);
		assert_int_equal(got, content_of(i, should));
		assert_memory_equal(is, should, got);
		assert_int_equal(m.envelope->recipient_count, 1);
		assert_slice(m.envelope->recipients[0].address, "a@example.org");
		assert_slice(m.envelope->sender, "s@example.com");
		queue_message_close(&m);
		good++;
	}
	arena_destroy(&arena);
	return good;
}

static void flip(int dir, const char *path, off_t at, int bit)
{
	int fd = os_openat(dir, path, O_RDWR, 0);
	uint8_t byte;

	assert_int_equal(os_pread_full(fd, &byte, 1, at), 1);
	byte ^= (uint8_t)(1 << bit);
	assert_int_equal(os_pwrite_full(fd, &byte, 1, at), 0);
	os_close(fd);
}

static void a_flipped_bit_costs_at_most_one_message(void **state)
{
	struct seen seen;

	(void)state;
	build();
	for (off_t at = BLOCK; at < (off_t)used_end; at++) {
		int dir = build();
		struct queue *q;
		size_t good;

		flip(dir, "journal/S1", at, (int)(at * 5 % 8));
		q = recover(dir, &seen);
		good = check_live(q, &seen);
		assert_true(good >= COUNT - 1);
		if (good < COUNT)
			assert_int_equal(seen.damaged, 1); /* never in silence */
		queue_close(&q);
		/* and again: what was set aside stays so, what is good stays good */
		q = recover(dir, &seen);
		assert_int_equal(check_live(q, &seen), good);
		queue_close(&q);
	}
}

static void a_flipped_bit_in_the_header_costs_nothing(void **state)
{
	struct seen seen;

	(void)state;
	for (off_t at = 0; at < BLOCK; at += at % 2048 < 96 ? 1 : 97) {
		int dir = build();
		struct queue *q;

		flip(dir, "journal/S1", at, (int)(at % 8));
		q = recover(dir, &seen);
		assert_int_equal(check_live(q, &seen), COUNT);
		assert_int_equal(seen.damaged, 0);
		queue_close(&q);
	}
}

static void a_segment_without_header_is_set_aside_whole(void **state)
{
	struct seen seen;
	int dir = build();
	struct queue *q;
	struct stat st;

	(void)state;
	flip(dir, "journal/S1", 9, 0);
	flip(dir, "journal/S1", 2048 + 17, 0);
	q = recover(dir, &seen);
	assert_int_equal(check_live(q, &seen), 0);
	assert_int_equal(seen.damaged, 1);
	assert_int_equal(os_fstatat(dir, "corrupt/S1", &st, 0), 0);
	assert_int_equal(st.st_size, SIZE);
	queue_close(&q);
}

static void a_segment_cut_short_keeps_what_is_before(void **state)
{
	struct seen seen;

	(void)state;
	build();
	for (off_t size = 0; size < (off_t)used_end; size += size < BLOCK ? 211 : 3) {
		int dir = build();
		struct queue *q;
		size_t whole = 0, good;
		int fd = os_openat(dir, "journal/S1", O_RDWR, 0);

		/* up to 7 bytes of padding end a record; nothing is lost with them */
		for (size_t i = 1; i < COUNT; i++)
			whole += locations[i].offset <= (uint64_t)size;
		assert_int_equal(os_ftruncate(fd, size), 0);
		os_close(fd);
		q = recover(dir, &seen);
		good = check_live(q, &seen);
		assert_true(good == whole || (good == whole + 1 &&
					      (good < COUNT ? locations[good].offset : used_end) -
							      (uint64_t)size < 8));
		queue_close(&q);
	}
}

/* put_aside - message 2 deferred, the others finished. */
static int build_deferred(void)
{
	int dir = build();
	struct queue_mark later = {.outcome = QUEUE_DEFERRED, .dsn = SL("4.4.1")};
	struct queue_defer_item item = {.next_time = 1000000, .marks = &later, .mark_count = 1};
	struct seen seen;
	struct queue *q = recover(dir, &seen);

	item.location = locations[2];
	assert_int_equal(queue_defer(q, &item, 1), RES_OK);
	for (size_t i = 0; i < COUNT; i++)
		if (i != 2)
			assert_int_equal(queue_gone(q, &locations[i]), RES_OK);
	assert_int_equal(queue_sync(q, NULL), RES_OK);
	queue_close(&q);
	return dir;
}

static void a_damaged_file_is_set_aside(void **state)
{
	char path[64];
	struct seen seen;
	struct stat st;
	int dir = build_deferred();
	off_t size;

	(void)state;
	snprintf(path, sizeof(path), "deferred/%s", locations[2].id.text);
	assert_int_equal(os_fstatat(dir, path, &st, 0), 0);
	size = st.st_size;
	for (off_t at = 0; at < 2 * size; at++) {
		bool shorter = at >= size;
		struct queue *q;
		size_t good;
		int fd;

		dir = build_deferred();
		snprintf(path, sizeof(path), "deferred/%s", locations[2].id.text);
		if (shorter) {
			fd = os_openat(dir, path, O_RDWR, 0);
			assert_int_equal(os_ftruncate(fd, at - size), 0);
			os_close(fd);
		} else {
			flip(dir, path, at, (int)(at % 8));
		}
		q = recover(dir, &seen);
		good = check_live(q, &seen);
		assert_true(good == 1 || (good == 0 && seen.damaged == 1));
		snprintf(path, sizeof(path), "corrupt/deferred-%s", locations[2].id.text);
		assert_int_equal(os_fstatat(dir, path, &st, 0), good == 1 ? -1 : 0);
		queue_close(&q);
	}
}

/* write_large - 1 MB in a file of its own; the result of its commit, or of what failed before. */
static enum result write_large(struct queue_writer *w, struct queue_location *loc)
{
	static char chunk[65536];
	struct queue_recipient to = {.address = SL("a@example.org")};
	struct queue_envelope env = {.recipients = &to, .recipient_count = 1};
	struct iovec iov = {chunk, sizeof(chunk)};
	struct queue_large *l;
	enum result rc;

	queue_writer_id(w, &env.id, &env.arrival);
	rc = queue_large_begin(w, &env.id, &l, NULL);
	for (int i = 0; rc == RES_OK && i < 16; i++)
		rc = queue_large_append(l, &iov, 1, NULL);
	if (rc == RES_OK)
		rc = queue_large_commit(&l, &env, loc, NULL);
	if (l != NULL)
		queue_large_abort(&l);
	return rc;
}

/* check_large - it is there, whole, from which the power was taken; or it was refused. */
static void check_large(int dir, enum result rc, const struct queue_location *loc)
{
	struct arena *arena = arena_create();
	struct queue_message m;

	if (rc == RES_OK) {
		sim_disk_power_on(SIM_LOSE_ALL);
		dir = os_openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
		assert_int_equal(queue_read(dir, loc, arena, &m, NULL), RES_OK);
		assert_int_equal(m.content_size, 1 << 20);
		assert_int_equal(queue_message_verify(&m, NULL), RES_OK);
		queue_message_close(&m);
	} else {
		assert_int_equal(rc, RES_TEMP);
	}
	arena_destroy(&arena);
}

static void a_large_message_is_durable_or_refused_whatever_fails(void **state)
{
	uint64_t begun, calls = 1;
	size_t refused = 0;

	(void)state;
	for (uint64_t n = 0; n < calls; n++) {
		struct queue_location loc;
		struct queue_writer *w;
		enum result rc;
		int dir;

		sim_disk_reset(n);
		dir = os_openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
		assert_int_equal(queue_make_directories(dir, NULL), RES_OK);
		assert_int_equal(queue_writer_open(dir, &settings, &w, NULL), RES_OK);
		begun = sim_disk_calls();
		if (n > 0)
			sim_disk_fail_at(begun + n, 1, EIO);
		rc = write_large(w, &loc);
		if (n == 0)
			calls = sim_disk_calls() - begun;
		refused += rc != RES_OK;
		queue_writer_close(&w);
		check_large(dir, rc, &loc);
	}
	/* each write, and each request to send it to the disk */
	assert_true(refused > 16 + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_message_is_durable_or_refused_whatever_fails),
		cmocka_unit_test(a_flipped_bit_costs_at_most_one_message),
		cmocka_unit_test(a_flipped_bit_in_the_header_costs_nothing),
		cmocka_unit_test(a_segment_without_header_is_set_aside_whole),
		cmocka_unit_test(a_segment_cut_short_keeps_what_is_before),
		cmocka_unit_test(a_damaged_file_is_set_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
