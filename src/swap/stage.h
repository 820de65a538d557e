/* SPDX-License-Identifier: Apache-2.0 */
/* stage: the swap initramfs for the kernel to go to, one for the way back, and the kernel loaded.
 */
#pragma once

#include "base/error.h"
#include "swap/plan.h"

/* `id`: of the swap.  -ENODEV: the kernel has no driver for something the machine needs. */
int stage_build(const Plan *plan, const char *id, Error *err);

/* Unloads the kernel and removes what was built. */
void stage_undo(void);
