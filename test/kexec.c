/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/kexec.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "test.h"

static void test_cmdline(void **state)
{
	static const struct {
		const char *base, *extra, *expected;
	} cases[] = {
		{"", NULL, ""},
		{"quiet\n", "", "quiet"},
		{"BOOT_IMAGE=/boot/vmlinuz-6.12 root=UUID=1-2 ro quiet\n", "segue.swap=1",
		 "root=UUID=1-2 ro quiet segue.swap=1"},
		{"initrd=\\boot\\initrd rd.luks=0 rd.break rdinit=/x ro", NULL, "ro"},
		{"segue.swap=1 segue.store=ram ro", "segue.swap=2", "ro segue.swap=2"},
		/* A key that is set anew replaces; dash and underscore are one. */
		{"panic=0 log_buf_len=1M ro", "panic=5 log-buf-len=4M",
		 "ro panic=5 log-buf-len=4M"},
		{"ro quiet", "quiet", "ro quiet"},
		{"panicky=1", "panic=5", "panicky=1 panic=5"},
		/* These may be given several times. */
		{"console=tty0 console=ttyS0 memmap=1G!1G", "memmap=1G!1G console=ttyS1",
		 "console=tty0 console=ttyS0 memmap=1G!1G console=ttyS1"},
		/* Quotes keep blanks. */
		{"dyndbg=\"file a.c +p; file b.c +p\"  \"x=1 2\" ro", "q=\"a b\"",
		 "dyndbg=\"file a.c +p; file b.c +p\" \"x=1 2\" ro q=\"a b\""},
		{"rd.x=\"a b\" ro", NULL, "ro"},
		/* What is behind "--" is for init. */
		{"ro -- single rd.x", "segue.swap=1", "ro segue.swap=1 -- single rd.x"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *line = NULL;

		/* Once more: what it made is what it makes of it. */
		for (int pass = 0; pass < 2; pass++) {
			char *next = NULL;

			assert_int_equal(kexec_cmdline(pass ? line : cases[i].base, cases[i].extra,
						       &next, NULL),
					 0);
			free(line);
			line = next;
			if (pass == 0)
				assert_string_equal(line, cases[i].expected);
			else
				assert_int_equal(strlen(line), strlen(cases[i].expected));
		}
	}
}

static void test_cmdline_has(void **state)
{
	static const char line[] =
		"softlockup_panic=1 ro x=\"panic=1\" log-level=3 quiet -- loglevel=7";

	assert_true(kexec_cmdline_has(line, "softlockup_panic"));
	assert_true(kexec_cmdline_has(line, "quiet"));
	assert_true(kexec_cmdline_has(line, "log_level"));
	assert_false(kexec_cmdline_has(line, "panic"));
	assert_false(kexec_cmdline_has(line, "loglevel"));
	assert_false(kexec_cmdline_has("", "panic"));
}

static void test_cmdline_has_a_limit(void **state)
{
	char base[2100];
	char *line = NULL;
	Error err = {0};

	memset(base, 'x', sizeof(base));
	base[2047] = '\0';
	assert_int_equal(kexec_cmdline(base, NULL, &line, &err), 0);
	free(line);
	line = NULL;
	assert_int_equal(kexec_cmdline(base, "y", &line, &err), -E2BIG);
	assert_null(line);
	assert_non_null(strstr(err.text, "2049 bytes"));
}

static void test_load_names_the_file(void **state)
{
	Error err = {0};

	assert_int_equal(kexec_load("/nonexistent/vmlinuz", NULL, "", &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/vmlinuz"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cmdline),
		cmocka_unit_test(test_cmdline_has),
		cmocka_unit_test(test_cmdline_has_a_limit),
		cmocka_unit_test(test_load_names_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
