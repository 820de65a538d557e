/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes: units of processes that systemd did not start itself.  They have no file that would
 * outlast them, so what their owner asked for (slice, limits, how to stop them) is noted, and a
 * scope like them is made around the processes where those go on.
 */
#pragma once

#include <json-c/json.h>

#include "base/error.h"
#include "swap/bus.h"
#include "swap/unit.h"

/* {"Slice": "batch.slice", "MemoryMax": "104857600", ...}: the properties that are carried, without
 * limits that are not set.  The caller puts it. */
int scope_describe(const Unit *scope, json_object **ret_properties, Error *err);

/* Makes a scope around those of `tasks`, [{"pid": N}, ...], that are still there, and waits for it.
 * -EPROTO: systemd refused. */
int scope_start(sd_bus *bus, const char *name, json_object *properties, json_object *tasks,
		Error *err);
