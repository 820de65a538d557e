/* SPDX-License-Identifier: Apache-2.0 */
/* Asking segued. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"

/*
 * One request on a connection of its own; it takes as long as segued takes.  `body` may be NULL.
 * `ret_body` (may be NULL) gets the answer, which the caller puts; NULL if that is null.
 * What segued answers with an error becomes one: -EACCES, -EBUSY, -ENOENT, -EINVAL, -ECANCELED
 * (refused) or -EIO.  -ECONNREFUSED: segued does not run; -ECONNRESET: it went away meanwhile.
 */
int client_call(const char *method, const char *path, json_object *body, json_object **ret_body,
		Error *err);

/* "/v1/units/NAME", with what of a name cannot stand in a path encoded.  The caller frees. */
int client_unit_path(const char *unit, char **ret_path, Error *err);
