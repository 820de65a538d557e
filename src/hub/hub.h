/* SPDX-License-Identifier: Apache-2.0 */
/* A hub at work: what its requests have in common. */
#pragma once

#include <json-c/json.h>
#include <stdint.h>

#include "http/server.h"
#include "hub/catalog.h"
#include "hub/credential.h"
#include "hub/db.h"
#include "hub/identity.h"
#include "hub/relay.h"
#include "hub/replica.h"
#include "hub/rollout.h"
#include "hub/wait.h"
#include "release/digest.h"

#define HUB_DIRECTORY "/var/lib/segue-hub"
#define HUB_SOCKET    "/run/segue-hub/hub.sock"

typedef struct HubCount {
	uint64_t requests, refused, failed; /* answered; with 4xx; with 5xx */
	uint64_t enrolled, renewed, orders;
} HubCount;

typedef struct Hub {
	const char *directory;
	Db *db;
	Identity identity;
	Depot *depot;
	Catalog *catalog;
	Waits *waits;
	HubRelay *relay;
	Rollouts *rollouts;
	Replica *replica;   /* NULL: this hub is alone */
	bool follows;       /* another one leads, which alone changes anything and talks to nodes */
	DigestText revoked; /* of the list of revoked certificates, so that nodes see it change */
	int64_t started_s;
	unsigned (*connections)(void *data); /* how many clients are connected */
	void *connections_data;
	HubCount count;
} Hub;

/* One request. */
typedef struct Request {
	Hub *hub;
	HttpCall *call;
	Caller caller;
	const char *names[2]; /* of the path, in order; NULL: there are not so many */
	json_object *body;    /* an object; empty if nothing was sent */
	int64_t now_s;
} Request;

enum { REQUEST_LATER = 1 }; /* it was answered, or is kept to be answered later */

/*
 * Does what a request asks: 0 with an answer (the caller puts it; NULL: an empty object),
 * REQUEST_LATER, or an error.
 */
typedef int Handler(Request *request, json_object **ret_body, Error *err);

/* handle_node.c: what anyone, and what nodes may. */
Handler handle_health, handle_ca, handle_enrol, handle_renew, handle_report, handle_orders,
	handle_result, handle_leave, handle_revocations;

/* handle_operator.c */
Handler handle_status, handle_nodes, handle_node, handle_revoke, handle_order_new, handle_order,
	handle_order_cancel, handle_tokens, handle_token_new, handle_token_revoke, handle_operators,
	handle_operator_new, handle_operator_revoke, handle_audit, handle_backup, handle_metrics;

/* handle_release.c */
Handler handle_releases, handle_release, handle_release_finish, handle_release_remove, handle_file,
	handle_signatures, handle_chunk, handle_received, handle_channels, handle_channel_set,
	handle_channel_remove;

/* handle_rollout.c */
Handler handle_rollouts, handle_rollout, handle_rollout_start, handle_rollout_pause,
	handle_rollout_resume, handle_rollout_abort, handle_why;

/* handle_push.c */
Handler handle_push, handle_pushed;

/* Before the body comes: where it goes, and how large it may be. */
typedef int Receiver(Request *request, Error *err);
Receiver receive_file, receive_signature;

/* Answers a request of a node that waits, or has waited, for orders. */
void orders_answer(Hub *hub, HttpCall *call, int64_t node, int64_t after);

/* Sends orders, NULL for none, with what tells a node that certificates were revoked since. */
void orders_send(const Hub *hub, HttpCall *call, json_object *orders);

/* What waits of a node is sent its orders, if there are some. */
void orders_wake(Hub *hub, int64_t node);

/* The relay beside the hub takes no revoked certificate any more, and every node that waits is told
 * to get the list. */
int hub_revoke(Hub *hub, int64_t now_s, Error *err);

/* node_list(), with who waits for orders; the caller puts it. */
int hub_nodes(Hub *hub, const char *name, int64_t now_s, json_object **ret, Error *err);

/* push_order() to `nodes`, as hub_nodes() tells them, which are woken. */
int hub_push(Hub *hub, const char *release, json_object *nodes, int64_t now_s, json_object **ret,
	     Error *err);

/* The address that a request came from: "192.0.2.1", "" if it came over the unix socket. */
typedef struct AddressText {
	char text[64];
} AddressText;
AddressText request_address(const HttpCall *call);

/* What an issued certificate is answered with. */
json_object *certificate_answer(const Hub *hub, const char *name, const Certificate *certificate);

/* Prometheus' text format.  The caller frees it; NULL: no memory. */
char *hub_metrics(Hub *hub, int64_t now_s);
