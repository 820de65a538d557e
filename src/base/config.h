/* SPDX-License-Identifier: Apache-2.0 */
/* segue.conf(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/error.h"

#define CONFIG_PATH "/etc/segue/segue.conf"

typedef enum ConfigStore {
	CONFIG_STORE_AUTO, /* ram where there is a region for it, else disk */
	CONFIG_STORE_DISK,
	CONFIG_STORE_RAM,
} ConfigStore;

typedef enum ConfigNewKernel {
	CONFIG_NEW_KERNEL_SAY,
	CONFIG_NEW_KERNEL_SWAP,
} ConfigNewKernel;

/* The strings are owned. */
typedef struct Config {
	ConfigStore store;
	char *store_path; /* absolute */
	char *group;      /* whose members may read the API; NULL: none */
	ConfigNewKernel on_new_kernel;
	unsigned health_timeout_s; /* 1 to 3600 */
	char *kexec_append;        /* "" if nothing is to be appended */
	bool warm;                 /* copy memory while programs run */
	bool lazy;                 /* let programs run while memory arrives */
} Config;

/* A text in the syntax of segue.conf(5).  Errors (-EBADMSG, -EINVAL) begin with `name` and the
 * number of the line. */
int config_parse(const char *text, size_t size, const char *name, Config *ret, Error *err);

/* Reads a file.  One that does not exist is as good as an empty one: the defaults. */
int config_read(const char *path, Config *ret, Error *err);

void config_release(Config *config);
#define _cleanup_config_ _cleanup_(config_release)

const char *config_store_name(ConfigStore store);
const char *config_new_kernel_name(ConfigNewKernel what);
