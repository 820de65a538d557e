/* SPDX-License-Identifier: Apache-2.0 */
/* What a relay takes of a node: its links, its disk. */
#include "relay/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "relay/bucket.h"
#include "relay/clean.h"
#include "relay_fixture.h"

static void test_clean_decide(void **state)
{
	CleanItem items[] = {{10, 5, false, false}, {10, 1, true, false}, {10, 3, false, false}};
	Error err = {0};

	assert_int_equal(clean_decide(items, 3, 10, 0, NULL), 0);
	assert_int_equal(clean_decide(items, 3, 10, 40, NULL), 0);
	assert_false(items[0].remove || items[1].remove || items[2].remove);
	assert_int_equal(clean_decide(items, 3, 10, 39, NULL), 0);
	assert_true(items[2].remove && !items[0].remove && !items[1].remove);
	items[2].remove = false;
	assert_int_equal(clean_decide(items, 3, 10, 19, &err), -EDQUOT);
	assert_non_null(strstr(err.text, "raise it"));
	assert_false(items[1].remove);
}

static void test_bucket(void **state)
{
	Bucket bucket = {.rate = 1000000}, none = {0};
	int64_t now = 5000000, sent = 0;

	bucket_take(&none, 1 << 30);
	assert_int_equal(bucket_wait_us(&none, now), 0);
	for (int64_t begin = now; now - begin < 2000000;) {
		int64_t wait = bucket_wait_us(&bucket, now);

		if (wait == 0) {
			bucket_take(&bucket, 1500);
			sent += 1500;
		}
		now += wait;
	}
	assert_in_range(sent, 1990000, 2030000);
}

/* ---- rates ---- */

/* How long two nodes at once take to get a release from the hub, in microseconds. */
static int64_t two_nodes_us(const RelaySetup *of_hub, const RelaySetup *of_nodes)
{
	int64_t begin = clock_monotonic_us(), end = begin;

	node_stop(HUB);
	node_start_with(HUB, of_hub);
	for (int i = 1; i <= 2; i++) {
		node_start_with(i, of_nodes);
		node_fetch(i, "r1", HUB, HUB);
	}
	for (int i = 1; i <= 2; i++) {
		run_until(is_done, &nodes[i]);
		if (nodes[i].done_us > end)
			end = nodes[i].done_us;
		assert_int_equal(nodes[i].left, 0);
	}
	return end - begin;
}

/* Two copies at `rate` would take a second.  All of them together have it, whatever one has. */
static void test_rate_out_of_a_node(void **state)
{
	RelaySetup hub = {.rate_out = 2 * COPY}, none = {0};

	assert_in_range(two_nodes_us(&hub, &none), 950000, 1900000);
}

static void test_rate_into_a_node(void **state)
{
	RelaySetup node = {.rate_in = COPY}, none = {0};

	assert_in_range(two_nodes_us(&none, &node), 950000, 1900000);
}

/* Each of them has it. */
static void test_rate_of_a_link(void **state)
{
	RelaySetup hub = {.link_rate = COPY}, none = {0};

	assert_in_range(two_nodes_us(&hub, &none), 950000, 1900000);
}

/* A fourth of a record a second: its parent is not silent, only asked for little. */
static void test_the_lowest_rate(void **state)
{
	RelaySetup node = {.rate_in = RELAY_RATE_MIN};
	int64_t end = clock_monotonic_us() + 2 * PATIENCE_US + PATIENCE_US / 2;

	node_start_with(1, &node);
	node_fetch(1, "r1", HUB, HUB);
	while (clock_monotonic_us() < end)
		assert_true(sd_event_run(event, 100000) >= 0);
	assert_int_equal(nodes[1].left, 0);
}

static void test_rates_that_are_too_low(void **state)
{
	const RelaySetup setups[] = {{.rate_in = RELAY_RATE_MIN - 1},
				     {.rate_out = RELAY_RATE_MIN - 1},
				     {.link_rate = 1}};

	for (size_t i = 0; i < sizeof(setups) / sizeof(setups[0]); i++) {
		Relay *relay = NULL;
		Error err = {0};

		assert_int_equal(relay_new(&setups[i], &relay, &err), -EINVAL);
		assert_non_null(strstr(err.text, "at least 4096"));
	}
}

/* ---- the disk ---- */

static bool is_there(int number, const char *release)
{
	_cleanup_free_ char *depot = of_node(number, "/releases"),
			    *path = text_format("%s/%s", depot, release);

	return path_exists(AT_FDCWD, path);
}

/* Newer ones go first if the older one is still needed. */
static void test_old_releases_make_room(void **state)
{
	static const char *const keep[] = {NULL, NULL, NULL, "r1"};
	int ports[2] = {relay_port(nodes[HUB].relay), -1};
	char name[] = "r1";

	release_make("r2", 2);
	release_make("r3", 3);
	release_make("r4", 4);
	node_stop(HUB);
	node_start(HUB, 0);
	ports[0] = relay_port(nodes[HUB].relay);
	node_start_with(1, &(RelaySetup){.quota = 3 * COPY});
	for (int i = 0; i < 4; i++) {
		name[1] = (char)('1' + i);
		node_fetch_from(1, name, ports, 0, keep[i]);
		run_until(is_done, &nodes[1]);
	}
	assert_whole(1, "r1");
	assert_false(is_there(1, "r2"));
	assert_whole(1, "r3");
	assert_whole(1, "r4");
	assert_int_equal(nodes[1].removed, 1);
}

static bool has_both(const Node *node)
{
	return node->done == 2;
}

/* r1 is asked for no more when the node comes back; r2 and r3 come at once, and have room. */
static void test_what_comes_at_once_is_not_cleaned_up(void **state)
{
	const RelaySetup limits = {.link_rate = LINK_RATE, .quota = 2 * COPY};

	release_make("r2", 2);
	release_make("r3", 3);
	node_start_with(1, &limits);
	node_fetch(1, "r1", HUB, HUB);
	run_until(is_halfway, &nodes[1]);
	node_stop(1);
	node_start_with(1, &limits);
	node_fetch(1, "r2", HUB, HUB);
	run_until(is_halfway, &nodes[1]);
	assert_false(is_there(1, ".partial-r1"));
	node_fetch(1, "r3", HUB, HUB);
	run_until(has_both, &nodes[1]);
	assert_whole(1, "r2");
	assert_whole(1, "r3");
	assert_int_equal(nodes[1].troubles, 0);
	node_fetch(1, "r1", HUB, HUB);
	run_until(is_done, &nodes[1]);
	assert_int_equal(nodes[1].removed, 1);
	assert_false(is_there(1, "r2"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fleet_make, fleet_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_decide),
		cmocka_unit_test(test_bucket),
		TEST(test_rate_out_of_a_node),
		TEST(test_rate_into_a_node),
		TEST(test_rate_of_a_link),
		TEST(test_the_lowest_rate),
		TEST(test_rates_that_are_too_low),
		TEST(test_what_comes_at_once_is_not_cleaned_up),
		TEST(test_old_releases_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
