/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "queue/queue.h"

static void ids_have_the_long_form_and_read_back(void **state)
{
	struct queue_id id, again;
	int64_t wall;
	uint64_t serial;

	(void)state;
	queue_id_make(INT64_C(1700000000123456), 4711, &id);
	assert_int_equal(id.text[10], 'z');
	assert_true(queue_id_parse(queue_id_slice(&id), &again, &wall, &serial));
	assert_string_equal(id.text, again.text);
	assert_int_equal(wall, INT64_C(1700000000123456));
	assert_int_equal(serial, 4711);
	queue_id_make(INT64_C(1700000000000000), UINT64_MAX, &id);
	assert_true(queue_id_parse(queue_id_slice(&id), &again, &wall, &serial));
	assert_true(serial == UINT64_MAX);
	assert_true(strlen(id.text) <= 24);
}

static void the_manual_s_example_is_an_id(void **state)
{
	struct queue_id id;
	int64_t wall;

	(void)state;
	/* postconf(5), enable_long_queue_ids: made in 2011 */
	assert_true(queue_id_parse(SL("3Pt2mN2VXxznjll"), &id, &wall, NULL));
	assert_true(wall / 1000000 > 1290000000 && wall / 1000000 < 1330000000);
}

static void names_that_are_no_ids_are_refused(void **state)
{
	struct queue_id id;

	(void)state;
	assert_false(queue_id_parse(SL(""), &id, NULL, NULL));
	assert_false(queue_id_parse(SL("../../../etc/pz1"), &id, NULL, NULL));
	assert_false(queue_id_parse(SL("3Pt2mN2VXxz"), &id, NULL, NULL));
	assert_false(queue_id_parse(SL("3Pt2mA2VXxznjll"), &id, NULL, NULL));
	assert_false(queue_id_parse(SL("3Pt2mN2VXxzn\0jl"), &id, NULL, NULL));
	assert_false(queue_id_parse(SL("3Pt2mNyyyyznjll"), &id, NULL, NULL));
	assert_false(queue_id_parse(SL("3Pt2mN2VXxzyyyyyyyyyyyyyy"), &id, NULL, NULL));
}

static void locations_travel_as_text(void **state)
{
	struct queue_location loc = {.place = QUEUE_IN_JOURNAL, .serial = 17, .offset = 4096}, back;
	char text[QUEUE_LOCATION_TEXT];

	(void)state;
	queue_id_make(1, 1, &loc.id);
	queue_location_print(&loc, text);
	assert_true(queue_location_parse(slice_str(text), &back));
	assert_int_equal(back.place, QUEUE_IN_JOURNAL);
	assert_int_equal(back.serial, 17);
	assert_int_equal(back.offset, 4096);
	assert_string_equal(back.id.text, loc.id.text);
	assert_false(queue_location_parse(SL("journal:1:2"), &back));
	assert_false(queue_location_parse(SL("maildrop:1:2:00000000001z1"), &back));
	assert_false(queue_location_parse(SL("journal:1:x:00000000001z1"), &back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_have_the_long_form_and_read_back),
		cmocka_unit_test(the_manual_s_example_is_an_id),
		cmocka_unit_test(names_that_are_no_ids_are_refused),
		cmocka_unit_test(locations_travel_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
