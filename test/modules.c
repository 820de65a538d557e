/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "test.h"

#define DEPMOD    "/sbin/depmod"
#define VERSION   "1.2.3"
#define SYSTEM    "/sys/devices/pci0000:00"
#define VIRTIO    SYSTEM "/0000:00:05.0/virtio1"
#define SUBSYSTEM "/sys/devices/virtual/nvme-subsystem/nvme-subsys0"

/* What the modules of the tree export, use, and say in .modinfo ("\0" in assembler between
 * entries). */
static const struct {
	const char *name, *exports, *uses, *modinfo;
} module_table[] = {
	{"virtio", "register_virtio", NULL, "license=GPL"},
	{"virtio_ring", "ring", "register_virtio", "license=GPL"},
	{"virtio_pci", NULL, "ring", "alias=pci:v00001AF4d*"},
	{"virtio_blk", NULL, "ring", "alias=virtio:d00000002v*"},
	{"ahci", NULL, NULL, "alias=pci:v*d*sv*sd*bc01sc06i01*"},
	{"ata_generic", NULL, NULL, "alias=pci:v*d*sv*sd*bc01sc06i01*"},
	{"sd_mod", NULL, NULL, "alias=scsi:t-0x00*"},
	{"nvme_core", "nvme_init", NULL, "license=GPL"},
	{"nvme", NULL, "nvme_init", "alias=pci:v*d*sv*sd*bc01sc08i02*"},
	{"btrfs", NULL, NULL, "alias=fs-btrfs\\0softdep=pre: xor crc32c nowhere post: raid6_test"},
	{"xor", NULL, NULL, "softdep=pre: btrfs"},
	{"crc32c_intel", NULL, NULL, "alias=crypto-crc32c\\0alias=crc32c"},
	{"raid6_test", NULL, NULL, "license=GPL"},
	{"vfat", NULL, NULL, "alias=fs-vfat"},
	{"nls_cp437", NULL, NULL, "alias=nls_cp437"},
	{"nls_ascii", NULL, NULL, "alias=nls_ascii"},
};

static char root[64], modules_dir[128], sysfs[128];

static char *below(const char *path)
{
	return text_format("%s%s", root, path);
}

static void put(const char *path, const char *text, size_t size)
{
	_cleanup_free_ char *whole = below(path);
	_cleanup_free_ char *parent = strdup(whole);

	*strrchr(parent, '/') = '\0';
	assert_int_equal(directory_make(AT_FDCWD, parent, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, whole, text, size, 0644, NULL), 0);
}

static void put_link(const char *path, const char *target)
{
	_cleanup_free_ char *whole = below(path), *to = below(target);

	assert_int_equal(directory_make(AT_FDCWD, to, 0755, NULL), 0);
	*strrchr(whole, '/') = '\0';
	assert_int_equal(directory_make(AT_FDCWD, whole, 0755, NULL), 0);
	whole[strlen(whole)] = '/';
	assert_int_equal(symlink(to, whole), 0);
}

/* A device with a driver, which is of a module if one is named. */
static void put_device(const char *path, const char *modalias, const char *driver,
		       const char *module, bool loaded)
{
	_cleanup_free_ char *alias = text_format("%s/modalias", path);
	_cleanup_free_ char *link = text_format("%s/driver", path);
	_cleanup_free_ char *to = text_format("/sys/drivers/%s", driver);
	_cleanup_free_ char *module_link = text_format("%s/module", to);
	_cleanup_free_ char *module_to = text_format("/sys/module/%s", module);
	_cleanup_free_ char *state = text_format("%s/initstate", module_to);

	if (modalias)
		put(alias, modalias, strlen(modalias));
	put_link(link, to);
	if (module)
		put_link(module_link, module_to);
	if (loaded)
		put(state, "live\n", 5);
}

static void put_devices(void)
{
	put_device(SYSTEM "/0000:00:05.0", "pci:v00001AF4d00001001sv0sd0bc01sc00i00\n",
		   "virtio-pci", "virtio_pci", true);
	put_device(VIRTIO, "virtio:d00000002v00001AF4\n", "virtio_blk", "virtio_blk", true);
	put(VIRTIO "/block/vda/vda1/partition", "1\n", 2);
	/* A bridge: its driver is built in and in no index. */
	put_device(SYSTEM "/0000:00:06.0", "pci:v00008086d00000001sv0sd0bc06sc04i00\n", "pcieport",
		   NULL, false);
	put_device(SYSTEM "/0000:00:06.0/0000:01:00.0", "pci:v1d1sv1sd1bc01sc06i01\n", "ahci",
		   "ahci", true);
	put_device(SYSTEM "/0000:00:06.0/0000:01:00.0/ata1/host0/target0:0:0/0:0:0:0",
		   "scsi:t-0x00\n", "sd", "sd_mod", true);
	put_device(SYSTEM "/0000:00:07.0", "pci:v9d9sv9sd9bc01sc08i02\n", "nvme", "nvme", false);
	put(SUBSYSTEM "/nvme0n1/size", "8\n", 2);
	put_link(SUBSYSTEM "/nvme0", SYSTEM "/0000:00:07.0/nvme/nvme0");
	put_device(SYSTEM "/0000:00:08.0", "pci:v0000DEADd0000BEEFsv1sd1bc02sc00i00\n", "oldnic",
		   "oldnic", true);
	put_device(SYSTEM "/0000:00:09.0", NULL, "builtin-nic", NULL, false);
	/* Its driver is built into both, and known by name only. */
	put_device(SYSTEM "/0000:00:0a.0", NULL, "e1000", "e1000", false);
	put_device(SYSTEM "/0000:00:0b.0", "scsi:t-0x05\n", "nls-ascii", NULL, false);
}

static int run(const char *const argv[])
{
	_cleanup_free_ char *output = NULL;
	Error err = {0};
	int r = process_run(argv, 0, &output, &err);

	if (r < 0)
		print_error("%s\n%s\n", err.text, output ? output : "");
	return r;
}

static int put_module(size_t i)
{
	_cleanup_free_ char *source = text_format("%s/module.s", root);
	_cleanup_free_ char *path =
		text_format("%s/kernel/%s.ko", modules_dir, module_table[i].name);
	const char *exports = module_table[i].exports, *uses = module_table[i].uses;
	_cleanup_free_ char *text = text_format(
		".section .modinfo,\"a\"\n.asciz \"name=%s\"\n.asciz \"%s\"\n"
		".section __ksymtab_strings,\"a\"\n%s%s%s"
		".data\n.quad %s\n",
		module_table[i].name, module_table[i].modinfo, exports ? ".asciz \"" : "",
		exports ? exports : "", exports ? "\"\n" : "", uses ? uses : "0");
	const char *const cc[] = {"cc", "-x", "assembler", "-c", "-o", path, source, NULL};

	put("/module.s", text, strlen(text));
	return run(cc);
}

static int setup(void **state)
{
	static const char builtin[] = "kernel/drivers/net/e1000.ko\nkernel/fs/ext4.ko\n";
	static const char modinfo[] = "e1000.license=GPL\0ext4.alias=fs-ext4\0ext4.license=GPL";
	_cleanup_free_ char *usr = NULL;

	strcpy(root, "/tmp/segue-test-modules-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	(void)snprintf(sysfs, sizeof(sysfs), "%s/sys", root);
	(void)snprintf(modules_dir, sizeof(modules_dir), "%s/usr/lib/modules/" VERSION, root);
	put("/usr/lib/modules/" VERSION "/kernel/placeholder", "", 0);
	put("/usr/lib/modules/" VERSION "/modules.builtin", builtin, strlen(builtin));
	put("/usr/lib/modules/" VERSION "/modules.builtin.modinfo", modinfo, sizeof(modinfo));
	put("/usr/lib/modules/" VERSION "/modules.order", "", 0);
	put_devices();
	for (size_t i = 0; i < sizeof(module_table) / sizeof(module_table[0]); i++)
		if (put_module(i) < 0)
			return -1;
	usr = below("/usr");
	return run((const char *const[]){DEPMOD, "-b", usr, VERSION, NULL});
}

static int teardown(void **state)
{
	return directory_remove(AT_FDCWD, root, NULL);
}

static int open_set(void **state)
{
	return modules_new(modules_dir, sysfs, (ModuleSet **)state, NULL);
}

static int close_set(void **state)
{
	modules_free(*state);
	return 0;
}

static void assert_modules(const ModuleSet *set, const char *expected)
{
	char names[512] = "";

	for (size_t i = 0; i < modules_count(set); i++) {
		size_t used = strlen(names);

		(void)snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? " " : "",
			       modules_name(set, i));
		assert_int_equal(access(modules_path(set, i), R_OK), 0);
		assert_non_null(modules_options(set, i));
	}
	assert_string_equal(names, expected);
}

static int add_device(ModuleSet *set, const char *path, Error *err)
{
	_cleanup_free_ char *whole = below(path);

	return modules_add_device(set, whole, err);
}

static void test_a_device_brings_what_it_hangs_on(void **state)
{
	ModuleSet *set = *state;
	Error err = {0};

	assert_int_equal(add_device(set, VIRTIO "/block/vda/vda1", &err), 0);
	assert_modules(set, "virtio virtio_ring virtio_blk virtio_pci");
	/* Again: nothing comes twice. */
	assert_int_equal(add_device(set, VIRTIO, &err), 0);
	assert_modules(set, "virtio virtio_ring virtio_blk virtio_pci");
}

static void test_the_driver_in_use_is_taken_of_several(void **state)
{
	ModuleSet *set = *state;
	Error err = {0};

	assert_int_equal(
		add_device(set, SYSTEM "/0000:00:06.0/0000:01:00.0/ata1/host0/target0:0:0/0:0:0:0",
			   &err),
		0);
	assert_modules(set, "sd_mod ahci");
}

static void test_nvme_is_found_through_its_subsystem(void **state)
{
	ModuleSet *set = *state;
	Error err = {0};

	/* Built in now, a module in the other kernel. */
	assert_int_equal(add_device(set, SUBSYSTEM "/nvme0n1", &err), 0);
	assert_modules(set, "nvme_core nvme");
}

static void test_a_driver_that_is_missing_is_named(void **state)
{
	ModuleSet *set = *state;
	Error err = {0};

	assert_int_equal(add_device(set, SYSTEM "/0000:00:08.0", &err), -ENODEV);
	assert_non_null(strstr(err.text, "0000:00:08.0"));
	assert_non_null(strstr(err.text, "oldnic"));
	assert_non_null(strstr(err.text, "pci:v0000DEADd0000BEEF"));
	assert_int_equal(add_device(set, SYSTEM "/0000:00:09.0", &err), -ENODEV);
	assert_non_null(strstr(err.text, "builtin-nic"));
	assert_int_equal(add_device(set, "/sys/nothing", &err), -ENOENT);
	assert_int_equal(modules_count(set), 0);
}

static void test_what_is_built_in_is_left_out(void **state)
{
	ModuleSet *set = *state;
	Error err = {0};

	assert_int_equal(add_device(set, SYSTEM "/0000:00:0a.0", &err), 0);
	assert_int_equal(modules_add(set, "fs-ext4", &err), 0);
	assert_int_equal(modules_add(set, "e1000", &err), 0);
	assert_modules(set, "");
	/* Built in now, and a module there that only the driver's name leads to. */
	assert_int_equal(add_device(set, SYSTEM "/0000:00:0b.0", &err), 0);
	assert_modules(set, "nls_ascii");
}

static void test_soft_dependencies_are_followed(void **state)
{
	ModuleSet *set = *state;
	Error err = {0};

	/* xor wants btrfs first and btrfs wants xor first: the circle ends. */
	assert_int_equal(modules_add_filesystem(set, "btrfs", "rw,subvol=/", &err), 0);
	assert_modules(set, "xor crc32c_intel btrfs raid6_test");
}

static void test_character_sets_come_with_vfat(void **state)
{
	ModuleSet *set = *state;
	Error err = {0};

	assert_int_equal(
		modules_add_filesystem(set, "vfat", "rw,codepage=437,iocharset=ascii,utf8", &err),
		0);
	assert_modules(set, "vfat nls_cp437 nls_ascii");
}

static void test_a_name_that_is_missing_is_an_error(void **state)
{
	ModuleSet *set = *state;
	Error err = {0};

	assert_int_equal(modules_add(set, "rtnl-link-vlan", &err), -ENOENT);
	assert_non_null(strstr(err.text, "rtnl-link-vlan"));
	assert_int_equal(modules_add_optional(set, "rtnl-link-vlan", &err), 0);
	assert_int_equal(modules_add_filesystem(set, "zfs", NULL, &err), -ENOENT);
	assert_non_null(strstr(err.text, "filesystem zfs"));
	assert_modules(set, "");
}

static void test_a_tree_without_indexes_is_refused(void **state)
{
	ModuleSet *set = NULL;
	Error err = {0};

	assert_int_equal(modules_new("/nonexistent", sysfs, &set, &err), -ENOENT);
	assert_null(set);
	assert_non_null(strstr(err.text, "depmod"));
}

#define WITH_SET(f) cmocka_unit_test_setup_teardown(f, open_set, close_set)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SET(test_a_device_brings_what_it_hangs_on),
		WITH_SET(test_the_driver_in_use_is_taken_of_several),
		WITH_SET(test_nvme_is_found_through_its_subsystem),
		WITH_SET(test_a_driver_that_is_missing_is_named),
		WITH_SET(test_what_is_built_in_is_left_out),
		WITH_SET(test_soft_dependencies_are_followed),
		WITH_SET(test_character_sets_come_with_vfat),
		WITH_SET(test_a_name_that_is_missing_is_an_error),
		cmocka_unit_test(test_a_tree_without_indexes_is_refused),
	};

	if (access(DEPMOD, X_OK) < 0) {
		puts("1..0 # SKIP depmod is not installed");
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
