/* SPDX-License-Identifier: Apache-2.0 */
/* The kept units that run now, ready to be captured. */
#pragma once

#include "swap/capture.h"
#include "swap/findings.h"

/* Those of the registry (kept.h) as systemd has them now; one that does not run becomes a warning.
 */
int kept_units_load(KeptUnits *ret, json_object *findings, Error *err);

/* None of those that run is frozen afterwards, whoever froze it. */
void kept_units_thaw(void);
