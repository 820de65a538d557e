/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "test.h"

static void test_labels(void **state)
{
	static const char *const wrong[] = {
		"{\"token\":\"t\",\"csr\":\"c\",\"labels\":{\"a b\":\"c\"}}",
		"{\"token\":\"t\",\"csr\":\"c\",\"labels\":{\"a\":1}}",
		"{\"token\":\"t\",\"csr\":\"c\",\"labels\":{\"a\":null}}",
		"{\"token\":\"t\",\"csr\":\"c\",\"labels\":{\"a\":\"x\\ny\"}}",
		"{\"token\":\"t\",\"csr\":\"c\",\"labels\":{\"\":\"x\"}}",
	};
	_cleanup_json_ json_object *many = json_object_new_object();
	json_object *labels = json_object_new_object();
	AskEnrol ask;
	Error err = {0};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		_cleanup_json_ json_object *body = json_tokener_parse(wrong[i]);

		if (ask_enrol(body, &ask, &err) != -EINVAL || !strstr(err.text, "is no label"))
			fail_msg("%s: %s", wrong[i], err.text);
	}
	for (int i = 0; i <= ASK_LABELS_MAX; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "l%d", i);
		json_put_string(labels, key, "v");
	}
	json_put_string(many, "token", "t");
	json_put_string(many, "csr", "c");
	(void)json_object_object_add(many, "labels", labels);
	assert_int_equal(ask_enrol(many, &ask, &err), -EINVAL);
	json_object_object_del(labels, "l0");
	assert_int_equal(ask_enrol(many, &ask, &err), 0);
	assert_ptr_equal(ask.labels, labels);
}

static void test_numbers(void **state)
{
	static const char *const wrong[] = {
		"", "-1", "+1", " 1", "1x", "301", "99999999999999999999"};
	int64_t value = 0;
	Error err = {0};

	assert_int_equal(ask_number(NULL, "wait", 300, 60, &value, NULL), 0);
	assert_int_equal(value, 60);
	assert_int_equal(ask_number("300", "wait", 300, 60, &value, NULL), 0);
	assert_int_equal(value, 300);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (ask_number(wrong[i], "wait", 300, 60, &value, &err) != -EINVAL)
			fail_msg("\"%s\" was taken for a number", wrong[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
