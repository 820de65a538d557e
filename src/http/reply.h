/* SPDX-License-Identifier: Apache-2.0 */
/* Answers in JSON, and how errors are told: see doc/api.md. */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "http/server.h"

#define TYPE_JSON    "application/json"
#define TYPE_METRICS "text/plain; version=0.0.4"

/* NULL is null.  The object is borrowed. */
void reply_json(HttpCall *call, unsigned status, json_object *body);

void reply_fail(HttpCall *call, unsigned status, const char *name, const char *message);

/* With the status and name that belong to the error's code. */
void reply_error(HttpCall *call, const Error *err);

/* That the path is not there, or has no such method. */
void reply_no_route(HttpCall *call, bool known);
