/* SPDX-License-Identifier: Apache-2.0 */
/* Whether one more node may be taken down.  Rollouts and FleetLock clients ask here alike. */
#pragma once

#include <stdbool.h>

#include "fleet/fleet.h"

typedef enum AdmitFor {
	ADMIT_CHANGE,
	/* Sending back is a cure: the node need not be healthy, nor the group. */
	ADMIT_BACK,
} AdmitFor;

/* Whether the node itself is fit for it, whoever holds it but `rollout`. */
bool admit_node(const Fleet *fleet, int node, int rollout, AdmitFor what, Reason *ret_why);

/* Whether it may be down now by `limits`, which come on top of those of its group (may be NULL),
 * and by all ties.  The counts must be those of now. */
bool admit_limits(const Fleet *fleet, int node, const Limits *limits, AdmitFor what,
		  Reason *ret_why);

/* Counts it as being changed by `rollout` from now on. */
void admit_take(Fleet *fleet, int node, int rollout);
