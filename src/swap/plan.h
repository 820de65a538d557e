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
	char *placed_cmdline; /* that of the running kernel with another region; NULL: as it is */
	json_object *findings;
	json_object *rehearsal; /* see rehearsal.h; NULL: there was none */
} Plan;

void plan_free(Plan *plan);

/* check: fills in the plan and its findings. */
int plan_make(const SwapRequest *request, Plan *ret, Error *err);

/* Turns refusals of devices into warnings where the unit has a PreFreeze= hook, which runs only in
 * the swap and may close them; what is still open when the unit is captured calls the swap off. */
void plan_trust_hooks(Plan *plan);

/* Whether the unit holds a device that only its PreFreeze= hook closes: CRIU would fail on it. */
bool plan_awaits_hook(const Plan *plan, const KeptUnit *unit);

/* Parts of plan_make(): where captures go, which with Store=auto is the disk if memory cannot take
 * them, and the files of the swap itself. */
int plan_check_store(Plan *plan, Error *err);
int plan_check_state(Plan *plan, Error *err);

/* Also of plan_make(), after the store is chosen: the region that the next kernel is to have. */
int plan_check_region(Plan *plan, Error *err);

/* Has the captures go to disk, and says so with the reason, `why`, in a finding.  -ECANCELED: they
 * cannot. */
int plan_choose_disk(Plan *plan, const char *why, Error *err);

/* The result of swap_check(). */
json_object *plan_describe(const Plan *plan);
