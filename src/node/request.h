/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of API requests: JSON in, checked and typed values out.  See doc/api.md. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "swap/swap.h"
#include "swap/transient.h"

/*
 * All of these return -EINVAL with the member that is wrong: of another type, out of its range, or
 * not known.  Absent members have their defaults.  The texts in the results belong to `body`.
 */

/* {"kernel": "6.12...", "no_trial": bool, "allow_one_way": bool} */
int request_parse_swap(json_object *body, SwapRequest *ret, Error *err);

/* As that, and {"deep": bool}, which excludes "no_trial". */
int request_parse_check(json_object *body, SwapRequest *ret, Error *err);

/* {"kernel": "6.12..."}; NULL: not said */
int request_parse_reboot(json_object *body, const char **ret_kernel, Error *err);

/* {"release": name} */
int request_parse_install(json_object *body, const char **ret_release, Error *err);

typedef struct KeepRequest {
	bool adapt;   /* change what of the unit cannot be carried */
	bool stopped; /* accept a unit that is not running */
} KeepRequest;

/* {"adapt": bool, "stopped": bool} */
int request_parse_keep(json_object *body, KeepRequest *ret, Error *err);

/* As a TransientRequest, and what it points to. */
typedef struct RunRequest {
	TransientRequest transient;
	const char **argv;  /* owned */
	char **environment; /* owned, with its texts */
	char *unit;         /* owned */
} RunRequest;

/* {"command": ["/bin/x", ...], "unit", "description", "user", "working_directory": texts,
 *  "environment": {"NAME": "VALUE"}, "forking": bool} */
int request_parse_run(json_object *body, RunRequest *ret, Error *err);
void request_release_run(RunRequest *request);
#define _cleanup_run_request_ _cleanup_(request_release_run)
