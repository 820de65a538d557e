/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/rootdev.h"

#include <blkid/blkid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "swap/mounts.h"

static void cleanup_probe(blkid_probe *probe)
{
	if (*probe)
		blkid_free_probe(*probe);
}

void rootdev_free(RootDevice *device)
{
	free(device->point);
	free(device->subtree);
	free(device->source);
	free(device->fstype);
	free(device->uuid);
	free(device->options);
	free(device->sysfs);
	free(device->refusal);
	*device = (RootDevice){0};
}

void rootdev_list_free(RootDevice *devices, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rootdev_free(&devices[i]);
	free(devices);
}

/* ---- options ---- */

static bool has_option(const char *options, const char *option, size_t n)
{
	for (const char *p = options; *p; p += *p == ',') {
		size_t size = strcspn(p, ",");

		if (size == n && memcmp(p, option, n) == 0)
			return true;
		p += size;
	}
	return false;
}

static bool is_option(const char *option, size_t n, const char *name)
{
	size_t size = strlen(name);

	if (name[size - 1] == '=')
		return n >= size && memcmp(option, name, size) == 0;
	return n == size && memcmp(option, name, n) == 0;
}

/* What the kernel shows of its own accord: defaults that a later one may have dropped (xfs has
 * dropped attr2), or a second name of what is said already. */
static bool is_left_out(const char *fstype, const char *option, size_t n)
{
	static const struct {
		const char *fstype, *option;
	} table[] = {
		{NULL, "rw"},         {NULL, "ro"},           {NULL, "seclabel"},
		{"xfs", "attr2"},     {"xfs", "noattr2"},     {"xfs", "ikeep"},
		{"xfs", "noikeep"},   {"xfs", "inode64"},     {"xfs", "noquota"},
		{"xfs", "logbufs=8"}, {"xfs", "logbsize="},   {"btrfs", "subvolid="},
		{"ext4", "barrier"},  {"ext4", "user_xattr"}, {"ext4", "acl"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if ((!table[i].fstype || strcmp(table[i].fstype, fstype) == 0) &&
		    is_option(option, n, table[i].option))
			return true;
	return false;
}

char *rootdev_options(const char *fstype, const char *mount_options, const char *super_options)
{
	/* A filesystem that is read-only makes all its mounts that, whatever they say. */
	bool ro = has_option(mount_options, "ro", 2) || has_option(super_options, "ro", 2);
	const char *const sources[] = {mount_options, super_options};
	char *options = malloc(strlen(mount_options) + strlen(super_options) + 5);
	char *out = options;

	if (!options)
		return NULL;
	out += sprintf(out, "%s", ro ? "ro" : "rw");
	for (size_t i = 0; i < 2; i++) {
		for (const char *p = sources[i]; *p; p += *p == ',') {
			size_t n = strcspn(p, ",");

			if (n > 0 && !is_left_out(fstype, p, n) && !has_option(options, p, n))
				out += sprintf(out, ",%.*s", (int)n, p);
			p += n;
		}
	}
	return options;
}

/* ---- what a block device is ---- */

static char *link_name(const char *dir, const char *link)
{
	_cleanup_free_ char *path = text_format("%s/%s", dir, link);
	_cleanup_free_ char *target = path ? realpath(path, NULL) : NULL;

	return target ? strdup(strrchr(target, '/') + 1) : NULL;
}

static bool has(const char *dir, const char *name)
{
	_cleanup_free_ char *path = text_format("%s/%s", dir, name);

	return path && path_exists(AT_FDCWD, path);
}

static char *read_in(const char *dir, const char *name)
{
	_cleanup_free_ char *path = text_format("%s/%s", dir, name);
	char *text = NULL;

	if (path)
		(void)file_read_line(AT_FDCWD, path, &text, NULL);
	return text;
}

static const char *mapper_refusal(const char *disk)
{
	static const struct {
		const char *prefix, *what;
	} table[] = {
		{"LVM-", "an LVM logical volume"},
		{"CRYPT-", "an encrypted device (LUKS, dm-crypt)"},
		{"mpath-", "a multipath device"},
		{"part", "a partition on a device mapper device"},
	};
	_cleanup_free_ char *uuid = read_in(disk, "dm/uuid");

	for (size_t i = 0; uuid && i < sizeof(table) / sizeof(table[0]); i++)
		if (text_has_prefix(uuid, table[i].prefix))
			return table[i].what;
	return "a device mapper device";
}

/* With native multipath a disk is virtual, and beside it are links to the controllers that lead to
 * it. */
static const char *nvme_subsystem_refusal(const char *disk)
{
	_cleanup_free_ char *subsystem = strndup(disk, (size_t)(strrchr(disk, '/') - disk));
	_cleanup_closedir_ DIR *dir = subsystem ? opendir(subsystem) : NULL;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *transport = NULL, *name = NULL;

		if (entry->d_type != DT_LNK || !text_has_prefix(entry->d_name, "nvme"))
			continue;
		name = text_format("%s/transport", entry->d_name);
		transport = name ? read_in(subsystem, name) : NULL;
		if (transport && strcmp(transport, "pcie") != 0)
			return "an NVMe disk over a fabric";
	}
	return NULL;
}

/* Walks up to the bus that the disk is on. */
static const char *bus_refusal(const char *disk)
{
	static const struct {
		const char *part, *what;
	} remote[] = {
		{"/session", "an iSCSI disk"},
		{"/rport-", "a Fibre Channel disk"},
		{"/usb", "a USB disk"},
		{"/nvme-fabrics/", "an NVMe disk over a fabric"},
	};
	_cleanup_free_ char *path = strdup(disk);
	char *slash;

	for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
		if (strstr(disk, remote[i].part))
			return remote[i].what;
	while (path && (slash = strrchr(path, '/')) && slash != path) {
		_cleanup_free_ char *subsystem = link_name(path, "subsystem");

		if (subsystem && (!strcmp(subsystem, "virtio") || !strcmp(subsystem, "nvme") ||
				  !strcmp(subsystem, "scsi")))
			return NULL;
		if (subsystem && !strcmp(subsystem, "mmc"))
			return "an MMC or SD card";
		if (subsystem && !strcmp(subsystem, "xen"))
			return "a Xen disk";
		*slash = '\0';
	}
	return "not a virtio, NVMe, SCSI or SATA disk";
}

/* Why segue-init could not reach a block device; NULL if it can. */
static const char *device_refusal(const char *sysfs)
{
	static const struct {
		const char *entry, *what;
	} layers[] = {
		{"md", "a software RAID (md)"},
		{"loop", "a loop device"},
		{"bcache", "a bcache device"},
	};
	_cleanup_free_ char *disk = strdup(sysfs);

	if (!disk)
		return "not known for want of memory";
	if (has(disk, "partition"))
		*strrchr(disk, '/') = '\0';
	if (has(disk, "dm"))
		return mapper_refusal(disk);
	for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++)
		if (has(disk, layers[i].entry))
			return layers[i].what;
	if (strstr(disk, "/devices/virtual/nvme-subsystem/"))
		return nvme_subsystem_refusal(disk);
	if (strstr(disk, "/devices/virtual/block/"))
		return "a virtual block device";
	return bus_refusal(disk);
}

/* ---- where a mount is from ---- */

static bool is_filesystem_known(const char *fstype, bool is_root)
{
	return !strcmp(fstype, "ext4") || !strcmp(fstype, "xfs") || !strcmp(fstype, "btrfs") ||
	       (!is_root && !strcmp(fstype, "vfat"));
}

/* btrfs has a device number of its own making, and may hide several devices behind it. */
static int btrfs_locate(const char *root, const Mount *mount, char **ret, size_t *ret_n)
{
	_cleanup_free_ char *node = text_format("%s%s", root, mount->source);
	_cleanup_free_ char *real = node ? realpath(node, NULL) : NULL;
	_cleanup_free_ char *link = NULL, *top = text_format("%s/sys/fs/btrfs", root);
	_cleanup_closedir_ DIR *dir = top ? opendir(top) : NULL;
	struct dirent *entry;
	const char *name;

	if (!node || !top)
		return -ENOMEM;
	name = strrchr(real ? real : node, '/');
	if (!name)
		return -ENOENT;
	link = text_format("%s/sys/class/block%s", root, name);
	if (!link)
		return -ENOMEM;
	*ret = realpath(link, NULL);
	*ret_n = 1;
	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *devices = text_format("%s/%s/devices", top, entry->d_name);
		_cleanup_closedir_ DIR *members = devices ? opendir(devices) : NULL;
		struct dirent *member;
		size_t n = 0;

		if (entry->d_name[0] == '.' || !members || !has(devices, name + 1))
			continue;
		while ((member = readdir(members)))
			n += member->d_name[0] != '.';
		*ret_n = n;
	}
	return *ret ? 0 : -errno;
}

static int device_number(RootDevice *d)
{
	_cleanup_free_ char *text = read_in(d->sysfs, "dev");

	return text && sscanf(text, "%u:%u", &d->major, &d->minor) == 2 ? 0 : -ENODEV;
}

/* Sets where the device is and, if it will not do, the refusal. */
static int device_locate(const char *root, const Mount *mount, RootDevice *d)
{
	const char *why;
	size_t members = 1;
	int r;

	if (mount->major != 0) {
		_cleanup_free_ char *link =
			text_format("%s/sys/dev/block/%u:%u", root, mount->major, mount->minor);

		if (!link)
			return -ENOMEM;
		d->sysfs = realpath(link, NULL);
	} else if (!strcmp(mount->fstype, "btrfs")) {
		r = btrfs_locate(root, mount, &d->sysfs, &members);
		if (r == -ENOMEM)
			return r;
	}
	if (!d->sysfs || device_number(d) < 0) {
		d->refusal = text_format("not on a block device that this machine shows (%s)",
					 mount->source);
		return d->refusal ? 0 : -ENOMEM;
	}
	free(d->source);
	/* Not what the mount table says, which may be /dev/root or a link. */
	d->source = text_format("/dev/%s", strrchr(d->sysfs, '/') + 1);
	for (char *p = d->source; p && *p; p++)
		if (*p == '!')
			*p = '/';
	why = device_refusal(d->sysfs);
	if (members > 1)
		d->refusal = text_format("btrfs over %zu devices", members);
	else if (why)
		d->refusal = strdup(why);
	return d->source && (d->refusal || (members == 1 && !why)) ? 0 : -ENOMEM;
}

/* Sets the UUID, or a refusal. */
static int uuid_read(const char *root, RootDevice *d)
{
	_cleanup_(cleanup_probe) blkid_probe probe = NULL;
	_cleanup_free_ char *node = text_format("%s%s", root, d->source);
	const char *uuid;

	if (!node)
		return -ENOMEM;
	probe = blkid_new_probe_from_filename(node);
	if (!probe) {
		d->refusal = text_format("on a device that cannot be opened (%s)", node);
		return d->refusal ? 0 : -ENOMEM;
	}
	(void)blkid_probe_enable_superblocks(probe, 1);
	(void)blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_UUID | BLKID_SUBLKS_TYPE);
	if (blkid_do_safeprobe(probe) == 0 &&
	    blkid_probe_lookup_value(probe, "UUID", &uuid, NULL) == 0)
		d->uuid = strdup(uuid);
	else
		/* Names of devices may change in a jump. */
		d->refusal = strdup("without a UUID to be found by after the jump");
	return d->uuid || d->refusal ? 0 : -ENOMEM;
}

static int describe(const char *root, const Mount *mount, RootDevice *ret, Error *err)
{
	bool is_root = strcmp(mount->point, "/") == 0;
	RootDevice d = {.point = strdup(mount->point),
			.subtree = strdup(mount->root),
			.source = strdup(mount->source),
			.fstype = strdup(mount->fstype),
			.options = rootdev_options(mount->fstype, mount->options, mount->super),
			.major = mount->major,
			.minor = mount->minor};
	int r = d.point && d.subtree && d.source && d.fstype && d.options ? 0 : -ENOMEM;

	if (r == 0 && !is_filesystem_known(mount->fstype, is_root)) {
		d.refusal = text_format("%s, which segue-init does not mount", mount->fstype);
		r = d.refusal ? 0 : -ENOMEM;
	} else if (r == 0) {
		r = device_locate(root, mount, &d);
	}
	if (r == 0 && !d.refusal)
		r = uuid_read(root, &d);
	if (r < 0) {
		rootdev_free(&d);
		return error_errno(err, r, "Describing the filesystem on %s", mount->point);
	}
	*ret = d;
	return 0;
}

int rootdev_find(const char *root, const MountTable *mounts, RootDevice *ret, Error *err)
{
	const Mount *mount = NULL;
	RootDevice d;
	int r;

	/* The last one covers those before it. */
	for (size_t i = 0; i < mounts->n; i++)
		if (strcmp(mounts->mounts[i].point, "/") == 0)
			mount = &mounts->mounts[i];
	if (!mount)
		return error_set(err, -ENOENT, "No root filesystem is in the mount table");
	r = describe(root ? root : "", mount, &d, err);
	if (r < 0)
		return r;
	if (d.refusal) {
		r = error_set(
			err, -EOPNOTSUPP,
			"The root filesystem (%s on %s) cannot be mounted by segue-init: it is "
			"%s; ext4, xfs or btrfs on one disk or partition of virtio, NVMe, SCSI "
			"or SATA can be, so this machine has to be rebooted instead",
			d.fstype, d.source, d.refusal);
		rootdev_free(&d);
		return r;
	}
	*ret = d;
	return 0;
}

static bool is_on_device(const Mount *mount)
{
	return mount->major != 0 || strcmp(mount->fstype, "btrfs") == 0;
}

bool rootdev_is_early(const MountTable *mounts, const Mount *mount)
{
	const char *covered = "";

	/* From the mount down to the root; the number of turns is for a table that has a circle. */
	for (size_t i = 0; mount && i <= mounts->n; i++) {
		if (strcmp(mount->point, "/") == 0)
			return true;
		/* What another covers, as the automount that it came by, is not needed for it. */
		if (strcmp(mount->point, covered) != 0 &&
		    (!is_on_device(mount) || strcmp(mount->root, "/") != 0))
			return false;
		covered = mount->point;
		mount = mounts_by_id(mounts, mount->parent);
	}
	return false;
}

bool rootdev_path_is_early(const MountTable *mounts, const char *path, const Mount **ret_late)
{
	size_t n = 0;

	do {
		_cleanup_free_ char *part = NULL, *real = NULL;
		const Mount *mount;

		n += strspn(path + n, "/");
		n += strcspn(path + n, "/");
		part = strndup(path, n);
		real = part ? realpath(part, NULL) : NULL;
		if (!real && part && errno == ENOENT)
			return true;
		mount = real ? mounts_of_path(mounts, real) : NULL;
		if (!mount || !rootdev_is_early(mounts, mount)) {
			*ret_late = mount;
			return false;
		}
	} while (path[n]);
	return true;
}

int rootdev_list(const char *root, const MountTable *mounts, RootDevice **ret, size_t *ret_n,
		 Error *err)
{
	RootDevice *devices = calloc(mounts->n + 1, sizeof(*devices));
	size_t n = 0;

	if (!devices)
		return error_errno(err, -ENOMEM, "Describing the mounts");
	for (size_t i = 0; i < mounts->n; i++) {
		const Mount *mount = &mounts->mounts[i];
		int r;

		if (strcmp(mount->point, "/") == 0 || !is_on_device(mount))
			continue;
		r = describe(root ? root : "", mount, &devices[n], err);
		if (r < 0) {
			rootdev_list_free(devices, n);
			return r;
		}
		devices[n++].early = rootdev_is_early(mounts, mount);
	}
	*ret = devices;
	*ret_n = n;
	return 0;
}
