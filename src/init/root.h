/* SPDX-License-Identifier: Apache-2.0 */
/* From the swap initramfs into the machine's own root filesystem. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"

/* /proc, /sys, /dev and the like, as every init makes them. */
int root_prepare(Error *err);

/* Loads those modules of the handover, in order, that the root filesystem takes; or the others. */
int root_load_modules(json_object *handover, Error *err);
int root_load_other_modules(json_object *handover, Error *err);

/* Mounts the root filesystem and makes it "/".  *ret_initramfs: what was "/" before. */
int root_switch(json_object *handover, int *ret_initramfs, Error *err);

/* Gives back the memory that the modules and the handover take in the initramfs. */
void root_empty_initramfs(int initramfs);

/* Mounts the handover's other filesystems below it. */
int root_mount_others(json_object *handover, Error *err);
