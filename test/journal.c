/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/journal.h"

#include "base/json.h"
#include "swap/report.h"
#include "test.h"

static json_object *step(json_object *steps, size_t i)
{
	return json_object_array_get_idx(steps, i);
}

static void test_clock_set_in_a_step(void **state)
{
	_cleanup_json_ json_object *steps =
		json_tokener_parse("[{\"step\":\"capture\",\"at_us\":1000,\"duration_us\":500},"
				   "{\"step\":\"jump\",\"at_us\":1500,\"duration_us\":-300},"
				   "{\"step\":\"land\",\"at_us\":1200}]");

	journal_steps_moved(steps, 900);
	assert_int_equal(json_opt_int(step(steps, 0), "at_us", 0), 1000);
	assert_int_equal(json_opt_int(step(steps, 0), "duration_us", 0), 500);
	assert_int_equal(json_opt_int(step(steps, 1), "at_us", 0), 1500);
	assert_int_equal(json_opt_int(step(steps, 1), "duration_us", 0), 600);
	assert_int_equal(json_opt_int(step(steps, 2), "at_us", 0), 2100);
	assert_false(json_object_object_get_ex(step(steps, 2), "duration_us", NULL));
}

static void test_clock_set_with_no_steps(void **state)
{
	_cleanup_json_ json_object *none = json_object_new_array(),
				   *one = json_tokener_parse("[{\"at_us\":5}]");

	journal_steps_moved(NULL, 7);
	journal_steps_moved(none, 7);
	journal_steps_moved(one, -2);
	assert_int_equal(json_length(none), 0);
	assert_int_equal(json_opt_int(step(one, 0), "at_us", 0), 3);
}

static void test_report_tells_the_freeze(void **state)
{
	_cleanup_json_ json_object *journal = json_tokener_parse(
		"{\"id\":\"1\",\"state\":\"called-off\",\"frozen_us\":7000000,"
		"\"blackout_us\":250000,\"boot_id\":\"secret\",\"steps\":[],\"units\":[]}");
	_cleanup_json_ json_object *report = report_make(journal);
	json_object *blackout = NULL;

	assert_int_equal(json_opt_int(report, "frozen_us", -1), 7000000);
	assert_true(json_object_object_get_ex(report, "blackout_s", &blackout));
	assert_true(json_object_get_double(blackout) == 0.25);
	assert_false(json_object_object_get_ex(report, "boot_id", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_set_in_a_step),
		cmocka_unit_test(test_clock_set_with_no_steps),
		cmocka_unit_test(test_report_tells_the_freeze),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
