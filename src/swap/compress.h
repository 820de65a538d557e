/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captures that are compressed, for a region of memory that takes them only so.  The file system in
 * the region does it (btrfs, zstd; see store/ram.c); here is what it is worth.
 */
#pragma once

#include "swap/capture.h"
#include "swap/kernel.h"

/* What of the units' memory is left when a sample of it is compressed as the store would: percent,
 * from 1 to 100.  -ENODATA: nothing could be sampled; -ENOMEM. */
int compress_estimate(const KeptUnits *kept, unsigned *ret_percent, Error *err);

/* Whether a kernel can mount what is compressed. */
bool compress_is_possible(const Kernel *kernel);
