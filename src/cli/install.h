/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <json-c/json.h>

#include "base/error.h"

/* Has segued install the kernel of a release: { "release", "kernel": VERSION, "was_there": bool },
 * which the caller puts.  As client_call(). */
int install_release(const char *release, json_object **ret, Error *err);
