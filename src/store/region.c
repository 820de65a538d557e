/* SPDX-License-Identifier: Apache-2.0 */
#include "store/region.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "base/worker.h"

#define REGION_BUS        "devices/platform/e820_pmem"
#define MODPROBE_LIMIT_MS 30000
#define OFFLINE_LIMIT_MS  60000
#define MEMORY_SPARE      ((uint64_t)64 << 20) /* left to programs without the region */

/* ---- sysfs ---- */

/* The lowest name in `path` that is `prefix` and a number and no more. */
static bool child_find(const char *path, const char *prefix, char *ret, size_t size)
{
	_cleanup_closedir_ DIR *dir = opendir(path);
	size_t n = strlen(prefix);
	const struct dirent *entry;
	bool found = false;

	while (dir && (entry = readdir(dir))) { /* NOLINT(concurrency-mt-unsafe) */
		const char *name = entry->d_name;

		if (strncmp(name, prefix, n) != 0 || strspn(name + n, "0123456789.") == 0 ||
		    name[n + strspn(name + n, "0123456789.")] || strlen(name) >= size ||
		    (found && strcmp(name, ret) > 0))
			continue;
		(void)snprintf(ret, size, "%s", name);
		found = true;
	}
	return found;
}

static int value_read(const char *dir, const char *name, int base, uint64_t *ret, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/%s", dir, name), *text = NULL;
	int r = path ? file_read_line(AT_FDCWD, path, &text, err) : -ENOMEM;

	if (r < 0)
		return r;
	*ret = strtoull(text, NULL, base);
	return 0;
}

static int value_write(const char *dir, const char *name, const char *value, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/%s", dir, name);

	return path ? file_write_value(AT_FDCWD, path, value, err)
		    : error_errno(err, -ENOMEM, "Writing %s", name);
}

static int driver_write(const char *sysfs, const char *driver, const char *name, const char *device,
			Error *err)
{
	_cleanup_free_ char *dir = text_format("%s/bus/%s", sysfs, driver);

	return dir ? value_write(dir, name, device, err)
		   : error_errno(err, -ENOMEM, "Writing %s", name);
}

static bool driver_is(const Region *region, const char *driver)
{
	_cleanup_free_ char *path =
		text_format("%s/%s/%s/driver", region->path, region->instance, region->device);
	char target[256];
	ssize_t n = path ? readlink(path, target, sizeof(target) - 1) : -1;

	if (n < 0)
		return false;
	target[n] = '\0';
	return text_has_suffix(target, driver);
}

/* ---- state ---- */

/* The instance of nd_dax that has the namespace; others are seeds, with none. */
static void instance_find(Region *region)
{
	_cleanup_closedir_ DIR *dir = opendir(region->path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) { /* NOLINT(concurrency-mt-unsafe) */
		_cleanup_free_ char *path = NULL, *text = NULL, *instance = NULL;

		if (!text_has_prefix(entry->d_name, "dax") ||
		    strlen(entry->d_name) >= sizeof(region->instance))
			continue;
		path = text_format("%s/%s/namespace", region->path, entry->d_name);
		if (!path || file_read_line(AT_FDCWD, path, &text, NULL) < 0 ||
		    strcmp(text, region->namespace) != 0)
			continue;
		(void)snprintf(region->instance, sizeof(region->instance), "%s", entry->d_name);
		instance = text_format("%s/%s", region->path, region->instance);
		if (instance)
			(void)child_find(instance, "dax", region->device, sizeof(region->device));
		return;
	}
}

static RegionState state_find(const Region *region)
{
	_cleanup_free_ char *block = text_format("%s/%s/block", region->path, region->namespace);

	if (*region->instance)
		return *region->device && driver_is(region, "/kmem") ? REGION_LENT : REGION_DAX;
	return block && path_exists(AT_FDCWD, block) ? REGION_BLOCK : REGION_IDLE;
}

static int none(Error *err)
{
	return error_set(err, -ENODEV, "This machine reserves no memory for the ram store");
}

static int place_find(const char *sysfs, Region *region, Error *err)
{
	_cleanup_free_ char *platform = text_format("%s/" REGION_BUS, sysfs), *bus = NULL;
	char number[32], name[32];

	if (!platform || !child_find(platform, "ndbus", number, sizeof(number)))
		return none(err);
	bus = text_format("%s/%s", platform, number);
	if (!bus || !child_find(bus, "region", name, sizeof(name)) ||
	    snprintf(region->path, sizeof(region->path), "%s/%s", bus, name) >=
		    (int)sizeof(region->path) ||
	    !child_find(region->path, "namespace", region->namespace, sizeof(region->namespace)))
		return none(err);
	return 0;
}

uint64_t region_memory_block(const char *sysfs)
{
	_cleanup_free_ char *memory = text_format("%s/devices/system/memory", sysfs);
	uint64_t block;

	return memory && value_read(memory, "block_size_bytes", 16, &block, NULL) == 0 ? block : 0;
}

int region_find(const char *sysfs, Region *ret, Error *err)
{
	_cleanup_free_ char *namespace = NULL;
	Region region = {.memory_block = region_memory_block(sysfs)};
	int r = place_find(sysfs, &region, err);

	if (r < 0)
		return r;
	namespace = text_format("%s/%s", region.path, region.namespace);
	if (!namespace)
		return error_errno(err, -ENOMEM, "Looking at the region");
	r = value_read(namespace, "resource", 0, &region.start, err);
	if (r == 0)
		r = value_read(namespace, "size", 0, &region.size, err);
	if (r < 0)
		return r;
	instance_find(&region);
	region.state = state_find(&region);
	*ret = region;
	return 0;
}

int region_block_device(const Region *region, char ret[static REGION_DEVICE_MAX], Error *err)
{
	_cleanup_free_ char *blocks = text_format("%s/%s/block", region->path, region->namespace);
	char name[32];

	if (!blocks || !child_find(blocks, "pmem", name, sizeof(name)))
		return error_set(err, -ENODEV, "The region has no block device; see dmesg");
	(void)snprintf(ret, REGION_DEVICE_MAX, "/dev/%s", name);
	return 0;
}

uint64_t region_capacity(const Region *region)
{
	return region->size / 16 * 15;
}

void region_lendable(const Region *region, uint64_t *ret_start, uint64_t *ret_end)
{
	uint64_t block = region->memory_block, end = region->start + region->size;

	*ret_start = *ret_end = region->start;
	if (block == 0)
		return;
	*ret_start = (region->start + REGION_HEAD + block - 1) / block * block;
	*ret_end = end / block * block;
	if (*ret_end < *ret_start)
		*ret_end = *ret_start;
}

/* ---- lending ---- */

static int drivers_load(const char *sysfs, Error *err)
{
	static const char *const argv[] = {"modprobe",   "-a",   "dax_pmem",
					   "device_dax", "kmem", NULL};
	_cleanup_free_ char *path = text_format("%s/bus/dax/drivers/kmem", sysfs);

	return path && path_exists(AT_FDCWD, path)
		       ? 0
		       : process_run(argv, MODPROBE_LIMIT_MS, NULL, err);
}

static int dax_make(const char *sysfs, const Region *region, Error *err)
{
	_cleanup_free_ char *seed_path = text_format("%s/dax_seed", region->path);
	_cleanup_free_ char *seed = NULL, *dir = NULL, *uuid = NULL;
	int r = seed_path ? file_read_line(AT_FDCWD, seed_path, &seed, err)
			  : error_errno(err, -ENOMEM, "Lending the region");

	if (r == 0)
		r = file_read_line(AT_FDCWD, "/proc/sys/kernel/random/uuid", &uuid, err);
	if (r < 0)
		return r;
	dir = text_format("%s/%s", region->path, seed);
	if (!dir)
		return error_errno(err, -ENOMEM, "Lending the region");
	/* Its description of pages is not in the region, where it would be of no use: kmem has one
	 * of its own. */
	if ((r = value_write(dir, "mode", "ram", err)) < 0 ||
	    (r = value_write(dir, "uuid", uuid, err)) < 0 ||
	    (r = value_write(dir, "namespace", region->namespace, err)) < 0)
		return r;
	return driver_write(sysfs, "nd/drivers/dax_pmem", "bind", seed, err);
}

/* Memory that is added comes online at once, and into the zone that can be emptied. */
static int kmem_bind(const char *sysfs, const Region *region, Error *err)
{
	_cleanup_free_ char *path =
		text_format("%s/devices/system/memory/auto_online_blocks", sysfs);
	_cleanup_free_ char *policy = NULL;
	Region now;
	int r = path ? file_read_line(AT_FDCWD, path, &policy, err)
		     : error_errno(err, -ENOMEM, "Lending the region");

	/* Not bound to anything is as good. */
	(void)driver_write(sysfs, "dax/drivers/device_dax", "unbind", region->device, NULL);
	if (r == 0)
		r = file_write_value(AT_FDCWD, path, "online_movable", err);
	if (r < 0)
		return r;
	r = driver_write(sysfs, "dax/drivers/kmem", "new_id", region->device, err);
	(void)file_write_value(AT_FDCWD, path, policy, NULL);
	if (r == 0)
		r = region_find(sysfs, &now, err);
	if (r == 0 && now.state != REGION_LENT)
		r = error_set(err, -EIO,
			      "The kernel did not take the region as memory; see dmesg (kmem)");
	return r;
}

static int block_restore(const char *sysfs, Error *err);

static int lend(const char *sysfs, Region *region, Error *err)
{
	int r = drivers_load(sysfs, err);

	if (r == 0 && region->state == REGION_BLOCK)
		r = driver_write(sysfs, "nd/drivers/nd_pmem", "unbind", region->namespace, err);
	if (r == 0 && region->state != REGION_DAX)
		r = dax_make(sysfs, region, err);
	if (r == 0)
		r = region_find(sysfs, region, err);
	return r < 0 ? r : kmem_bind(sysfs, region, err);
}

int region_lend(const char *sysfs, Error *err)
{
	uint64_t start, end;
	Region region;
	int r = region_find(sysfs, &region, err);

	if (r < 0 || region.state == REGION_LENT)
		return r;
	region_lendable(&region, &start, &end);
	if (start == end)
		return error_set(err, -ERANGE,
				 "The region has no whole memory block of %llu MiB behind its "
				 "first 2 MiB; segue.conf(5) tells how to place it",
				 (unsigned long long)(region.memory_block >> 20));
	r = lend(sysfs, &region, err);
	if (r < 0)
		(void)block_restore(sysfs, NULL);
	return r < 0 ? error_prefix(err, "Lending the region for captures to the system") : 0;
}

/* ---- having it back ---- */

typedef struct Blocks {
	const char *sysfs;
	uint64_t first, end; /* numbers */
} Blocks;

static int block_set(const Blocks *blocks, uint64_t number, const char *state, Error *err)
{
	_cleanup_free_ char *dir = text_format("%s/devices/system/memory/memory%llu", blocks->sysfs,
					       (unsigned long long)number);

	return dir ? value_write(dir, "state", state, err)
		   : error_errno(err, -ENOMEM, "Having the region back");
}

/* The kernel goes on trying for as long as nobody interrupts it: offline_pages() in
 * mm/memory_hotplug.c. */
static int blocks_offline(void *userdata, Error *err)
{
	const Blocks *blocks = userdata;
	int r = 0;

	for (uint64_t i = blocks->first; r == 0 && i < blocks->end; i++)
		r = block_set(blocks, i, "offline", err);
	return r;
}

static int memory_remove(const char *sysfs, const Region *region, Error *err)
{
	Worker worker = {0};
	Blocks blocks = {.sysfs = sysfs};
	uint64_t start, end;
	int r;

	region_lendable(region, &start, &end);
	blocks.first = start / region->memory_block;
	blocks.end = end / region->memory_block;
	r = worker_start(&worker, blocks_offline, &blocks, err);
	if (r == 0)
		r = worker_finish(&worker, OFFLINE_LIMIT_MS, err);
	if (r == 0)
		return driver_write(sysfs, "dax/drivers/kmem", "unbind", region->device, err);
	/* One that is online stays so. */
	for (uint64_t i = blocks.first; i < blocks.end; i++)
		(void)block_set(&blocks, i, "online_movable", NULL);
	return error_set(err, -EBUSY,
			 "Something in the memory lent to the system cannot be moved elsewhere; "
			 "try again, or set Store=disk");
}

static int dax_remove(const char *sysfs, const Region *region, Error *err)
{
	_cleanup_free_ char *dir = text_format("%s/%s", region->path, region->instance);

	if (!dir)
		return error_errno(err, -ENOMEM, "Having the region back");
	(void)driver_write(sysfs, "dax/drivers/kmem", "remove_id", region->device, NULL);
	(void)driver_write(sysfs, "nd/drivers/dax_pmem", "unbind", region->instance, NULL);
	return value_write(dir, "namespace", "\n", err);
}

/* What the kernel has put at the begin of the region would have the next one make a device-dax of
 * it, not a block device. */
static int description_erase(const Region *region, Error *err)
{
	static const char zero[16384] __attribute__((aligned(4096)));
	_cleanup_close_ int fd = -1;
	char path[REGION_DEVICE_MAX];
	int r = region_block_device(region, path, err);

	if (r < 0)
		return r;
	fd = open(path, O_WRONLY | O_EXCL | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, zero, sizeof(zero), 0) != (ssize_t)sizeof(zero) || fsync(fd) < 0)
		return error_errno(err, -errno, "Writing to %s", path);
	return 0;
}

/* With force_raw the kernel does not look for that description, but it also offers no DAX. */
static int block_bind(const char *sysfs, const Region *region, Error *err)
{
	_cleanup_free_ char *dir = text_format("%s/%s", region->path, region->namespace);
	int r = dir ? value_write(dir, "force_raw", "1", err)
		    : error_errno(err, -ENOMEM, "Having the region back");

	if (r == 0)
		r = driver_write(sysfs, "nd/drivers/nd_pmem", "bind", region->namespace, err);
	if (r == 0)
		r = description_erase(region, err);
	if (r == 0)
		r = driver_write(sysfs, "nd/drivers/nd_pmem", "unbind", region->namespace, err);
	if (r == 0)
		r = value_write(dir, "force_raw", "0", err);
	return r < 0 ? r
		     : driver_write(sysfs, "nd/drivers/nd_pmem", "bind", region->namespace, err);
}

/* From whatever state but LENT. */
static int block_restore(const char *sysfs, Error *err)
{
	Region region;
	int r = region_find(sysfs, &region, err);

	if (r == 0 && region.state == REGION_DAX)
		r = dax_remove(sysfs, &region, err);
	return r < 0 || region.state == REGION_BLOCK ? r : block_bind(sysfs, &region, err);
}

int region_check_reclaim(const Region *region, uint64_t available_bytes, Error *err)
{
	uint64_t start, end;

	region_lendable(region, &start, &end);
	if (region->state != REGION_LENT || available_bytes >= end - start + MEMORY_SPARE)
		return 0;
	return error_set(err, -ENOMEM,
			 "The region of %llu MiB is lent to the system, which needs it: %llu MiB "
			 "are available and %llu MiB would have to be; free memory, or set "
			 "Store=disk",
			 (unsigned long long)((end - start) >> 20),
			 (unsigned long long)(available_bytes >> 20),
			 (unsigned long long)((end - start + MEMORY_SPARE) >> 20));
}

int region_reclaim(const char *sysfs, Error *err)
{
	Region region;
	int r = region_find(sysfs, &region, err);

	if (r == 0)
		r = region_check_reclaim(&region, memory_available(), err);
	if (r == 0 && region.state == REGION_LENT)
		r = memory_remove(sysfs, &region, err);
	return r < 0 ? r : block_restore(sysfs, err);
}

uint64_t memory_available(void)
{
	_cleanup_free_ char *text = NULL;
	const char *line;

	if (file_read(AT_FDCWD, "/proc/meminfo", &text, NULL, NULL) < 0)
		return 0;
	line = strstr(text, "MemAvailable:");
	return line ? strtoull(line + strlen("MemAvailable:"), NULL, 10) << 10 : 0;
}
