/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define HELD_MAX  64 /* releases that are served */
#define FETCH_MAX 4  /* at once */

struct Relay {
	RelaySetup setup;
	Depot *depot;
	Credentials *credentials;
	Bucket in, out;
	Supply *supply;
	sd_event_source *tick;
	Holding *held[HELD_MAX]; /* those that are fetched belong to their fetch */
	size_t n_held;
	Fetch *fetches[FETCH_MAX];
};

static void tell(Relay *relay, RelayReport report)
{
	if (relay->setup.tell)
		relay->setup.tell(&report, relay->setup.data);
}

/* ---- what is here ---- */

static Holding *held_find(const Relay *relay, const char *name)
{
	for (size_t i = 0; i < relay->n_held; i++)
		if (strcmp(holding_manifest(relay->held[i])->name, name) == 0)
			return relay->held[i];
	return NULL;
}

/* Serves it no more; the caller frees it. */
static void held_remove(Relay *relay, const Holding *holding)
{
	for (size_t i = 0; i < relay->n_held; i++)
		if (relay->held[i] == holding) {
			supply_drop(relay->supply, holding);
			relay->held[i] = relay->held[--relay->n_held];
			return;
		}
}

/* There is room: what is fetched is left some by depot_look(). */
static void held_add(Relay *relay, Holding *holding)
{
	relay->held[relay->n_held++] = holding;
}

/* What has been put into the depot since it was looked at. */
static void depot_look(Relay *relay)
{
	char **names = NULL;
	size_t n = 0;

	if (depot_names(relay->depot, &names, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		Holding *holding;

		/* One that cannot be read is not served. */
		if (relay->n_held < HELD_MAX - FETCH_MAX && !held_find(relay, names[i]) &&
		    holding_open(relay->depot, names[i], &holding, NULL) == 0)
			held_add(relay, holding);
	}
	depot_names_free(names);
}

static Holding *digest_find(const Relay *relay, const Digest *release)
{
	for (size_t i = 0; i < relay->n_held; i++)
		if (digest_equal(&holding_manifest(relay->held[i])->digest, release))
			return relay->held[i];
	return NULL;
}

static Holding *on_find(const Digest *release, void *data)
{
	Relay *relay = data;
	Holding *found = digest_find(relay, release);

	if (!found) {
		depot_look(relay);
		found = digest_find(relay, release);
	}
	return found;
}

/* ---- fetching ---- */

static void on_begun(Fetch *fetch, Holding *holding, void *data)
{
	held_add(data, holding);
}

static void on_dropping(const Holding *holding, void *data)
{
	held_remove(data, holding);
}

static void on_chunk(Fetch *fetch, Holding *holding, size_t chunk, void *data)
{
	Relay *relay = data;
	size_t n = holding_chunks(holding);

	supply_chunk(relay->supply, holding, chunk);
	tell(relay, (RelayReport){.news = RELAY_PROGRESS,
				  .release = fetch_order(fetch)->release,
				  .chunks_there = n - holding_missing(holding),
				  .chunks = n});
}

static void on_left(Fetch *fetch, const Address *parent, const Error *why, void *data)
{
	tell(data, (RelayReport){.news = RELAY_LEFT,
				 .release = fetch_order(fetch)->release,
				 .parent = parent,
				 .why = why});
}

static void on_trouble(Fetch *fetch, const Error *why, void *data)
{
	tell(data, (RelayReport){.news = RELAY_TROUBLE,
				 .release = fetch_order(fetch)->release,
				 .why = why});
}

static void fetch_remove(Relay *relay, Fetch *fetch)
{
	for (size_t i = 0; i < FETCH_MAX; i++)
		if (relay->fetches[i] == fetch)
			relay->fetches[i] = NULL;
	fetch_free(fetch);
}

/* The holding stays, and is served from the files that are open. */
static void on_done(Fetch *fetch, void *data)
{
	tell(data, (RelayReport){.news = RELAY_DONE, .release = fetch_order(fetch)->release});
	fetch_remove(data, fetch);
}

static bool on_coming(const char *release, int64_t *ret_size, void *data)
{
	const Relay *relay = data;

	for (size_t i = 0; i < FETCH_MAX; i++) {
		const Fetch *fetch = relay->fetches[i];

		if (!fetch || strcmp(fetch_order(fetch)->release, release) != 0)
			continue;
		*ret_size = fetch_size(fetch);
		return true;
	}
	return false;
}

static void on_removing(const Manifest *manifest, void *data)
{
	Relay *relay = data;
	Holding *holding = held_find(relay, manifest->name);

	tell(relay, (RelayReport){.news = RELAY_REMOVED, .release = manifest->name});
	if (!holding)
		return;
	held_remove(relay, holding);
	holding_free(holding);
}

static int on_tick(sd_event_source *source, uint64_t now, void *userdata)
{
	Relay *relay = userdata;

	for (size_t i = 0; i < FETCH_MAX; i++)
		if (relay->fetches[i])
			fetch_tick(relay->fetches[i]);
	supply_tick(relay->supply);
	(void)sd_event_source_set_time(source, now + RELAY_TICK_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int relay_cancel(Relay *relay, const char *release, Error *err)
{
	for (size_t i = 0; i < FETCH_MAX; i++) {
		Fetch *fetch = relay->fetches[i];

		if (!fetch || strcmp(fetch_order(fetch)->release, release) != 0)
			continue;
		fetch_remove(relay, fetch);
		return 0;
	}
	return error_set(err, -ENOENT, "Release %s is not being fetched", release);
}

static LinkSetup link_setup(Relay *relay)
{
	return (LinkSetup){
		.event = relay->setup.event,
		.credentials = relay->credentials,
		.in = &relay->in,
		.out = &relay->out,
		.rate = relay->setup.link_rate,
	};
}

int relay_fetch(Relay *relay, Order *order, Error *err)
{
	FetchSetup setup = {
		.link = link_setup(relay),
		.depot = relay->depot,
		.quota = relay->setup.quota,
		.handler = {on_begun, on_chunk, on_left, on_trouble, on_done, on_coming,
			    on_removing, on_dropping, relay},
	};

	(void)relay_cancel(relay, order->release, NULL);
	depot_look(relay);
	if (held_find(relay, order->release)) {
		tell(relay, (RelayReport){.news = RELAY_DONE, .release = order->release});
		return 0;
	}
	for (size_t i = 0; i < FETCH_MAX; i++)
		if (!relay->fetches[i])
			return fetch_new(&setup, order, &relay->fetches[i], err);
	return error_set(err, -EBUSY, "%d releases are being fetched; release %s has to wait",
			 FETCH_MAX, order->release);
}

/* ---- the whole ---- */

static int relay_start(Relay *relay, Error *err)
{
	const RelaySetup *setup = &relay->setup;
	SupplySetup supply = {
		.link = link_setup(relay),
		.address = setup->address,
		.port = setup->port,
		.max_children = setup->max_children,
		.find = on_find,
		.data = relay,
	};
	int r = depot_open(setup->depot, true, &relay->depot, err);

	if (r < 0 || (r = credentials_read(&setup->files, &relay->credentials, err)) < 0)
		return r;
	supply.link.credentials = relay->credentials;
	r = supply_new(&supply, &relay->supply, err);
	if (r < 0)
		return r;
	r = sd_event_add_time(setup->event, &relay->tick, CLOCK_MONOTONIC,
			      (uint64_t)clock_monotonic_us(), 1000, on_tick, relay);
	return r < 0 ? error_errno(err, r, "Starting the event loop") : 0;
}

static int rates_check(const RelaySetup *setup, Error *err)
{
	const int64_t rates[] = {setup->rate_in, setup->rate_out, setup->link_rate};

	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		if (rates[i] != 0 && rates[i] < RELAY_RATE_MIN)
			return error_set(err, -EINVAL,
					 "A rate of %lld bytes a second is too low; give at least "
					 "%d, or 0 for no limit",
					 (long long)rates[i], RELAY_RATE_MIN);
	return 0;
}

int relay_new(const RelaySetup *setup, Relay **ret, Error *err)
{
	_cleanup_relay_ Relay *relay = NULL;
	int r = rates_check(setup, err);

	if (r < 0)
		return r;
	relay = calloc(1, sizeof(*relay));
	if (!relay)
		return error_errno(err, -ENOMEM, "Starting the relay");
	relay->setup = *setup;
	relay->in.rate = setup->rate_in;
	relay->out.rate = setup->rate_out;
	r = relay_start(relay, err);
	if (r == 0)
		*ret = steal_ptr(&relay);
	return r;
}

void relay_free(Relay *relay)
{
	if (!relay)
		return;
	(void)sd_event_source_disable_unref(relay->tick);
	for (size_t i = 0; i < FETCH_MAX; i++)
		fetch_free(relay->fetches[i]);
	supply_free(relay->supply);
	for (size_t i = 0; i < relay->n_held; i++)
		holding_free(relay->held[i]);
	credentials_free(relay->credentials);
	depot_free(relay->depot);
	free(relay);
}

int relay_port(const Relay *relay)
{
	return supply_port(relay->supply);
}

SupplyTotals relay_totals(const Relay *relay)
{
	return supply_totals(relay->supply);
}
