/* SPDX-License-Identifier: Apache-2.0 */
/* segue.conf(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

#define CONFIG_PATH "/etc/segue/segue.conf"

#define CONFIG_RESERVE_AUTO (-1) /* by what kept programs use */

typedef enum ConfigStore {
	CONFIG_STORE_AUTO, /* ram where there is a region for it, else disk */
	CONFIG_STORE_DISK,
	CONFIG_STORE_RAM,
} ConfigStore;

typedef enum ConfigNewKernel {
	CONFIG_NEW_KERNEL_SAY,
	CONFIG_NEW_KERNEL_SWAP,
} ConfigNewKernel;

/* What becomes of a release of the channel that this machine follows, when it has come. */
typedef enum ConfigOnRelease {
	CONFIG_ON_RELEASE_FETCH, /* no more */
	CONFIG_ON_RELEASE_INSTALL,
	CONFIG_ON_RELEASE_SWAP,
} ConfigOnRelease;

/* What can be asked of segued, and so allowed. */
typedef enum ConfigVerb {
	CONFIG_VERB_STATUS,
	CONFIG_VERB_LIST,
	CONFIG_VERB_LOG,
	CONFIG_VERB_METRICS,
	CONFIG_VERB_KEEP,
	CONFIG_VERB_UNKEEP,
	CONFIG_VERB_CHECK,
	CONFIG_VERB_SWAP,
	CONFIG_VERB_RETURN,
	CONFIG_VERB_RUN,
	CONFIG_VERBS,
} ConfigVerb;

/* Bits are 1 << ConfigVerb.  What shows how things are and changes nothing; and all but what can
 * run any command as anybody. */
#define CONFIG_VERBS_READ ((1U << (CONFIG_VERB_METRICS + 1)) - 1U)
#define CONFIG_VERBS_OPEN ((1U << CONFIG_VERB_RUN) - 1U)

/* Who else than root may ask for what. */
typedef struct ConfigAllow {
	char *group;
	unsigned verbs;
} ConfigAllow;

/* The strings are owned, and so is the list. */
typedef struct Config {
	ConfigStore store;
	char *store_path; /* absolute */
	char *group;      /* whose members may read the API; NULL: none */
	ConfigAllow *allow;
	size_t n_allow;
	ConfigNewKernel on_new_kernel;
	unsigned health_timeout_s; /* 1 to 3600 */
	char *kexec_append;        /* "" if nothing is to be appended */
	bool warm;                 /* copy memory while programs run */
	bool lazy;                 /* let programs run while memory arrives */
	int64_t reserve_bytes;     /* of the next kernel's memory, for captures; 0: as it is */
	bool lend_ram;             /* let the system use the ram store's region in between */
	bool compress_ram;         /* captures that fit the region only so */

	/* Of a node of a fleet. */
	char *follow; /* channel; NULL: none */
	char *watch;  /* directory that is looked at for releases or kernels; NULL: none */
	ConfigOnRelease on_release;
	int64_t quota_bytes;       /* of releases; 0: no limit */
	int64_t rate_in, rate_out; /* of the relay; bytes a second, 0: no limit */
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
const char *config_verb_name(ConfigVerb verb);
