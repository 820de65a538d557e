/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ini.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "test.h"

static int collect(const char *section, const char *key, const char *value, void *data, Error *err)
{
	char *into = data;

	(void)sprintf(into + strlen(into), "%s|%s|%s\n", section, key, value);
	return strcmp(key, "Bad") == 0 ? error_set(err, -EINVAL, "no such key") : 0;
}

static int parse(const char *text, IniMode mode, char *into, Error *err)
{
	into[0] = '\0';
	return ini_parse(text, strlen(text), "x.conf", mode, collect, into, err);
}

static void test_sections_keys_comments(void **state)
{
	char got[512];

	assert_int_equal(parse("A=1\n# A=2\n[One]\n ; A=3\n B = two words \n[Two]\nC=\nD=a=b",
			       INI_STRICT, got, NULL),
			 0);
	assert_string_equal(got, "|A|1\nOne|B|two words\nTwo|C|\nTwo|D|a=b\n");
}

static void test_continued_lines(void **state)
{
	char got[512];

	assert_int_equal(parse("A=1 \\\n# between\n2\nB=3\\", INI_STRICT, got, NULL), 0);
	assert_string_equal(got, "|A|1  2\n|B|3\\\n");
}

static void test_strict_names_the_line(void **state)
{
	Error err = {0};
	char got[512];

	assert_int_equal(parse("A=1\n\nnonsense\n", INI_STRICT, got, &err), -EBADMSG);
	assert_string_equal(err.text,
			    "x.conf:3: \"nonsense\" is neither a [section] nor Key=Value");
	assert_int_equal(parse("[open\n", INI_STRICT, got, &err), -EBADMSG);
	assert_string_equal(err.text, "x.conf:1: \"[open\" lacks the closing bracket");
	assert_int_equal(parse("A=1\\\n2\n=3", INI_STRICT, got, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "x.conf:3:"));
}

static void test_lenient_passes_over(void **state)
{
	char got[512];

	assert_int_equal(parse("nonsense\n[open\n=3\nA=1", INI_LENIENT, got, NULL), 0);
	assert_string_equal(got, "|A|1\n");
}

static void test_errors_of_the_caller(void **state)
{
	Error err = {0};
	char got[512];

	assert_int_equal(parse("A=1\nBad=2\nC=3", INI_LENIENT, got, &err), -EINVAL);
	assert_string_equal(err.text, "x.conf:2: no such key");
	assert_string_equal(got, "|A|1\n|Bad|2\n");
}

static void test_nul_byte(void **state)
{
	Error err = {0};
	char got[512] = "";

	assert_int_equal(ini_parse("A=1\0\n", 5, "x.conf", INI_LENIENT, collect, got, &err),
			 -EBADMSG);
	assert_string_equal(got, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sections_keys_comments),
		cmocka_unit_test(test_continued_lines),
		cmocka_unit_test(test_strict_names_the_line),
		cmocka_unit_test(test_lenient_passes_over),
		cmocka_unit_test(test_errors_of_the_caller),
		cmocka_unit_test(test_nul_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
