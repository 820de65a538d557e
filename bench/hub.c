/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hub costs: nodes enrol, wait for orders, and each gets one, all with TLS connections of
 * their own.  Prints a table, and writes JSON to the file that is named.
 *   usage: SEGUE_HUB=PROGRAM SEGUE_RELAY=PROGRAM bench-hub FILE [NODES]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/json.h"
#include "hub_load.h"

#define NODES_DEFAULT 2000
#define NODES_MAX     50000

static void print(const HubLoad *load)
{
	(void)printf("%-34s %10zu\n"
		     "%-34s %10.2f s, %.2f s of the hub's processor\n"
		     "%-34s %10.2f s, %.2f s\n"
		     "%-34s %10.2f s, %.2f s\n"
		     "%-34s %10.1f ms, 99 %% %.1f ms, at most %.1f ms\n"
		     "%-34s %10.1f MiB, %.1f KiB a node\n",
		     "nodes", load->n, "all enrolled after", load->enrol_s, load->cpu_enrol_s,
		     "all connected and waiting after", load->connect_s, load->cpu_connect_s,
		     "an order to each after", load->orders_s, load->cpu_orders_s,
		     "one order, median", load->order_ms_median, load->order_ms_p99,
		     load->order_ms_max, "memory of the hub, all waiting",
		     (double)load->rss_kib / 1024,
		     (double)(load->rss_kib - load->rss_before_kib) / (double)load->n);
}

static void put_double(json_object *o, const char *key, double value)
{
	(void)json_object_object_add(o, key, json_object_new_double(value));
}

static int write_json(const HubLoad *load, const char *path, Error *err)
{
	_cleanup_json_ json_object *o = json_object_new_object();

	json_put_int(o, "nodes", (int64_t)load->n);
	put_double(o, "enrol_s", load->enrol_s);
	put_double(o, "connect_s", load->connect_s);
	put_double(o, "orders_s", load->orders_s);
	put_double(o, "hub_cpu_enrol_s", load->cpu_enrol_s);
	put_double(o, "hub_cpu_connect_s", load->cpu_connect_s);
	put_double(o, "hub_cpu_orders_s", load->cpu_orders_s);
	put_double(o, "order_median_ms", load->order_ms_median);
	put_double(o, "order_p99_ms", load->order_ms_p99);
	put_double(o, "order_max_ms", load->order_ms_max);
	json_put_int(o, "hub_rss_kib", load->rss_kib);
	json_put_int(o, "hub_rss_before_kib", load->rss_before_kib);
	return json_write(AT_FDCWD, path, o, err);
}

static int measure(const char *path, size_t n, Error *err)
{
	HubLoad load = {0};
	HubFixture hub;
	int r = hub_fixture_make(&hub, err);

	if (r < 0)
		return r;
	r = hub_load_run(&hub, n, &load, err);
	hub_fixture_remove(&hub);
	if (r < 0)
		return r;
	print(&load);
	return write_json(&load, path, err);
}

int main(int argc, char *argv[])
{
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : NODES_DEFAULT;
	struct rlimit limit;
	Error err = {0};

	if (argc < 2 || argc > 3 || n == 0 || n > NODES_MAX) {
		(void)fprintf(
			stderr,
			"usage: SEGUE_HUB=PROGRAM SEGUE_RELAY=PROGRAM bench-hub FILE [NODES]\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	if (measure(argv[1], n, &err) < 0) {
		(void)fprintf(stderr, "bench-hub: %s\n", err.text);
		return 1;
	}
	return 0;
}
