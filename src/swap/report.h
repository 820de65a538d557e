/* SPDX-License-Identifier: Apache-2.0 */
/* The reports of past swaps: /var/lib/segue/log/ID.json, made of the journal when a swap ends. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"

int report_write(json_object *journal, Error *err);

/* The journal as the API shows it: without what is only segue's own.  The caller puts it. */
json_object *report_make(json_object *journal);
