/* SPDX-License-Identifier: Apache-2.0 */
/* A release of what a command line says: packages, or the files of --modules. */
#pragma once

#include <stdint.h>

#include "cli/verb.h"
#include "release/manifest.h"

typedef struct Made {
	Manifest *manifest;         /* the caller frees it */
	int64_t signatures, needed; /* it has, and needs */
} Made;

/* Makes and signs it; with --dry-run leaves nothing there.  Errors are those of release_create(),
 * and of whatever an option has. */
int make_release(const VerbArguments *arguments, Made *ret, Error *err);
