/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "swap/bootdefault.h"

#include "test.h"

static const char grub_cfg[] =
	"menuentry 'Debian GNU/Linux' --class debian $menuentry_id_option 'gnulinux-simple-UUID' "
	"{\n"
	"}\n"
	"submenu 'Advanced options' $menuentry_id_option 'gnulinux-advanced-UUID' {\n"
	"\tmenuentry 'Debian, with Linux 7.3.4' --class os $menuentry_id_option "
	"'gnulinux-7.3.4-amd64-advanced-UUID' {\n\t}\n"
	"\tmenuentry 'Debian, with Linux 7.3.4 (recovery mode)' $menuentry_id_option "
	"'gnulinux-7.3.4-amd64-recovery-UUID' {\n\t}\n"
	"\tmenuentry 'Debian, with Linux 6.12' $menuentry_id_option "
	"'gnulinux-6.12-amd64-advanced-UUID' {\n\t}\n"
	"}\n";

static void test_entry(void **state)
{
	char *entry = bootdefault_grub_entry(grub_cfg, "6.12-amd64");

	(void)state;
	assert_string_equal(entry, "gnulinux-advanced-UUID>gnulinux-6.12-amd64-advanced-UUID");
	free(entry);
	entry = bootdefault_grub_entry(grub_cfg, "7.3.4-amd64");
	assert_string_equal(entry, "gnulinux-advanced-UUID>gnulinux-7.3.4-amd64-advanced-UUID");
	free(entry);
}

static void test_no_entry(void **state)
{
	(void)state;
	assert_null(bootdefault_grub_entry(grub_cfg, "7.3"));
	assert_null(bootdefault_grub_entry("", "7.3.4-amd64"));
	assert_null(
		bootdefault_grub_entry("menuentry 'x' $menuentry_id_option 'unterminated", "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_no_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
