/* SPDX-License-Identifier: Apache-2.0 */
/* A release on its way from its owner to the nodes of a hub: hub, links and relays are processes.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "fleet_fixture.h"

#define NODES      4
#define LIMIT_MS   60000
#define SLOW       49152 /* bytes a second: a release takes two */
#define SMALL_DISK 20000 /* bytes: no file of a release has room */
#define WORDS_MAX  12

static HubFixture hub;
static Node *nodes[NODES];

/* ---- what there is ---- */

static Node *node_make(size_t i, int person)
{
	return nodes[i] = node_trusting(&hub, i, person);
}

static int set_up(void **state)
{
	Error err = {0};

	if (top_make(state) < 0 || hub_fixture_make(&hub, &err) < 0) {
		print_error("%s\n", err.text);
		return -1;
	}
	trust_put("owner", ALICE);
	release_put("owner", &(Spec){.name = "r"}, ALICE);
	return 0;
}

static int tear_down(void **state)
{
	for (size_t i = 0; i < NODES; i++) {
		if (nodes[i])
			node_free(nodes[i]);
		nodes[i] = NULL;
	}
	hub_fixture_remove(&hub);
	return top_remove(state);
}

/* The hub's relay sends at that rate from now on. */
static void hub_slow_down(void)
{
	Error err = {0};

	(void)hub_fixture_stop(&hub);
	hub.relay_rate = SLOW;
	if (hub_fixture_start(&hub, &err) < 0)
		fail_msg("%s", err.text);
}

/* ---- what is done, and what comes of it ---- */

/* Runs "segue push WORDS..." on a depot; what it prints must have this in it. */
static void push_from(const char *owner, bool well, const char *words, const char *part)
{
	_cleanup_free_ char *copy = strdup(words), *depot = in_top(owner), *output = NULL;
	/* There is one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *argv[WORDS_MAX] = {
		getenv("SEGUE_PROGRAM"), "push", "--dir", depot, "--socket", hub.socket};
	char *rest = copy;
	int n = 6, r;

	for (char *word; n < WORDS_MAX - 1 && (word = strsep(&rest, " "));)
		argv[n++] = word;
	r = process_run(argv, LIMIT_MS, &output, NULL);
	if ((r == 0) != well || !strstr(output, part))
		fail_msg("segue push %s: expected \"%s\", got %d: %s", words, part, r, output);
}

static void push(bool well, const char *words, const char *part)
{
	push_from("owner", well, words, part);
}

static bool release_is(const Node *node, const char *name)
{
	_cleanup_free_ char *path = text_format("%s/depot/releases/%s", node->directory, name);

	return path_exists(AT_FDCWD, path);
}

static bool has_begun(Node *node, const char *what)
{
	return release_is(node, ".partial-r");
}

static void assert_whole(const Node *node)
{
	static const char *const files[] = {RELEASE_KERNEL, RELEASE_MODULES};
	uint8_t content[FILE_SIZE];

	for (size_t i = 0; i < 2; i++) {
		_cleanup_free_ char *path =
			text_format("%s/depot/releases/r/%s", node->directory, files[i]);
		_cleanup_free_ char *bytes = NULL;
		size_t size;

		assert_int_equal(file_read(AT_FDCWD, path, &bytes, &size, NULL), 0);
		assert_int_equal(size, FILE_SIZE);
		content_make(0, files[i], content);
		assert_memory_equal(bytes, content, FILE_SIZE);
	}
}

/* ---- the tests ---- */

static void test_every_node_gets_it(void **state)
{
	for (size_t i = 0; i < NODES; i++)
		link_start(node_make(i, ALICE), 0);
	for (size_t i = 0; i < NODES; i++)
		await(hub_says, nodes[i], "\"state\":\"online\"");
	push(true, "r --all --dry-run", "no");
	for (size_t i = 0; i < NODES; i++)
		assert_false(release_is(nodes[i], "r"));
	push(true, "r --all", "n3");
	for (size_t i = 0; i < NODES; i++)
		assert_whole(nodes[i]);
	/* What is there is not sent again. */
	push(true, "r --node n1", "done");
}

/* Each by itself it would take NODES times as long as one. */
static void test_the_hub_sends_it_about_once(void **state)
{
	const int64_t copy_us = (int64_t)2 * FILE_SIZE * 1000000 / SLOW;
	int64_t since_us;

	hub_slow_down();
	for (size_t i = 0; i < NODES; i++)
		link_start(node_make(i, ALICE), 0);
	for (size_t i = 0; i < NODES; i++)
		await(hub_says, nodes[i], "\"state\":\"online\"");
	since_us = clock_monotonic_us();
	push(true, "r --all", "n3");
	assert_in_range(clock_monotonic_us() - since_us, 0, (NODES - 1) * copy_us);
}

static void test_nobody_takes_what_others_sign(void **state)
{
	link_start(node_make(0, MALLORY), 0);
	link_start(node_make(1, ALICE), 0);
	push(false, "r --all", "failed");
	await(hub_says, nodes[0], "1 signature");
	assert_false(release_is(nodes[0], "r"));
	assert_false(release_is(nodes[0], ".partial-r"));
	assert_whole(nodes[1]);
}

static void test_a_node_goes_on_where_it_was(void **state)
{
	hub_slow_down();
	link_start(node_make(0, ALICE), 0);
	push(true, "r --all --detach", "1 node");
	await(has_begun, nodes[0], "it has begun");
	link_kill(nodes[0]);
	assert_false(release_is(nodes[0], "r"));
	link_start(nodes[0], 0);
	await(hub_says, nodes[0], "\"state\":\"done\"");
	assert_whole(nodes[0]);
}

static void test_a_relay_that_dies_is_started_again(void **state)
{
	_cleanup_free_ char *path = NULL, *child = NULL;
	Node *node;

	hub_slow_down();
	node = node_make(0, ALICE);
	link_start(node, 0);
	push(true, "r --all --detach", "1 node");
	await(has_begun, node, "it has begun");
	path = text_format("/proc/%d/task/%d/children", node->link, node->link);
	assert_int_equal(file_read_line(AT_FDCWD, path, &child, NULL), 0);
	assert_true(strtol(child, NULL, 10) > 0);
	assert_int_equal(kill((pid_t)strtol(child, NULL, 10), SIGKILL), 0);
	await(hub_says, node, "\"state\":\"done\"");
	assert_whole(node);
}

static void test_a_hub_that_comes_back_goes_on(void **state)
{
	Error err = {0};

	hub_slow_down();
	link_start(node_make(0, ALICE), 0);
	push(true, "r --all --detach", "1 node");
	await(has_begun, nodes[0], "it has begun");
	(void)hub_fixture_stop(&hub);
	assert_false(release_is(nodes[0], "r"));
	if (hub_fixture_start(&hub, &err) < 0)
		fail_msg("%s", err.text);
	await(hub_says, nodes[0], "\"state\":\"done\"");
	assert_whole(nodes[0]);
}

static void test_a_full_disk_is_told(void **state)
{
	Node *node = node_make(0, ALICE);

	node->size_max = SMALL_DISK;
	link_start(node, 0);
	push(false, "r --all", "Nothing came for 3 s: ");
	assert_false(release_is(node, "r"));
	link_kill(node);
	node->size_max = 0;
	link_start(node, 0);
	push(true, "r --all", "done");
	assert_whole(node);
}

/* Runs "segue WORDS...", on the depot "other". */
static void other_does(const char *words)
{
	_cleanup_free_ char *depot = in_top("other"), *output = NULL, *command = NULL;
	/* There is one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *program = getenv("SEGUE_PROGRAM");
	const char *argv[] = {"sh", "-c", NULL, NULL};

	command = text_format("exec %s %s --dir %s", program, words, depot);
	argv[2] = command;
	if (process_run(argv, LIMIT_MS, &output, NULL) < 0)
		fail_msg("segue %s: %s", words, output);
}

static void test_packages_are_made_a_release_of(void **state)
{
	_cleanup_free_ char *package = NULL, *words = NULL, *dry = NULL, *from = NULL, *to = NULL;
	Node *node = node_make(0, MALLORY);

	deb_before_7("image.deb", "usr/lib/modules");
	other_does("key new carol --no-passphrase");
	other_does("trust new --owner carol --signer carol --key carol");
	from = in_top("other/trust");
	to = text_format("%s/trust", node->directory);
	assert_int_equal(directory_remove(AT_FDCWD, to, NULL), 0);
	assert_int_equal(symlink(from, to), 0);
	link_start(node, 0);
	await(hub_says, node, "\"state\":\"online\"");

	package = in_top("image.deb");
	words = text_format("%s --all --key carol", package);
	dry = text_format("%s --all --dry-run", package);
	push_from("other", true, dry, "Would make release");
	push_from("owner", false, words, "carol");
	push_from("other", true, words, "done");
}

/* Runs "segue hub channel WORDS...". */
static void channel(bool well, const char *first, const char *second, const char *part)
{
	_cleanup_free_ char *output = NULL;
	/* There is one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *program = getenv("SEGUE_PROGRAM");
	const char *argv[] = {program,    "hub", "channel", "--socket",
			      hub.socket, first, second,    NULL};
	int r = process_run(argv, LIMIT_MS, &output, NULL);

	if ((r == 0) != well || !strstr(output, part))
		fail_msg("segue hub channel: expected \"%s\", got %d: %s", part, r, output);
}

static bool has_it(Node *node, const char *what)
{
	return release_is(node, "r");
}

static bool segued_was_asked(Node *node, const char *what)
{
	return node->segued.state->asked > 0;
}

static bool segued_has_checked(Node *node, const char *what)
{
	return node->segued.state->checked > 0;
}

static void test_followers_are_sent_it(void **state)
{
	char channel_main[] = "main", channel_other[] = "other";

	for (size_t i = 0; i < NODES; i++)
		(void)node_make(i, ALICE);
	nodes[1]->policy.follow = nodes[2]->policy.follow = channel_main;
	nodes[1]->policy.on_release = CONFIG_ON_RELEASE_SWAP;
	nodes[2]->policy.on_release = CONFIG_ON_RELEASE_INSTALL;
	nodes[3]->policy.follow = channel_other;
	for (size_t i = 0; i < NODES; i++) {
		if (i == 2)
			continue;
		link_start(nodes[i], 0);
		await(hub_says, nodes[i], "\"state\":\"online\"");
	}
	await(hub_says, nodes[1], "\"follows\":\"main\"");
	channel(false, "main", "r", "no release r");
	push(true, "r --node n0", "done");
	channel(false, "other", "r", "is of channel main");
	channel(true, "main", "r", "main offers r");
	channel(true, NULL, NULL, "main");
	await(segued_was_asked, nodes[1], "a swap");
	assert_whole(nodes[1]);
	assert_non_null(strstr(nodes[1]->segued.state->request, FAKE_KERNEL));
	assert_int_equal(nodes[1]->segued.state->checked, 0);
	/* One that was off. */
	link_start(nodes[2], 0);
	await(segued_has_checked, nodes[2], "a check");
	assert_whole(nodes[2]);
	assert_int_equal(nodes[2]->segued.state->asked, 0);
	assert_false(has_it(nodes[3], NULL));
	assert_int_equal(nodes[0]->segued.state->installed, 0);
}

/* The node has room for one release: the older goes, unless its kernel is in use. */
static void test_older_releases_make_room(void **state)
{
	Node *node = node_make(0, ALICE);

	node->policy.quota_bytes = (int64_t)3 * FILE_SIZE;
	link_start(node, 0);
	push(true, "r --all", "done");
	release_put("owner", &(Spec){.name = "s", .version = 2, .seed = 1}, ALICE);
	push(true, "s --all", "done");
	assert_false(release_is(node, "r"));
	assert_true(release_is(node, "s"));
	segued_fake_kernels(&node->segued, "6.12.1", KVER);
	release_put("owner", &(Spec){.name = "t", .version = 3, .seed = 2}, ALICE);
	push(false, "t --all", "quota");
	assert_true(release_is(node, "s"));
}

/* As many nodes wait for orders as there are. */
static bool all_wait(Node *node, const char *what)
{
	_cleanup_json_ json_object *answer = NULL;
	int64_t n = 0;

	for (size_t i = 0; i < NODES; i++)
		n += nodes[i] != NULL;
	return hub_fixture_ask(&hub, NULL, "GET", "/v1/status", NULL, &answer) == 200 &&
	       json_opt_int(answer, "waiting", 0) == n;
}

static bool knows_who_counts_no_more(Node *node, const char *what)
{
	_cleanup_free_ char *path = text_format("%s/revoked", node->directory), *text = NULL;
	size_t size = 0;

	return file_read(AT_FDCWD, path, &text, &size, NULL) == 0 && size > 0;
}

/* Nodes that wait for orders for a minute and more do not wait for that. */
static void test_who_counts_no_more_is_known_at_once(void **state)
{
	_cleanup_json_ json_object *answer = NULL;

	for (size_t i = 0; i < 2; i++) {
		link_start(node_make(i, ALICE), 0);
		await(all_wait, nodes[i], "it waits for orders");
	}
	assert_false(knows_who_counts_no_more(nodes[1], ""));
	assert_int_equal(hub_fixture_ask(&hub, NULL, "DELETE", "/v1/nodes/n0", NULL, &answer), 200);
	await(knows_who_counts_no_more, nodes[1], "it knows the certificate");
}

static void test_what_cannot_be_pushed(void **state)
{
	Node *node = node_make(0, ALICE);

	push(false, "r", "is needed");
	push(false, "r --all --node n0", "is needed");
	push(false, "kernel_1.deb/x --all", "kernel packages");
	push(false, "r --group web", "labels");
	push(false, "r --all --key alice", "goes with packages");
	push(false, "r s --all", "\"s\" is no release");
	push(false, "kernel.deb --all", "--key is missing");
	push(false, "s --all", "no release s");
	push(false, "r --node nobody", "There is no node nobody");
	push(false, "r --label rack=9", "labels");
	push(false, "r --all --wait 0", "queued");
	push(false, "r --all --detach", "1 left out");
	link_start(node, 0);
	await(hub_says, node, "\"state\":\"done\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_node_gets_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_hub_sends_it_about_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_takes_what_others_sign, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_node_goes_on_where_it_was, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_relay_that_dies_is_started_again, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_hub_that_comes_back_goes_on, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_full_disk_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_packages_are_made_a_release_of, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_followers_are_sent_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_older_releases_make_room, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who_counts_no_more_is_known_at_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_pushed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, people_make, people_free);
}
