/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel taken out of what it is delivered in: Debian packages, of either layout, or files.
 *
 *   until 6.x  linux-image-VERSION     /boot/vmlinuz-VERSION, /boot/config-VERSION, and modules in
 *                                      /lib/modules/VERSION or /usr/lib/modules/VERSION
 *   from 7.x   linux-binary-VERSION    /usr/lib/modules/VERSION/vmlinuz
 *              linux-modules-VERSION   modules
 *              linux-base-VERSION      config, modules.builtin, modules.order
 */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "release/content.h"

typedef struct KernelSource {
	const char *const *packages; /* .deb files */
	size_t n_packages;
	/* Or these; all NULL if there are packages. */
	const char *modules; /* a directory like /usr/lib/modules/VERSION */
	const char *kernel;  /* NULL: what is in `modules`, or /boot/vmlinuz-VERSION beside it */
	const char *config;  /* NULL: as `kernel`, or none */
} KernelSource;

/*
 * Writes RELEASE_KERNEL, RELEASE_MODULES and, if there is one, RELEASE_CONFIG into the directory
 * `dirfd`, which is left as it is on failure: the caller removes it.  The same input makes the same
 * bytes.  -EBADMSG: the kernel is damaged or not whole, or a package has a name in it that leads
 * elsewhere.  The caller frees the version.
 */
int kernel_unpack(const KernelSource *source, int dirfd, const Progress *progress,
		  char **ret_version, Error *err);
