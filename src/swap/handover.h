/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stage decides for segue-init, in the swap initramfs as /segue/handover.json:
 *   { "version": 1, "id": swap id, "direction": "forward"|"return"|"rehearse",
 *     "modules": [ { "path": "/segue/modules/00-virtio.ko", "options": "" } ],    in load order
 *     "modules_first": how many of them the root filesystem takes,
 *     "console_level": 7,                                                         of the messages
 *     "root": { "source", "uuid", "fstype", "options" },
 *     "mounts": [ { "point", "source", "uuid", "fstype", "options" } ],           others on devices
 *     "store": location of the captures,
 *     "init": "/sbin/init",
 *     "back": { "image", "initrd", "cmdline" } }                                  absent on the way
 * back
 */
#pragma once

#include <json-c/json.h>

#include "base/error.h"

#define HANDOVER_VERSION  1
#define HANDOVER_REHEARSE "rehearse" /* in the guest of a rehearsal: see init/rehearse.h */
#define HANDOVER_PATH     "/segue/handover.json"

/* Reads and checks all of it, before any of it is acted on: -EBADMSG names the member that is
 * wrong. The caller puts it. */
int handover_read(int dirfd, const char *path, json_object **ret, Error *err);
