/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modules of a kernel that is not running yet that some purpose needs, in
 * the order in which they have to be loaded.
 *
 * A module comes after all that it depends on, also softly ("pre"), and once.
 * What the kernel has built in is left out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct ModuleSet ModuleSet;

/* An empty set for the kernel whose modules are in `modules_dir`.  `sysfs` is NULL for /sys.
 * -ENOENT, -EINVAL: not a modules directory with its indexes; -ENOMEM. */
int modules_new(const char *modules_dir, const char *sysfs, ModuleSet **ret, Error *err);
void modules_free(ModuleSet *set);

/*
 * Adds what drives a device of this machine: `device` is its path below sysfs
 * ("/sys/class/net/ens3", "/sys/dev/block/254:1", or where they lead), and all that it hangs on is
 * driven too. -ENOENT: it is not there; -ENODEV: the kernel has no driver for a device that has one
 * now.
 */
int modules_add_device(ModuleSet *set, const char *device, Error *err);

/* Adds what an alias or a name stands for; "fs-ext4", "rtnl-link-vlan", "nf_tables".  -ENOENT: the
 * kernel has neither such a module nor that built in. */
int modules_add(ModuleSet *set, const char *alias, Error *err);

/* As modules_add(), but that the kernel has nothing of the name is no error. */
int modules_add_optional(ModuleSet *set, const char *alias, Error *err);

/* Adds what mounting that filesystem takes; `options` are its mount options (vfat names character
 * sets there), or NULL. */
int modules_add_filesystem(ModuleSet *set, const char *fstype, const char *options, Error *err);

/* Adds what the hold filters with.  What CRIU asks the kernel about sockets with it only needs for
 * a dump. */
int modules_add_restore(ModuleSet *set, Error *err);

/* Adds what makes /dev/pmem0 of a memmap=SIZE!START region, for the ram store. */
int modules_add_pmem(ModuleSet *set, Error *err);

/* In load order, index < modules_count().  The texts are the set's. */
size_t modules_count(const ModuleSet *set);
const char *modules_path(const ModuleSet *set, size_t index);
const char *modules_name(const ModuleSet *set, size_t index);
/* What modprobe.d(5) says to load it with; "" if nothing. */
const char *modules_options(const ModuleSet *set, size_t index);
