/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/rootdev.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "test.h"

#define PCI  "/sys/devices/pci0000:00/0000:00:"
#define VDA  PCI "05.0/virtio1/block/vda"
#define SDA  PCI "06.0/ata1/host0/target0:0:0/0:0:0:0/block/sda"
#define NVME "/sys/devices/virtual/nvme-subsystem/nvme-subsys0"
#define UUID "12345678-9abc-def0-1234-56789abcdef0"

static char root[64];

static char *below(const char *path)
{
	return text_format("%s%s", root, path);
}

static void put(const char *path, const void *data, size_t size)
{
	_cleanup_free_ char *whole = below(path);
	_cleanup_free_ char *parent = strdup(whole);

	*strrchr(parent, '/') = '\0';
	assert_int_equal(directory_make(AT_FDCWD, parent, 0755, NULL), 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, whole, data, size, 0644, NULL), 0);
}

static void put_text(const char *dir, const char *name, const char *text)
{
	_cleanup_free_ char *path = text_format("%s/%s", dir, name);

	put(path, text, strlen(text));
}

static void put_link(const char *path, const char *target)
{
	_cleanup_free_ char *whole = below(path), *to = below(target);

	put_text(target, ".keep", "");
	*strrchr(whole, '/') = '\0';
	assert_int_equal(directory_make(AT_FDCWD, whole, 0755, NULL), 0);
	whole[strlen(whole)] = '/';
	assert_int_equal(symlink(to, whole), 0);
}

static void put_block(const char *path, const char *number)
{
	_cleanup_free_ char *by_number = text_format("/sys/dev/block/%s", number);
	_cleanup_free_ char *by_name = text_format("/sys/class/block/%s", strrchr(path, '/') + 1);

	put_text(path, "dev", number);
	put_link(by_number, path);
	put_link(by_name, path);
}

static void put_bus(const char *path, const char *bus)
{
	_cleanup_free_ char *link = text_format("%s/subsystem", path);
	_cleanup_free_ char *to = text_format("/sys/bus/%s", bus);

	put_link(link, to);
}

/* As much of a superblock as libblkid looks at. */
static void put_ext4(const char *node)
{
	static const uint8_t uuid[] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0,
				       0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0};
	static uint8_t disk[1 << 20];
	uint8_t *super = disk + 1024;

	super[0x01] = 1; /* inodes */
	super[0x05] = 4; /* blocks */
	super[0x38] = 0x53;
	super[0x39] = 0xef;
	super[0x4c] = 1;    /* revision */
	super[0x5c] = 0x04; /* has_journal */
	super[0x60] = 0x40; /* extents */
	memcpy(super + 0x68, uuid, sizeof(uuid));
	put(node, disk, sizeof(disk));
}

static int setup(void **state)
{
	strcpy(root, "/tmp/segue-test-rootdev-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	put_bus(PCI "05.0", "pci");
	put_bus(PCI "05.0/virtio1", "virtio");
	put_block(VDA, "254:0");
	put_block(VDA "/vda1", "254:1");
	put_text(VDA "/vda1", "partition", "1\n");
	put_block(VDA "/vda2", "254:2");
	put_text(VDA "/vda2", "partition", "2\n");
	put_ext4("/dev/vda1");
	put("/dev/vda2", "nothing", 7);
	put_bus(PCI "06.0/ata1/host0/target0:0:0/0:0:0:0", "scsi");
	put_block(SDA, "8:0");
	put_ext4("/dev/sda");
	put_block("/sys/devices/virtual/block/dm-0", "253:0");
	put_text("/sys/devices/virtual/block/dm-0", "dm/uuid", "LVM-abc\n");
	put_block("/sys/devices/virtual/block/dm-1", "253:1");
	put_text("/sys/devices/virtual/block/dm-1", "dm/uuid", "CRYPT-LUKS2-abc\n");
	put_block("/sys/devices/virtual/block/md127", "9:127");
	put_text("/sys/devices/virtual/block/md127", "md/level", "raid1\n");
	put_block("/sys/devices/virtual/block/zram0", "252:0");
	put_block("/sys/devices/platform/host1/session1/target/block/sdb", "8:16");
	put_block(NVME "/nvme0n1", "259:0");
	put_link(NVME "/nvme0", PCI "07.0/nvme/nvme0");
	put_text(PCI "07.0/nvme/nvme0", "transport", "pcie\n");
	put_ext4("/dev/nvme0n1");
	put_text("/sys/fs/btrfs/" UUID "/devices/vda1", "x", "");
	put_text("/sys/fs/btrfs/11/devices/sda", "x", "");
	put_text("/sys/fs/btrfs/11/devices/vda2", "x", "");
	return 0;
}

static int teardown(void **state)
{
	return directory_remove(AT_FDCWD, root, NULL);
}

static int find(const char *mountinfo, RootDevice *ret, Error *err)
{
	MountTable table;
	int r;

	assert_int_equal(mounts_parse(mountinfo, &table, NULL), 0);
	r = rootdev_find(root, &table, ret, err);
	mounts_free(&table);
	return r;
}

static void assert_ends(const char *text, const char *end)
{
	if (!text_has_suffix(text, end))
		fail_msg("expected ...%s: %s", end, text);
}

static void test_options(void **state)
{
	static const struct {
		const char *fstype, *mount, *super, *expected;
	} cases[] = {
		{"ext4", "rw,relatime", "rw,errors=remount-ro", "rw,relatime,errors=remount-ro"},
		{"ext4", "rw", "ro,discard", "ro,discard"},
		{"ext4", "ro,noatime", "rw,seclabel,stripe=64", "ro,noatime,stripe=64"},
		{"xfs", "rw,relatime", "rw,attr2,inode64,logbufs=8,logbsize=32k,noquota",
		 "rw,relatime"},
		{"xfs", "rw", "rw,logbufs=4,prjquota", "rw,logbufs=4,prjquota"},
		{"btrfs", "rw,relatime",
		 "rw,compress=zstd:3,ssd,space_cache=v2,subvolid=256,subvol=/@rootfs",
		 "rw,relatime,compress=zstd:3,ssd,space_cache=v2,subvol=/@rootfs"},
		{"vfat", "rw,relatime", "rw,relatime,fmask=0077,codepage=437,iocharset=ascii",
		 "rw,relatime,fmask=0077,codepage=437,iocharset=ascii"},
		{"ext4", "", "", "rw"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *options =
			rootdev_options(cases[i].fstype, cases[i].mount, cases[i].super);

		assert_string_equal(options, cases[i].expected);
	}
}

static void test_a_partition_is_described(void **state)
{
	RootDevice d;
	Error err = {0};

	assert_int_equal(find("1 1 0:1 / / rw - rootfs rootfs rw\n"
			      "27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/root rw,discard\n",
			      &d, &err),
			 0);
	assert_string_equal(d.point, "/");
	assert_string_equal(d.subtree, "/");
	assert_string_equal(d.source, "/dev/vda1");
	assert_string_equal(d.fstype, "ext4");
	assert_string_equal(d.uuid, UUID);
	assert_string_equal(d.options, "rw,relatime,discard");
	assert_ends(d.sysfs, VDA "/vda1");
	assert_int_equal(d.major, 254);
	assert_int_equal(d.minor, 1);
	assert_null(d.refusal);
	rootdev_free(&d);
}

static void test_disks_of_each_bus(void **state)
{
	RootDevice d;
	Error err = {0};

	assert_int_equal(find("27 1 8:0 / / rw - ext4 /dev/sda rw\n", &d, &err), 0);
	assert_string_equal(d.source, "/dev/sda");
	rootdev_free(&d);
	assert_int_equal(find("27 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n", &d, &err), 0);
	assert_ends(d.sysfs, NVME "/nvme0n1");
	rootdev_free(&d);
}

static void test_btrfs_is_found_by_its_source(void **state)
{
	RootDevice d;
	Error err = {0};

	assert_int_equal(find("27 1 0:25 /@rootfs / rw - btrfs /dev/vda1 "
			      "rw,subvolid=256,subvol=/@rootfs\n",
			      &d, &err),
			 0);
	assert_string_equal(d.source, "/dev/vda1");
	assert_string_equal(d.options, "rw,subvol=/@rootfs");
	assert_string_equal(d.subtree, "/@rootfs");
	assert_int_equal(d.major, 254);
	rootdev_free(&d);
}

static void test_other_stacks_are_refused_by_name(void **state)
{
	static const struct {
		const char *mountinfo, *what;
	} cases[] = {
		{"253:0 / / rw - ext4 /dev/mapper/vg-root rw", "LVM"},
		{"253:1 / / rw - ext4 /dev/mapper/luks rw", "LUKS"},
		{"9:127 / / rw - ext4 /dev/md127 rw", "RAID"},
		{"252:0 / / rw - ext4 /dev/zram0 rw", "virtual block device"},
		{"8:16 / / rw - ext4 /dev/sdb rw", "iSCSI"},
		{"254:2 / / rw - ext4 /dev/vda2 rw", "without a UUID"},
		{"254:1 / / rw - vfat /dev/vda1 rw", "vfat"},
		{"254:1 / / rw - f2fs /dev/vda1 rw", "f2fs"},
		{"0:30 / / rw - nfs4 server:/root rw", "nfs4"},
		{"0:30 / / rw - overlay overlay rw", "overlay"},
		{"0:30 / / rw - zfs rpool/ROOT rw", "zfs"},
		{"0:30 / / rw - btrfs /dev/sda rw", "btrfs over 2 devices"},
		{"0:30 / / rw - btrfs /dev/none rw", "not on a block device"},
		{"7:77 / / rw - ext4 /dev/loop7 rw", "not on a block device"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_free_ char *line = text_format("27 1 %s\n", cases[i].mountinfo);
		RootDevice d;
		Error err = {0};

		assert_int_equal(find(line, &d, &err), -EOPNOTSUPP);
		if (!strstr(err.text, cases[i].what))
			fail_msg("expected \"%s\" in: %s", cases[i].what, err.text);
	}
}

static void test_no_root_at_all(void **state)
{
	RootDevice d;
	Error err = {0};

	assert_int_equal(find("27 1 0:4 / /proc rw - proc proc rw\n", &d, &err), -ENOENT);
}

static void test_other_mounts_are_listed(void **state)
{
	MountTable table;
	RootDevice *devices;
	size_t n;
	Error err = {0};

	assert_int_equal(mounts_parse("27 1 254:1 / / rw - ext4 /dev/vda1 rw\n"
				      "28 27 0:4 / /proc rw - proc proc rw\n"
				      "29 27 8:0 / /home\\040x rw,nosuid - ext4 /dev/sda rw\n"
				      "30 27 8:0 /a /srv ro - ext4 /dev/sda rw\n"
				      "31 27 253:0 / /data rw - xfs /dev/mapper/vg-data rw\n"
				      "32 27 0:9 / /net rw - nfs4 server:/net rw\n",
				      &table, NULL),
			 0);
	assert_int_equal(rootdev_list(root, &table, &devices, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_string_equal(devices[0].point, "/home x");
	assert_string_equal(devices[0].options, "rw,nosuid");
	assert_null(devices[0].refusal);
	assert_string_equal(devices[1].subtree, "/a");
	assert_string_equal(devices[1].options, "ro");
	assert_string_equal(devices[2].point, "/data");
	assert_non_null(strstr(devices[2].refusal, "LVM"));
	rootdev_list_free(devices, n);
	mounts_free(&table);
}

static const char layout[] = "20 1 0:2 / / rw - rootfs rootfs rw\n"
			     "27 20 0:25 /@rootfs / rw - btrfs /dev/vda1 rw\n"
			     "30 27 0:25 /@var /var rw - btrfs /dev/vda1 rw\n"
			     "31 30 8:0 / /var/data rw - ext4 /dev/sda rw\n"
			     "32 27 8:0 / /srv rw - ext4 /dev/sda rw\n"
			     "33 32 259:0 / /srv/more rw - ext4 /dev/nvme0n1 rw\n"
			     "34 27 8:0 /a /mnt rw - ext4 /dev/sda rw\n"
			     "35 27 0:30 / /tmp rw - tmpfs tmpfs rw\n"
			     "36 35 8:0 / /tmp/disk rw - ext4 /dev/sda rw\n"
			     "37 27 0:31 / /net rw - nfs4 server:/net rw\n"
			     "38 27 0:32 / /boot/efi rw - autofs systemd-1 rw\n"
			     "39 38 254:1 / /boot/efi rw - vfat /dev/vda1 rw\n"
			     "40 27 0:25 / /top rw - btrfs /dev/vda1 rw\n"
			     "41 42 8:0 / /x rw - ext4 /dev/sda rw\n"
			     "42 41 8:0 / /y rw - ext4 /dev/sda rw\n"
			     "43 99 8:0 / /z rw - ext4 /dev/sda rw\n";

static void test_what_is_mounted_early(void **state)
{
	static const struct {
		unsigned id;
		bool early;
	} cases[] = {
		{27, true},  {30, false}, {31, false}, {32, true},  {33, true},
		{34, false}, {35, false}, {36, false}, {37, false}, {38, false},
		{39, true},  {40, true},  {41, false}, {42, false}, {43, false},
	};
	MountTable table;
	RootDevice *devices;
	size_t n;

	assert_int_equal(mounts_parse(layout, &table, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (rootdev_is_early(&table, mounts_by_id(&table, cases[i].id)) != cases[i].early)
			fail_msg("mount %u: expected early to be %d", cases[i].id, cases[i].early);
	assert_int_equal(rootdev_list(root, &table, &devices, &n, NULL), 0);
	assert_string_equal(devices[0].point, "/var");
	assert_false(devices[0].early);
	assert_string_equal(devices[2].point, "/srv");
	assert_true(devices[2].early);
	rootdev_list_free(devices, n);
	mounts_free(&table);
}

/* The machine that the test runs on has a root filesystem and /proc. */
static void test_the_way_to_a_path(void **state)
{
	static const struct {
		const char *path, *late;
	} cases[] = {
		{"/", NULL},
		{"/segue-none", NULL},
		{"//segue-none/x/", NULL},
		{"/proc", "/proc"},
		{"/proc/none/x", "/proc"},
		{"/proc/self/root/segue-none", "/proc"}, /* a link to / */
	};
	MountTable table;

	assert_int_equal(mounts_read(0, &table, NULL), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const Mount *late = NULL;
		bool early = rootdev_path_is_early(&table, cases[i].path, &late);

		const char *expected = cases[i].late ? cases[i].late : "nothing";
		const char *found = early ? "nothing" : late ? late->point : "what is not known";

		if (strcmp(found, expected) != 0)
			fail_msg("%s: expected %s in the way, found %s", cases[i].path, expected,
				 found);
	}
	mounts_free(&table);
}

static void test_a_link_is_followed(void **state)
{
	_cleanup_free_ char *path = below("/link/none"), *link = below("/link");
	const Mount *late = NULL;
	MountTable table;

	assert_int_equal(mounts_read(0, &table, NULL), 0);
	assert_int_equal(symlink("/proc/self", link), 0);
	assert_false(rootdev_path_is_early(&table, path, &late));
	assert_non_null(late);
	mounts_free(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_a_partition_is_described),
		cmocka_unit_test(test_disks_of_each_bus),
		cmocka_unit_test(test_btrfs_is_found_by_its_source),
		cmocka_unit_test(test_other_stacks_are_refused_by_name),
		cmocka_unit_test(test_no_root_at_all),
		cmocka_unit_test(test_other_mounts_are_listed),
		cmocka_unit_test(test_what_is_mounted_early),
		cmocka_unit_test(test_the_way_to_a_path),
		cmocka_unit_test(test_a_link_is_followed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
