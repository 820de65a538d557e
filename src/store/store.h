/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where captures lie across the jump.  A backend is a row of functions; both sides of the jump use
 * the same rows, with the location (a JSON object that the backend understands) handed over in the
 * swap initramfs.
 */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/error.h"

typedef struct Store {
	const char *name; /* as in segue.conf */

	/* Finds a place for captures: says where, and how many bytes fit.  Changes nothing. -ENODEV
	 * with the way out if this machine has none. */
	int (*locate)(const char *path, json_object **ret_location, int64_t *ret_free_bytes,
		      Error *err);

	/* Makes the place ready and empty, for writing; returns the directory for the captures. */
	int (*reserve)(json_object *location, int *ret_dirfd, Error *err);

	/* Everything written is on the medium afterwards, and survives the jump.  disk: so is all
	 * else that was written to any disk, so that the captures fit what they find there. */
	int (*seal)(json_object *location, int dirfd, Error *err);

	/* After the jump, with the root filesystem and the host's mounts in place: finds what was
	 * sealed. */
	int (*find)(json_object *location, int *ret_dirfd, Error *err);

	/* Whether there are captures in it, whole or not, that nobody has wiped. */
	bool (*holds)(json_object *location);

	/* Destroys the captures.  ram: the memory is overwritten, and nothing of them can be read
	 * any more.  disk: the files are unlinked; their blocks are free but not overwritten, which
	 * would promise nothing on flash or a filesystem that copies on write: who reads the bare
	 * disk may still find them. */
	int (*wipe)(json_object *location, Error *err);

	/* Lets the place serve others until reserve(), if no captures are in it; else does nothing.
	 * NULL: it takes nothing from others. */
	int (*rest)(Error *err);
	bool (*is_at_rest)(void);
} Store;

extern const Store store_disk, store_ram;

/* In a location of store_ram: captures are compressed (true).  Takes a kernel with btrfs, and this
 * program. */
#define STORE_RAM_COMPRESS "compress"
#define STORE_RAM_MKFS     "/usr/sbin/mkfs.btrfs"

/* By the name in segue.conf: "disk", "ram"; "auto": ram where this machine has it, else disk.  NULL
 * if there is no such store. */
const Store *store_by_name(const char *name);

/* Lets what `config` has for captures serve others until a store is reserved; what has captures in
 * it stays as it is. */
int store_rest(const Config *config, Error *err);

/* Whether store_rest() has nothing to do. */
bool store_is_at_rest(const Config *config);
