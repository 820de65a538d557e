/* SPDX-License-Identifier: Apache-2.0 */
/* Serving: the nodes that get releases from this one. */
#pragma once

#include "relay/holding.h"
#include "relay/link.h"

typedef struct Supply Supply;

typedef struct SupplySetup {
	LinkSetup link;      /* its handler is not looked at */
	const char *address; /* IPv4 or IPv6 */
	int port;            /* 0: any */
	int max_children;
	/* What is here of the release with this document; NULL: nothing. */
	Holding *(*find)(const Digest *release, void *data);
	void *data;
} SupplySetup;

/* Listens.  -EADDRINUSE, -EADDRNOTAVAIL; -EINVAL: not an address. */
int supply_new(const SupplySetup *setup, Supply **ret, Error *err);
void supply_free(Supply *supply);
int supply_port(const Supply *supply);

/* A chunk has come: whoever waits for it gets it. */
void supply_chunk(Supply *supply, Holding *holding, size_t chunk);

/* The holding is about to go: whoever gets it has to go elsewhere. */
void supply_drop(Supply *supply, const Holding *holding);

/* To be called every RELAY_TICK_US: children who hear nothing else hear that this node is alive. */
void supply_tick(Supply *supply);

typedef struct SupplyTotals {
	int children;
	int64_t sent; /* bytes of chunks, since it was made */
} SupplyTotals;

SupplyTotals supply_totals(const Supply *supply);
