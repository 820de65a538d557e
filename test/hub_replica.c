/* SPDX-License-Identifier: Apache-2.0 */
/* Three hubs with one state in a real etcd of three members; any of all these is killed. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "etcd_fixture.h"
#include "fleet_fixture.h"

#define HUBS     3
#define NODES    3
#define LIMIT_MS 120000
#define AWAIT_US ((int64_t)40 * 1000000)
#define LOOK_MS  50
#define MANY     700 /* transactions: more than the log keeps */

static EtcdFixture etcd;
static HubFixture hubs[HUBS];
static Node *nodes[NODES];

/* ---- what there is ---- */

static void hub_start(size_t i)
{
	Error err = {0};

	if (hub_fixture_start(&hubs[i], &err) < 0)
		fail_msg("hub %zu: %s", i, err.text);
}

static void hub_kill(size_t i)
{
	(void)kill(hubs[i].pid, SIGKILL);
	(void)hub_fixture_stop(&hubs[i]);
}

/* What it is: "leader", "follower"; "" while it does not answer. */
static void role_of(size_t i, char ret[16])
{
	_cleanup_json_ json_object *answer = NULL;

	(void)hub_fixture_ask(&hubs[i], NULL, "GET", "/v1/status", NULL, &answer);
	(void)snprintf(ret, 16, "%s", json_opt_string(answer, "role", ""));
}

static int leader_find(void)
{
	for (size_t i = 0; i < HUBS; i++) {
		char role[16] = "";

		if (hubs[i].pid)
			role_of(i, role);
		if (!strcmp(role, "leader"))
			return (int)i;
	}
	return -1;
}

static size_t leader_await(void)
{
	int64_t until_us = clock_monotonic_us() + AWAIT_US;
	int i;

	while ((i = leader_find()) < 0) {
		if (clock_monotonic_us() > until_us)
			fail_msg("No hub leads");
		(void)poll(NULL, 0, LOOK_MS);
	}
	return (size_t)i;
}

static size_t follower_of(size_t leader)
{
	return (leader + 1) % HUBS;
}

/* What it answers to a GET has this in it, sooner or later. */
static void await_answer(size_t i, const char *path, const char *part)
{
	int64_t until_us = clock_monotonic_us() + AWAIT_US;

	for (;;) {
		_cleanup_json_ json_object *answer = NULL;
		const char *text;

		(void)hub_fixture_ask(&hubs[i], NULL, "GET", path, NULL, &answer);
		text = answer ? json_object_to_json_string_ext(
					answer,
					JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
			      : "";
		if (strstr(text, part))
			return;
		if (clock_monotonic_us() > until_us)
			fail_msg("hub %zu: %s: expected \"%s\", got %s", i, path, part, text);
		(void)poll(NULL, 0, LOOK_MS);
	}
}

/* Makes a token with that note: the status. */
static long token_make(size_t i, const char *note, json_object **ret_answer)
{
	_cleanup_json_ json_object *body = json_object_new_object();

	json_put_string(body, "note", note);
	return hub_fixture_ask(&hubs[i], NULL, "POST", "/v1/tokens", body, ret_answer);
}

static void token_must(size_t i, const char *note)
{
	_cleanup_json_ json_object *answer = NULL;
	long status = token_make(i, note, &answer);

	/* It has just become what it is, and was not there for a moment. */
	for (int tries = 0; status == 0 && tries < 40; tries++) {
		(void)poll(NULL, 0, LOOK_MS);
		status = token_make(i, note, &answer);
	}
	if (status != 201)
		fail_msg("hub %zu: %ld %s", i, status, hub_fixture_message(answer));
}

static int set_up(void **state)
{
	Error err = {0};

	if (top_make(state) < 0 || etcd_fixture_make(&etcd, &err) < 0 ||
	    hub_fixture_make(&hubs[0], &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	/* As one that was alone until now. */
	(void)hub_fixture_stop(&hubs[0]);
	hubs[0].etcd = etcd.members;
	hubs[0].publish = true;
	hub_start(0);
	for (size_t i = 1; i < HUBS; i++) {
		if (hub_fixture_place(&hubs[i], &err) < 0)
			return -1;
		hubs[i].etcd = etcd.members;
		hub_start(i);
	}
	return 0;
}

static int tear_down(void **state)
{
	for (size_t i = 0; i < NODES; i++) {
		if (nodes[i])
			node_free(nodes[i]);
		nodes[i] = NULL;
	}
	for (size_t i = 0; i < HUBS; i++)
		hub_fixture_remove(&hubs[i]);
	etcd_fixture_remove(&etcd);
	return top_remove(state);
}

/* ---- one state ---- */

static void test_all_have_the_same(void **state)
{
	_cleanup_json_ json_object *answer = NULL;
	_cleanup_free_ char *address = NULL;
	size_t leader = leader_await();
	long status;

	token_must(leader, "first");
	for (size_t i = 0; i < HUBS; i++)
		await_answer(i, "/v1/tokens", "\"first\"");
	/* Who follows changes nothing, and says who does. */
	status = token_make(follower_of(leader), "second", &answer);
	address = text_format("127.0.0.1:%u", hubs[leader].port);
	assert_int_equal(status, 421);
	assert_string_equal(json_opt_string(answer, "leader", ""), address);
	assert_non_null(strstr(hub_fixture_message(answer), address));
	/* What was done is kept by all, too. */
	await_answer(follower_of(leader), "/v1/audit", "/v1/tokens");
}

static void test_another_one_leads(void **state)
{
	size_t first = leader_await(), second;

	token_must(first, "one");
	hub_kill(first);
	second = leader_await();
	assert_int_not_equal(first, second);
	token_must(second, "two");
	await_answer(second, "/v1/tokens", "\"one\"");
	/* It comes back as one that follows, and has what it has missed. */
	hub_start(first);
	await_answer(first, "/v1/tokens", "\"two\"");
	await_answer(first, "/v1/status", "\"follower\"");
}

/* Who is asked to stop is followed at once, not after its lease. */
static void test_who_stops_gives_way(void **state)
{
	size_t first = leader_await();
	int64_t since_us;

	(void)hub_fixture_stop(&hubs[first]);
	since_us = clock_monotonic_us();
	(void)leader_await();
	assert_in_range(clock_monotonic_us() - since_us, 0, 5000000);
}

static void test_etcd_loses_members(void **state)
{
	_cleanup_json_ json_object *answer = NULL;
	size_t leader = leader_await();
	Error err = {0};

	etcd_fixture_kill(&etcd, 0);
	token_must(leader_await(), "with two");
	/* One alone cannot agree with itself: nothing is changed, and nothing is lost. */
	etcd_fixture_kill(&etcd, 1);
	assert_int_not_equal(token_make(leader, "with one", &answer), 201);
	await_answer(leader, "/v1/tokens", "\"with two\"");
	for (size_t i = 0; i < 2; i++)
		if (etcd_fixture_start(&etcd, i, &err) < 0)
			fail_msg("%s", err.text);
	leader = leader_await();
	for (int i = 0; i < 100 && token_make(leader, "again", NULL) != 201; i++) {
		(void)poll(NULL, 0, 10 * LOOK_MS);
		leader = leader_await();
	}
	for (size_t i = 0; i < HUBS; i++)
		await_answer(i, "/v1/tokens", "\"again\"");
}

/* The log has an end; who was away for longer takes the state whole. */
static void test_one_is_far_behind(void **state)
{
	size_t leader = leader_await(), away = follower_of(leader);
	char note[32] = "";

	(void)hub_fixture_stop(&hubs[away]);
	for (int i = 0; i < MANY; i++) {
		(void)snprintf(note, sizeof(note), "note %d", i);
		token_must(leader, note);
	}
	await_answer(follower_of(away) == leader ? (leader + 2) % HUBS : follower_of(away),
		     "/v1/tokens", note);
	/* A sign of life of the leader later. */
	(void)poll(NULL, 0, 5000);
	hub_start(away);
	await_answer(away, "/v1/tokens", note);
	await_answer(away, "/v1/tokens", "\"note 0\"");
}

/* ---- what it is for ---- */

/* As segue join with all hubs makes one. */
static Node *node_make(size_t i)
{
	Node *node = node_trusting(&hubs[leader_await()], i, ALICE);
	Error err = {0};

	free(node->node.hub);
	node->node.hub = text_format("127.0.0.1:%u 127.0.0.1:%u 127.0.0.1:%u", hubs[0].port,
				     hubs[1].port, hubs[2].port);
	(void)unlink(node->config);
	if (link_config_write(node->config, &node->node, &err) < 0)
		fail_msg("%s", err.text);
	node->segued.state->answer = FAKE_SWAPS;
	link_start(node, 0);
	return node;
}

/* segue COMMAND at the hub that leads; tried again while that changes. */
static void segue(const char *command, const char *part)
{
	int64_t until_us = clock_monotonic_us() + AWAIT_US;

	for (;;) {
		/* There is one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
		const char *program = getenv("SEGUE_PROGRAM");
		_cleanup_free_ char *line = text_format("exec %s %s --socket %s", program, command,
							hubs[leader_await()].socket);
		_cleanup_free_ char *output = NULL;
		const char *const argv[] = {"sh", "-c", line, NULL};

		(void)process_run(argv, LIMIT_MS, &output, NULL);
		if (output && strstr(output, part))
			return;
		if (clock_monotonic_us() > until_us)
			fail_msg("segue %s: expected \"%s\", got %s", command, part, output);
		(void)poll(NULL, 0, LOOK_MS);
	}
}

static void fleet_make(void)
{
	_cleanup_free_ char *depot = in_top("owner");
	_cleanup_free_ char *push = text_format("push r --node n0 --dir %s", depot);

	trust_put("owner", ALICE);
	release_put("owner", &(Spec){.name = "r"}, ALICE);
	for (size_t i = 0; i < NODES; i++)
		nodes[i] = node_make(i);
	for (size_t i = 0; i < NODES; i++) {
		_cleanup_free_ char *path = text_format("/v1/nodes/n%zu", i);

		await_answer(leader_await(), path, "\"kernel\":\"6.12.1\"");
	}
	segue(push, "done");
}

static void test_releases_are_everywhere(void **state)
{
	fleet_make();
	for (size_t i = 0; i < HUBS; i++)
		await_answer(i, "/v1/releases", "\"r\"");
	/* It is whole, and of use, without the hub that it was sent to. */
	hub_kill(leader_await());
	segue("push r --node n1", "done");
}

/* The hub that leads is killed again and again, wherever it is; nobody is asked twice. */
static void test_a_rollout_outlives_hubs(void **state)
{
	fleet_make();
	for (size_t i = 0; i < HUBS; i++)
		await_answer(i, "/v1/releases", "\"r\"");
	segue("rollout start r --soak 0", "Rollout 1");
	for (size_t i = 0; i < HUBS; i++)
		await_answer(i, "/v1/rollouts", "\"r\"");
	for (int i = 0; i < 3; i++) {
		size_t leader = leader_await();

		(void)poll(NULL, 0, 300 + 400 * i);
		hub_kill(leader);
		(void)leader_await();
		hub_start(leader);
	}
	segue("rollout status 1", "3 of 3 nodes done");
	for (size_t i = 0; i < NODES; i++) {
		assert_string_equal(nodes[i]->segued.state->kernel, FAKE_KERNEL);
		assert_int_equal(nodes[i]->segued.state->asked, 1);
	}
}

/* ---- mistakes ---- */

/* Starts a hub on that directory's state, which ends with this on its standard error. */
static void must_fail(const HubFixture *hub, const char *words, const char *part)
{
	/* There is one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *program = getenv("SEGUE_HUB");
	_cleanup_free_ char *line = text_format("exec %s --directory %s/state --listen 127.0.0.1:0 "
						"--socket %s/x.sock %s",
						program, hub->directory, hub->directory, words);
	_cleanup_free_ char *output = NULL;
	const char *const argv[] = {"sh", "-c", line, NULL};
	int r = process_run(argv, LIMIT_MS, &output, NULL);

	if (r == 0 || !output || !strstr(output, part))
		fail_msg("segue-hub %s: expected \"%s\", got %d: %s", words, part, r, output);
}

static void test_mistakes(void **state)
{
	_cleanup_free_ char *right = text_format("--etcd %s --address 127.0.0.1:1", etcd.members);
	_cleanup_free_ char *publish = text_format("%s --etcd-publish", right);
	_cleanup_free_ char *empty = text_format("%s --etcd-prefix /other", right);
	HubFixture other, none;
	Error err = {0};

	if (hub_fixture_make(&other, &err) < 0 || hub_fixture_place(&none, &err) < 0)
		fail_msg("%s", err.text);
	(void)hub_fixture_stop(&other);
	must_fail(&other, right, "the state of another hub");
	must_fail(&other, publish, "already");
	must_fail(&other, empty, "--etcd-publish puts that of this one");
	must_fail(&none, empty, "no state of a hub");
	must_fail(&none, "--etcd ftp://x --address 127.0.0.1:1", "no member of etcd");
	must_fail(&none, "--etcd http://127.0.0.1:9 --address 127.0.0.1:1", "127.0.0.1:9");
	must_fail(&none, "--etcd http://127.0.0.1:9", "--help");
	must_fail(&none, "--etcd-publish", "--help");
	hub_fixture_remove(&other);
	hub_fixture_remove(&none);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_have_the_same),       TEST(test_another_one_leads),
		TEST(test_who_stops_gives_way),     TEST(test_etcd_loses_members),
		TEST(test_one_is_far_behind),       TEST(test_releases_are_everywhere),
		TEST(test_a_rollout_outlives_hubs), TEST(test_mistakes),
	};
	int r;

	if (!etcd_is_there()) {
		(void)printf("1..0 # SKIP etcd is not installed; tools/install-deps does that\n");
		return 0;
	}
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	r = people_make(NULL) < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
	(void)people_free(NULL);
	return r;
}
