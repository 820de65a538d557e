/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "hub/hub.h"
#include "hub/order.h"

static void metric(FILE *to, const char *name, const char *type, const char *help, double value)
{
	(void)fprintf(to, "# HELP segue_hub_%s %s\n# TYPE segue_hub_%s %s\nsegue_hub_%s %.17g\n",
		      name, help, name, type, name, value);
}

char *hub_metrics(Hub *hub, int64_t now_s)
{
	const HubCount *count = &hub->count;
	RolloutCount rollouts = rollouts_count(hub->rollouts);
	int64_t nodes = 0, open = 0;
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (!to)
		return NULL;
	(void)db_number(hub->db, 0, &nodes, NULL, "SELECT count(*) FROM nodes", "");
	(void)order_count_open(hub->db, &open, NULL);
	metric(to, "nodes", "gauge", "Nodes that have enrolled.", (double)nodes);
	metric(to, "waiting", "gauge", "Nodes that wait for orders.",
	       (double)waits_count(hub->waits));
	metric(to, "connections", "gauge", "Clients that are connected.",
	       hub->connections(hub->connections_data));
	metric(to, "orders_open", "gauge", "Orders that are not final.", (double)open);
	metric(to, "releases", "gauge", "Releases that are served.",
	       (double)catalog_count(hub->catalog));
	metric(to, "database_bytes", "gauge", "Size of the database.", (double)db_size(hub->db));
	metric(to, "ca_expiry_seconds", "gauge", "Until the certificate authority expires.",
	       (double)(authority_expires_s(hub->identity.authority) - now_s));
	metric(to, "rollouts", "gauge", "Rollouts under way.", (double)rollouts.under_way);
	metric(to, "rollouts_done", "gauge", "Rollouts that were done.", (double)rollouts.done);
	metric(to, "rollouts_failed", "gauge", "Rollouts that were stopped or aborted.",
	       (double)rollouts.failed);
	metric(to, "rollout_nodes", "gauge", "Nodes of rollouts under way.",
	       (double)rollouts.nodes);
	metric(to, "rollout_nodes_done", "gauge", "Of these, done.", (double)rollouts.nodes_done);
	metric(to, "rollout_nodes_failed", "gauge", "Of these, failed, returned or lost.",
	       (double)rollouts.nodes_failed);
	metric(to, "requests_total", "counter", "Requests answered.", (double)count->requests);
	metric(to, "requests_refused_total", "counter", "Of these, refused.",
	       (double)count->refused);
	metric(to, "requests_failed_total", "counter", "Of these, failed.", (double)count->failed);
	metric(to, "enrolled_total", "counter", "Nodes enrolled since the start.",
	       (double)count->enrolled);
	metric(to, "renewed_total", "counter", "Certificates renewed since the start.",
	       (double)count->renewed);
	metric(to, "orders_total", "counter", "Orders given since the start.",
	       (double)count->orders);
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
