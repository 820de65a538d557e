/* SPDX-License-Identifier: Apache-2.0 */
#include "init/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "init/device.h"
#include "swap/mounts.h"

#define NEW_ROOT        "/root"
#define DEVICE_LIMIT_MS 30000

/* For the beginning; later they become what they were (mounts_restore()). */
static const struct {
	const char *fstype, *point, *options;
} api_mounts[] = {
	{"proc", "/proc", "nosuid,noexec,nodev,relatime"},
	{"sysfs", "/sys", "nosuid,noexec,nodev,relatime"},
	{"devtmpfs", "/dev", "nosuid,relatime,mode=0755"},
	{"devpts", "/dev/pts", "nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=000"},
	{"tmpfs", "/dev/shm", "nosuid,nodev,relatime"},
	{"tmpfs", "/run", "nosuid,nodev,relatime,size=20%,mode=755"},
	{"cgroup2", "/sys/fs/cgroup",
	 "nosuid,nodev,noexec,relatime,nsdelegate,memory_recursiveprot"},
};

int root_prepare(Error *err)
{
	for (size_t i = 0; i < sizeof(api_mounts) / sizeof(api_mounts[0]); i++) {
		int r = directory_make(AT_FDCWD, api_mounts[i].point, 0755, err);

		if (r == 0)
			r = filesystem_mount(api_mounts[i].fstype, api_mounts[i].point,
					     api_mounts[i].fstype, api_mounts[i].options, err);
		/* A devtmpfs that the kernel has mounted itself (DEVTMPFS_MOUNT) is not in the
		 * initramfs's way. */
		if (r < 0 && r != -EBUSY)
			return r;
	}
	return 0;
}

static int modules_load(json_object *modules, size_t from, size_t to, Error *err)
{
	for (size_t i = from; i < to; i++) {
		json_object *m = json_object_array_get_idx(modules, i);
		const char *path = json_opt_string(m, "path", "");
		_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return error_errno(err, -errno, "Opening the module %s", path);
		/* EEXIST: another module asked for it.  ENODEV: it drives hardware that is not
		 * there. */
		if (syscall(SYS_finit_module, fd, json_opt_string(m, "options", ""), 0) < 0 &&
		    errno != EEXIST && errno != ENODEV)
			return error_errno(err, -errno, "Loading the module %s", path);
	}
	return 0;
}

int root_load_modules(json_object *handover, Error *err)
{
	json_object *modules = json_opt_array(handover, "modules");
	size_t n = json_length(modules), first = (size_t)json_opt_int(handover, "modules_first", 0);

	return modules_load(modules, 0, first < n ? first : n, err);
}

int root_load_other_modules(json_object *handover, Error *err)
{
	json_object *modules = json_opt_array(handover, "modules");

	return modules_load(modules, (size_t)json_opt_int(handover, "modules_first", 0),
			    json_length(modules), err);
}

static int device_mount(json_object *o, const char *target, Error *err)
{
	const char *source = "", *uuid = "", *fstype = "", *options = "";
	_cleanup_free_ char *device = NULL;
	int r = json_get_string(o, "source", &source, err);

	if (r == 0)
		r = json_get_string(o, "uuid", &uuid, err);
	if (r == 0)
		r = json_get_string(o, "fstype", &fstype, err);
	if (r == 0)
		r = json_get_string(o, "options", &options, err);
	if (r == 0)
		r = device_find(source, uuid, DEVICE_LIMIT_MS, &device, err);
	return r < 0 ? r : filesystem_mount(device, target, fstype, options, err);
}

static int api_mounts_move(Error *err)
{
	/* Those below others move with them. */
	static const char *const tops[] = {"/proc", "/sys", "/dev", "/run"};

	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		_cleanup_free_ char *target = text_format(NEW_ROOT "%s", tops[i]);

		if (!target || mount(tops[i], target, NULL, MS_MOVE, NULL) < 0)
			return error_errno(err, -errno, "Moving %s into the root filesystem",
					   tops[i]);
	}
	return 0;
}

int root_switch(json_object *handover, int *ret_initramfs, Error *err)
{
	json_object *root;
	int r = json_get_object(handover, "root", &root, err);

	*ret_initramfs = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r == 0)
		r = directory_make(AT_FDCWD, NEW_ROOT, 0755, err);
	if (r == 0)
		r = device_mount(root, NEW_ROOT, err);
	if (r == 0)
		r = api_mounts_move(err);
	if (r < 0)
		return error_prefix(err, "Mounting the root filesystem");
	if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		return error_errno(err, -errno, "Switching to the root filesystem");
	/* As systemd makes it, before any namespace is cloned from this one: what it mounts later
	 * is seen there. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0)
		return error_errno(err, -errno, "Sharing the mounts");
	return 0;
}

void root_empty_initramfs(int initramfs)
{
	if (initramfs >= 0)
		(void)directory_remove(initramfs, "segue", NULL);
}

int root_mount_others(json_object *handover, Error *err)
{
	json_object *mounts = json_opt_array(handover, "mounts");
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_length(mounts); i++) {
		json_object *m = json_object_array_get_idx(mounts, i);

		r = device_mount(m, json_opt_string(m, "point", ""), err);
	}
	return r;
}
