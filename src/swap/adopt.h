/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units whose processes run before systemd does.
 *
 * For the boot after a jump each kept service gets a run-time drop-in by which its start, which the
 * boot asks for, starts nothing: its processes are in its control group already ("left-over process
 * ... ignoring"), and ExecStart= only tells systemd which of them is the main one (sd_notify(3),
 * MAINPID=).  When the service is active the drop-in is removed; what the unit file says holds
 * again.  A scope is made with StartTransientUnit, which takes processes that exist.
 */
#pragma once

#include <json-c/json.h>

#include "base/error.h"

/* After the administrator's, override.conf for one, which may have an ExecStart= of their own. */
#define ADOPT_DROPIN "zzzz-segue-adopt.conf"

/* In segue-init: writes the drop-ins and asks the boot to start the services. `units`: as in
 * capture.json. */
int adopt_prepare(json_object *units, Error *err);

/* In segued: starts what the boot has not started, makes the scopes, and looks whether all are
 * active with their main process; then removes the drop-ins.  `units`: those of the journal; each
 * gets an "outcome", "carried" or "failed".  -EPROTO if a unit failed, named. */
int adopt_finish(json_object *units, Error *err);
