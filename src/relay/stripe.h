/* SPDX-License-Identifier: Apache-2.0 */
/* One stripe of a transfer: the chunks that come from one parent at a time. */
#pragma once

#include <stdbool.h>

#include "relay/holding.h"
#include "relay/link.h"
#include "relay/order.h"
#include "release/pace.h"

#define STRIPE_PENDING_MAX FRAME_WANTS_MAX

typedef struct StripeHandler {
	/* A chunk has come and is in the holding. */
	void (*chunk)(size_t chunk, void *data);
	/* A parent was left, and why. */
	void (*left)(const Address *parent, const Error *why, void *data);
	/* What came could not be kept. */
	void (*trouble)(const Error *why, void *data);
	void *data;
} StripeHandler;

typedef struct Stripe {
	int number, of;
	Holding *holding;
	const Order *order;
	LinkSetup setup;
	StripeHandler handler;

	bool lied[RELAY_PARENTS_MAX]; /* sent what was not signed */
	size_t at;                    /* the parent, of the order's */
	Link *link;                   /* NULL: none at the moment */
	bool over;                    /* the link has ended, and is to be freed */
	int64_t again_us;             /* when the next parent is tried */
	unsigned failures;            /* since the last chunk */
	int unknown;                  /* times that a parent did not have the release yet */

	size_t pending[STRIPE_PENDING_MAX]; /* asked for */
	size_t n_pending;
	size_t scan; /* what is before it is here or pending */

	bool starving;       /* the parent has nothing for us, by no fault of its own */
	int64_t starving_us; /* since when, or since the last chunk */
	int64_t heard_us;
	int64_t counted; /* of link_received() */
	Pace pace;
	int64_t best; /* bytes in one window, of the best one */
} Stripe;

/* Gives up the link; the stripe can be started again. */
void stripe_stop(Stripe *stripe);

/* To be called every RELAY_TICK_US: connects, leaves a parent that is dead or slow. */
void stripe_tick(Stripe *stripe, int64_t now_us);
