/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "http/body.h"
#include "http/reply.h"
#include "hub/audit.h"

#define PATH_MAX_BYTES 512

const ApiRoute api_routes[] = {
	{"GET", "/v1/health", API_ANYONE, 200, handle_health, NULL},
	{"GET", "/v1/ca", API_ANYONE, 200, handle_ca, NULL},
	{"POST", "/v1/enrol", API_ANYONE, 201, handle_enrol, NULL},
	{"POST", "/v1/renew", API_NODE, 200, handle_renew, NULL},
	{"POST", "/v1/report", API_NODE, 200, handle_report, NULL},
	{"GET", "/v1/orders", API_NODE, 200, handle_orders, NULL},
	{"POST", "/v1/orders/*/result", API_NODE, 200, handle_result, NULL},
	{"POST", "/v1/leave", API_NODE, 200, handle_leave, NULL},
	{"GET", "/v1/revocations", API_FLEET, 200, handle_revocations, NULL},
	{"GET", "/v1/channels", API_FLEET, 200, handle_channels, NULL},
	{"GET", "/v1/releases/*/signatures", API_FLEET, 200, handle_signatures, NULL},
	{"GET", "/v1/releases/*/*", API_FLEET, 200, handle_file, NULL},
	{"GET", "/v1/chunks/*", API_FLEET, 200, handle_chunk, NULL},
	{"GET", "/v1/status", API_OPERATOR, 200, handle_status, NULL},
	{"GET", "/v1/nodes", API_OPERATOR, 200, handle_nodes, NULL},
	{"GET", "/v1/nodes/*", API_OPERATOR, 200, handle_node, NULL},
	{"DELETE", "/v1/nodes/*", API_OPERATOR, 200, handle_revoke, NULL},
	{"POST", "/v1/nodes/*/orders", API_OPERATOR, 201, handle_order_new, NULL},
	{"GET", "/v1/nodes/*/orders/*", API_OPERATOR, 200, handle_order, NULL},
	{"DELETE", "/v1/nodes/*/orders/*", API_OPERATOR, 200, handle_order_cancel, NULL},
	{"GET", "/v1/tokens", API_OPERATOR, 200, handle_tokens, NULL},
	{"POST", "/v1/tokens", API_OPERATOR, 201, handle_token_new, NULL},
	{"DELETE", "/v1/tokens/*", API_OPERATOR, 200, handle_token_revoke, NULL},
	{"GET", "/v1/operators", API_OPERATOR, 200, handle_operators, NULL},
	{"POST", "/v1/operators", API_OPERATOR, 201, handle_operator_new, NULL},
	{"DELETE", "/v1/operators/*", API_OPERATOR, 200, handle_operator_revoke, NULL},
	{"GET", "/v1/releases", API_OPERATOR, 200, handle_releases, NULL},
	{"GET", "/v1/releases/*", API_OPERATOR, 200, handle_release, NULL},
	{"PUT", "/v1/releases/*/signatures/*", API_OPERATOR, 201, handle_received,
	 receive_signature},
	{"PUT", "/v1/releases/*/*", API_OPERATOR, 201, handle_received, receive_file},
	{"POST", "/v1/releases/*", API_OPERATOR, 201, handle_release_finish, NULL},
	{"DELETE", "/v1/releases/*", API_OPERATOR, 200, handle_release_remove, NULL},
	{"PUT", "/v1/channels/*", API_OPERATOR, 200, handle_channel_set, NULL},
	{"DELETE", "/v1/channels/*", API_OPERATOR, 200, handle_channel_remove, NULL},
	{"POST", "/v1/pushes", API_OPERATOR, 201, handle_push, NULL},
	{"GET", "/v1/pushes/*", API_OPERATOR, 200, handle_pushed, NULL},
	{"GET", "/v1/rollouts", API_OPERATOR, 200, handle_rollouts, NULL},
	{"POST", "/v1/rollouts", API_OPERATOR, 201, handle_rollout_start, NULL},
	{"GET", "/v1/rollouts/*", API_OPERATOR, 200, handle_rollout, NULL},
	{"POST", "/v1/rollouts/*/pause", API_OPERATOR, 200, handle_rollout_pause, NULL},
	{"POST", "/v1/rollouts/*/resume", API_OPERATOR, 200, handle_rollout_resume, NULL},
	{"POST", "/v1/rollouts/*/abort", API_OPERATOR, 200, handle_rollout_abort, NULL},
	{"GET", "/v1/why/*", API_OPERATOR, 200, handle_why, NULL},
	{"GET", "/v1/audit", API_OPERATOR, 200, handle_audit, NULL},
	{"GET", "/v1/backup", API_OPERATOR, 200, handle_backup, NULL},
	{"GET", "/metrics", API_OPERATOR, 200, handle_metrics, NULL},
	{0},
};

/* ---- who asks ---- */

/* What is remembered of a connection: its certificate does not change. */
typedef struct Peer {
	Serial serial;
	int64_t expires_s;
	bool is_hub;
	Error error; /* code < 0: why the certificate is none of ours */
} Peer;

void api_peer_free(void *peer)
{
	free(peer);
}

static int peer_new(const Hub *hub, HttpCall *call, const gnutls_datum_t *der, Peer **ret,
		    Error *err)
{
	Peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return error_errno(err, -ENOMEM, "Looking at a certificate");
	(void)authority_recognise(hub->identity.authority, der, &peer->serial, &peer->expires_s,
				  &peer->error);
	peer->is_hub = authority_is_hub(der);
	*call->peer = *ret = peer;
	return 0;
}

/* Without a certificate, it is anyone. */
static int caller_by_certificate(const Hub *hub, HttpCall *call, Caller *ret, Error *err)
{
	unsigned n = 0;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(call->tls, &n);
	Peer *peer = *call->peer;
	int r;

	*ret = (Caller){.role = CALLER_ANYONE, .expires_s = INT64_MAX};
	if (!der || n == 0)
		return 0;
	if (!peer && (r = peer_new(hub, call, der, &peer, err)) < 0)
		return r;
	if (peer->error.code < 0)
		return error_set(err, peer->error.code, "%s", peer->error.text);
	/* Another hub of the same state, which has the authority's key as this one has. */
	if (peer->is_hub) {
		ret->role = CALLER_OPERATOR;
		ret->expires_s = peer->expires_s;
		(void)snprintf(ret->name, sizeof(ret->name), "hub");
		return 0;
	}
	return credential_find(hub->db, &peer->serial, ret, err);
}

static int caller_by_socket(const HttpCall *call, Caller *ret, Error *err)
{
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);

	if (getsockopt(call->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return error_errno(err, -errno, "Asking who the client is");
	if (peer.uid != 0 && peer.uid != geteuid())
		return error_set(err, -EPERM, "Only root and the hub's own user may; use sudo");
	*ret = (Caller){.role = CALLER_OPERATOR, .expires_s = INT64_MAX};
	if (peer.uid == 0)
		(void)snprintf(ret->name, sizeof(ret->name), "root");
	else
		(void)snprintf(ret->name, sizeof(ret->name), "uid %u", peer.uid);
	return 0;
}

static int caller_admit(const Request *request, const ApiRoute *route, Error *err)
{
	CallerRole role = request->caller.role;
	bool admitted = route->who == API_ANYONE ||
			(role == CALLER_NODE && route->who <= API_FLEET) ||
			(role == CALLER_OPERATOR && route->who >= API_FLEET);

	if (route->who == API_ANYONE)
		return 0;
	if (role == CALLER_ANYONE)
		return error_set(err, -EKEYREJECTED,
				 "A certificate of this hub is needed for this; segue join gets "
				 "that of a node, segue hub operator that of an operator");
	if (!admitted)
		return error_set(err, -EPERM, "This is for %s; %s is none",
				 route->who == API_NODE ? "nodes" : "operators",
				 *request->caller.name ? request->caller.name : "who asks");
	return credential_check_time(&request->caller, request->now_s,
				     route->handle == handle_renew, err);
}

/* ---- what for ---- */

/* The path in segments, which are taken apart in place. */
typedef struct Path {
	char text[PATH_MAX_BYTES];
	const char *names[2];
} Path;

/* Whether a path is as the pattern says; the segments that stand for "*" are named. */
static bool path_match(const char *pattern, const char *text, Path *ret)
{
	size_t n_names = 0, room = 0;

	*ret = (Path){0};
	while (*pattern) {
		size_t n = strcspn(text, "/");

		if (*pattern != '*') {
			if (*pattern++ != *text++)
				return false;
			continue;
		}
		if (n == 0 || room + n + 1 > sizeof(ret->text) || n_names == 2)
			return false;
		memcpy(ret->text + room, text, n);
		ret->names[n_names++] = ret->text + room;
		room += n + 1;
		text += n;
		pattern++;
	}
	return *text == '\0';
}

static const ApiRoute *route_find(const HttpCall *call, Path *path, bool *ret_known)
{
	*ret_known = false;
	for (const ApiRoute *route = api_routes; route->method; route++) {
		if (!path_match(route->path, call->path, path))
			continue;
		*ret_known = true;
		if (!strcmp(route->method, call->method))
			return route;
	}
	return NULL;
}

static void hub_reply_error(Hub *hub, HttpCall *call, const ApiRoute *route, const Error *err)
{
	/* What it is not to blame for is in the journal once. */
	if (err->code == -EIO || err->code == -EUCLEAN || err->code == -ENOSPC ||
	    err->code == -ENOMEM || err->code == -EROFS) {
		hub->count.failed++;
		(void)fprintf(stderr, SD_ERR "%s %s: %s\n", route->method, call->path, err->text);
	} else {
		hub->count.refused++;
	}
	reply_error(call, err);
}

/* What only the leading hub does. */
static bool is_for_leader(const ApiRoute *route)
{
	return route->who == API_NODE || strcmp(route->method, "GET") != 0;
}

/* True if another hub is to be asked, and that was answered. */
static bool leader_tell(Hub *hub, HttpCall *call, const ApiRoute *route)
{
	_cleanup_json_ json_object *body = NULL;
	json_object *error;
	const char *leader;
	char message[384];

	if (!hub->follows || !is_for_leader(route))
		return false;
	leader = replica_leader(hub->replica);
	hub->count.refused++;
	if (!*leader) {
		reply_fail(call, 503, "unavailable",
			   "No hub leads at the moment; ask again in some seconds");
		return true;
	}
	(void)snprintf(message, sizeof(message),
		       "This hub follows %s, which alone can do that: ask there", leader);
	body = json_object_new_object();
	error = json_object_new_object();
	json_put_string(error, "code", "follows");
	json_put_string(error, "message", message);
	(void)json_object_object_add(body, "error", error);
	json_put_string(body, "leader", leader);
	reply_json(call, 421, body);
	return true;
}

static int request_admit(Request *request, const ApiRoute *route, Error *err)
{
	int r = request->call->tls
			? caller_by_certificate(request->hub, request->call, &request->caller, err)
			: caller_by_socket(request->call, &request->caller, err);

	/* Who has a certificate that does not count any more may get a new one all the same. */
	if (r == -EKEYREJECTED && route->who == API_ANYONE)
		return 0;
	return r < 0 ? r : caller_admit(request, route, err);
}

void api_begin(HttpCall *call, void *data)
{
	Path path;
	bool known;
	const ApiRoute *route = route_find(call, &path, &known);
	Request request = {
		.hub = data,
		.call = call,
		.now_s = clock_realtime_us() / 1000000,
	};
	Error err = {0};
	int r;

	if (!route || !route->receive || leader_tell(data, call, route))
		return;
	request.names[0] = path.names[0];
	request.names[1] = path.names[1];
	r = request_admit(&request, route, &err);
	if (r == 0)
		r = route->receive(&request, &err);
	if (r < 0)
		hub_reply_error(data, call, route, &err);
}

/* An operator who wants to change something is remembered, whether it was done or not. */
static void request_note(const Request *request, const ApiRoute *route, int r, const Error *why)
{
	const AuditEntry entry = {
		.at_s = request->now_s,
		.who = request->caller.name,
		.method = route->method,
		.path = request->call->path,
		.refused = r < 0 ? why->text : NULL,
	};
	Error err = {0};

	/* Not whoever comes along: that would be a way to fill the disk. */
	if (route->who == API_OPERATOR && request->caller.role == CALLER_OPERATOR &&
	    strcmp(route->method, "GET") != 0 && audit_add(request->hub->db, &entry, &err) < 0)
		(void)fprintf(stderr, SD_ERR "%s\n", err.text);
}

void api_handle(HttpCall *call, void *data)
{
	_cleanup_json_ json_object *body = NULL, *answer = NULL;
	Path path;
	bool known;
	const ApiRoute *route = route_find(call, &path, &known);
	Hub *hub = data;
	Request request = {.hub = hub, .call = call, .now_s = clock_realtime_us() / 1000000};
	Error err = {0};
	int r;

	hub->count.requests++;
	if (!route) {
		hub->count.refused++;
		reply_no_route(call, known);
		return;
	}
	if (leader_tell(hub, call, route))
		return;
	request.names[0] = path.names[0];
	request.names[1] = path.names[1];
	r = request_admit(&request, route, &err);
	if (r == 0 && !route->receive)
		r = body_parse(call->body, call->body_size, &body, &err);
	request.body = body;
	if (r == 0)
		r = route->handle(&request, &answer, &err);
	request_note(&request, route, r, &err);
	if (r < 0) {
		hub_reply_error(hub, call, route, &err);
	} else if (r != REQUEST_LATER) {
		if (!answer)
			answer = json_object_new_object();
		reply_json(call, route->status, answer);
	}
}
