/* SPDX-License-Identifier: Apache-2.0 */
#include "node/metrics.h"

#include <string.h>

#include "base/json.h"
#include "test.h"

static char *formatted(const char *log_text)
{
	_cleanup_json_ json_object *log = json_tokener_parse(log_text);
	char *text = NULL;

	assert_int_equal(metrics_format(log, 2, true, &text, NULL), 0);
	return text;
}

static void test_no_swap_yet(void **state)
{
	_cleanup_free_ char *text = formatted("[]");

	assert_non_null(strstr(text, "segue_swaps_total{outcome=\"done\"} 0\n"));
	assert_non_null(strstr(text, "segue_kept_units 2\n"));
	assert_non_null(strstr(text, "segue_swapping 1\n"));
	assert_null(strstr(text, "blackout"));
}

static void test_counts_and_last_blackout(void **state)
{
	_cleanup_free_ char *text = formatted("[{\"state\":\"done\",\"blackout_s\":3.0},"
					      "{\"state\":\"done\",\"blackout_s\":1.25},"
					      "{\"state\":\"refused\",\"blackout_s\":null}]");

	assert_non_null(strstr(text, "segue_swaps_total{outcome=\"done\"} 2\n"));
	assert_non_null(strstr(text, "segue_swaps_total{outcome=\"refused\"} 1\n"));
	assert_non_null(strstr(text, "\nsegue_last_blackout_seconds 1.250000\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_swap_yet),
		cmocka_unit_test(test_counts_and_last_blackout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
