/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "http/reply.h"
#include "hub/ask.h"
#include "hub/audit.h"
#include "hub/hub.h"
#include "hub/node.h"

/* An object with one list, which is taken over. */
#define AUDIT_DEFAULT 100
#define AUDIT_MAX     100000

static json_object *wrap(const char *key, json_object *list)
{
	json_object *o = json_object_new_object();

	(void)json_object_object_add(o, key, list);
	return o;
}

static bool is_waiting(int64_t node, void *data)
{
	return waits_has(data, node);
}

int hub_nodes(Hub *hub, const char *name, int64_t now_s, json_object **ret, Error *err)
{
	return node_list(hub->db, name, now_s, is_waiting, hub->waits, ret, err);
}

static int count_of(Hub *hub, const char *sql, json_object *o, const char *key, Error *err)
{
	int64_t n = 0;
	int r = db_number(hub->db, 0, &n, err, sql, "");

	json_put_int(o, key, n);
	return r;
}

int handle_status(Request *request, json_object **ret_body, Error *err)
{
	_cleanup_json_ json_object *o = json_object_new_object();
	Hub *hub = request->hub;
	int64_t open = 0;
	int r;

	json_put_string(o, "version", SEGUE_VERSION);
	json_put_int(o, "time_s", request->now_s);
	json_put_int(o, "started_s", hub->started_s);
	if ((r = count_of(hub, "SELECT count(*) FROM nodes", o, "nodes", err)) < 0 ||
	    (r = order_count_open(hub->db, &open, err)) < 0)
		return r;
	json_put_int(o, "orders_open", open);
	json_put_int(o, "waiting", (int64_t)waits_count(hub->waits));
	json_put_int(o, "connections", hub->connections(hub->connections_data));
	json_put_int(o, "releases", (int64_t)catalog_count(hub->catalog));
	json_put_int(o, "database_bytes", db_size(hub->db));
	json_put_int(o, "schema", db_schema_version());
	json_put_string(o, "role", !hub->replica ? "alone" : hub->follows ? "follower" : "leader");
	json_put_string(o, "leader", hub->replica ? replica_leader(hub->replica) : NULL);
	json_put_int(o, "ca_expires_s", authority_expires_s(hub->identity.authority));
	json_put_string(o, "ca_sha256",
			digest_text(authority_digest(hub->identity.authority)).text);
	*ret_body = steal_ptr(&o);
	return 0;
}

/* ---- nodes ---- */

int handle_nodes(Request *request, json_object **ret_body, Error *err)
{
	json_object *list;
	int r = hub_nodes(request->hub, NULL, request->now_s, &list, err);

	if (r == 0)
		*ret_body = wrap("nodes", list);
	return r;
}

int handle_node(Request *request, json_object **ret_body, Error *err)
{
	_cleanup_json_ json_object *list = NULL;
	json_object *orders;
	Hub *hub = request->hub;
	int64_t id;
	int r;

	if ((r = node_find(hub->db, request->names[0], &id, err)) < 0 ||
	    (r = hub_nodes(hub, request->names[0], request->now_s, &list, err)) < 0 ||
	    (r = order_list(hub->db, id, 0, &orders, err)) < 0)
		return r;
	*ret_body = json_object_get(json_object_array_get_idx(list, 0));
	return json_object_object_add(*ret_body, "orders", orders);
}

int hub_revoke(Hub *hub, int64_t now_s, Error *err)
{
	_cleanup_json_ json_object *serials = NULL;
	const char *text;
	Digest digest;
	int r = credential_revocations(hub->db, now_s, &serials, err);

	if (r < 0)
		return r;
	text = json_object_to_json_string_ext(serials, JSON_C_TO_STRING_PLAIN);
	if ((r = digest_of(text, strlen(text), &digest, err)) < 0)
		return r;
	hub->revoked = digest_text(&digest);
	waits_end(hub->waits);
	return hub_relay_revoke(hub->relay, serials, err);
}

int handle_revoke(Request *request, json_object **ret_body, Error *err)
{
	Hub *hub = request->hub;
	int64_t id, after;
	HttpCall *waiting;
	int r;

	if ((r = node_find(hub->db, request->names[0], &id, err)) < 0 ||
	    (r = node_remove(hub->db, id, request->now_s, err)) < 0)
		return r;
	rollouts_node_removed(hub->rollouts, request->names[0]);
	waiting = waits_take(hub->waits, id, &after);
	if (waiting)
		reply_fail(waiting, 401, "unauthorized", "The certificate was revoked");
	return hub_revoke(hub, request->now_s, err);
}

/* ---- orders ---- */

static int order_answer(Request *request, int64_t node, int64_t id, json_object **ret_body,
			Error *err)
{
	_cleanup_json_ json_object *list = NULL;
	int r = order_list(request->hub->db, node, id, &list, err);

	if (r < 0)
		return r;
	if (json_length(list) == 0)
		return error_set(err, -ENOENT, "Node %s has no order %lld", request->names[0],
				 (long long)id);
	*ret_body = json_object_get(json_object_array_get_idx(list, 0));
	json_put_string(*ret_body, "node", request->names[0]);
	return 0;
}

static int order_named(Request *request, int64_t *ret_node, int64_t *ret_id, Error *err)
{
	int r = node_find(request->hub->db, request->names[0], ret_node, err);

	if (r < 0 || (r = ask_number(request->names[1], "id", INT64_MAX, 0, ret_id, err)) < 0)
		return r;
	return *ret_id > 0 ? 0 : error_set(err, -ENOENT, "There is no order 0");
}

int handle_order_new(Request *request, json_object **ret_body, Error *err)
{
	_cleanup_json_ json_object *release = NULL;
	Hub *hub = request->hub;
	const char *kind, *name;
	int64_t node, id = 0;
	int r;

	if ((r = node_find(hub->db, request->names[0], &node, err)) < 0 ||
	    (r = ask_order(request->body, &kind, err)) < 0)
		return r;
	name = json_opt_string(request->body, "release", NULL);
	if ((name && (r = catalog_describe(hub->catalog, name, &release, err)) < 0) ||
	    (r = order_add(hub->db, node, kind, request->body, request->now_s, &id, err)) < 0)
		return r;
	hub->count.orders++;
	orders_wake(hub, node);
	return order_answer(request, node, id, ret_body, err);
}

int handle_order(Request *request, json_object **ret_body, Error *err)
{
	int64_t node, id;
	int r = order_named(request, &node, &id, err);

	return r < 0 ? r : order_answer(request, node, id, ret_body, err);
}

int handle_order_cancel(Request *request, json_object **ret_body, Error *err)
{
	int64_t node, id;
	int r = order_named(request, &node, &id, err);

	if (r < 0 || (r = order_cancel(request->hub->db, node, id, request->now_s, err)) < 0)
		return r;
	rollouts_ended(request->hub->rollouts, id);
	return 0;
}

/* ---- tokens ---- */

int handle_tokens(Request *request, json_object **ret_body, Error *err)
{
	json_object *list;
	int r = token_list(request->hub->db, request->now_s, &list, err);

	if (r == 0)
		*ret_body = wrap("tokens", list);
	return r;
}

int handle_token_new(Request *request, json_object **ret_body, Error *err)
{
	TokenOffer offer;
	TokenText token;
	int r;

	if ((r = ask_token(request->body, &offer, err)) < 0 ||
	    (r = token_make(request->hub->db, &offer,
			    authority_digest(request->hub->identity.authority), request->now_s,
			    &token, err)) < 0)
		return r;
	*ret_body = json_object_new_object();
	json_put_string(*ret_body, "id", token.id);
	json_put_string(*ret_body, "token", token.text);
	json_put_int(*ret_body, "expires_s", request->now_s + offer.lifetime_s);
	return 0;
}

int handle_token_revoke(Request *request, json_object **ret_body, Error *err)
{
	return token_revoke(request->hub->db, request->names[0], request->now_s, err);
}

/* ---- operators ---- */

int handle_operators(Request *request, json_object **ret_body, Error *err)
{
	json_object *list;
	int r = credential_operators(request->hub->db, request->now_s, &list, err);

	if (r == 0)
		*ret_body = wrap("operators", list);
	return r;
}

int handle_operator_new(Request *request, json_object **ret_body, Error *err)
{
	_cleanup_certificate_ Certificate certificate = {0};
	CertificateRequest wanted = {.use = CERTIFICATE_OPERATOR,
				     .lifetime_s = AUTHORITY_OPERATOR_S};
	Hub *hub = request->hub;
	AskOperator ask;
	int r = ask_operator(request->body, &ask, err);

	if (r < 0)
		return r;
	wanted.csr = ask.csr;
	wanted.name = ask.name;
	if ((r = authority_issue(hub->identity.authority, &wanted, request->now_s, &certificate,
				 err)) < 0 ||
	    (r = credential_add(hub->db, &certificate.serial, 0, ask.name, certificate.expires_s,
				err)) < 0)
		return r;
	*ret_body = certificate_answer(hub, ask.name, &certificate);
	return 0;
}

int handle_operator_revoke(Request *request, json_object **ret_body, Error *err)
{
	int n = 0;
	int r = credential_revoke_operator(request->hub->db, request->names[0], request->now_s, &n,
					   err);

	if (r == 0 && n == 0)
		r = error_set(err, -ENOENT, "There is no operator %.128s with a certificate",
			      request->names[0]);
	return r;
}

/* ---- the hub itself ---- */

int handle_audit(Request *request, json_object **ret_body, Error *err)
{
	json_object *list;
	int64_t n;
	int r = ask_number(http_argument(request->call, "n"), "n", AUDIT_MAX, AUDIT_DEFAULT, &n,
			   err);

	if (r == 0)
		r = audit_list(request->hub->db, n, &list, err);
	if (r == 0)
		*ret_body = wrap("entries", list);
	return r;
}

int handle_backup(Request *request, json_object **ret_body, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/.backup", request->hub->directory);
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r;

	if (!path)
		return error_errno(err, -ENOMEM, "Making a backup");
	/* What a hub that was killed has left. */
	(void)unlink(path);
	r = db_copy(request->hub->db, path, err);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	(void)unlink(path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "Opening the backup");
	http_answer_file(request->call, "application/vnd.sqlite3", steal_fd(&fd), 0,
			 (uint64_t)st.st_size);
	return REQUEST_LATER;
}

int handle_metrics(Request *request, json_object **ret_body, Error *err)
{
	_cleanup_free_ char *text = hub_metrics(request->hub, request->now_s);

	if (!text)
		return error_errno(err, -ENOMEM, "Telling metrics");
	http_answer(request->call, 200, TYPE_METRICS, text);
	return REQUEST_LATER;
}
