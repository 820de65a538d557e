/* SPDX-License-Identifier: Apache-2.0 */
#include "node/request.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "http/body.h"
#include "test.h"

static json_object *parsed(const char *text)
{
	json_object *body = NULL;
	Error err = {0};

	if (body_parse(text, strlen(text), &body, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return body;
}

static void test_bodies(void **state)
{
	static const char *const wrong[] = {
		"{",
		"[]",
		"5",
		"null",
		"{} x",
		"{\"a\":1,}",

		"nonsense",
		"{\"a\":\"\xff\"}",
		"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}}",
	};
	json_object *body = parsed("");

	assert_int_equal(json_object_object_length(body), 0);
	(void)json_object_put(body);
	body = parsed(" {\"a\": 1} \r\n");
	assert_int_equal(json_opt_int(body, "a", 0), 1);
	(void)json_object_put(body);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		Error err = {0};

		body = NULL;
		if (body_parse(wrong[i], strlen(wrong[i]), &body, &err) != -EINVAL)
			fail_msg("%s was taken for an object", wrong[i]);
		assert_null(body);
		assert_true(err.text[0] != '\0');
	}
}

static void test_install(void **state)
{
	static const char *const wrong[] = {
		"{}",
		"{\"release\":7}",
		"{\"release\":\"\"}",
		"{\"release\":\"../r7\"}",
		"{\"release\":\"r7\",\"root\":\"/\"}",
	};
	_cleanup_json_ json_object *body = parsed("{\"release\":\"r7\"}");
	const char *release;

	assert_int_equal(request_parse_install(body, &release, NULL), 0);
	assert_string_equal(release, "r7");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		_cleanup_json_ json_object *bad = parsed(wrong[i]);

		assert_int_equal(request_parse_install(bad, &release, NULL), -EINVAL);
	}
}

static void test_swap(void **state)
{
	_cleanup_json_ json_object *body = parsed("{\"kernel\":\"6.12.107+deb13-cloud-amd64\",\"no_"
						  "trial\":true,\"allow_one_way\":null}");
	SwapRequest request;

	assert_int_equal(request_parse_swap(body, &request, NULL), 0);
	assert_string_equal(request.kernel, "6.12.107+deb13-cloud-amd64");
	assert_true(request.no_trial);
	assert_false(request.allow_one_way);
}

static void test_check(void **state)
{
	_cleanup_json_ json_object *deep = parsed("{\"deep\":true,\"allow_one_way\":true}");
	_cleanup_json_ json_object *plain = parsed("{\"no_trial\":true,\"deep\":false}");
	SwapRequest request;

	assert_int_equal(request_parse_check(deep, &request, NULL), 0);
	assert_true(request.deep);
	assert_true(request.allow_one_way);
	assert_int_equal(request_parse_check(plain, &request, NULL), 0);
	assert_false(request.deep);
	assert_true(request.no_trial);
}

typedef int Parse(json_object *body, Error *err);

static int parse_swap(json_object *body, Error *err)
{
	SwapRequest request;

	return request_parse_swap(body, &request, err);
}

static int parse_check(json_object *body, Error *err)
{
	SwapRequest request;

	return request_parse_check(body, &request, err);
}

static int parse_keep(json_object *body, Error *err)
{
	KeepRequest request;

	return request_parse_keep(body, &request, err);
}

static int parse_run(json_object *body, Error *err)
{
	_cleanup_run_request_ RunRequest request = {0};

	return request_parse_run(body, &request, err);
}

/* What is wrong, and a part of what is said about it. */
static const struct {
	Parse *parse;
	const char *body, *message;
} mistakes[] = {
	{parse_swap, "{\"kernel\":5}", "\"kernel\" must be of type string"},
	{parse_swap, "{\"kernel\":\"\"}", "is no kernel version"},
	{parse_swap, "{\"kernel\":\"../x\"}", "is no kernel version"},
	{parse_swap, "{\"kernel\":\"a/b\"}", "is no kernel version"},
	{parse_swap, "{\"kernel\":\"6\\u0000\"}", "\"kernel\" holds a NUL byte"},
	{parse_swap, "{\"jump_at_s\":\"now\"}", "\"jump_at_s\" must be of type int"},
	{parse_check, "{\"jump_at_s\":1}", "jump_at_s"},
	{parse_swap, "{\"no_trial\":1}", "\"no_trial\" must be of type boolean"},
	{parse_swap, "{\"deep\":true}", "\"deep\" is not known here"},
	{parse_check, "{\"deep\":1}", "\"deep\" must be of type boolean"},
	{parse_check, "{\"deep\":true,\"no_trial\":true}", "exclude each other"},
	{parse_check, "{\"kernel\":\"../x\"}", "is no kernel version"},
	{parse_swap, "{\"force\":true}", "\"force\" is not known here"},
	{parse_keep, "{\"adapt\":\"yes\"}", "\"adapt\" must be of type boolean"},
	{parse_keep, "{\"Adapt\":true}", "\"Adapt\" is not known here"},
	{parse_run, "{}", "\"command\" is missing"},
	{parse_run, "{\"command\":[]}", "\"command\" must have 1 to"},
	{parse_run, "{\"command\":\"/bin/x\"}", "\"command\" must be of type array"},
	{parse_run, "{\"command\":[\"x\"]}", "is not the absolute path"},
	{parse_run, "{\"command\":[\"/x\",5]}", "\"command\": word 2 is no text"},
	{parse_run, "{\"command\":[\"/x\",null]}", "\"command\": word 2 is no text"},
	{parse_run, "{\"command\":[\"/x\"],\"unit\":\"a/b\"}", "\"unit\": \"a/b\" is no unit name"},
	{parse_run, "{\"command\":[\"/x\"],\"unit\":\"a.scope\"}", "is not the name of a service"},
	{parse_run, "{\"command\":[\"/x\"],\"working_directory\":\"x\"}", "\"working_directory\""},
	{parse_run, "{\"command\":[\"/x\"],\"environment\":{\"A\":5}}", "\"environment\": \"A\""},
	{parse_run, "{\"command\":[\"/x\"],\"environment\":{\"A=B\":\"\"}}", "\"A=B\""},
	{parse_run, "{\"command\":[\"/x\"],\"environment\":{\"1\":\"\"}}", "\"1\""},
};

static void test_mistakes(void **state)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		_cleanup_json_ json_object *body = parsed(mistakes[i].body);
		Error err = {0};

		if (mistakes[i].parse(body, &err) != -EINVAL)
			fail_msg("%s was accepted", mistakes[i].body);
		if (!strstr(err.text, mistakes[i].message))
			fail_msg("%s: expected \"%s\", got \"%s\"", mistakes[i].body,
				 mistakes[i].message, err.text);
	}
}

static void test_run(void **state)
{
	_cleanup_json_ json_object *body = parsed(
		"{\"command\":[\"/bin/sleep\",\"5\"],\"unit\":\"nap\",\"user\":\"u\","
		"\"working_directory\":\"/tmp\",\"environment\":{\"A\":\"1\",\"_B2\":\"x=y\"},"
		"\"forking\":true,\"description\":\"A nap\"}");
	_cleanup_run_request_ RunRequest request = {0};
	const TransientRequest *t = &request.transient;

	assert_int_equal(request_parse_run(body, &request, NULL), 0);
	assert_string_equal(t->argv[0], "/bin/sleep");
	assert_string_equal(t->argv[1], "5");
	assert_null(t->argv[2]);
	assert_string_equal(t->unit, "nap.service");
	assert_string_equal(t->user, "u");
	assert_string_equal(t->working_directory, "/tmp");
	assert_string_equal(t->description, "A nap");
	assert_string_equal(t->environment[0], "A=1");
	assert_string_equal(t->environment[1], "_B2=x=y");
	assert_null(t->environment[2]);
	assert_true(t->forking);
}

static void test_keep(void **state)
{
	_cleanup_json_ json_object *body = parsed("{\"adapt\":true}");
	KeepRequest request;

	assert_int_equal(request_parse_keep(body, &request, NULL), 0);
	assert_true(request.adapt);
	assert_false(request.stopped);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),   cmocka_unit_test(test_install),
		cmocka_unit_test(test_swap),     cmocka_unit_test(test_check),
		cmocka_unit_test(test_mistakes), cmocka_unit_test(test_run),
		cmocka_unit_test(test_keep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
