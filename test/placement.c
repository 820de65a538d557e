/* SPDX-License-Identifier: Apache-2.0 */
#include "store/placement.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "test.h"

#define MIB ((uint64_t)1 << 20)

/* A guest of 2 GiB. */
static const char small[] = "00000000-00000fff : Reserved\n"
			    "00001000-0009fbff : System RAM\n"
			    "000a0000-000bffff : PCI Bus 0000:00\n"
			    "00100000-7ffdbfff : System RAM\n"
			    "  18c00000-19bfffff : Kernel code\n"
			    "7ffdc000-7fffffff : Reserved\n"
			    "fec00000-fec003ff : IOAPIC 0\n";

/* The same with a region, that is lent. */
static const char lent[] = "00001000-0009fbff : System RAM\n"
			   "00100000-3fdfffff : System RAM\n"
			   "3fe00000-5fffffff : Persistent Memory (legacy)\n"
			   "  3fe00000-3fffffff : namespace0.0\n"
			   "  40000000-5fffffff : dax0.0\n"
			   "    40000000-5fffffff : System RAM (kmem)\n"
			   "60000000-7ffdbfff : System RAM\n"
			   "7ffdc000-7fffffff : Reserved\n";

/* 8 GiB, of which 5 are above 4 GiB. */
static const char large[] = "00001000-0009fbff : System RAM\n"
			    "00100000-bffdbfff : System RAM\n"
			    "c0000000-febfffff : PCI Bus 0000:00\n"
			    "100000000-23fffffff : System RAM\n";

static Placement choose(const char *iomem, uint64_t size_mib, uint64_t block_mib)
{
	Placement placement = {0};
	Error err = {0};

	if (placement_choose(iomem, size_mib * MIB, block_mib * MIB, &placement, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(placement.size == size_mib * MIB);
	return placement;
}

static void test_size(void **state)
{
	assert_true(placement_size(400 * MIB, 128 * MIB) == (640 + 2) * MIB);
	assert_true(placement_size(1 * MIB, 128 * MIB) == (128 + 2) * MIB);
	assert_true(placement_size(400 * MIB, 2048 * MIB) == (2048 + 2) * MIB);
}

static void test_choose(void **state)
{
	assert_true(choose(small, 514, 128).start == 1150 * MIB);
	/* A region that there is may be moved. */
	assert_true(choose(lent, 514, 128).start == 1150 * MIB);
	assert_true(choose(lent, 770, 128).start == 894 * MIB);
	/* Above 4 GiB first. */
	assert_true(choose(large, 2050, 128).start == (6912 - 2) * MIB);
}

static void refused(const char *iomem, uint64_t size_mib, int expected)
{
	Placement placement;
	Error err = {0};

	assert_int_equal(placement_choose(iomem, size_mib * MIB, 128 * MIB, &placement, &err),
			 expected);
	assert_true(*err.text);
}

static void test_no_place(void **state)
{
	refused(small, 1026, -ENOSPC); /* more than half */
	refused("00100000-3fffffff : System RAM\n40000000-7fffffff : Reserved\n", 514, -ENOSPC);
	refused("00000000-00000000 : System RAM\n", 130, -EBADMSG);
	refused("", 130, -EBADMSG);
	refused("00100000 : System RAM\nnonsense\n", 130, -EBADMSG);
}

static void test_growth(void **state)
{
	Placement placement = {1022 * MIB, 770 * MIB};

	/* 2047 MiB, of which 256 at the end are for the next kernel */
	assert_int_equal(placement_check(lent, placement, NULL), -ENOSPC);
	placement.size = 768 * MIB;
	assert_int_equal(placement_check(lent, placement, NULL), 0);
	placement.start = 3000 * MIB;
	assert_int_equal(placement_check(lent, placement, NULL), -ENOSPC);
}

static void cmdline(const char *base, Placement old, const char *expected)
{
	_cleanup_free_ char *line = NULL;
	const Placement placement = {1022 * MIB, 514 * MIB};

	assert_int_equal(placement_cmdline(base, old, placement, &line, NULL), 0);
	assert_string_equal(line, expected);
}

static void test_cmdline(void **state)
{
	const Placement none = {0}, placement = {1024 * MIB, 512 * MIB};
	_cleanup_free_ char *line = NULL;
	Error err = {0};

	cmdline("ro quiet", none, "memmap=514M!1022M ro quiet");
	cmdline("ro memmap=512M!1G quiet -- x", placement, "memmap=514M!1022M ro quiet -- x");
	cmdline("memmap=0x20000000!0x40000000 memmap=64K$0x18690000", placement,
		"memmap=514M!1022M memmap=64K$0x18690000");
	assert_int_equal(placement_cmdline("ro memmap=512M!1G", none, placement, &line, &err),
			 -EEXIST);
	assert_true(strstr(err.text, "memmap=512M!1G"));
	assert_int_equal(placement_cmdline("memmap=1G!4G", placement, placement, &line, NULL),
			 -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),     cmocka_unit_test(test_choose),
		cmocka_unit_test(test_no_place), cmocka_unit_test(test_growth),
		cmocka_unit_test(test_cmdline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
