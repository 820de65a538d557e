/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The region of memory that memmap=SIZE!START keeps from the kernel (X86_PMEM_LEGACY), as a block
 * device for captures or lent to the system as ordinary memory in between.
 *
 * Lent, it is a device-dax of the driver kmem (drivers/dax/kmem.c), whose memory is in ZONE_MOVABLE
 * so that it can be had back.  The kernel takes the first 2 MiB for a description of its own, and
 * lends whole memory blocks only: a region that begins 2 MiB below such a block loses no more.
 *
 * `sysfs` is where sysfs is mounted; tests have a tree of their own.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

#define REGION_HEAD ((uint64_t)2 << 20) /* bytes that cannot be lent */

#define REGION_DEVICE_MAX 48

typedef enum RegionState {
	REGION_IDLE,  /* no driver has it */
	REGION_BLOCK, /* a block device */
	REGION_DAX,   /* between the two */
	REGION_LENT,  /* ordinary memory */
} RegionState;

typedef struct Region {
	RegionState state;
	uint64_t start, size;  /* bytes */
	uint64_t memory_block; /* bytes; what memory is added and removed in; 0: never */
	char path[192];        /* of the region in sysfs */
	char namespace[32];    /* below it */
	char instance[32];     /* also; "" unless DAX or LENT */
	char device[32];       /* below the instance, the same */
} Region;

/* -ENODEV: there is none. */
int region_find(const char *sysfs, Region *ret, Error *err);

/* The path of its block device, /dev/pmemN.  -ENODEV: it is none. */
int region_block_device(const Region *region, char ret[static REGION_DEVICE_MAX], Error *err);

/* Bytes of a memory block; 0 if the kernel has none, and cannot add memory. */
uint64_t region_memory_block(const char *sysfs);

/* Bytes of captures that it takes: what ext4 needs for itself is well below a sixteenth. */
uint64_t region_capacity(const Region *region);

/* The part that can be lent: *ret_end - *ret_start bytes of memory blocks, which may be 0. */
void region_lendable(const Region *region, uint64_t *ret_start, uint64_t *ret_end);

/* Makes ordinary memory of it.  What was in it is lost.  -ERANGE: it has no whole memory block.  On
 * failure it is as it was. */
int region_lend(const char *sysfs, Error *err);

/* Has it back as a block device, which takes as long as it takes to move what is in it elsewhere;
 * does nothing if it is one.  -ENOMEM: there is too little memory free besides.  -EBUSY: something
 * in it cannot be moved.  On both it stays lent. */
int region_reclaim(const char *sysfs, Error *err);

/* Whether programs would have memory enough without the region, which may not be lent at all; as
 * region_reclaim(). */
int region_check_reclaim(const Region *region, uint64_t available_bytes, Error *err);

/* MemAvailable of /proc/meminfo, in bytes; 0 if it is not there. */
uint64_t memory_available(void);
