/* SPDX-License-Identifier: Apache-2.0 */
/* What a swap is going to do, as check finds it and the steps after it carry it out. */
#pragma once

#include "base/config.h"
#include "store/store.h"
#include "swap/capture.h"
#include "swap/kernel.h"
#include "swap/rootdev.h"
#include "swap/swap.h"

typedef struct Plan {
	Config config;
	Kernel from, to;
	RootDevice root;
	RootDevice *devices; /* other filesystems on devices */
	size_t n_devices;
	MountTable mounts;
	KeptUnits kept;
	const Store *store;
	json_object *location;          /* of the captures */
	int64_t store_need, store_free; /* bytes */
	json_object *findings;
} Plan;

void plan_free(Plan *plan);

/* check: fills in the plan and its findings. */
int plan_make(const SwapRequest *request, Plan *ret, Error *err);

/* The result of swap_check(). */
json_object *plan_describe(const Plan *plan);
