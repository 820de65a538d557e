/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fleet as JSON: what a coordinator keeps, and, with few members, what an operator writes.
 * segue-rollout(7) describes it.  What is saved and loaded decides as the original would have.
 */
#pragma once

#include <json-c/json.h>

#include "fleet/fleet.h"

#define SAVE_VERSION 1

/* -ENOMEM. */
int fleet_save(const Fleet *fleet, json_object **ret, Error *err);

/* -EBADMSG or -EINVAL name what is wrong; -EPROTONOSUPPORT: a later version wrote it. */
int fleet_load(json_object *o, Fleet **ret, Error *err);
