/* SPDX-License-Identifier: Apache-2.0 */
/* A release on its way to this node, from the order until it is whole. */
#pragma once

#include "relay/clean.h"
#include "relay/stripe.h"

typedef struct Fetch Fetch;

typedef struct FetchHandler {
	/* It has begun; `holding` can be served from now on. */
	void (*begun)(Fetch *fetch, Holding *holding, void *data);
	void (*chunk)(Fetch *fetch, Holding *holding, size_t chunk, void *data);
	void (*left)(Fetch *fetch, const Address *parent, const Error *why, void *data);
	/* It waits until what stands in its way is gone, and tries again each second. */
	void (*trouble)(Fetch *fetch, const Error *why, void *data);
	/* It is a release of the depot. */
	void (*done)(Fetch *fetch, void *data);
	/* What is to be removed for it; see CleanPlan. */
	void (*removing)(const Manifest *manifest, void *data);
	/* A holding that had begun is no good, or no longer wanted. */
	void (*dropping)(const Holding *holding, void *data);
	void *data;
} FetchHandler;

typedef struct FetchSetup {
	LinkSetup link; /* its handler is not looked at */
	Depot *depot;
	int64_t quota; /* bytes; 0: no limit */
	FetchHandler handler;
} FetchSetup;

/* Takes the order.  Begins at the next fetch_tick(). */
int fetch_new(const FetchSetup *setup, Order *order, Fetch **ret, Error *err);
/* What has come stays on the disk.  The holding goes with it, unless it is done. */
void fetch_free(Fetch *fetch);

const Order *fetch_order(const Fetch *fetch);

/* To be called every RELAY_TICK_US.  May end with its handler's `done`, which may free
 * it. */
void fetch_tick(Fetch *fetch);
