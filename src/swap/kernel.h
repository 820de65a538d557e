/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels that are installed on this machine.
 *
 * `root` is put before every path; NULL is the machine itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct Kernel {
	char *version;     /* as uname -r says it */
	char *image;       /* bzImage */
	char *modules_dir; /* holds modules.dep.bin */
	char *config;      /* NULL if the configuration is not installed */
} Kernel;

typedef enum KernelConfig {
	KERNEL_CONFIG_UNKNOWN = -1, /* the configuration is not installed */
	KERNEL_CONFIG_NO,
	KERNEL_CONFIG_MODULE,
	KERNEL_CONFIG_BUILTIN,
} KernelConfig;

/* Something that a swap needs of the kernel it lands on. */
typedef struct KernelFeature {
	const char *config; /* "CONFIG_..." */
	bool required;   /* without it a swap is refused; otherwise it is only slower or poorer */
	const char *why; /* what it is for, to follow "is needed to" */
} KernelFeature;

/* Called once for each feature that the kernel lacks. */
typedef void (*KernelFeatureFn)(const KernelFeature *feature, void *userdata);

void kernel_free(Kernel *kernel);

/* Version of the running kernel.  The caller frees it.  -ENOMEM. */
int kernel_running(char **ret_version);

/* Order of two releases as the distribution means it: < 0, 0 or > 0.  7.3.4+deb13-amd64 is newer
 * than 6.12.107+deb13-amd64 and 7.0-rc3-amd64 older than 7.0-amd64. */
int kernel_version_compare(const char *a, const char *b);

/* Versions that have an image and a modules tree, newest first; of two flavours of one version,
 * that of `running` comes first (NULL: no preference).  NULL-terminated; kernel_list_free() frees
 * it. */
int kernel_list(const char *root, const char *running, char ***ret_versions, size_t *ret_n,
		Error *err);
void kernel_list_free(char **versions);

/* Finds an installed kernel (NULL: the newest) and checks its image as far as can be told without
 * starting it. -EINVAL: not a version; -ENOENT: not installed, or without modules; -EBADMSG: the
 * image is damaged or that of another version; else why it cannot be read. */
int kernel_find(const char *root, const char *version, Kernel *ret, Error *err);

KernelConfig kernel_has_config(const Kernel *kernel, const char *config);

/* Calls `fn` for each feature that restore needs or profits from and that the kernel lacks. Returns
 * how many of the required ones it lacks; -ENODATA if its configuration is not installed. */
int kernel_check_features(const Kernel *kernel, KernelFeatureFn fn, void *userdata, Error *err);

/* False if this criu (10000 * major + 100 * minor + patch, as criu_version() has it) cannot dump
 * programs on that kernel: the machine could not be swapped again. */
bool kernel_criu_can_leave(const char *kernel_version, int criu_version);
