/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "swap/mounts.h"

#include "test.h"

static const char table_text[] =
	"24 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
	"25 24 0:5 / /dev rw,nosuid shared:2 - devtmpfs udev rw,size=480k,mode=755\n"
	"26 24 0:22 / /run rw,nosuid,nodev shared:5 master:3 - tmpfs tmpfs rw,size=98k,mode=755\n"
	"27 24 0:22 /a\\040b /mnt/with\\011tab rw - tmpfs tmpfs rw\n"
	"28 26 0:30 / /run/user/1000 rw - tmpfs tmpfs rw\n";

static void test_parse(void **state)
{
	MountTable table = {0};
	Error err = {0};

	(void)state;
	assert_int_equal(mounts_parse(table_text, &table, &err), 0);
	assert_int_equal(table.n, 5);
	assert_string_equal(table.mounts[0].fstype, "ext4");
	assert_int_equal(table.mounts[0].major, 254);
	assert_string_equal(table.mounts[2].super, "rw,size=98k,mode=755");
	assert_string_equal(table.mounts[3].root, "/a b");
	assert_string_equal(table.mounts[3].point, "/mnt/with\ttab");
	assert_ptr_equal(mounts_by_id(&table, 26), &table.mounts[2]);
	assert_null(mounts_by_id(&table, 99));
	mounts_free(&table);
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = {
		"24\n",
		"24 1 254:1 / / rw,relatime shared:1 ext4 /dev/vda1 rw\n", /* no " - " */
		"24 1 254 / / rw - ext4 /dev/vda1 rw\n",
		"24 1 254:1 / / rw - ext4 /dev/vda1\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		MountTable table = {0};
		Error err = {0};

		assert_int_equal(mounts_parse(bad[i], &table, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "Line 1"));
		assert_int_equal(table.n, 0);
	}
}

static void test_left_out(void **state)
{
	MountTable table = {0};

	(void)state;
	assert_int_equal(mounts_parse(table_text, &table, NULL), 0);
	assert_false(mount_is_left_out(&table.mounts[2]));
	assert_true(mount_is_left_out(&table.mounts[4]));
	assert_true(mount_is_memory(&table.mounts[2]));
	assert_false(mount_is_memory(&table.mounts[0]));
	mounts_free(&table);
}

/* A proc of the unit's own, with parts of it mounted over themselves, as ProtectKernelTunables= has
 * it. */
static void test_inside(void **state)
{
	static const char text[] = "40 39 0:50 / /proc rw - proc proc rw,hidepid=invisible\n"
				   "41 40 0:50 /sys /proc/sys ro - proc proc rw,hidepid=invisible\n"
				   "42 39 0:51 / /tmp rw - tmpfs tmpfs rw\n";
	MountTable table = {0};
	char *inside;

	(void)state;
	assert_int_equal(mounts_parse(text, &table, NULL), 0);
	inside = mount_find_inside(&table, 1);
	assert_string_equal(inside, "/proc/sys");
	free(inside);
	assert_null(mount_find_inside(&table, 0));
	assert_null(mount_find_inside(&table, 2));
	mounts_free(&table);
}

static void test_above(void **state)
{
	MountTable table = {0};

	assert_int_equal(mounts_parse(table_text, &table, NULL), 0);
	assert_int_equal(mounts_above(&table, "/run/foo/bar")->id, 26);
	assert_int_equal(mounts_above(&table, "/run")->id, 26);
	assert_int_equal(mounts_above(&table, "/running")->id, 24);
	assert_int_equal(mounts_above(&table, "/run/user/1000/x")->id, 28);
	mounts_free(&table);
	assert_null(mounts_above(&table, "/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),         cmocka_unit_test(test_above),
		cmocka_unit_test(test_parse_refuses), cmocka_unit_test(test_left_out),
		cmocka_unit_test(test_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
