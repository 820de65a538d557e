/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/json.h"
#include "http/reply.h"
#include "hub/ask.h"
#include "hub/follow.h"
#include "hub/hub.h"
#include "hub/node.h"

#define WAIT_DEFAULT_S 60

AddressText request_address(const HttpCall *call)
{
	struct sockaddr_storage address = {0};
	socklen_t size = sizeof(address);
	AddressText result = {0};

	if (getpeername(call->socket, (struct sockaddr *)&address, &size) < 0)
		return result;
	if (address.ss_family == AF_INET)
		(void)inet_ntop(AF_INET, &((struct sockaddr_in *)&address)->sin_addr, result.text,
				sizeof(result.text));
	else if (address.ss_family == AF_INET6)
		(void)inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&address)->sin6_addr,
				result.text, sizeof(result.text));
	return result;
}

int handle_health(Request *request, json_object **ret_body, Error *err)
{
	int64_t nodes;
	int r = db_number(request->hub->db, 0, &nodes, err, "SELECT count(*) FROM nodes", "");

	if (r < 0)
		return r;
	*ret_body = json_object_new_object();
	json_put_string(*ret_body, "status", "ok");
	json_put_string(*ret_body, "version", SEGUE_VERSION);
	json_put_int(*ret_body, "time_s", request->now_s);
	return 0;
}

int handle_ca(Request *request, json_object **ret_body, Error *err)
{
	*ret_body = json_object_new_object();
	json_put_string(*ret_body, "certificate", authority_pem(request->hub->identity.authority));
	json_put_int(*ret_body, "time_s", request->now_s);
	return 0;
}

json_object *certificate_answer(const Hub *hub, const char *name, const Certificate *certificate)
{
	json_object *o = json_object_new_object();

	json_put_string(o, "name", name);
	json_put_string(o, "certificate", certificate->pem);
	json_put_string(o, "ca", authority_pem(hub->identity.authority));
	json_put_int(o, "expires_s", certificate->expires_s);
	json_put_int(o, "renew_s", certificate->renew_s);
	return o;
}

static int node_certify(Request *request, int64_t node, const char *name, const char *csr,
			Certificate *ret, Error *err)
{
	const CertificateRequest wanted = {
		.csr = csr,
		.use = CERTIFICATE_NODE,
		.name = name,
		.lifetime_s = AUTHORITY_NODE_S,
	};
	int r = authority_issue(request->hub->identity.authority, &wanted, request->now_s, ret,
				err);

	return r < 0 ? r
		     : credential_add(request->hub->db, &ret->serial, node, NULL, ret->expires_s,
				      err);
}

/* What the token says overrules what the node says. */
static void labels_merge(json_object *labels, json_object *of_node)
{
	json_object *present;

	if (!of_node)
		return;
	json_object_object_foreach(of_node, key, value)
	{
		if (!json_object_object_get_ex(labels, key, &present))
			(void)json_object_object_add(labels, key, json_object_get(value));
	}
}

static int node_enter(Request *request, const AskEnrol *ask, const char *name, Certificate *ret,
		      Error *err)
{
	_cleanup_json_ json_object *labels = NULL;
	Db *db = request->hub->db;
	int64_t id = 0;
	int r = token_use(db, ask->token, request->now_s, &labels, err);

	if (r < 0)
		return r;
	labels_merge(labels, ask->labels);
	r = node_add(db, name, labels, request_address(request->call).text, request->now_s, &id,
		     err);
	return r < 0 ? r : node_certify(request, id, name, ask->csr, ret, err);
}

int handle_enrol(Request *request, json_object **ret_body, Error *err)
{
	_cleanup_certificate_ Certificate certificate = {0};
	char name[DOCUMENT_NAME_MAX + 1] = "";
	Db *db = request->hub->db;
	AskEnrol ask;
	int r = ask_enrol(request->body, &ask, err);

	if (r < 0)
		return r;
	if (ask.name)
		(void)snprintf(name, sizeof(name), "%s", ask.name);
	else if ((r = csr_name(ask.csr, name, err)) < 0)
		return r;
	if ((r = db_begin(db, DB_DURABLE, err)) < 0)
		return r;
	r = node_enter(request, &ask, name, &certificate, err);
	if ((r = db_end(db, r, err)) < 0)
		return r;
	if ((r = rollouts_node_added(request->hub->rollouts, name, err)) < 0)
		return r;
	request->hub->count.enrolled++;
	*ret_body = certificate_answer(request->hub, name, &certificate);
	return 0;
}

int handle_renew(Request *request, json_object **ret_body, Error *err)
{
	_cleanup_certificate_ Certificate certificate = {0};
	Db *db = request->hub->db;
	const char *csr;
	int r;

	if ((r = ask_renew(request->body, &csr, err)) < 0 ||
	    (r = db_begin(db, DB_DURABLE, err)) < 0)
		return r;
	r = node_certify(request, request->caller.node, request->caller.name, csr, &certificate,
			 err);
	if ((r = db_end(db, r, err)) < 0)
		return r;
	request->hub->count.renewed++;
	*ret_body = certificate_answer(request->hub, request->caller.name, &certificate);
	return 0;
}

int handle_report(Request *request, json_object **ret_body, Error *err)
{
	int r = ask_report(request->body, err);

	if (r == 0)
		r = node_report(request->hub->db, request->caller.node, request->body,
				request->now_s, err);
	if (r < 0)
		return r;
	rollouts_heard(request->hub->rollouts, request->caller.name, request->body);
	follow_one(request->hub, request->caller.name,
		   json_opt_string(request->body, "follows", NULL), request->now_s);
	return r;
}

/* ---- orders ---- */

/* Of several hubs, another one may have made the order: a parent without an address is the hub that
 * a node talks to. */
static void hub_put(json_object *order, int port)
{
	json_object *stripes = json_opt_array(order, "stripes");

	for (size_t i = 0; i < json_length(stripes); i++) {
		json_object *parents = json_object_array_get_idx(stripes, i);

		for (size_t j = 0; j < json_length(parents); j++) {
			json_object *parent = json_object_array_get_idx(parents, j);

			if (!json_object_object_get_ex(parent, "address", NULL))
				json_put_int(parent, "port", port);
		}
	}
}

void orders_send(const Hub *hub, HttpCall *call, json_object *orders)
{
	_cleanup_json_ json_object *body = json_object_new_object();

	for (size_t i = 0; hub->replica && i < json_length(orders); i++)
		hub_put(json_object_array_get_idx(orders, i), hub_relay_port(hub->relay));
	(void)json_object_object_add(body, "orders",
				     orders ? json_object_get(orders) : json_object_new_array());
	json_put_string(body, "revoked", hub->revoked.text);
	reply_json(call, 200, body);
}

void orders_answer(Hub *hub, HttpCall *call, int64_t node, int64_t after)
{
	_cleanup_json_ json_object *orders = NULL;
	Error err = {0};

	if (order_fetch(hub->db, node, after, clock_realtime_us() / 1000000, &orders, &err) < 0)
		reply_error(call, &err);
	else
		orders_send(hub, call, orders);
}

void orders_wake(Hub *hub, int64_t node)
{
	int64_t after;
	HttpCall *call = waits_take(hub->waits, node, &after);

	if (call)
		orders_answer(hub, call, node, after);
}

int handle_orders(Request *request, json_object **ret_body, Error *err)
{
	_cleanup_json_ json_object *orders = NULL;
	Hub *hub = request->hub;
	int64_t node = request->caller.node, wait_s, after;
	int r;

	if ((r = ask_number(http_argument(request->call, "wait"), "wait", WAIT_MAX_S,
			    WAIT_DEFAULT_S, &wait_s, err)) < 0 ||
	    (r = ask_number(http_argument(request->call, "after"), "after", INT64_MAX, 0, &after,
			    err)) < 0 ||
	    (r = node_seen(hub->db, node, request_address(request->call).text, request->now_s,
			   err)) < 0 ||
	    (r = order_fetch(hub->db, node, after, request->now_s, &orders, err)) < 0)
		return r;
	rollouts_heard(hub->rollouts, request->caller.name, NULL);
	if (json_length(orders) == 0 && wait_s > 0) {
		r = waits_add(hub->waits, node, request->call, after, (unsigned)wait_s, err);
		return r < 0 ? r : REQUEST_LATER;
	}
	orders_send(hub, request->call, orders);
	return REQUEST_LATER;
}

int handle_result(Request *request, json_object **ret_body, Error *err)
{
	AskResult ask;
	int64_t id;
	int r;

	if ((r = ask_number(request->names[0], "id", INT64_MAX, 0, &id, err)) < 0 ||
	    (r = ask_result(request->body, &ask, err)) < 0)
		return r;
	if ((r = order_result(request->hub->db, request->caller.node, id, ask.state, ask.message,
			      request->now_s, err)) < 0)
		return r;
	if (ask.state != ORDER_RUNNING)
		rollouts_ended(request->hub->rollouts, id);
	return 0;
}

int handle_leave(Request *request, json_object **ret_body, Error *err)
{
	int r = node_remove(request->hub->db, request->caller.node, request->now_s, err);

	if (r < 0)
		return r;
	rollouts_node_removed(request->hub->rollouts, request->caller.name);
	orders_wake(request->hub, request->caller.node);
	return hub_revoke(request->hub, request->now_s, err);
}

int handle_revocations(Request *request, json_object **ret_body, Error *err)
{
	json_object *list;
	int r = credential_revocations(request->hub->db, request->now_s, &list, err);

	if (r < 0)
		return r;
	*ret_body = json_object_new_object();
	return json_object_object_add(*ret_body, "serials", list);
}
