/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settle: stops what is not kept, in order, while kept units serve.
 *
 * A run-time target that requires the kept units, and with them all that they need, and what the
 * machine needs to stay reachable and to log, is isolated (systemd.unit(5), AllowIsolate=): systemd
 * stops everything else as it does at a shutdown.
 */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "swap/capture.h"

/* The names of the units that run, for the two below. */
int settle_list(json_object **ret_running, Error *err);

int settle_run(const KeptUnits *kept, json_object *running, Error *err);

/* Starts again what ran before; without a list, what runs after a boot. */
void settle_undo(json_object *running);
