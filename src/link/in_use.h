/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <json-c/json.h>

/* The releases in the link's depot that are not to make room for others: those of the kernel that
 * runs, and of the kernels of the last swap.  An array of names, which the caller puts. */
json_object *releases_in_use(const char *directory, const char *socket);
