/* SPDX-License-Identifier: Apache-2.0 */
/* A node's link to a hub that is a process of its own: orders, certificates, a hub that is away. */
#include "link/link.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "hub/authority.h"
#include "link/order.h"
#include "link_fixture.h"
#include "test.h"

#define RENEW_SOON_S (AUTHORITY_SKEW_S + 1)

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

static bool hub_waits(Node *node, const char *what)
{
	_cleanup_json_ json_object *answer = NULL;

	return hub_fixture_ask(&hub, NULL, "GET", "/v1/status", NULL, &answer) == 200 &&
	       json_opt_int(answer, "waiting", 0) == 1;
}

static bool segued_was_asked(Node *node, const char *what)
{
	return node->segued.state->asked > 0;
}

static bool segued_installs(Node *node, const char *what)
{
	return node->segued.state->installed > 0;
}

static bool order_is_kept(Node *node, const char *what)
{
	LinkOrder order;

	return link_order_load(node->directory, &order, NULL) == 1 && *order.swap;
}

static bool order_is_forgotten(Node *node, const char *what)
{
	LinkOrder order;

	return link_order_load(node->directory, &order, NULL) == 0;
}

static int64_t order_give(Node *node, const char *text)
{
	_cleanup_free_ char *path = text_format("/v1/nodes/%s/orders", node->node.name);
	_cleanup_json_ json_object *body = json_tokener_parse(text), *answer = NULL;

	assert_int_equal(hub_fixture_ask(&hub, NULL, "POST", path, body, &answer), 201);
	return json_opt_int(answer, "id", 0);
}

#define ORDER "{\"kind\":\"swap\",\"kernel\":\"6.12.2\",\"no_trial\":true}"

/* ---- orders ---- */

static void test_order_in_a_second(void **state)
{
	Node *node = node_joined(&hub, "quick");
	int64_t given_us;

	link_start(node, 0);
	await(hub_says, node, "\"health\":\"ok\"");
	await(hub_waits, node, "it waits for orders");
	given_us = clock_monotonic_us();
	(void)order_give(node, ORDER);
	await(segued_was_asked, node, "segued was asked");
	assert_in_range(node->segued.state->asked_us - given_us, 0, 1000000);
	assert_non_null(strstr(node->segued.state->request, "\"6.12.2\""));
	await(hub_says, node, "\"state\":\"running\"");
	await(hub_says, node, "\"warm\"");
	segued_fake_swap(&node->segued, "done", 0);
	await(hub_says, node, "\"state\":\"done\",\"message\":\"as it is\"");
	await(order_is_forgotten, node, "the order is forgotten");
	assert_int_equal(node->segued.state->asked, 1);
	node_free(node);
}

static void test_order_fails(void **state)
{
	Node *node = node_joined(&hub, "refuser");

	node->segued.state->answer = FAKE_REFUSES;
	link_start(node, 0);
	(void)order_give(node, ORDER);
	await(hub_says, node, "\"state\":\"failed\",\"message\":\"The store is full\"");
	assert_int_equal(node->segued.state->asked, 1);
	node_free(node);
}

/* Past what the hub's catalogue has: the node has the last word. */
static void release_order_give(Node *node, const char *kind, const char *release)
{
	_cleanup_free_ char *text = text_format("UPDATE orders SET kind = '%s', body = "
						"'{\"release\":\"%s\",\"no_trial\":true}' WHERE "
						"node = (SELECT id FROM nodes WHERE name = '%s')",
						kind, release, node->node.name);
	Error err = {0};

	(void)order_give(node, ORDER);
	if (hub_fixture_change(&hub, text, &err) < 0)
		fail_msg("%s", err.text);
}

/* Its kernel is installed, though something else is done at first, and then swapped to. */
static void test_order_of_release(void **state)
{
	Node *node = node_joined(&hub, "releaser");

	release_order_give(node, "swap", FAKE_RELEASE);
	link_start(node, 0);
	await(segued_was_asked, node, NULL);
	assert_non_null(strstr(node->segued.state->request, "\"" FAKE_KERNEL "\""));
	assert_int_equal(node->segued.state->installed, 3);
	assert_int_equal(node->segued.state->asked, 1);
	segued_fake_swap(&node->segued, "done", 0);
	await(hub_says, node, "\"state\":\"done\"");
	node_free(node);
}

static void test_order_of_no_release(void **state)
{
	Node *node = node_joined(&hub, "lacking");

	release_order_give(node, "swap", "r8");
	link_start(node, 0);
	await(hub_says, node, "\"state\":\"failed\",\"message\":\"It is not here\"");
	assert_int_equal(node->segued.state->asked, 0);
	node_free(node);
}

/* The link is killed while the kernel is being installed; the next one goes on. */
static void test_installing_outlives_link(void **state)
{
	Node *node = node_joined(&hub, "going-on");

	release_order_give(node, "swap", FAKE_RELEASE);
	link_start(node, 0);
	await(segued_installs, node, NULL);
	link_kill(node);
	link_start(node, 0);
	await(segued_was_asked, node, NULL);
	assert_int_equal(node->segued.state->asked, 1);
	node_free(node);
}

static void test_staging(void **state)
{
	Node *node = node_joined(&hub, "stager"), *other = node_joined(&hub, "refusing-stager");

	release_order_give(node, "stage", FAKE_RELEASE);
	link_start(node, 0);
	await(hub_says, node, "\"state\":\"done\"");
	assert_non_null(strstr(node->segued.state->request, "\"" FAKE_KERNEL "\""));
	assert_int_equal(node->segued.state->checked, 1);
	assert_int_equal(node->segued.state->asked, 0);
	other->segued.state->answer = FAKE_REFUSES;
	(void)order_give(other, "{\"kind\":\"stage\",\"kernel\":\"6.12.2\"}");
	link_start(other, 0);
	await(hub_says, other,
	      "\"state\":\"failed\",\"message\":\"not carried: a.service: It has a device\"");
	assert_int_equal(other->segued.state->installed, 0);
	node_free(node);
	node_free(other);
}

/* Killed in the middle of it, and the swap ends while there is no link. */
static void test_order_outlives_link(void **state)
{
	Node *node = node_joined(&hub, "killed");

	link_start(node, 0);
	(void)order_give(node, ORDER);
	await(order_is_kept, node, "the order is on the disk, with its swap");
	link_kill(node);
	segued_fake_swap(&node->segued, "done", 0);
	link_start(node, 0);
	await(hub_says, node, "\"state\":\"done\"");
	assert_int_equal(node->segued.state->asked, 1);
	node_free(node);
}

/* Killed before it was told which swap has begun. */
static void test_order_without_answer(void **state)
{
	Node *node = node_joined(&hub, "silent");

	node->segued.state->answer = FAKE_SILENT;
	link_start(node, 0);
	(void)order_give(node, ORDER);
	await(segued_was_asked, node, "segued was asked");
	link_kill(node);
	segued_fake_swap(&node->segued, "called-off", 0);
	link_start(node, 0);
	await(hub_says, node, "\"state\":\"failed\",\"message\":\"called-off: as it is\"");
	assert_int_equal(node->segued.state->asked, 1);
	node_free(node);
}

/* ---- the hub ---- */

static void test_hub_restarts(void **state)
{
	Node *node = node_joined(&hub, "patient");
	Error err = {0};

	link_start(node, 0);
	await(link_says, node, "connected");
	(void)kill(hub.pid, SIGKILL);
	(void)hub_fixture_stop(&hub);
	await(link_says, node, "offline");
	if (hub_fixture_start(&hub, &err) < 0)
		fail_msg("%s", err.text);
	await(link_says, node, "connected");
	(void)order_give(node, ORDER);
	await(segued_was_asked, node, "segued was asked");
	node_free(node);
}

static void test_renewal(void **state)
{
	Node *node = node_joined(&hub, "renewer");
	_cleanup_free_ char *before = node_certificate(node);

	link_start(node, RENEW_SOON_S);
	await(certificate_is_another, node, before);
	(void)order_give(node, ORDER);
	await(segued_was_asked, node, "segued was asked");
	assert_true(link_says(node, "connected"));
	node_free(node);
}

static void test_revocation(void **state)
{
	Node *node = node_joined(&hub, "revoked");
	_cleanup_json_ json_object *told = NULL, *answer = NULL;

	link_start(node, 0);
	await(hub_waits, node, "it waits for orders");
	assert_int_equal(hub_fixture_ask(&hub, NULL, "DELETE", "/v1/nodes/revoked", NULL, &answer),
			 200);
	assert_int_equal(link_wait(node), 77);
	told = link_told(node);
	assert_string_equal(json_opt_string(told, "state", ""), "refused");
	assert_non_null(strstr(json_opt_string(told, "message", ""), "revoked"));
	node_free(node);
}

/* A node whose segued is away is there all the same, and says why an order fails. */
static void test_without_segued(void **state)
{
	Node *node = node_joined(&hub, "mute");

	(void)kill(node->segued.pid, SIGKILL);
	(void)waitpid(node->segued.pid, NULL, 0);
	node->segued.pid = 0;
	link_start(node, 0);
	await(link_says, node, "connected");
	(void)order_give(node, ORDER);
	await(hub_says, node, "\"state\":\"failed\",\"message\":\"Connecting to segued");
	node_free(node);
}

static void test_health(void **state)
{
	Node *node = node_joined(&hub, "ill");

	(void)snprintf(node->segued.state->unit_state, sizeof(node->segued.state->unit_state),
		       "failed");
	link_start(node, 0);
	await(hub_says, node, "\"health\":\"failing\"");
	(void)snprintf(node->segued.state->unit_state, sizeof(node->segued.state->unit_state),
		       "active");
	await(hub_says, node, "\"health\":\"ok\"");
	node_free(node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_in_a_second),
		cmocka_unit_test(test_order_fails),
		cmocka_unit_test(test_order_of_release),
		cmocka_unit_test(test_order_of_no_release),
		cmocka_unit_test(test_installing_outlives_link),
		cmocka_unit_test(test_staging),
		cmocka_unit_test(test_order_outlives_link),
		cmocka_unit_test(test_order_without_answer),
		cmocka_unit_test(test_hub_restarts),
		cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_revocation),
		cmocka_unit_test(test_without_segued),
		cmocka_unit_test(test_health),
	};

	return cmocka_run_group_tests(tests, hub_make, hub_remove);
}
