/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "test.h"

static void test_members(void **state)
{
	_cleanup_json_ json_object *o =
		json_tokener_parse("{\"s\":\"x\",\"n\":5,\"a\":[1],\"o\":{},\"z\":null}");
	json_object *member;
	const char *text;
	Error err = {0};
	int64_t n;

	assert_int_equal(json_get_string(o, "s", &text, NULL), 0);
	assert_string_equal(text, "x");
	assert_int_equal(json_get_int(o, "n", &n, NULL), 0);
	assert_int_equal(n, 5);
	assert_int_equal(json_get_array(o, "a", &member, NULL), 0);
	assert_int_equal(json_get_object(o, "o", &member, NULL), 0);
	assert_int_equal(json_get_int(o, "s", &n, &err), -EBADMSG);
	assert_string_equal(err.text, "\"s\" is not of type int");
	assert_int_equal(json_get_string(o, "missing", &text, &err), -EBADMSG);
	assert_string_equal(err.text, "\"missing\" is missing");
	assert_int_equal(json_get_string(o, "z", &text, &err), -EBADMSG);
}

static void test_optional_members(void **state)
{
	_cleanup_json_ json_object *o =
		json_tokener_parse("{\"s\":\"x\",\"n\":5,\"b\":true,\"a\":[1]}");

	assert_string_equal(json_opt_string(o, "s", "y"), "x");
	assert_string_equal(json_opt_string(o, "n", "y"), "y");
	assert_int_equal(json_opt_int(o, "n", 1), 5);
	assert_int_equal(json_opt_int(o, "s", 1), 1);
	assert_true(json_opt_bool(o, "b", false));
	assert_false(json_opt_bool(o, "missing", false));
	assert_int_equal(json_length(json_opt_array(o, "a")), 1);
	assert_int_equal(json_length(json_opt_array(o, "s")), 0);
	assert_string_equal(json_opt_string(NULL, "s", "y"), "y");
}

static void test_file_round_trip(void **state)
{
	char path[] = "/tmp/segue-json-XXXXXX";
	_cleanup_json_ json_object *o = json_object_new_object(), *back = NULL;
	int fd = mkstemp(path);
	Error err = {0};

	assert_true(fd >= 0);
	(void)close(fd);
	json_put_string(o, "path", "/a/b");
	json_put_string(o, "nothing", NULL);
	json_put_int(o, "n", INT64_MAX);
	json_put_bool(o, "b", true);
	assert_int_equal(json_write(AT_FDCWD, path, o, NULL), 0);
	assert_int_equal(json_read(AT_FDCWD, path, &back, NULL), 0);
	assert_true(json_object_equal(o, back));
	assert_int_equal(file_write_atomic(AT_FDCWD, path, "{\"a\":", 5, 0600, NULL), 0);
	assert_int_equal(json_read(AT_FDCWD, path, &back, &err), -EBADMSG);
	assert_int_equal(file_write_atomic(AT_FDCWD, path, "[]", 2, 0600, NULL), 0);
	assert_int_equal(json_read(AT_FDCWD, path, &back, &err), -EBADMSG);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_optional_members),
		cmocka_unit_test(test_file_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
