/* SPDX-License-Identifier: Apache-2.0 */
/* A node's side of a hub that is a process of its own: joining, orders, certificates. */
#include "link/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "hub/authority.h"
#include "hub/token.h"
#include "hub_fixture.h"
#include "link/join.h"
#include "link/order.h"
#include "link/paths.h"
#include "link/state.h"
#include "segued_fake.h"
#include "test.h"

#define LIMIT_US     ((int64_t)20 * 1000000)
#define LOOK_MS      10
#define RENEW_SOON_S (AUTHORITY_SKEW_S + 1)

static HubFixture hub;

/* A node: its files, its segued, and its link, which is a process. */
typedef struct Node {
	char directory[48], config[64], status[64], socket[64];
	LinkConfig node;
	SeguedFake segued;
	pid_t link;
} Node;

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

static Node *node_new(const char *name)
{
	Node *node = calloc(1, sizeof(*node));
	Error err = {0};

	(void)snprintf(node->directory, sizeof(node->directory), "/tmp/segue-test-link-XXXXXX");
	assert_non_null(mkdtemp(node->directory));
	(void)snprintf(node->config, sizeof(node->config), "%s/link.conf", node->directory);
	(void)snprintf(node->status, sizeof(node->status), "%s/status", node->directory);
	(void)snprintf(node->socket, sizeof(node->socket), "%s/segued", node->directory);
	node->node.hub = text_format("127.0.0.1:%u", hub.port);
	node->node.name = strdup(name);
	if (segued_fake_start(node->socket, &node->segued, &err) < 0)
		fail_msg("%s", err.text);
	return node;
}

static int join_with(const Node *node, const char *token, const char *authority,
		     const Digest *fingerprint, Error *err)
{
	const JoinRequest request = {
		.node = node->node,
		.token = token,
		.authority = authority,
		.fingerprint = fingerprint,
		.directory = node->directory,
	};

	return join_enrol(&request, err);
}

static Node *node_joined(const char *name)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1);
	Node *node = node_new(name);
	Error err = {0};

	if (join_with(node, token, NULL, NULL, &err) < 0 ||
	    link_config_write(node->config, &node->node, &err) < 0)
		fail_msg("%s", err.text);
	return node;
}

static void link_start(Node *node, int64_t renew_after_s)
{
	const LinkOptions options = {
		.config = node->config,
		.directory = node->directory,
		.status = node->status,
		.socket = node->socket,
		.backoff = {.first_ms = 50, .most_ms = 200},
		.look_ms = LOOK_MS,
		.renew_after_s = renew_after_s,
	};

	node->link = fork();
	if (node->link == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(link_run(&options, NULL) == -EKEYREJECTED ? 77 : 1);
	}
}

/* As at any moment: without a chance to say anything. */
static void link_kill(Node *node)
{
	if (node->link > 0 && kill(node->link, SIGKILL) == 0)
		(void)waitpid(node->link, NULL, 0);
	node->link = 0;
}

static void node_free(Node *node)
{
	link_kill(node);
	segued_fake_stop(&node->segued);
	link_config_release(&node->node);
	(void)directory_remove(AT_FDCWD, node->directory, NULL);
	free(node);
}

/* ---- waiting ---- */

typedef bool Condition(Node *node, const char *what);

static void await(Condition *condition, Node *node, const char *what)
{
	int64_t until_us = clock_monotonic_us() + LIMIT_US;

	while (!condition(node, what)) {
		if (clock_monotonic_us() > until_us)
			fail_msg("It did not come to this: %s", what);
		(void)poll(NULL, 0, 5);
	}
}

/* As the hub tells the node: state, or health, or that of the last swap. */
static bool hub_says(Node *node, const char *what)
{
	_cleanup_free_ char *path = text_format("/v1/nodes/%s", node->node.name);
	_cleanup_json_ json_object *answer = NULL;

	return hub_fixture_ask(&hub, NULL, "GET", path, NULL, &answer) == 200 &&
	       strstr(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN), what);
}

static bool link_says(Node *node, const char *what)
{
	_cleanup_json_ json_object *state = NULL;

	return link_state_read(node->status, &state, NULL) == 0 &&
	       !strcmp(json_opt_string(state, "state", ""), what);
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

/* ---- joining ---- */

static void expect_refused(int code, const char *part, const char *token, const char *authority,
			   const Digest *fingerprint)
{
	Node *node = node_new("refused");
	Error err = {0};
	int r = join_with(node, token, authority, fingerprint, &err);

	if (r != code || !strstr(err.text, part))
		fail_msg("expected %d and \"%s\", got %d: %s", code, part, r, err.text);
	node_free(node);
}

static void test_wrong_tokens(void **state)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1), *other = strdup(token);
	_cleanup_free_ char *used = hub_fixture_token(&hub, 1), *foreign = strdup(token);
	char *secret = strchr(strchr(other, '.') + 1, '.') + 1;
	char *authority = strrchr(foreign, '.') + 1;
	Node *node = node_new("user");

	*secret = *secret == '0' ? '1' : '0';
	*authority = *authority == '0' ? '1' : '0';
	assert_int_equal(join_with(node, used, NULL, NULL, NULL), 0);
	expect_refused(-EINVAL, "no join token", "segue1.abc", NULL, NULL);
	expect_refused(-EKEYREJECTED, "not known here", other, NULL, NULL);
	expect_refused(-EKEYREJECTED, "used already", used, NULL, NULL);
	expect_refused(-EKEYREJECTED, "nothing was sent", foreign, NULL, NULL);
	node_free(node);
}

static void test_wrong_authorities(void **state)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1), *pem = NULL;
	_cleanup_free_ char *path = text_format("%s/ca.pem", hub.directory);
	_cleanup_authority_ Authority *other = NULL;
	const Digest wrong = {{1}};
	Node *node = node_new("right");
	TokenParts parts;
	Error err = {0};

	assert_int_equal(authority_make("x", clock_realtime_us() / 1000000, &other, &err), 0);
	assert_int_equal(file_read(AT_FDCWD, path, &pem, NULL, &err), 0);
	assert_int_equal(token_parse(token, &parts, &err), 0);
	expect_refused(-EKEYREJECTED, "not that of the hub", token, NULL, &wrong);
	expect_refused(-EKEYREJECTED, "nothing was sent", token, authority_pem(other), NULL);
	expect_refused(-EBADMSG, "Not a certificate", token, "x", NULL);
	if (join_with(node, token, pem, &parts.authority, &err) < 0)
		fail_msg("%s", err.text);
	node_free(node);
}

static void test_unreachable(void **state)
{
	_cleanup_free_ char *token = hub_fixture_token(&hub, 1);
	Node *node = node_new("alone");
	Error err = {0};

	free(node->node.hub);
	node->node.hub = strdup("127.0.0.1:1");
	assert_int_equal(join_with(node, token, NULL, NULL, &err), -EHOSTUNREACH);
	assert_non_null(strstr(err.text, "127.0.0.1:1"));
	node_free(node);
}

static void test_files(void **state)
{
	static const char *const files[] = {LINK_KEY, LINK_CERTIFICATE, LINK_AUTHORITY};
	Node *node = node_joined("files");
	LinkConfig read = {0};
	struct stat st;

	for (size_t i = 0; i < 3; i++) {
		_cleanup_free_ char *path = text_format("%s/%s", node->directory, files[i]);

		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	assert_int_equal(link_config_read(node->config, &read, NULL), 0);
	assert_string_equal(read.hub, node->node.hub);
	assert_string_equal(read.name, "files");
	link_config_release(&read);
	node_free(node);
}

static void test_leaving(void **state)
{
	_cleanup_json_ json_object *answer = NULL;
	Node *node = node_joined("leaver");

	assert_int_equal(join_leave(&node->node, node->directory, NULL), 0);
	assert_int_equal(hub_fixture_ask(&hub, NULL, "GET", "/v1/nodes/leaver", NULL, &answer),
			 404);
	assert_int_equal(join_leave(&node->node, node->directory, NULL), -EKEYREJECTED);
	node_free(node);
}

/* ---- orders ---- */

static void test_order_in_a_second(void **state)
{
	Node *node = node_joined("quick");
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
	Node *node = node_joined("refuser");

	node->segued.state->answer = FAKE_REFUSES;
	link_start(node, 0);
	(void)order_give(node, ORDER);
	await(hub_says, node, "\"state\":\"failed\",\"message\":\"The store is full\"");
	assert_int_equal(node->segued.state->asked, 1);
	node_free(node);
}

/* Killed in the middle of it, and the swap ends while there is no link. */
static void test_order_outlives_link(void **state)
{
	Node *node = node_joined("killed");

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
	Node *node = node_joined("silent");

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
	Node *node = node_joined("patient");
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

static bool certificate_is_another(Node *node, const char *before)
{
	_cleanup_free_ char *path = text_format("%s/" LINK_CERTIFICATE, node->directory);
	_cleanup_free_ char *now = NULL;

	return file_read(AT_FDCWD, path, &now, NULL, NULL) == 0 && strcmp(now, before) != 0;
}

static void test_renewal(void **state)
{
	Node *node = node_joined("renewer");
	_cleanup_free_ char *path = text_format("%s/" LINK_CERTIFICATE, node->directory);
	_cleanup_free_ char *before = NULL;

	assert_int_equal(file_read(AT_FDCWD, path, &before, NULL, NULL), 0);
	link_start(node, RENEW_SOON_S);
	await(certificate_is_another, node, before);
	(void)order_give(node, ORDER);
	await(segued_was_asked, node, "segued was asked");
	assert_true(link_says(node, "connected"));
	node_free(node);
}

static void test_revocation(void **state)
{
	Node *node = node_joined("revoked");
	_cleanup_json_ json_object *how = NULL, *answer = NULL;
	int status = 0;

	link_start(node, 0);
	await(hub_waits, node, "it waits for orders");
	assert_int_equal(hub_fixture_ask(&hub, NULL, "DELETE", "/v1/nodes/revoked", NULL, &answer),
			 200);
	assert_int_equal(waitpid(node->link, &status, 0), node->link);
	node->link = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 77);
	assert_int_equal(link_state_read(node->status, &how, NULL), 0);
	assert_string_equal(json_opt_string(how, "state", ""), "refused");
	assert_non_null(strstr(json_opt_string(how, "message", ""), "revoked"));
	node_free(node);
}

/* A node whose segued is away is there all the same, and says why an order fails. */
static void test_without_segued(void **state)
{
	Node *node = node_joined("mute");

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
	Node *node = node_joined("ill");

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
		cmocka_unit_test(test_wrong_tokens),
		cmocka_unit_test(test_wrong_authorities),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_leaving),
		cmocka_unit_test(test_order_in_a_second),
		cmocka_unit_test(test_order_fails),
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
