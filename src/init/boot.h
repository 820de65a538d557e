/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot after one that ended in the middle of a swap, however it ended: before anything else of
 * it runs, it gives way to the kernel of the way back, which restores the programs as if the new
 * kernel had jumped back to it.  Run by segue-boot.service.
 */
#pragma once

#include "base/error.h"

/* Returns if no restore is pending (0), or if this one cannot be done, in which case it never will
 * be: units of this boot start afresh. */
int boot_restore(Error *err);
