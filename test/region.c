/* SPDX-License-Identifier: Apache-2.0 */
#include "store/region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "test.h"

#define MIB       ((uint64_t)1 << 20)
#define PLATFORM  "devices/platform/e820_pmem/ndbus0"
#define REGION    PLATFORM "/region0"
#define NAMESPACE REGION "/namespace0.0"

static char sysfs[64];

static int setup(void **state)
{
	strcpy(sysfs, "/tmp/segue-test-region-XXXXXX");
	return mkdtemp(sysfs) ? 0 : -1;
}

static int teardown(void **state)
{
	return directory_remove(AT_FDCWD, sysfs, NULL);
}

static void make(const char *name)
{
	_cleanup_free_ char *path = text_format("%s/%s", sysfs, name);

	assert_int_equal(directory_make(AT_FDCWD, path, 0700, NULL), 0);
}

static void put(const char *name, const char *value)
{
	_cleanup_free_ char *path = text_format("%s/%s", sysfs, name);

	assert_int_equal(file_write_atomic(AT_FDCWD, path, value, strlen(value), 0600, NULL), 0);
}

/* As the kernel shows memmap=514M!1022M. */
static void tree_make(void)
{
	make("devices/system/memory");
	make(NAMESPACE "/block/pmem0");
	make(REGION "/dax0.0");
	put("devices/system/memory/block_size_bytes", "8000000\n");
	put(NAMESPACE "/resource", "0x3fe00000\n");
	put(NAMESPACE "/size", "538968064\n");
	put(REGION "/dax0.0/namespace", "\n");
}

static Region find(void)
{
	Region region;
	Error err = {0};

	if (region_find(sysfs, &region, &err) < 0)
		fail_msg("%s", err.text);
	return region;
}

static void test_none(void **state)
{
	Region region;
	Error err = {0};

	assert_int_equal(region_find(sysfs, &region, &err), -ENODEV);
	assert_true(*err.text);
	/* memmap= gave no memory. */
	make(REGION);
	assert_int_equal(region_find(sysfs, &region, NULL), -ENODEV);
}

static void test_block_device(void **state)
{
	Region region;

	tree_make();
	region = find();
	assert_int_equal(region.state, REGION_BLOCK);
	assert_true(region.start == 1022 * MIB);
	assert_true(region.size == 514 * MIB);
	assert_true(region.memory_block == 128 * MIB);
	assert_string_equal(region.instance, "");
}

static void test_no_driver(void **state)
{
	_cleanup_free_ char *block = text_format("%s/" NAMESPACE "/block", sysfs);

	tree_make();
	assert_int_equal(directory_remove(AT_FDCWD, block, NULL), 0);
	assert_int_equal(find().state, REGION_IDLE);
}

static void instance_make(const char *driver)
{
	_cleanup_free_ char *link = text_format("%s/" REGION "/dax0.1/dax0.0/driver", sysfs);

	tree_make();
	make(REGION "/dax0.1/dax0.0");
	put(REGION "/dax0.1/namespace", "namespace0.0\n");
	if (driver)
		assert_int_equal(symlink(driver, link), 0);
}

static void test_lent(void **state)
{
	Region region;

	instance_make("../../../../../../bus/dax/drivers/kmem");
	region = find();
	assert_int_equal(region.state, REGION_LENT);
	assert_string_equal(region.instance, "dax0.1");
	assert_string_equal(region.device, "dax0.0");
	/* It is: nothing is done. */
	assert_int_equal(region_lend(sysfs, NULL), 0);
}

static void test_between(void **state)
{
	instance_make("../../../../../../bus/dax/drivers/device_dax");
	assert_int_equal(find().state, REGION_DAX);
}

static void test_without_a_driver_it_is_not_lent(void **state)
{
	instance_make(NULL);
	assert_int_equal(find().state, REGION_DAX);
}

static void lendable(uint64_t start_mib, uint64_t size_mib, uint64_t block_mib, uint64_t expected)
{
	Region region = {
		.start = start_mib * MIB, .size = size_mib * MIB, .memory_block = block_mib * MIB};
	uint64_t start, end;

	region_lendable(&region, &start, &end);
	assert_true(end - start == expected * MIB);
	if (expected) {
		assert_true(start % region.memory_block == 0);
		assert_true(start >= region.start + REGION_HEAD);
		assert_true(end <= region.start + region.size);
	}
}

static void test_lendable(void **state)
{
	lendable(1022, 514, 128, 512);
	lendable(1024, 512, 128, 384);
	lendable(1023, 513, 128, 384);
	lendable(1022, 520, 128, 512);
	lendable(1024, 128, 128, 0);
	lendable(1024, 200, 128, 0);
	lendable(8190, 4098, 2048, 4096);
	lendable(8192, 4096, 2048, 2048);
	lendable(1022, 514, 0, 0);
}

static void test_too_small_is_refused_untouched(void **state)
{
	Error err = {0};

	tree_make();
	put(NAMESPACE "/size", "134217728\n");
	assert_int_equal(region_lend(sysfs, &err), -ERANGE);
	assert_true(strstr(err.text, "128 MiB"));
	assert_int_equal(find().state, REGION_BLOCK);
}

static void test_memory_is_needed(void **state)
{
	Region region;
	Error err = {0};

	instance_make("../../../../../../bus/dax/drivers/kmem");
	region = find();
	assert_int_equal(region_check_reclaim(&region, 576 * MIB, &err), 0);
	assert_int_equal(region_check_reclaim(&region, 575 * MIB, &err), -ENOMEM);
	assert_true(strstr(err.text, "512 MiB"));
	assert_true(strstr(err.text, "575 MiB"));
	region.state = REGION_BLOCK;
	assert_int_equal(region_check_reclaim(&region, 0, NULL), 0);
}

static void test_memory_available(void **state)
{
	assert_true(memory_available() > MIB);
}

static void test_a_block_device_need_not_be_had_back(void **state)
{
	tree_make();
	assert_int_equal(region_reclaim(sysfs, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_block_device, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_driver, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_between, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_a_driver_it_is_not_lent, setup,
						teardown),
		cmocka_unit_test(test_lendable),
		cmocka_unit_test_setup_teardown(test_too_small_is_refused_untouched, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_memory_is_needed, setup, teardown),
		cmocka_unit_test(test_memory_available),
		cmocka_unit_test_setup_teardown(test_a_block_device_need_not_be_had_back, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
