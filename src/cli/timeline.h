/* SPDX-License-Identifier: Apache-2.0 */
/* A swap as a picture: what it did when, and for how long its programs stood still. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"

/*
 * Draws the report of a swap, of the form of swap_status() in swap/swap.h, as an SVG document that
 * needs nothing else.  Nothing but the report comes in; what it lacks, or holds of another type, is
 * left out or shown as "-".  The caller frees the text.  -ENOMEM.
 */
int timeline_draw(json_object *swap, char **ret_svg, Error *err);
