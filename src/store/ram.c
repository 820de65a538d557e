/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures in memory that both kernels leave alone: the first persistent-memory device that
 * memmap=SIZE!START on the command line makes (X86_PMEM_LEGACY).  The command line of the next
 * kernel is that of this one, so it reserves the same region.  While there are no captures the
 * memory is lent to the system: region.h.
 *
 * The region holds an ext4 without a journal, made afresh for each swap and mounted with DAX where
 * the kernel can, so that what is written is in the region and nowhere else.  For captures that
 * would not fit it holds a btrfs that compresses instead: then they go through the page cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "store/region.h"
#include "store/store.h"

#define RAM_MOUNT "/run/segue/store"
#define SYSFS     "/sys"

#define EXT4_MAGIC_AT  (1024 + 56)       /* Documentation/filesystems/ext4/super.rst */
#define BTRFS_MAGIC_AT ((64 << 10) + 64) /* struct btrfs_super_block in btrfs_tree.h */
#define BTRFS_MAGIC    "_BHRfS_M"
#define MIXED_BELOW    ((uint64_t)1 << 30) /* mkfs.btrfs(8): data and metadata share small ones */

#define MOUNT_FLAGS (MS_NODEV | MS_NOSUID | MS_NOEXEC | MS_NOATIME)

static int ram_locate(const char *path, json_object **ret_location, int64_t *ret_free_bytes,
		      Error *err)
{
	Region region;
	int r = region_find(SYSFS, &region, err);

	(void)path;
	if (r == -ENODEV)
		return error_hint(err,
				  "boot with memmap=SIZE!START (segue.conf(5)) or set Store=disk");
	if (r == 0)
		r = region_check_reclaim(&region, memory_available(), err);
	if (r < 0)
		return r;
	*ret_free_bytes = (int64_t)region_capacity(&region);
	*ret_location = json_object_new_object();
	json_put_string(*ret_location, "kind", "ram");
	return 0;
}

/* It has a block device between reserve and wipe. */
static int ram_device(char ret[static REGION_DEVICE_MAX], Error *err)
{
	Region region;
	int r = region_find(SYSFS, &region, err);

	return r < 0 ? r : region_block_device(&region, ret, err);
}

static bool ram_compresses(json_object *location)
{
	return json_opt_bool(location, STORE_RAM_COMPRESS, false);
}

static int ram_mount(json_object *location, Error *err)
{
	char device[REGION_DEVICE_MAX];
	int r = ram_device(device, err);

	if (r == 0)
		r = directory_make(AT_FDCWD, RAM_MOUNT, 0700, err);
	if (r < 0)
		return r;
	if (ram_compresses(location))
		r = mount(device, RAM_MOUNT, "btrfs", MOUNT_FLAGS, "compress-force=zstd:1");
	else if ((r = mount(device, RAM_MOUNT, "ext4", MOUNT_FLAGS, "dax")) < 0)
		r = mount(device, RAM_MOUNT, "ext4", MOUNT_FLAGS, NULL);
	return r < 0 ? error_errno(err, -errno, "Mounting %s", device) : 0;
}

static int ram_open(int *ret_dirfd, Error *err)
{
	int fd = open(RAM_MOUNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, -errno, "Opening " RAM_MOUNT);
	*ret_dirfd = fd;
	return 0;
}

static int ext4_make(const char *device, Error *err)
{
	const char *const mkfs[] = {"mke2fs",
				    "-q",
				    "-F",
				    "-t",
				    "ext4",
				    "-b",
				    "4096",
				    "-m",
				    "0",
				    "-O",
				    "^has_journal",
				    "-E",
				    "nodiscard,root_owner=0:0",
				    device,
				    NULL};

	return process_run(mkfs, 60000, NULL, err);
}

static int btrfs_make(const char *device, uint64_t size, Error *err)
{
	const char *const mkfs[] = {STORE_RAM_MKFS,
				    "-q",
				    "-f",
				    "-K",
				    "-m",
				    "single",
				    "-d",
				    "single",
				    device,
				    size < MIXED_BELOW ? "-M" : NULL,
				    NULL};

	return process_run(mkfs, 60000, NULL, err);
}

static int ram_make(json_object *location, Error *err)
{
	char device[REGION_DEVICE_MAX];
	Region region;
	int r = region_find(SYSFS, &region, err);

	if (r == 0)
		r = region_block_device(&region, device, err);
	if (r < 0)
		return r;
	return ram_compresses(location) ? btrfs_make(device, region.size, err)
					: ext4_make(device, err);
}

static int ram_reserve(json_object *location, int *ret_dirfd, Error *err)
{
	int r;

	(void)umount2(RAM_MOUNT, 0);
	r = region_reclaim(SYSFS, err);
	if (r == 0)
		r = ram_make(location, err);
	if (r == 0)
		r = ram_mount(location, err);
	if (r == 0 && chmod(RAM_MOUNT, 0700) < 0)
		r = error_errno(err, -errno, "Setting the mode of " RAM_MOUNT);
	return r < 0 ? r : ram_open(ret_dirfd, err);
}

static int ram_seal(json_object *location, int dirfd, Error *err)
{
	(void)location;
	return syncfs(dirfd) < 0 ? error_errno(err, -errno, "Syncing the captures") : 0;
}

static int ram_find(json_object *location, int *ret_dirfd, Error *err)
{
	int r = 0;

	if (access(RAM_MOUNT "/capture.json", F_OK) < 0)
		r = ram_mount(location, err);
	return r < 0 ? r : ram_open(ret_dirfd, err);
}

/* Overwrites the whole region: the next user of this memory, a crash dump or a curious root must
 * find nothing. */
static int ram_wipe(json_object *location, Error *err)
{
	/* Straight to the memory: neither through the page cache nor page by page. */
	static const char zero[1 << 20] __attribute__((aligned(4096)));
	char device[REGION_DEVICE_MAX];
	_cleanup_close_ int fd = -1;
	uint64_t size = 0;
	int r;

	(void)location;
	(void)umount2(RAM_MOUNT, MNT_DETACH);
	r = ram_device(device, err);
	if (r < 0)
		return r;
	/* Not what somebody else has mounted. */
	fd = open(device, O_WRONLY | O_EXCL | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) < 0)
		return error_errno(err, -errno, "Wiping %s", device);
	for (uint64_t at = 0; at < size; at += sizeof(zero)) {
		size_t n = size - at < sizeof(zero) ? (size_t)(size - at) : sizeof(zero);

		if (pwrite(fd, zero, n, (off_t)at) != (ssize_t)n)
			return error_errno(err, -errno, "Wiping %s", device);
	}
	return fsync(fd) < 0 ? error_errno(err, -errno, "Wiping %s", device) : 0;
}

static bool has_magic(int fd, off_t at, const char *magic, size_t size)
{
	char found[16];

	return pread(fd, found, size, at) == (ssize_t)size && memcmp(found, magic, size) == 0;
}

/* Whether there is a filesystem: captures that nobody has wiped, or something that is not segue's.
 * Who has mounted it keeps others from O_EXCL. */
static bool region_is_in_use(void)
{
	char device[REGION_DEVICE_MAX];
	_cleanup_close_ int fd = -1;

	if (ram_device(device, NULL) < 0)
		return true;
	fd = open(device, O_RDONLY | O_EXCL | O_CLOEXEC);
	return fd < 0 || has_magic(fd, EXT4_MAGIC_AT, "\x53\xef", 2) ||
	       has_magic(fd, BTRFS_MAGIC_AT, BTRFS_MAGIC, strlen(BTRFS_MAGIC)) ||
	       has_magic(fd, 0, "XFSB", 4);
}

static bool ram_holds(json_object *location)
{
	Region region;

	(void)location;
	return region_find(SYSFS, &region, NULL) == 0 && region.state == REGION_BLOCK &&
	       region_is_in_use();
}

static bool ram_is_at_rest(void)
{
	uint64_t start, end;
	Region region;

	if (region_find(SYSFS, &region, NULL) < 0)
		return true;
	region_lendable(&region, &start, &end);
	return start == end || region.state == REGION_LENT ||
	       (region.state == REGION_BLOCK && region_is_in_use());
}

static int ram_rest(Error *err)
{
	return ram_is_at_rest() ? 0 : region_lend(SYSFS, err);
}

const Store store_ram = {
	.name = "ram",
	.locate = ram_locate,
	.reserve = ram_reserve,
	.seal = ram_seal,
	.find = ram_find,
	.holds = ram_holds,
	.wipe = ram_wipe,
	.rest = ram_rest,
	.is_at_rest = ram_is_at_rest,
};
