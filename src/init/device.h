/* SPDX-License-Identifier: Apache-2.0 */
/* Block devices by the identity of their filesystem: names may differ from kernel to kernel. */
#pragma once

#include "base/error.h"

/* Waits, at most `limit_ms`, until a block device with a filesystem of this UUID is there; the one
 * named `likely` is looked at first.  The caller frees the path. -ETIMEDOUT. */
int device_find(const char *likely, const char *uuid, int limit_ms, char **ret_path, Error *err);
