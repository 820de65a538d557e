/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#include "test.h"

static void test_orders(void **state)
{
	static const char text[] =
		"freeze crash\ncapture disk-full once\n\nmemory-bring\nwarm earthquake\n";
	FaultKind kind = FAULT_KINDS;
	bool once = true;

	assert_true(fault_find(text, "freeze", &kind, &once));
	assert_int_equal(kind, FAULT_CRASH);
	assert_false(once);
	assert_true(fault_find(text, "capture", &kind, &once));
	assert_int_equal(kind, FAULT_FULL);
	assert_true(once);
	assert_true(fault_find(text, "memory-bring", &kind, &once));
	assert_int_equal(kind, FAULT_ERROR);
	assert_false(once);
}

static void test_no_orders(void **state)
{
	static const char *const texts[] = {"",
					    "\n",
					    "warm earthquake\n",
					    "freez crash",
					    "freeze-units crash",
					    " freeze crash",
					    "freeze  crash",
					    "freeze\tcrash"};
	FaultKind kind;
	bool once;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_false(fault_find(texts[i], "freeze", &kind, &once));
		assert_false(fault_find(texts[i], "warm", &kind, &once));
	}
}

static void test_kinds_have_names(void **state)
{
	for (int i = 0; i < FAULT_KINDS; i++) {
		assert_non_null(fault_kinds[i]);
		for (int j = 0; j < i; j++)
			assert_string_not_equal(fault_kinds[i], fault_kinds[j]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_orders),
		cmocka_unit_test(test_no_orders),
		cmocka_unit_test(test_kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
