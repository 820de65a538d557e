/* SPDX-License-Identifier: Apache-2.0 */
/* Whoever works on a swap of this machine holds this lock, also across a restart of segued. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* It is held until the last copy of the descriptor is closed.  -EBUSY: somebody has it. */
int lock_take(int *ret_fd, Error *err);

bool lock_is_held(void);
