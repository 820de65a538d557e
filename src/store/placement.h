/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in memory the next kernel is to have a region for captures, and how large.  All sizes and
 * places are bytes; `block` is that of memory blocks, which see region.h.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

/* What memmap= says: size and start. */
typedef struct Placement {
	uint64_t start, size;
} Placement;

/* The size of a region of `size` bytes besides its head: whole blocks. */
uint64_t placement_round(uint64_t size, uint64_t block);

/* The size of a region that takes captures of `need`, with room for them to grow: whole blocks and
 * the head. */
uint64_t placement_size(uint64_t need, uint64_t block);

/* Chooses a place in what /proc/iomem (`iomem`, as root reads it) has of memory: as high as
 * possible, since memory below 4 GiB is scarcer, but not at the upper end, where the next kernel
 * and its initramfs are loaded (kexec_file_load() places them top-down), nor low, where a kernel
 * lies that no KASLR has moved.  -ENOSPC: no part of memory is large enough, or it would be more
 * than half of it.  -EBADMSG: it is no such text. */
int placement_choose(const char *iomem, uint64_t size, uint64_t block, Placement *ret, Error *err);

/* Whether the region may be larger at the place that it has: what lies behind it is memory, and not
 * at the upper end. -ENOSPC, -EBADMSG as above. */
int placement_check(const char *iomem, Placement placement, Error *err);

/* A command line on which memmap= makes this region, and not `old` any more (size 0: there was
 * none).  The caller frees it.  -EEXIST: it makes another one, which may not be segue's. */
int placement_cmdline(const char *cmdline, Placement old, Placement placement, char **ret,
		      Error *err);
