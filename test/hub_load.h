/* SPDX-License-Identifier: Apache-2.0 */
/* Many nodes at once: each with its own key, certificate and TLS connection. */
#pragma once

#include "hub_fixture.h"

typedef struct HubLoad {
	size_t n;
	double enrol_s;   /* until the last of them had its certificate */
	double connect_s; /* until the last of them waited for orders */
	/* From the operator's request to the order at the node. */
	double order_ms_median, order_ms_p99, order_ms_max;
	double orders_s;                   /* until the last of them had its order */
	long rss_kib, rss_before_kib;      /* of the hub, with all of them waiting; before */
	double cpu_enrol_s, cpu_connect_s; /* of the hub */
	double cpu_orders_s;
} HubLoad;

/* `n` nodes enrol, wait, and get an order each.  -EIO: one of them did not; -ETIMEDOUT. */
int hub_load_run(const HubFixture *fixture, size_t n, HubLoad *ret, Error *err);
