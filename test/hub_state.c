/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens, credentials, nodes and orders, in a database in memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "hub/credential.h"
#include "hub/node.h"
#include "hub/order.h"
#include "hub/token.h"
#include "test.h"

#define NOW ((int64_t)1800000000)

static const Digest authority = {{1, 2, 3}};

static int database_new(void **state)
{
	return db_open_memory((Db **)state, NULL);
}

static int database_drop(void **state)
{
	db_close(*state);
	return 0;
}

static TokenText token_new(Db *db, const char *labels, int64_t uses)
{
	_cleanup_json_ json_object *o = json_tokener_parse(labels);
	TokenOffer offer = {.labels = o, .uses_max = uses, .lifetime_s = 3600, .note = "rack 3"};
	TokenText token;
	Error err = {0};

	if (token_make(db, &offer, &authority, NOW, &token, &err) < 0)
		fail_msg("%s", err.text);
	return token;
}

static void token_must_fail(Db *db, const char *text, int64_t now_s, int code, const char *part)
{
	json_object *labels = NULL;
	Error err = {0};
	int r = token_use(db, text, now_s, &labels, &err);

	if (r != code || !strstr(err.text, part))
		fail_msg("expected %d and \"%s\", got %d: %s", code, part, r, err.text);
	assert_null(labels);
}

static void test_token(void **state)
{
	_cleanup_json_ json_object *labels = NULL, *list = NULL;
	Db *db = *state;
	TokenText token = token_new(db, "{\"rack\":\"3\"}", 2);
	TokenParts parts;

	assert_int_equal(token_parse(token.text, &parts, NULL), 0);
	assert_string_equal(parts.id, token.id);
	assert_true(digest_equal(&parts.authority, &authority));
	assert_int_equal(token_use(db, token.text, NOW + 3599, &labels, NULL), 0);
	assert_string_equal(json_opt_string(labels, "rack", ""), "3");
	assert_int_equal(token_list(db, NOW, &list, NULL), 0);
	assert_int_equal(json_length(list), 1);
	assert_int_equal(json_opt_int(json_object_array_get_idx(list, 0), "uses", 0), 1);
	(void)json_object_put(labels);
	assert_int_equal(token_use(db, token.text, NOW, &labels, NULL), 0);
	token_must_fail(db, token.text, NOW, -EKEYREJECTED, "was used already, 2 of 2");
}

static void test_refused_tokens(void **state)
{
	Db *db = *state;
	TokenText token = token_new(db, "{}", 1), other = token_new(db, "{}", 1);
	char mixed[TOKEN_TEXT_MAX];
	Error err = {0};

	token_must_fail(db, "", NOW, -EINVAL, "no join token");
	token_must_fail(db, "segue1.", NOW, -EINVAL, "copy all");
	memcpy(mixed, token.text, sizeof(mixed));
	mixed[strlen(mixed) - 1] = '\0';
	token_must_fail(db, mixed, NOW, -EINVAL, "copy all");
	/* The secret of another. */
	memcpy(mixed, token.text, sizeof(mixed));
	memcpy(mixed + strlen("segue1."), other.id, strlen(other.id));
	token_must_fail(db, mixed, NOW, -EKEYREJECTED, "is not known here");
	mixed[strlen("segue1.")] = mixed[strlen("segue1.")] == '0' ? '1' : '0';
	token_must_fail(db, mixed, NOW, -EKEYREJECTED, "is not known here");
	token_must_fail(db, token.text, NOW + 3600, -EKEYREJECTED, "expired on");
	assert_int_equal(token_revoke(db, token.id, NOW, NULL), 0);
	token_must_fail(db, token.text, NOW, -EKEYREJECTED, "was revoked");
	assert_int_equal(token_revoke(db, token.id, NOW, &err), -ENOENT);
	assert_int_equal(token_revoke(db, "x", NOW, &err), -ENOENT);
}

/* Nothing of a token's secret is in the database. */
static void test_secret_is_hashed(void **state)
{
	Db *db = *state;
	TokenText token = token_new(db, "{}", 1);
	TokenParts parts;
	int64_t n = -1;

	assert_int_equal(token_parse(token.text, &parts, NULL), 0);
	assert_int_equal(db_number(db, 0, &n, NULL, "SELECT instr(hash, ?) FROM tokens", "b",
				   parts.secret, (size_t)TOKEN_SECRET_SIZE),
			 0);
	assert_int_equal(n, 0);
}

/* An enrolment that fails leaves the token as it was. */
static void test_failed_enrolment(void **state)
{
	_cleanup_json_ json_object *labels = NULL, *again = NULL;
	Db *db = *state;
	TokenText token = token_new(db, "{}", 1);

	assert_int_equal(db_begin(db, DB_DURABLE, NULL), 0);
	assert_int_equal(token_use(db, token.text, NOW, &labels, NULL), 0);
	assert_int_equal(db_end(db, -EEXIST, NULL), -EEXIST);
	assert_int_equal(token_use(db, token.text, NOW, &again, NULL), 0);
}

static int64_t node_new(Db *db, const char *name)
{
	_cleanup_json_ json_object *labels = json_tokener_parse("{\"rack\":\"r1\"}");
	Error err = {0};
	int64_t id = 0;

	if (node_add(db, name, labels, "192.0.2.1", NOW, &id, &err) < 0)
		fail_msg("%s", err.text);
	return id;
}

static Serial serial_of(uint8_t first)
{
	return (Serial){.bytes = {0x40, first}, .size = 16};
}

static void test_credentials(void **state)
{
	_cleanup_json_ json_object *revoked = NULL, *operators = NULL;
	Db *db = *state;
	int64_t id = node_new(db, "n1");
	Serial one = serial_of(1), two = serial_of(2), person = serial_of(3), none = serial_of(4);
	Error err = {0};
	Caller caller;
	int n;

	assert_int_equal(credential_add(db, &one, id, NULL, NOW + 100, NULL), 0);
	assert_int_equal(credential_add(db, &two, id, NULL, NOW + 200, NULL), 0);
	assert_int_equal(credential_add(db, &person, 0, "alice", NOW + 300, NULL), 0);
	assert_int_equal(credential_find(db, &one, &caller, NULL), 0);
	assert_int_equal(caller.role, CALLER_NODE);
	assert_int_equal(caller.node, id);
	assert_string_equal(caller.name, "n1");
	assert_int_equal(credential_check_time(&caller, NOW + 99, false, NULL), 0);
	assert_int_equal(credential_check_time(&caller, NOW + 100, false, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.text, "must be renewed first"));
	assert_int_equal(credential_check_time(&caller, NOW + 100, true, NULL), 0);
	assert_int_equal(credential_check_time(&caller, NOW + 100 + AUTHORITY_GRACE_S, true, &err),
			 -EKEYREJECTED);
	assert_non_null(strstr(err.text, "segue join"));
	assert_int_equal(credential_find(db, &person, &caller, NULL), 0);
	assert_int_equal(caller.role, CALLER_OPERATOR);
	assert_string_equal(caller.name, "alice");
	assert_int_equal(credential_check_time(&caller, NOW + 300, true, &err), -EKEYREJECTED);
	assert_int_equal(credential_find(db, &none, &caller, &err), -EKEYREJECTED);
	assert_int_equal(credential_operators(db, NOW, &operators, NULL), 0);
	assert_int_equal(json_length(operators), 1);

	assert_int_equal(node_remove(db, id, NOW, NULL), 0);
	assert_int_equal(credential_find(db, &one, &caller, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.text, "was revoked"));
	assert_int_equal(credential_find(db, &two, &caller, NULL), -EKEYREJECTED);
	assert_int_equal(credential_revoke_operator(db, "alice", NOW, &n, NULL), 0);
	assert_int_equal(n, 1);
	assert_int_equal(credential_find(db, &person, &caller, NULL), -EKEYREJECTED);
	assert_int_equal(credential_revocations(db, NOW + 150, &revoked, NULL), 0);
	assert_int_equal(json_length(revoked), 2);
	assert_string_equal(json_object_get_string(json_object_array_get_idx(revoked, 0)),
			    serial_text(&two).text);
	assert_int_equal(credential_prune(db, NOW + 101 + AUTHORITY_GRACE_S, NULL), 0);
	assert_int_equal(credential_find(db, &one, &caller, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.text, "is not known"));
}

static bool waits_is(int64_t id, void *data)
{
	return id == *(int64_t *)data;
}

static json_object *node_of(json_object *list, size_t i)
{
	return json_object_array_get_idx(list, i);
}

static void test_nodes(void **state)
{
	_cleanup_json_ json_object *list = NULL, *one = NULL, *labels = json_object_new_object();
	_cleanup_json_ json_object *report = json_tokener_parse("{\"kernel\":\"6.12\"}");
	Db *db = *state;
	int64_t b = node_new(db, "b"), a = node_new(db, "a"), id;
	json_object *told;
	Error err = {0};

	assert_int_equal(node_add(db, "a", labels, "", NOW, &id, &err), -EEXIST);
	assert_non_null(strstr(err.text, "segue node revoke a"));
	assert_int_equal(node_find(db, "b", &id, NULL), 0);
	assert_int_equal(id, b);
	assert_int_equal(node_find(db, "c", &id, &err), -ENOENT);
	assert_int_equal(node_report(db, b, report, NOW, NULL), 0);
	assert_int_equal(node_seen(db, b, "192.0.2.9", NOW, NULL), 0);
	assert_int_equal(node_list(db, NULL, NOW + 1000, waits_is, &a, &list, NULL), 0);
	assert_int_equal(json_length(list), 2);
	assert_string_equal(json_opt_string(node_of(list, 0), "state", ""), "online");
	assert_string_equal(json_opt_string(node_of(list, 1), "state", ""), "offline");
	assert_string_equal(json_opt_string(node_of(list, 1), "address", ""), "192.0.2.9");
	assert_int_equal(json_get_object(node_of(list, 1), "report", &told, NULL), 0);
	assert_string_equal(json_opt_string(told, "kernel", ""), "6.12");
	id = 0;
	assert_int_equal(node_list(db, "a", NOW, waits_is, &id, &one, NULL), 0);
	assert_int_equal(json_length(one), 1);
	assert_string_equal(json_opt_string(node_of(one, 0), "state", ""), "never");
	/* The same name again is another node. */
	assert_int_equal(node_remove(db, a, NOW, NULL), 0);
	assert_true(node_new(db, "a") > b);
}

static json_object *orders_of(Db *db, int64_t node, int64_t after)
{
	json_object *list = NULL;
	Error err = {0};

	if (order_fetch(db, node, after, NOW, &list, &err) < 0)
		fail_msg("%s", err.text);
	return list;
}

static const char *order_state(Db *db, int64_t node, int64_t id)
{
	static char state[32];
	_cleanup_json_ json_object *list = NULL;

	assert_int_equal(order_list(db, node, id, &list, NULL), 0);
	assert_int_equal(json_length(list), 1);
	(void)snprintf(state, sizeof(state), "%s",
		       json_opt_string(json_object_array_get_idx(list, 0), "state", ""));
	return state;
}

static void test_orders(void **state)
{
	_cleanup_json_ json_object *body = json_tokener_parse("{\"kernel\":\"6.13\"}");
	_cleanup_json_ json_object *none = NULL, *first = NULL, *again = NULL, *later = NULL;
	Db *db = *state;
	int64_t node = node_new(db, "n"), other = node_new(db, "o"), id, second, open;
	Error err = {0};

	none = orders_of(db, node, 0);
	assert_int_equal(json_length(none), 0);
	assert_int_equal(order_add(db, node, "swap", body, NOW, &id, NULL), 0);
	assert_string_equal(order_state(db, node, id), "queued");
	assert_int_equal(order_add(db, node, "swap", body, NOW, &second, &err), -EBUSY);
	assert_int_equal(order_add(db, other, "swap", body, NOW, &second, NULL), 0);
	first = orders_of(db, node, 0);
	assert_int_equal(json_length(first), 1);
	assert_string_equal(json_opt_string(node_of(first, 0), "kernel", ""), "6.13");
	assert_int_equal(json_opt_int(node_of(first, 0), "id", 0), id);
	assert_string_equal(order_state(db, node, id), "sent");
	again = orders_of(db, node, 0);
	assert_int_equal(json_length(again), 1);
	later = orders_of(db, node, id);
	assert_int_equal(json_length(later), 0);
	assert_int_equal(order_result(db, node, second, ORDER_DONE, "", NOW, &err), -ENOENT);
	assert_int_equal(order_result(db, node, id, ORDER_RUNNING, "", NOW, NULL), 0);
	assert_string_equal(order_state(db, node, id), "running");
	assert_int_equal(order_result(db, node, id, ORDER_DONE, "fine", NOW, NULL), 0);
	assert_int_equal(order_result(db, node, id, ORDER_DONE, "fine", NOW, NULL), 0);
	assert_int_equal(order_result(db, node, id, ORDER_FAILED, "", NOW, &err), -EEXIST);
	assert_int_equal(order_result(db, node, id, ORDER_RUNNING, "", NOW, &err), -EEXIST);
	assert_string_equal(order_state(db, node, id), "done");
	assert_int_equal(order_count_open(db, &open, NULL), 0);
	assert_int_equal(open, 1);
	assert_int_equal(order_cancel(db, other, second, NOW, NULL), 0);
	assert_int_equal(order_cancel(db, other, second, NOW, &err), -EEXIST);
	assert_int_equal(order_count_open(db, &open, NULL), 0);
	assert_int_equal(open, 0);
	assert_int_equal(order_prune(db, NOW + (int64_t)91 * 24 * 3600, NULL), 0);
	assert_int_equal(order_cancel(db, other, second, NOW, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, database_new, database_drop)
		TEST(test_token),
		TEST(test_refused_tokens),
		TEST(test_secret_is_hashed),
		TEST(test_failed_enrolment),
		TEST(test_credentials),
		TEST(test_nodes),
		TEST(test_orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
