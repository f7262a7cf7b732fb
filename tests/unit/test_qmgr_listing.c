/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "showq/listing.h"

static const struct listing_recipient recipients[] = {
    {{"a@b.example", 11}, {"connect to b: refused", 21}}, {{"c@b.example", 11}, {"", 0}}};

static void make(struct buffer *out)
{
	struct listing_entry e = {.queue_name = SL("deferred"),
				  .queue_id = SL("4bTZcK1B9mz2ZF4"),
				  .time = 1700000000,
				  .size = 33200,
				  .sender = SL("me@x.example"),
				  .recipients = recipients,
				  .recipient_count = 2};

	buffer_init(out, 1 << 20);
	listing_begin(out);
	listing_encode(&e, out);
	e.recipient_count = 0;
	e.forced_expire = true;
	e.next_try = 1700001000;
	listing_encode(&e, out);
	listing_end(out);
}

static void test_bytes(void **state)
{
	struct buffer out;

	(void)state;
	make(&out);
	assert_slice(slice_sub(buffer_slice(&out), 0, 50),
		     "protocol\0mail_queue_list_protocol\0\0queue_name\0defe");
	buffer_free(&out);
}

static void test_round_trip(void **state)
{
	struct buffer out;
	struct arena *arena = arena_create();
	struct listing_entry e;
	struct slice in;
	bool first = true;

	(void)state;
	make(&out);
	in = buffer_slice(&out);
	assert_int_equal(listing_decode(&in, &first, arena, &e), 1);
	assert_false(first);
	assert_slice(e.queue_id, "4bTZcK1B9mz2ZF4");
	assert_int_equal(e.time, 1700000000);
	assert_int_equal(e.size, 33200);
	assert_int_equal(e.next_try, 0);
	assert_int_equal(e.recipient_count, 2);
	assert_slice(e.recipients[0].reason, "connect to b: refused");
	assert_slice(e.recipients[1].address, "c@b.example");
	assert_int_equal(listing_decode(&in, &first, arena, &e), 1);
	assert_true(e.forced_expire);
	assert_int_equal(e.next_try, 1700001000);
	assert_int_equal(e.recipient_count, 0);
	assert_int_equal(listing_decode(&in, &first, arena, &e), 2);
	assert_int_equal(in.n, 0);
	arena_destroy(&arena);
	buffer_free(&out);
}

/* Cut anywhere: "not all there", and nothing is taken of the entry that is not whole. */
static void test_every_cut(void **state)
{
	struct buffer out;
	struct arena *arena = arena_create();

	(void)state;
	make(&out);
	for (size_t n = 0; n < out.len; n++) {
		struct slice in = slice_sub(buffer_slice(&out), 0, n);
		struct listing_entry e;
		bool first = true;
		int rc;

		while ((rc = listing_decode(&in, &first, arena, &e)) == 1)
			;
		assert_int_equal(rc, 0);
	}
	arena_destroy(&arena);
	buffer_free(&out);
}

static void test_garbage(void **state)
{
	struct slice in = SL("protocol\0other\0\0");
	struct arena *arena = arena_create();
	struct listing_entry e;
	bool first = true;

	(void)state;
	assert_int_equal(listing_decode(&in, &first, arena, &e), -1);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_every_cut),
	    cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
