/* SPDX-License-Identifier: Apache-2.0 */
/* From the swap initramfs into the machine's own root filesystem. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"

/* /proc, /sys, /dev and the like, as every init makes them. */
int root_prepare(Error *err);

/* Loads the modules of the handover, in order. */
int root_load_modules(json_object *handover, Error *err);

/* Mounts the root filesystem and makes it "/".  The initramfs is emptied. */
int root_switch(json_object *handover, Error *err);

/* Mounts the handover's other filesystems below it. */
int root_mount_others(json_object *handover, Error *err);
