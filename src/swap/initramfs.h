/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The initramfs of a swap: segue-init, what it is told, and the modules that
 * it loads.
 *
 *   /init                     segue-init
 *   /segue/handover.json      what it is told
 *   /segue/modules/NN-NAME.ko in load order, not compressed
 *   /dev/console, and empty /dev /proc /sys /root /run
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "swap/modules.h"

/* A further file; directories that it needs are made. */
typedef struct InitramfsFile {
	const char *path;   /* there: "/segue/rules.nft" */
	const char *source; /* here; symbolic links are followed */
	mode_t mode;        /* there; 0: as here */
} InitramfsFile;

typedef struct Initramfs {
	const char *init;         /* the segue-init to take */
	const char *handover;     /* JSON */
	const ModuleSet *modules; /* NULL: none */
	const InitramfsFile *files;
	size_t n_files;
	bool zstd; /* compress it; the kernel must have CONFIG_RD_ZSTD */
} Initramfs;

/* Where a module of the set will be: what the handover names.  The caller frees it; NULL: no
 * memory. */
char *initramfs_module_path(const ModuleSet *modules, size_t index);

/* Writes it to `path`, root-only (it may hold secrets), whole or not at all.  Modules that are
 * compressed (xz, zstd, gzip) are unpacked; their signatures stay.  The same input gives the same
 * bytes.  -ENOENT, ...: an input cannot be read; -ENOSPC, ... */
int initramfs_write(const char *path, const Initramfs *initramfs, uint64_t *ret_size, Error *err);
