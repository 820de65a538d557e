/* SPDX-License-Identifier: Apache-2.0 */
/* Room for a release, by removing older ones. */
#pragma once

#include <stdbool.h>

#include "release/depot.h"

typedef struct CleanItem {
	int64_t size, version;
	bool keep;
	bool remove; /* decided */
} CleanItem;

/* Decides which of `n` releases go, the oldest first, so that with `need` bytes more there are at
 * most `quota`; 0: no limit.  Pure.  -EDQUOT: those that are to be kept leave no room. */
int clean_decide(CleanItem *items, size_t n, int64_t need, int64_t quota, Error *err);

typedef struct CleanPlan {
	int64_t quota;
	const char *const *keep; /* names, `n_keep` of them: what runs and what ran before */
	size_t n_keep;
	/* Whether another release is coming as well, and how many bytes are set aside for it. */
	bool (*coming)(const char *release, int64_t *ret_size, void *data);
	/* A release is about to go. */
	void (*removing)(const Manifest *manifest, void *data);
	void *data;
} CleanPlan;

/* Makes room in a depot for a release that comes; also removes what came of others that never
 * became whole. */
int clean_depot(Depot *depot, const Manifest *coming, const CleanPlan *plan, Error *err);
