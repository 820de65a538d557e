/* SPDX-License-Identifier: Apache-2.0 */
/* segue-hub as a process, with TLS, against what it promises. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "hub/api.h"
#include "hub_fixture.h"
#include "hub_load.h"
#include "test.h"

static HubFixture hub;

static int hub_make(void **state)
{
	Error err = {0};

	if (hub_fixture_make(&hub, &err) == 0)
		return 0;
	print_error("%s\n", err.text);
	return -1;
}

static int hub_remove(void **state)
{
	hub_fixture_remove(&hub);
	return 0;
}

/* Asks, and wants this status and, unless it is NULL, this in the message of the error. */
static json_object *expect(long status, const char *part, const char *as, const char *method,
			   const char *path, const char *body)
{
	_cleanup_json_ json_object *o = body ? json_tokener_parse(body) : NULL;
	json_object *answer = NULL;
	long got = hub_fixture_ask(&hub, as, method, path, o, &answer);

	if (got != status || (part && !strstr(hub_fixture_message(answer), part)))
		fail_msg("%s %s: expected %ld and \"%s\", got %ld: %s", method, path, status,
			 part ? part : "", got, hub_fixture_message(answer));
	return answer;
}

static void tell(long status, const char *part, const char *as, const char *method,
		 const char *path, const char *body)
{
	(void)json_object_put(expect(status, part, as, method, path, body));
}

static void join(const char *name)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1);
	_cleanup_json_ json_object *body = hub_fixture_enrolment(&hub, name, token), *answer = NULL;
	Error err = {0};

	assert_int_equal(hub_fixture_ask(&hub, "", "POST", "/v1/enrol", body, &answer), 201);
	if (hub_fixture_keep(&hub, name, answer, &err) < 0)
		fail_msg("%s", err.text);
}

/* The description says the same as the table of routes: methods, paths, who may, and statuses. */
static void test_description(void **state)
{
	static const char *const schemes[] = {"", "node", "fleet", "operator"};
	_cleanup_json_ json_object *doc = NULL;
	json_object *paths, *path, *method, *responses, *security;
	size_t n = 0, described = 0;

	assert_int_equal(json_read(AT_FDCWD, SOURCE_ROOT "/doc/hub-openapi.json", &doc, NULL), 0);
	assert_int_equal(json_get_object(doc, "paths", &paths, NULL), 0);
	json_object_object_foreach(paths, name, operations)
	{
		(void)name;
		described += (size_t)json_object_object_length(operations);
	}
	for (const ApiRoute *route = api_routes; route->method; route++, n++) {
		char lower[8] = "", status[8];
		bool found = false;

		for (size_t i = 0; route->method[i]; i++)
			lower[i] = (char)(route->method[i] | 0x20);
		(void)snprintf(status, sizeof(status), "%u", route->status);
		json_object_object_foreach(paths, template, of_path)
		{
			const char *t = template, *p = route->path;
			bool same = true;

			while (same && *p) {
				if (*p == '*') {
					same = *t == '{';
					t += strcspn(t, "}") + 1;
					p++;
				} else {
					same = *p++ == *t++;
				}
			}
			path = of_path;
			if (!same || *t || !json_object_object_get_ex(path, lower, &method))
				continue;
			found = true;
			assert_int_equal(json_get_object(method, "responses", &responses, NULL), 0);
			assert_true(json_object_object_get_ex(responses, status, NULL));
			assert_int_equal(json_get_array(method, "security", &security, NULL), 0);
			assert_int_equal(json_length(security), route->who == API_ANYONE  ? 0
								: route->who == API_FLEET ? 2
											  : 1);
			if (json_length(security) == 1)
				assert_true(json_object_object_get_ex(
					json_object_array_get_idx(security, 0), schemes[route->who],
					NULL));
		}
		if (!found)
			fail_msg("%s %s is not described", route->method, route->path);
	}
	assert_int_equal(n, described);
}

static void test_fleet_of_fifty(void **state)
{
	HubLoad load = {0};
	Error err = {0};

	if (hub_load_run(&hub, 50, &load, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(load.n, 50);
	/* Promised is a second. */
	assert_true(load.order_ms_max > 0 && load.order_ms_max < 1000);
}

static void test_enrolment(void **state)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1);
	_cleanup_json_ json_object *body = hub_fixture_enrolment(&hub, "a", token), *answer = NULL;

	tell(400, "\"token\" is missing", "", "POST", "/v1/enrol", "{}");
	tell(400, "no join token", "", "POST", "/v1/enrol",
	     "{\"token\":\"x\",\"csr\":\"x\",\"name\":\"x\"}");
	assert_int_equal(hub_fixture_ask(&hub, "", "POST", "/v1/enrol", body, &answer), 201);
	assert_int_equal(hub_fixture_keep(&hub, "a", answer, NULL), 0);
	(void)json_object_put(answer);
	assert_int_equal(hub_fixture_ask(&hub, "", "POST", "/v1/enrol", body, &answer), 401);
	assert_non_null(strstr(hub_fixture_message(answer), "was used already"));
	tell(200, NULL, "a", "POST", "/v1/report", "{\"kernel\":\"6.12\"}");
	tell(401, "segue join", "", "POST", "/v1/report", "{\"kernel\":\"6.12\"}");
	tell(403, "for operators", "a", "GET", "/v1/nodes", NULL);
	tell(403, "for nodes", NULL, "POST", "/v1/report", "{\"kernel\":\"6.12\"}");
	tell(400, "\"kernel\" is missing", "a", "POST", "/v1/report", "{}");
}

static void test_renewal(void **state)
{
	_cleanup_json_ json_object *body = json_object_new_object(), *answer = NULL;
	_cleanup_free_ char *key = NULL, *csr = NULL;
	_cleanup_free_ char *path = text_format("%s/a.key", hub.directory);

	join("a");
	assert_int_equal(file_read(AT_FDCWD, path, &key, NULL, NULL), 0);
	assert_int_equal(key_request_again("other", key, &csr, NULL), 0);
	json_put_string(body, "csr", csr);
	assert_int_equal(hub_fixture_ask(&hub, "a", "POST", "/v1/renew", body, &answer), 200);
	/* The CSR does not say whose it is. */
	assert_string_equal(json_opt_string(answer, "name", ""), "a");
	assert_true(json_opt_int(answer, "renew_s", 0) < json_opt_int(answer, "expires_s", 0));
	/* That before still counts, and so does the new one. */
	tell(200, NULL, "a", "POST", "/v1/report", "{\"kernel\":\"6.12\"}");
	assert_int_equal(hub_fixture_keep(&hub, "a", answer, NULL), 0);
	tell(200, NULL, "a", "POST", "/v1/report", "{\"kernel\":\"6.12\"}");
}

/* Moves the end of all certificates, as if the time were another. */
static void expire(int64_t ago_s)
{
	_cleanup_free_ char *state = text_format("%s/state", hub.directory);
	_cleanup_db_ Db *db = NULL;
	Error err = {0};

	assert_int_equal(hub_fixture_stop(&hub), 0);
	if (db_open(state, &db, &err) < 0 ||
	    db_run(db, NULL, &err, "UPDATE certificates SET expires_s = ?", "i",
		   clock_realtime_us() / 1000000 - ago_s) < 0)
		fail_msg("%s", err.text);
	db_close(steal_ptr(&db));
	if (hub_fixture_start(&hub, &err) < 0)
		fail_msg("%s", err.text);
}

/* A node that was off while its certificate expired. */
static void test_expiry(void **state)
{
	_cleanup_free_ char *path = text_format("%s/a.key", hub.directory);
	_cleanup_json_ json_object *body = json_object_new_object();
	_cleanup_free_ char *key = NULL, *csr = NULL;

	join("a");
	assert_int_equal(file_read(AT_FDCWD, path, &key, NULL, NULL), 0);
	assert_int_equal(key_request_again("a", key, &csr, NULL), 0);
	json_put_string(body, "csr", csr);
	expire(60);
	tell(401, "must be renewed first", "a", "GET", "/v1/orders?wait=0", NULL);
	tell(200, NULL, "a", "POST", "/v1/renew", json_object_to_json_string(body));
	expire(AUTHORITY_GRACE_S + 60);
	tell(401, "segue join", "a", "POST", "/v1/renew", json_object_to_json_string(body));
}

static void test_revocation(void **state)
{
	_cleanup_json_ json_object *revoked = NULL;

	join("a");
	join("b");
	tell(200, NULL, NULL, "DELETE", "/v1/nodes/a", NULL);
	tell(401, "was revoked", "a", "POST", "/v1/report", "{\"kernel\":\"6.12\"}");
	tell(401, "was revoked", "a", "GET", "/v1/orders?wait=0", NULL);
	tell(404, "no node a", NULL, "GET", "/v1/nodes/a", NULL);
	tell(200, NULL, "b", "POST", "/v1/report", "{\"kernel\":\"6.12\"}");
	revoked = expect(200, NULL, "b", "GET", "/v1/revocations", NULL);
	assert_int_equal(json_length(json_opt_array(revoked, "serials")), 1);
	join("a");
	tell(200, NULL, "a", "POST", "/v1/leave", NULL);
	tell(401, "was revoked", "a", "POST", "/v1/leave", NULL);
}

/* A certificate of another authority of the same name. */
static void test_foreign_certificate(void **state)
{
	HubFixture mine = hub, other;
	Error err = {0};

	if (hub_fixture_make(&other, &err) < 0)
		fail_msg("%s", err.text);
	hub = other;
	join("a");
	hub = mine;
	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *a = text_format("%s/a.%s", other.directory, i ? "pem" : "key");
		_cleanup_free_ char *b = text_format("%s/a.%s", hub.directory, i ? "pem" : "key");

		assert_int_equal(rename(a, b), 0);
	}
	hub_fixture_remove(&other);
	tell(401, "not issued by this hub", "a", "POST", "/v1/report", "{\"kernel\":\"6.12\"}");
	tell(200, NULL, "a", "GET", "/v1/health", NULL);
}

static void test_orders(void **state)
{
	_cleanup_json_ json_object *order = NULL, *sent = NULL, *node = NULL, *after = NULL;

	join("a");
	tell(404, "no node none", NULL, "POST", "/v1/nodes/none/orders", "{\"kind\":\"swap\"}");
	tell(400, "must be swap", NULL, "POST", "/v1/nodes/a/orders", "{\"kind\":\"wipe\"}");
	tell(400, "exclude each other", NULL, "POST", "/v1/nodes/a/orders",
	     "{\"kind\":\"swap\",\"kernel\":\"6.13\",\"release\":\"r\"}");
	tell(404, "no release r", NULL, "POST", "/v1/nodes/a/orders",
	     "{\"kind\":\"swap\",\"release\":\"r\"}");
	order = expect(201, NULL, NULL, "POST", "/v1/nodes/a/orders",
		       "{\"kind\":\"swap\",\"kernel\":\"6.13\"}");
	assert_int_equal(json_opt_int(order, "id", 0), 1);
	tell(409, "segue node cancel", NULL, "POST", "/v1/nodes/a/orders", "{\"kind\":\"swap\"}");
	sent = expect(200, NULL, "a", "GET", "/v1/orders", NULL);
	assert_int_equal(json_length(json_opt_array(sent, "orders")), 1);
	tell(200, NULL, "a", "POST", "/v1/orders/1/result", "{\"state\":\"running\"}");
	tell(404, "no order 2", "a", "POST", "/v1/orders/2/result", "{\"state\":\"done\"}");
	tell(200, NULL, "a", "POST", "/v1/orders/1/result",
	     "{\"state\":\"failed\",\"message\":\"no\"}");
	node = expect(200, NULL, NULL, "GET", "/v1/nodes/a", NULL);
	assert_string_equal(
		json_opt_string(json_object_array_get_idx(json_opt_array(node, "orders"), 0),
				"message", ""),
		"no");
	after = expect(200, NULL, "a", "GET", "/v1/orders?wait=0", NULL);
	assert_int_equal(json_length(json_opt_array(after, "orders")), 0);
	tell(400, "\"wait\"", "a", "GET", "/v1/orders?wait=1000", NULL);
	tell(400, "\"wait\"", "a", "GET", "/v1/orders?wait=-1", NULL);
}

static void test_operator(void **state)
{
	_cleanup_json_ json_object *body = hub_fixture_enrolment(&hub, "alice", NULL),
				   *answer = NULL;

	json_object_object_del(body, "token");
	json_put_string(body, "name", "alice");
	assert_int_equal(hub_fixture_ask(&hub, NULL, "POST", "/v1/operators", body, &answer), 201);
	assert_int_equal(hub_fixture_keep(&hub, "alice", answer, NULL), 0);
	tell(200, NULL, "alice", "GET", "/v1/nodes", NULL);
	tell(200, NULL, "alice", "GET", "/metrics", NULL);
	tell(403, "for nodes", "alice", "GET", "/v1/orders", NULL);
	tell(200, NULL, NULL, "DELETE", "/v1/operators/alice", NULL);
	tell(401, "was revoked", "alice", "GET", "/v1/nodes", NULL);
	tell(404, "no operator", NULL, "DELETE", "/v1/operators/alice", NULL);
}

static void test_wrong_requests(void **state)
{
	_cleanup_free_ char *large = malloc(70000);
	CURL *curl;
	long status = 0;

	tell(404, "no such path", "", "GET", "/", NULL);
	tell(404, "no such path", "", "GET", "/v1/nodes/a/b/c", NULL);
	tell(404, "no such path", "", "GET", "/v1/nodes/", NULL);
	tell(405, "no such method", "", "DELETE", "/v1/health", NULL);
	tell(400, "not known here", NULL, "POST", "/v1/tokens", "{\"force\":true}");
	tell(400, "\"uses\"", NULL, "POST", "/v1/tokens", "{\"uses\":0}");
	tell(400, "is no name", NULL, "PUT", "/v1/releases/../release.json", "{}");
	tell(404, NULL, NULL, "GET", "/v1/releases/..%2f..%2fhub.db/x", NULL);
	memset(large, 'x', 69999);
	large[69999] = '\0';
	curl = hub_fixture_handle(&hub, "", "POST", "/v1/enrol", large);
	assert_int_equal(curl_easy_perform(curl), CURLE_OK);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	assert_int_equal(status, 413);
	curl_easy_cleanup(curl);
}

/* A hub that is stopped, or killed, knows all that it knew. */
static void test_restart(void **state)
{
	_cleanup_json_ json_object *nodes = NULL;
	Error err = {0};

	join("a");
	tell(201, NULL, NULL, "POST", "/v1/nodes/a/orders", "{\"kind\":\"swap\"}");
	assert_int_equal(hub_fixture_stop(&hub), 0);
	assert_int_equal(access(hub.socket, F_OK), -1);
	if (hub_fixture_start(&hub, &err) < 0)
		fail_msg("%s", err.text);
	nodes = expect(200, NULL, "a", "GET", "/v1/orders", NULL);
	assert_int_equal(json_length(json_opt_array(nodes, "orders")), 1);
}

static void test_backup(void **state)
{
	_cleanup_free_ char *backup = text_format("%s/backup", hub.directory);
	CURL *curl = hub_fixture_handle(&hub, NULL, "GET", "/v1/backup", NULL);
	FILE *to = fopen(backup, "we");
	Error err = {0};

	join("a");
	assert_non_null(to);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, to);
	assert_int_equal(curl_easy_perform(curl), CURLE_OK);
	curl_easy_cleanup(curl);
	(void)fclose(to);
	if (db_check_file(backup, &err) < 0)
		fail_msg("%s", err.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, hub_make, hub_remove)
		cmocka_unit_test(test_description),
		TEST(test_fleet_of_fifty),
		TEST(test_enrolment),
		TEST(test_renewal),
		TEST(test_expiry),
		TEST(test_revocation),
		TEST(test_foreign_certificate),
		TEST(test_orders),
		TEST(test_operator),
		TEST(test_wrong_requests),
		TEST(test_restart),
		TEST(test_backup),
	};

	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
