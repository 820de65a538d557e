/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/libraries.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

static void test_parse(void **state)
{
	static const char text[] =
		"\tlinux-vdso.so.1 (0x00007ffe3b5f2000)\n"
		"\tlibprotobuf-c.so.1 => /lib/x86_64-linux-gnu/libprotobuf-c.so.1 (0x00007f1)\n"
		"\t/lib64/ld-linux-x86-64.so.2 (0x00007f2)\n";
	Libraries libraries;

	assert_int_equal(libraries_parse(text, &libraries, NULL), 0);
	assert_int_equal(libraries.n, 2);
	assert_string_equal(libraries.paths[0], "/lib/x86_64-linux-gnu/libprotobuf-c.so.1");
	assert_string_equal(libraries.paths[1], "/lib64/ld-linux-x86-64.so.2");
	libraries_free(&libraries);
	assert_int_equal(libraries_parse("\tstatically linked\n", &libraries, NULL), 0);
	assert_int_equal(libraries.n, 0);
}

static void test_missing(void **state)
{
	Libraries libraries;
	Error err = {0};

	assert_int_equal(libraries_parse("\tlibc.so.6 => /lib/libc.so.6 (0x1)\n"
					 "\tlibnet.so.9 => not found\n",
					 &libraries, &err),
			 -ENOENT);
	assert_string_equal(err.text, "The library libnet.so.9 is not installed");
}

static void test_find(void **state)
{
	Libraries libraries;
	Error err = {0};

	if (libraries_find("/bin/sh", &libraries, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(libraries.n > 0);
	for (size_t i = 0; i < libraries.n; i++)
		assert_int_equal(access(libraries.paths[i], R_OK), 0);
	libraries_free(&libraries);
	assert_int_equal(libraries_find("/nowhere", &libraries, &err), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
