/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/hook.h"

#include <stddef.h>

#include "base/process.h"

int hook_run(const char *unit, const char *occasion, const char *command, int limit_ms, Error *err)
{
	const char *const argv[] = {"/bin/sh", "-c", command, NULL};
	int r = command ? process_run(argv, limit_ms, NULL, err) : 0;

	return r < 0 ? error_prefix(err, "%s of %s", occasion, unit) : 0;
}
