/* SPDX-License-Identifier: ISC */
/* The queue on the real file system, one life after the other. */
#include "unit.h"

#include "os/clock.h"
#include "os/file.h"
#include "queue/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MANY 300

struct world {
	char path[64];
	int dir;
	struct queue_settings settings;
	size_t found;
	size_t damaged;
	struct queue_location locations[MANY], put[MANY];
};

static void on_message(void *context, const struct queue_entry *entry)
{
	struct world *w = context;

	assert_true(w->found < MANY);
	w->locations[w->found++] = entry->location;
}

static void on_damage(void *context, struct slice name, uint64_t bytes, const char *why)
{
	struct world *w = context;

	(void)name;
	(void)bytes;
	(void)why;
	w->damaged++;
}

static int make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	snprintf(w->path, sizeof(w->path), "/tmp/test_queue.XXXXXX");
	assert_non_null(mkdtemp(w->path));
	w->dir = open(w->path, O_RDONLY | O_DIRECTORY);
	w->settings.segment_size = 65536;
	w->settings.free_segments = 2;
	assert_int_equal(queue_make_directories(w->dir, NULL), RES_OK);
	*state = w;
	return 0;
}

static int end_world(void **state)
{
	struct world *w = *state;
	char command[128];

	close(w->dir);
	snprintf(command, sizeof(command), "rm -rf %s", w->path);
	assert_int_equal(system(command), 0);
	free(w);
	return 0;
}

static struct queue *open_queue(struct world *w)
{
	struct queue_watcher watcher = {w, on_message, on_damage};
	struct queue *q;

	w->found = w->damaged = 0;
	assert_int_equal(queue_open(w->dir, &w->settings, &watcher, &q, NULL), RES_OK);
	return q;
}

static struct queue_writer *open_writer(struct world *w)
{
	struct queue_writer *writer;

	assert_int_equal(queue_writer_open(w->dir, &w->settings, &writer, NULL), RES_OK);
	return writer;
}

/* put_messages - n of them in one batch; message i has 2 recipients and i * 13 bytes of content. */
static void put_messages(struct queue_writer *writer, size_t n, struct queue_location *locations)
{
	struct queue_batch *b = queue_batch_create();
	static char content[MANY * 13];

	memset(content, 'x', sizeof(content));
	for (size_t i = 0; i < n; i++) {
		struct queue_recipient to[2] = {{.address = SL("a@example.org")},
						{.address = SL("b@example.org"),
						 .orcpt = SL("rfc822;B@example.org"),
						 .notify = QUEUE_NOTIFY_NEVER}};
		struct queue_envelope env = {.sender = SL(""), .recipients = to};
		struct iovec iov[2] = {{content, i * 13 / 2}, {content, i * 13 - i * 13 / 2}};

		env.recipient_count = 2;
		env.client_name = SL("client.example");
		queue_writer_id(writer, &env.id, &env.arrival);
		queue_batch_add(b, &env, iov, 2, NULL);
	}
	assert_int_equal(queue_writer_commit(writer, b), RES_OK);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(queue_batch_item(b, i)->result, RES_OK);
		locations[i] = queue_batch_item(b, i)->location;
	}
	queue_batch_destroy(&b);
}

static void what_is_committed_is_read_back(void **state)
{
	struct world *w = *state;
	struct queue_writer *writer = open_writer(w);
	struct queue_location *locations = w->put, at;
	struct arena *arena = arena_create();

	put_messages(writer, 50, locations);
	for (size_t i = 0; i < 50; i++) {
		struct queue_message m;

		assert_int_equal(queue_read(w->dir, &locations[i], arena, &m, NULL), RES_OK);
		assert_int_equal(m.content_size, i * 13);
		assert_int_equal(queue_message_verify(&m, NULL), RES_OK);
		assert_int_equal(m.envelope->recipient_count, 2);
		assert_false(slice_is_null(m.envelope->sender));
		assert_int_equal(m.envelope->sender.n, 0);
		assert_true(slice_is_null(m.envelope->envid));
		assert_slice(m.envelope->client_name, "client.example");
		assert_slice(m.envelope->recipients[1].orcpt, "rfc822;B@example.org");
		assert_int_equal(m.envelope->recipients[1].notify, QUEUE_NOTIFY_NEVER);
		assert_true(slice_is_null(m.envelope->recipients[0].orcpt));
		queue_message_close(&m);
		assert_int_equal(queue_find(w->dir, &locations[i].id, &at, NULL), RES_OK);
		assert_int_equal(at.offset, locations[i].offset);
	}
	queue_writer_close(&writer);
	arena_destroy(&arena);
}

static void recovery_finds_what_is_live(void **state)
{
	struct world *w = *state;
	struct queue_writer *writer = open_writer(w);
	struct queue_location *locations = w->put;
	struct queue *q, *other;
	struct queue_watcher watcher = {w, on_message, on_damage};
	struct queue_error error;

	put_messages(writer, 200, locations);
	q = open_queue(w);
	assert_int_equal(w->found, 200);
	assert_int_equal(queue_open(w->dir, &w->settings, &watcher, &other, &error), RES_TEMP);
	assert_int_equal(error.reason, QUEUE_LOCKED);
	for (size_t i = 0; i < 200; i++)
		if (i != 7)
			assert_int_equal(queue_gone(q, &locations[i]), RES_OK);
	assert_int_equal(queue_gone(q, &locations[0]), RES_PERM);
	assert_int_equal(queue_sync(q, NULL), RES_OK);
	queue_close(&q);
	q = open_queue(w);
	assert_int_equal(w->found, 1);
	assert_int_equal(w->damaged, 0);
	assert_string_equal(w->locations[0].id.text, locations[7].id.text);
	queue_close(&q);
	queue_writer_close(&writer);
}

static size_t count_names(struct world *w, const char *sub, char first)
{
	char path[128];
	struct os_dir *dir;
	const char *name;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/%s", w->path, sub);
	dir = os_dir_open(AT_FDCWD, path);
	assert_non_null(dir);
	while (os_dir_next(dir, &name) > 0)
		n += first == 0 || name[0] == first;
	os_dir_close(&dir);
	return n;
}

static void segments_are_recycled_and_serials_grow(void **state)
{
	struct world *w = *state;
	struct queue_writer *writer = open_writer(w);
	struct queue_location *locations = w->put;
	uint64_t highest = 0;
	struct queue *q = open_queue(w);
	struct queue_stats stats;

	for (int round = 0; round < 10; round++) {
		put_messages(writer, 150, locations);
		for (size_t i = 0; i < 150; i++) {
			bool fresh;

			assert_true(locations[i].serial >= highest);
			highest = locations[i].serial;
			assert_int_equal(queue_adopt(q, &locations[i], &fresh, NULL), RES_OK);
			assert_true(fresh);
			assert_int_equal(queue_gone(q, &locations[i]), RES_OK);
		}
		assert_int_equal(queue_sync(q, NULL), RES_OK);
	}
	queue_stats(q, &stats);
	assert_true(stats.recycled >= 20);
	assert_int_equal(stats.live, 0);
	assert_true(count_names(w, "journal", 'S') <= 2);
	assert_true(count_names(w, "journal", 'F') <= 3);
	assert_true(count_names(w, "journal", 'D') <= 2);
	assert_int_equal(w->found, 0);
	queue_writer_close(&writer);
	queue_close(&q);
}

/* Mail of one size puts an old use's records where the new one's would go on: they are no remains. */
static void an_earlier_use_is_no_damage(void **state)
{
	struct world *w = *state;
	struct queue_writer *writer = open_writer(w);
	struct queue *q;

	put_messages(writer, 20, w->put);
	queue_writer_close(&writer);
	q = open_queue(w);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(queue_gone(q, &w->put[i]), RES_OK);
	assert_int_equal(queue_sync(q, NULL), RES_OK);
	queue_close(&q);
	for (size_t n = 0; n <= 10; n += 5) {
		writer = open_writer(w);
		put_messages(writer, n, w->put);
		queue_writer_close(&writer);
		q = open_queue(w);
		assert_int_equal(w->damaged, 0);
		assert_int_equal(w->found, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(queue_gone(q, &w->put[i]), RES_OK);
		assert_int_equal(queue_sync(q, NULL), RES_OK);
		queue_close(&q);
	}
}

static void unannounced_messages_are_found_by_rescan(void **state)
{
	struct world *w = *state;
	struct queue_writer *writer = open_writer(w);
	struct queue_location *locations = w->put;
	struct queue *q = open_queue(w);
	bool fresh;

	put_messages(writer, 20, locations);
	assert_int_equal(queue_adopt(q, &locations[3], &fresh, NULL), RES_OK);
	assert_int_equal(queue_rescan(q, NULL), RES_OK);
	assert_int_equal(w->found, 0); /* the writer lives: it will announce them */
	queue_writer_rotate(writer);
	assert_int_equal(queue_rescan(q, NULL), RES_OK);
	assert_int_equal(w->found, 19);
	assert_int_equal(queue_adopt(q, &locations[4], &fresh, NULL), RES_OK);
	assert_false(fresh);
	put_messages(writer, 10, locations);
	queue_writer_close(&writer);
	assert_int_equal(queue_rescan(q, NULL), RES_OK);
	assert_int_equal(w->found, 29);
	assert_int_equal(queue_rescan(q, NULL), RES_OK);
	assert_int_equal(w->found, 29);
	queue_close(&q);
}

static void status_goes_with_the_message_into_deferred(void **state)
{
	struct world *w = *state;
	struct queue_writer *writer = open_writer(w);
	struct queue_location *locations = w->put;
	struct queue *q = open_queue(w);
	struct queue_mark sent = {.recipient = 0, .outcome = QUEUE_SENT, .dsn = SL("2.0.0")};
	struct queue_mark later = {.recipient = 1,
				   .outcome = QUEUE_DEFERRED,
				   .dsn = SL("4.4.1"),
				   .text = SL("connection refused")};
	struct queue_defer_item item = {.next_time = INT64_C(1900000000000000),
					.marks = &later,
					.mark_count = 1};
	struct arena *arena = arena_create();
	struct queue_message m;
	bool fresh;

	put_messages(writer, 40, locations);
	for (size_t i = 0; i < 40; i++)
		queue_adopt(q, &locations[i], &fresh, NULL);
	assert_int_equal(queue_mark(q, &locations[9], &sent), RES_OK);
	item.location = locations[9];
	assert_int_equal(queue_defer(q, &item, 1), RES_OK);
	assert_int_equal(item.location.place, QUEUE_IN_DEFERRED);
	for (int tries = 1; tries <= 3; tries++) {
		assert_int_equal(queue_open_message(q, &item.location, true, arena, &m, NULL),
				 RES_OK);
		assert_int_equal(m.content_size, 9 * 13);
		assert_int_equal(m.envelope->tries, tries);
		assert_int_equal(m.envelope->next_time, INT64_C(1900000000000000));
		assert_int_equal(m.envelope->recipients[0].outcome, QUEUE_SENT);
		assert_slice(m.envelope->recipients[0].dsn, "2.0.0");
		assert_int_equal(m.envelope->recipients[1].outcome, QUEUE_DEFERRED);
		assert_slice(m.envelope->recipients[1].text, "connection refused");
		queue_message_close(&m);
		assert_int_equal(queue_defer(q, &item, 1), RES_OK);
	}
	queue_close(&q);
	q = open_queue(w);
	assert_int_equal(w->found, 40);
	assert_int_equal(w->locations[0].place, QUEUE_IN_DEFERRED);
	assert_int_equal(queue_hold(q, &item.location, NULL), RES_OK);
	assert_int_equal(item.location.place, QUEUE_IN_HOLD);
	assert_int_equal(count_names(w, "deferred", 0), 0);
	assert_int_equal(queue_release(q, &item.location, 5000000, NULL), RES_OK);
	assert_int_equal(queue_gone(q, &item.location), RES_OK);
	assert_int_equal(queue_sync(q, NULL), RES_OK);
	assert_int_equal(count_names(w, "deferred", 0), 0);
	queue_close(&q);
	queue_writer_close(&writer);
	arena_destroy(&arena);
}

static void large_messages_have_files_of_their_own(void **state)
{
	struct world *w = *state;
	struct queue_writer *writer = open_writer(w);
	struct queue_recipient to = {.address = SL("a@example.org")};
	struct queue_envelope env = {.recipients = &to, .recipient_count = 1};
	struct queue_location loc, at;
	struct queue_large *l, *unfinished;
	struct queue *q = open_queue(w);
	struct arena *arena = arena_create();
	struct queue_message m;
	struct queue_id other;
	char chunk[10000];
	bool fresh;

	memset(chunk, 'y', sizeof(chunk));
	queue_writer_id(writer, &env.id, &env.arrival);
	assert_int_equal(queue_large_begin(writer, &env.id, &l, NULL), RES_OK);
	for (int i = 0; i < 30; i++) {
		struct iovec iov = {chunk, sizeof(chunk)};

		assert_int_equal(queue_large_append(l, &iov, 1, NULL), RES_OK);
	}
	queue_writer_id(writer, &other, NULL);
	assert_int_equal(queue_large_begin(writer, &other, &unfinished, NULL), RES_OK);
	assert_int_equal(queue_rescan(q, NULL), RES_OK);
	assert_int_equal(w->found, 0); /* both have a writer */
	assert_int_equal(queue_large_commit(&l, &env, &loc, NULL), RES_OK);
	assert_int_equal(queue_adopt(q, &loc, &fresh, NULL), RES_OK);
	assert_true(fresh);
	assert_int_equal(queue_open_message(q, &loc, true, arena, &m, NULL), RES_OK);
	assert_int_equal(m.content_size, 300000);
	queue_message_close(&m);
	queue_large_abort(&unfinished);
	assert_int_equal(count_names(w, "large", 0), 1);
	assert_int_equal(queue_find(w->dir, &env.id, &at, NULL), RES_OK);
	assert_int_equal(at.place, QUEUE_IN_LARGE);
	queue_close(&q);
	q = open_queue(w);
	assert_int_equal(w->found, 1);
	assert_int_equal(queue_gone(q, &loc), RES_OK);
	assert_int_equal(queue_sync(q, NULL), RES_OK);
	assert_int_equal(count_names(w, "large", 0), 0);
	queue_close(&q);
	queue_writer_close(&writer);
	arena_destroy(&arena);
}

static void the_unsaid_limits_are_refused(void **state)
{
	struct world *w = *state;
	struct queue_writer *writer = open_writer(w);
	struct queue_batch *b = queue_batch_create();
	static char big[70000];
	struct queue_envelope env = {0};
	struct iovec iov = {big, sizeof(big)};

	assert_true(queue_writer_fits(writer, 8192));
	assert_false(queue_writer_fits(writer, 8193));
	queue_writer_id(writer, &env.id, NULL);
	queue_batch_add(b, &env, &iov, 1, NULL);
	assert_int_equal(queue_writer_commit(writer, b), RES_PERM);
	assert_int_equal(queue_batch_item(b, 0)->error.reason, QUEUE_TOO_LARGE);
	queue_batch_destroy(&b);
	queue_writer_close(&writer);
}

static bool check_off(void *context, const struct queue_entry *entry)
{
	struct world *w = context;

	for (size_t i = 0; i < 150; i++) {
		if (strcmp(entry->location.id.text, w->put[i].id.text) != 0)
			continue;
		assert_int_equal(w->put[i].place, entry->location.place);
		w->put[i].place = QUEUE_NOWHERE;
		w->found++;
		return true;
	}
	fail_msg("%s is not ours, or was named twice", entry->location.id.text);
	return false;
}

static void a_listing_comes_in_parts(void **state)
{
	struct world *w = *state;
	struct queue_writer *writer = open_writer(w);
	struct queue_lister *lister;
	size_t before, parts = 0;
	bool more = true;
	struct queue *q;

	put_messages(writer, 150, w->put);
	q = open_queue(w);
	for (size_t i = 20; i < 150; i++)
		assert_int_equal(queue_hold(q, &w->put[i], NULL), RES_OK);
	assert_int_equal(queue_sync(q, NULL), RES_OK);
	w->found = 0;
	lister = queue_lister_open(w->dir, QUEUE_ALL_PLACES);
	while (more) {
		before = w->found;
		assert_int_equal(queue_lister_next(lister, check_off, w, &more, NULL), RES_OK);
		assert_true(w->found - before <= 64);
		parts += w->found > before;
	}
	queue_lister_close(&lister);
	assert_null(lister);
	assert_int_equal(w->found, 150);
	assert_true(parts > 3);
	queue_close(&q);
	queue_writer_close(&writer);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(what_is_committed_is_read_back),
		WORLD(recovery_finds_what_is_live),
		WORLD(segments_are_recycled_and_serials_grow),
		WORLD(an_earlier_use_is_no_damage),
		WORLD(unannounced_messages_are_found_by_rescan),
		WORLD(status_goes_with_the_message_into_deferred),
		WORLD(large_messages_have_files_of_their_own),
		WORLD(a_listing_comes_in_parts),
		WORLD(the_unsaid_limits_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
