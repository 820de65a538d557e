/* SPDX-License-Identifier: Apache-2.0 */
/* What the file of a kernel says of itself. */
#pragma once

#include "base/error.h"

/* Checks that `path` (below `dirfd`, which may be AT_FDCWD) is a complete bzImage of `version`
 * (Documentation/arch/x86/boot.rst): magic, sizes, and the version that is written in it. -EBADMSG:
 * it is not; otherwise why it cannot be read. */
int kernel_image_check(int dirfd, const char *path, const char *version, Error *err);
