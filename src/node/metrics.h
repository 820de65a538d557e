/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' text format. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* `log`: as of swap_log().  The caller frees the text. */
int metrics_format(json_object *log, size_t n_kept, bool swapping, char **ret_text, Error *err);
