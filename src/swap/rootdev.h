/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The devices that filesystems are on, and whether segue-init can mount them
 * again after the jump.
 *
 * It can if a filesystem it knows is straight on a disk or partition of
 * virtio, NVMe or SCSI/SATA.  Layers between (LVM, LUKS, RAID, ...) would have
 * to be set up there as the distribution's initramfs does it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "swap/mounts.h"

typedef struct RootDevice {
	char *point;   /* where it is mounted */
	char *subtree; /* what of it is mounted there: "/", or what was bound; for btrfs also
			  "/@rootfs" */
	char *source; /* "/dev/vda1"; the name may be another one after the jump: find it by uuid */
	char *fstype;
	char *uuid;    /* of the filesystem, as blkid(8) prints it */
	char *options; /* to mount it with, as by mount(8): "rw,relatime,subvol=/@rootfs" */
	char *sysfs;   /* of the block device, for modules_add_device() */
	unsigned major, minor;
	bool early;    /* see rootdev_is_early(); only of those that rootdev_list() gives */
	char *refusal; /* why segue-init cannot mount it; then uuid and sysfs may be NULL.  NULL: it
			  can */
} RootDevice;

void rootdev_free(RootDevice *device);

/* Describes the root filesystem.  `root` is put before /sys and /dev; NULL is the machine itself.
 * -EOPNOTSUPP: segue-init cannot mount it, and the error names why; -ENOENT: none is mounted. */
int rootdev_find(const char *root, const MountTable *mounts, RootDevice *ret, Error *err);

/* Describes every other mount of a filesystem that is on a block device, in the order in which they
 * have to be mounted. One that segue-init cannot mount has a refusal, which is no error here. */
int rootdev_list(const char *root, const MountTable *mounts, RootDevice **ret, size_t *ret_n,
		 Error *err);
void rootdev_list_free(RootDevice *devices, size_t n);

/* True if segue-init mounts it before it reads the journal and the captures: the root filesystem,
 * and of those on a block device such as are mounted whole on something that is mounted early too.
 * The others (subvolumes, bind mounts, memory, the network's) come only with the captures. */
bool rootdev_is_early(const MountTable *mounts, const Mount *mount);

/* True if a path of the caller's namespace can be reached with these mounts alone, symbolic links
 * on the way and all; what is not there counts as what it would be made on.  False: the first mount
 * that is in the way, NULL if it is not in the table. */
bool rootdev_path_is_early(const MountTable *mounts, const char *path, const Mount **ret_late);

/* Options of mount(8) out of those that the kernel shows of the mount and of the filesystem, less
 * those that it shows but other versions of it do not take.  The caller frees it; NULL: no memory.
 */
char *rootdev_options(const char *fstype, const char *mount_options, const char *super_options);
