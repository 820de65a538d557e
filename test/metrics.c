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

/* How often a line begins with it. */
static size_t lines(const char *text, const char *begin)
{
	size_t n = 0;

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		n += strncmp(line, begin, strlen(begin)) == 0;
	}
	return n;
}

static void test_phases_of_the_last_swap(void **state)
{
	_cleanup_free_ char *text =
		formatted("[{\"state\":\"done\",\"steps\":[{\"step\":\"settle\",\"at_us\":1,"
			  "\"duration_us\":1}]},"
			  "{\"id\":\"2\",\"from\":\"6.12\",\"to\":\"7.3\",\"state\":\"returned\","
			  "\"blackout_s\":2.5,\"steps\":["
			  "{\"step\":\"check\",\"at_us\":1795383901250000,\"duration_us\":40000},"
			  "{\"step\":\"jump\",\"at_us\":1795383901290000,\"duration_us\":1000000},"
			  "{\"step\":\"land\",\"at_us\":1795383902290000,\"duration_us\":-7},"
			  "{\"step\":\"jump\",\"at_us\":1795383902290000,\"duration_us\":1500000},"
			  "{\"step\":\"land\",\"at_us\":1795383903790000,\"duration_us\":50000000},"
			  "{\"step\":\"adopt\",\"at_us\":1795383953790000}]}]");

	assert_non_null(strstr(text, "\nsegue_last_swap_info{id=\"2\",from=\"6.12\",to=\"7.3\","
				     "outcome=\"returned\"} 1\n"));
	assert_non_null(strstr(text, "\nsegue_last_swap_start_timestamp_seconds "
				     "1795383901.250000\n"));
	assert_non_null(
		strstr(text, "\nsegue_last_swap_phase_seconds{phase=\"check\"} 0.040000\n"));
	/* There and back. */
	assert_non_null(strstr(text, "\nsegue_last_swap_phase_seconds{phase=\"jump\"} 2.500000\n"));
	/* A time that cannot be is left out. */
	assert_non_null(
		strstr(text, "\nsegue_last_swap_phase_seconds{phase=\"land\"} 50.000000\n"));
	assert_int_equal(lines(text, "segue_last_swap_phase_seconds{"), 3);
	assert_int_equal(lines(text, "# TYPE segue_last_swap_phase_seconds gauge\n"), 1);
	assert_int_equal(lines(text, "segue_last_blackout_seconds 2.500000\n"), 1);
}

static void test_labels_are_quoted(void **state)
{
	_cleanup_free_ char *text = formatted("[{\"id\":\"a\\\"b\\\\c\\nd\",\"state\":\"done\"}]");

	assert_non_null(strstr(text, "{id=\"a\\\"b\\\\c\\nd\",from=\"\",to=\"\","
				     "outcome=\"done\"} 1\n"));
	assert_null(strstr(text, "phase"));
	assert_null(strstr(text, "timestamp"));
}

/* Each line is a comment or a sample of a metric that has a type and a help text before it. */
static void test_each_metric_is_introduced(void **state)
{
	_cleanup_free_ char *text =
		formatted("[{\"state\":\"done\",\"blackout_s\":1,\"steps\":[{\"step\":\"check\","
			  "\"at_us\":1,\"duration_us\":1}]}]");
	char name[100] = "", type[100];
	char *rest = NULL;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (sscanf(line, "# HELP %99s", name) == 1)
			continue;
		if (sscanf(line, "# TYPE %99s", type) == 1)
			assert_string_equal(type, name);
		else if (strncmp(line, name, strlen(name)) != 0 ||
			 !strchr(" {", line[strlen(name)]))
			fail_msg("%s comes after what is said of %s", line, name);
	}
	assert_string_equal(name, "segue_last_blackout_seconds");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_swap_yet),
		cmocka_unit_test(test_counts_and_last_blackout),
		cmocka_unit_test(test_phases_of_the_last_swap),
		cmocka_unit_test(test_labels_are_quoted),
		cmocka_unit_test(test_each_metric_is_introduced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
