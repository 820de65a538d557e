/* SPDX-License-Identifier: Apache-2.0 */
/* A release on its way to this node, from the order until it is whole. */
#pragma once

#include "relay/clean.h"
#include "relay/stripe.h"

typedef struct Fetch Fetch;

typedef struct FetchHandler {
	/* It has begun, or goes on; `holding` can be served from now on. */
	void (*begun)(Fetch *fetch, Holding *holding, void *data);
	void (*chunk)(Fetch *fetch, Holding *holding, size_t chunk, void *data);
	void (*left)(Fetch *fetch, const Address *parent, const Error *why, void *data);
	/* It waits until what stands in its way is gone, and tries again each second. */
	void (*trouble)(Fetch *fetch, const Error *why, void *data);
	/* It is a release of the depot. */
	void (*done)(Fetch *fetch, void *data);
	/* What else is coming, and what is to be removed; see CleanPlan. */
	bool (*coming)(const char *release, int64_t *ret_size, void *data);
	void (*removing)(const Manifest *manifest, void *data);
	/* A holding must not be served any more: it is no good, or waits for room, or is not
	 * wanted. */
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
/* Bytes that are set aside for it; 0: it has not begun. */
int64_t fetch_size(const Fetch *fetch);

/* To be called every RELAY_TICK_US.  May end with its handler's `done`, which may free
 * it. */
void fetch_tick(Fetch *fetch);
