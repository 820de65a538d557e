/* SPDX-License-Identifier: Apache-2.0 */
/* Filesystems brought to rest before a jump: everything on the medium, nothing half-written, so
 * that the next kernel mounts them clean, with no journal to replay. */
#pragma once

#include "base/error.h"
#include "swap/mounts.h"

/* Freezes every filesystem of the table that is on a device and writable, children before parents
 * (FIFREEZE, fsfreeze(8)).  From then on whoever writes there waits.  On failure those that were
 * frozen are let go. */
int filesystems_freeze(const MountTable *mounts, Error *err);
void filesystems_thaw(const MountTable *mounts);
