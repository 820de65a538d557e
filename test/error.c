/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "test.h"

static void test_set_reports_and_returns(void **state)
{
	Error err = {0};

	assert_int_equal(error_set(&err, -EINVAL, "reading %s", "x"), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	assert_string_equal(err.text, "reading x");
}

static void test_errno_appends_the_words(void **state)
{
	Error err = {0};

	assert_int_equal(error_errno(&err, -ENOENT, "Opening %s", "/x"), -ENOENT);
	assert_string_equal(err.text, "Opening /x: No such file or directory");
}

static void test_prefix_and_hint_surround(void **state)
{
	Error err = {0};

	(void)error_set(&err, -EBUSY, "it is in use");
	assert_int_equal(error_prefix(&err, "Stopping %s", "a.service"), -EBUSY);
	assert_int_equal(error_hint(&err, "try %d times", 2), -EBUSY);
	assert_string_equal(err.text, "Stopping a.service: it is in use; try 2 times");
}

static void test_without_error_the_code_remains(void **state)
{
	assert_int_equal(error_set(NULL, -EINVAL, "x"), -EINVAL);
	assert_int_equal(error_errno(NULL, -ENOENT, "x"), -ENOENT);
}

static void test_long_texts_are_cut(void **state)
{
	Error err = {0};
	char text[2000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)error_set(&err, -EINVAL, "%s", text);
	(void)error_prefix(&err, "%s", text);
	(void)error_hint(&err, "%s", text);
	(void)error_errno(&err, -EINVAL, "%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

/* A log has them line by line, with a level in front: "<3>". */
static void test_it_stays_one_line(void **state)
{
	Error err = {0};

	(void)error_set(&err, -EINVAL, "\"%s\"", "a\n<0>b\r\t\x7f");
	assert_string_equal(err.text, "\"a <0>b   \"");
	(void)error_prefix(&err, "%s", "c\nd");
	(void)error_hint(&err, "%s", "e\nf");
	assert_string_equal(err.text, "c d: \"a <0>b   \"; e f");
	(void)error_errno(&err, -ENOENT, "%s", "g\nh");
	assert_null(strchr(err.text, '\n'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_reports_and_returns),
		cmocka_unit_test(test_errno_appends_the_words),
		cmocka_unit_test(test_prefix_and_hint_surround),
		cmocka_unit_test(test_without_error_the_code_remains),
		cmocka_unit_test(test_long_texts_are_cut),
		cmocka_unit_test(test_it_stays_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
