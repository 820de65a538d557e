/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "swap/findings.h"
#include "swap/plan.h"
#include "test.h"

static void refuse(Plan *plan, const char *unit, const char *resource)
{
	findings_add(plan->findings, SEVERITY_REFUSAL, unit, resource, "close it", "%s", resource);
}

static const char *severity(const Plan *plan, size_t i)
{
	return json_opt_string(json_object_array_get_idx(plan->findings, i), "severity", "");
}

static void test_devices_are_left_to_hooks(void **state)
{
	KeptUnit units[] = {
		{.name = strdup("plain.service"), .cgroup_fd = -1},
		{.name = strdup("hook.service"), .pre_freeze = strdup("true"), .cgroup_fd = -1},
	};
	Plan plan = {.findings = json_object_new_array(), .kept = {.units = units, .n = 2}};

	refuse(&plan, "plain.service", "device");
	refuse(&plan, "hook.service", "descriptor");
	refuse(&plan, "hook.service", "device");
	refuse(&plan, "other.service", "device");
	plan_trust_hooks(&plan);
	assert_string_equal(severity(&plan, 0), "refusal");
	assert_string_equal(severity(&plan, 1), "refusal");
	assert_string_equal(severity(&plan, 2), "warning");
	assert_string_equal(severity(&plan, 3), "refusal");
	/* As the trial does: what is known stays as it is. */
	refuse(&plan, "hook.service", "device");
	assert_int_equal(json_length(plan.findings), 4);
	assert_string_equal(severity(&plan, 2), "warning");
	(void)json_object_put(plan.findings);
	for (size_t i = 0; i < 2; i++) {
		free(units[i].name);
		free(units[i].pre_freeze);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_devices_are_left_to_hooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
