/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of what uses /run and /var/lib by name. */
#pragma once

#include <stdbool.h>

/* Mounts empty filesystems over /run and /var/lib, for this process alone, which must have one
 * thread.  False if this machine does not let it. */
bool sandbox_enter(void);
