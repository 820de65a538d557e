/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How releases travel from node to node: one of these on each node, and one beside the hub.
 *
 * It serves every release of its depot to whoever has a certificate of the fleet's CA, and fetches
 * what it is told to, from those it is told to; while it fetches a release it serves what has come.
 * It judges no release: the document of what is to be fetched was judged by who gives the order.
 */
#pragma once

#include "relay/fetch.h"
#include "relay/supply.h"

#define RELAY_TICK_US  30000
#define RELAY_RATE_MIN 4096 /* bytes a second */

typedef struct Relay Relay;

typedef enum RelayNews {
	RELAY_PROGRESS,
	RELAY_LEFT,    /* a parent was left: `why` and `parent` */
	RELAY_TROUBLE, /* it waits: `why` */
	RELAY_DONE,    /* all of it is here, checked and on the medium */
	RELAY_REMOVED, /* an old release, to make room */
} RelayNews;

typedef struct RelayReport {
	RelayNews news;
	const char *release;
	const Error *why;
	const Address *parent;
	size_t chunks_there, chunks; /* progress, done */
} RelayReport;

typedef struct RelaySetup {
	sd_event *event;
	const char *depot;   /* path; made if it is not there */
	const char *address; /* where it serves */
	int port;
	CredentialFiles files;
	int64_t rate_in, rate_out; /* of all links together; RELAY_RATE_MIN or more, 0: no limit */
	int64_t link_rate;         /* of one link, each way */
	int64_t quota;             /* of the depot's releases; bytes, 0: no limit */
	int max_children;
	void (*tell)(const RelayReport *report, void *data); /* from the event loop */
	void *data;
} RelaySetup;

/* -EINVAL: a rate is too low. */
int relay_new(const RelaySetup *setup, Relay **ret, Error *err);
void relay_free(Relay *relay);

/* Takes the order; a later one for the same release replaces an earlier one, and goes on where that
 * was. */
int relay_fetch(Relay *relay, Order *order, Error *err);
/* What has come of it stays.  -ENOENT: it is not being fetched. */
int relay_cancel(Relay *relay, const char *release, Error *err);

int relay_port(const Relay *relay);
SupplyTotals relay_totals(const Relay *relay);

static inline void cleanup_relay(Relay **relay)
{
	relay_free(*relay);
}
#define _cleanup_relay_ __attribute__((cleanup(cleanup_relay)))
