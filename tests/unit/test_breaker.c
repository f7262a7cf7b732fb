/* SPDX-License-Identifier: ISC */
/* The circuit breaker: when a server counts as down, who tries it, when it is back. */
#include "unit.h"

#include "blocking/proxymap/breaker.h"

#define SECOND INT64_C(1000000)

static void fail_times(struct breaker *b, unsigned times, int64_t now)
{
	for (unsigned i = 0; i < times; i++) {
		assert_true(breaker_admit(b, now));
		(void)breaker_failure(b, now);
	}
}

static void opens_after_failures_in_a_row(void **state)
{
	struct breaker b;

	(void)state;
	breaker_init(&b, 60 * SECOND);
	fail_times(&b, BREAKER_FAILURES - 1, 0);
	assert_int_equal(breaker_success(&b), BREAKER_SAME);
	fail_times(&b, BREAKER_FAILURES - 1, 0);
	assert_true(breaker_admit(&b, 0));
	assert_int_equal(breaker_failure(&b, 0), BREAKER_OPENED);
	assert_false(breaker_admit(&b, 0));
	assert_false(breaker_would_admit(&b, BREAKER_FIRST_PAUSE - 1));
}

static void one_lookup_probes(void **state)
{
	struct breaker b;

	(void)state;
	breaker_init(&b, 60 * SECOND);
	fail_times(&b, BREAKER_FAILURES, 0);
	assert_true(breaker_would_admit(&b, BREAKER_FIRST_PAUSE));
	assert_true(breaker_admit(&b, BREAKER_FIRST_PAUSE));
	assert_false(breaker_admit(&b, BREAKER_FIRST_PAUSE));
	assert_int_equal(breaker_success(&b), BREAKER_CLOSED);
	assert_true(breaker_admit(&b, BREAKER_FIRST_PAUSE));
	assert_true(breaker_admit(&b, BREAKER_FIRST_PAUSE));
}

static void a_probe_that_was_not_made_leaves_room_for_another(void **state)
{
	struct breaker b;

	(void)state;
	breaker_init(&b, 60 * SECOND);
	fail_times(&b, BREAKER_FAILURES, 0);
	assert_true(breaker_admit(&b, SECOND));
	breaker_abandon(&b);
	assert_true(breaker_admit(&b, SECOND));
}

static void the_pause_doubles_up_to_its_bound(void **state)
{
	int64_t now = 0, pause = BREAKER_FIRST_PAUSE;
	struct breaker b;

	(void)state;
	breaker_init(&b, 5 * SECOND);
	fail_times(&b, BREAKER_FAILURES, now);
	for (unsigned i = 0; i < 6; i++) {
		assert_false(breaker_would_admit(&b, now + pause - 1));
		now += pause;
		assert_true(breaker_admit(&b, now));
		assert_int_equal(breaker_failure(&b, now), BREAKER_SAME);
		pause = 2 * pause < 5 * SECOND ? 2 * pause : 5 * SECOND;
	}
	assert_int_equal(pause, 5 * SECOND);
	assert_true(breaker_admit(&b, now + pause));
	assert_int_equal(breaker_success(&b), BREAKER_CLOSED);
	/* and begins anew */
	fail_times(&b, BREAKER_FAILURES, now);
	assert_true(breaker_would_admit(&b, now + BREAKER_FIRST_PAUSE));
}

static void late_news(void **state)
{
	struct breaker b;

	(void)state;
	breaker_init(&b, 60 * SECOND);
	for (unsigned i = 0; i < BREAKER_FAILURES + 2; i++)
		assert_true(breaker_admit(&b, 0));
	for (unsigned i = 0; i < BREAKER_FAILURES; i++)
		(void)breaker_failure(&b, 0);
	/* one more of those that had begun before: the pause is as it was */
	assert_int_equal(breaker_failure(&b, SECOND / 2), BREAKER_SAME);
	assert_true(breaker_would_admit(&b, BREAKER_FIRST_PAUSE));
	/* and one that was answered after all */
	assert_int_equal(breaker_success(&b), BREAKER_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(opens_after_failures_in_a_row),
	    cmocka_unit_test(one_lookup_probes),
	    cmocka_unit_test(a_probe_that_was_not_made_leaves_room_for_another),
	    cmocka_unit_test(the_pause_doubles_up_to_its_bound),
	    cmocka_unit_test(late_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
