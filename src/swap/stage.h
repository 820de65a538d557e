/* SPDX-License-Identifier: Apache-2.0 */
/* stage: the swap initramfs for the kernel to go to, one for the way back, and the kernel loaded.
 */
#pragma once

#include "base/error.h"
#include "swap/initramfs.h"
#include "swap/plan.h"

/* `id`: of the swap.  -ENODEV: the kernel has no driver for something the machine needs. */
int stage_build(const Plan *plan, const char *id, Error *err);

/* The initramfs for the kernel to go to as a rehearsal's guest boots it, with `files` besides, and
 * the command line that the kernel would get (the caller frees it).  Nothing is loaded. */
int stage_build_rehearsal(const Plan *plan, const char *path, const InitramfsFile *files,
			  size_t n_files, char **ret_cmdline, Error *err);

/* Unloads the kernel and removes what was built. */
void stage_undo(void);
