/* SPDX-License-Identifier: Apache-2.0 */
/* What of the link decides without anybody else: back-off, orders, names of hubs. */
#include "link/order.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "link/backoff.h"
#include "link/config.h"
#include "link/state.h"
#include "test.h"

#define NODES 10000

static void test_backoff_grows(void **state)
{
	Backoff backoff = {.first_ms = 1000, .most_ms = 60000};
	static const int64_t longest[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000};

	for (size_t i = 0; i < sizeof(longest) / sizeof(*longest); i++) {
		Backoff same = backoff;

		assert_int_equal(backoff_fail(&same, 0), 1);
		assert_in_range(backoff_fail(&backoff, UINT32_MAX), longest[i] - 1, longest[i]);
	}
	backoff.failures = UINT32_MAX - 1;
	assert_in_range(backoff_fail(&backoff, UINT32_MAX), 59999, 60000);
	backoff_succeed(&backoff);
	assert_in_range(backoff_fail(&backoff, UINT32_MAX), 999, 1000);
}

/* A hub that is started again sees them spread out, not all at once. */
static void test_backoff_spreads(void **state)
{
	unsigned in_second[10] = {0};
	unsigned seed = 1;

	for (size_t i = 0; i < NODES; i++) {
		Backoff backoff = {.first_ms = 10000, .most_ms = 300000};

		seed = seed * 1664525U + 1013904223U;
		in_second[(backoff_fail(&backoff, seed) - 1) / 1000]++;
	}
	for (size_t i = 0; i < 10; i++)
		assert_in_range(in_second[i], NODES / 10 * 8 / 10, NODES / 10 * 12 / 10);
}

static int take(const char *text, LinkOrder *ret, Error *err)
{
	_cleanup_json_ json_object *given = json_tokener_parse(text);

	assert_non_null(given);
	return link_order_take(given, ret, err);
}

/* By the boot that it is, and the kernel in it. */
static void test_reboots_are_judged(void **state)
{
	LinkOrder order = {.id = 7, .reboot = true, .kernel = "7.3.4", .boot = "first"};
	LinkOrder same;

	same = order;
	assert_false(link_order_judge_reboot(&same, "6.12", "first", true));
	assert_string_equal(same.state, "");
	assert_true(link_order_judge_reboot(&same, "6.12", "first", false));
	assert_string_equal(same.state, "failed");
	assert_non_null(strstr(same.message, "not gone down"));
	same = order;
	assert_true(link_order_judge_reboot(&same, "7.3.4", "second", true));
	assert_string_equal(same.state, "done");
	/* It came up with what its boot loader has. */
	same = order;
	assert_true(link_order_judge_reboot(&same, "6.12", "second", true));
	assert_string_equal(same.state, "failed");
	assert_string_equal(same.message, "6.12 runs");
	/* The first end counts. */
	assert_true(link_order_judge_reboot(&same, "7.3.4", "third", true));
	assert_string_equal(same.state, "failed");
}

static void test_orders_are_checked(void **state)
{
	_cleanup_free_ char *long_one = malloc(300), *too_long = NULL;
	LinkOrder order;
	Error err = {0};
	static const char *const wrong[] = {
		"{\"id\":7}",
		"{\"id\":7,\"kind\":\"reboot\"}",
		"{\"id\":7,\"kind\":\"swap\",\"kernel\":5}",
		"{\"id\":7,\"kind\":\"swap\",\"run\":\"/bin/sh\"}",
		"{\"id\":7,\"kind\":\"swap\",\"no_trial\":\"yes\"}",
		"{\"id\":7,\"kind\":\"swap\",\"reboot\":1}",
		"{\"id\":7,\"kind\":\"swap\",\"release\":\"../r7\"}",
		"{\"id\":7,\"kind\":\"swap\",\"release\":\"r7\",\"kernel\":\"6.12.2\"}",
	};

	assert_int_equal(
		take("{\"id\":7,\"kind\":\"swap\",\"kernel\":\"6.12.2\",\"no_trial\":true}", &order,
		     &err),
		0);
	assert_int_equal(order.id, 7);
	assert_string_equal(order.kernel, "6.12.2");
	assert_true(order.no_trial);
	assert_false(order.allow_one_way);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		assert_int_equal(take(wrong[i], &order, &err), -EINVAL);
		assert_int_equal(order.id, 7);
	}
	assert_false(link_order_is_raw(&(LinkOrder){.kernel = "6.12.2"}));
	assert_int_equal(take("{\"id\":7,\"kind\":\"swap\",\"release\":\"r7\"}", &order, &err), 0);
	assert_string_equal(order.release, "r7");
	assert_true(link_order_is_raw(&order));
	assert_int_equal(take("{\"id\":7,\"kind\":\"stage\"}", &order, &err), 0);
	assert_true(order.stage && link_order_is_raw(&order));
	memset(long_one, 'x', 299);
	long_one[299] = '\0';
	too_long = text_format("{\"id\":7,\"kind\":\"swap\",\"kernel\":\"%s\"}", long_one);
	assert_int_equal(take(too_long, &order, &err), -EINVAL);
	assert_non_null(strstr(err.text, "kernel"));
	assert_int_equal(take("{\"kind\":\"swap\"}", &order, &err), -EINVAL);
	assert_int_equal(order.id, 0);
	assert_int_equal(take("{\"id\":-3,\"kind\":\"swap\"}", &order, &err), -EINVAL);
	assert_int_equal(order.id, 0);
}

/* What the order has become, by what segued says: "" while it is not over. */
static const char *judged(LinkOrder *order, const char *node_text, const char *swap_text,
			  const char *log_text, bool patient)
{
	_cleanup_json_ json_object *node = json_tokener_parse(node_text),
				   *swap = json_tokener_parse(swap_text),
				   *log = json_tokener_parse(log_text);

	bool over;

	order->state[0] = order->message[0] = '\0';
	over = link_order_judge(order, node, swap, log, patient);
	assert_int_equal(over, *order->state != '\0');
	return order->state;
}

#define IDLE "{\"swapping\":false,\"unconfirmed\":false}"

static void test_ends_are_known(void **state)
{
	LinkOrder order = {.id = 7, .before = "20260101-000000"};
	static const char older[] = "{\"id\":\"20260101-000000\",\"state\":\"done\"}";
	static const char running[] =
		"{\"id\":\"20260101-000009\",\"state\":\"warm\",\"running\":true}";
	static const char done[] = "{\"id\":\"20260101-000009\",\"state\":\"done\","
				   "\"running\":false,\"message\":\"well\"}";
	static const char returned[] = "[{\"id\":\"20260101-000009\",\"state\":\"returned\","
				       "\"running\":false,\"error\":\"no root\"}]";

	/* A swap that was there before is not that of the order. */
	assert_string_equal(judged(&order, IDLE, older, "[]", true), "");
	assert_string_equal(judged(&order, IDLE, older, "[]", false), "failed");
	assert_string_equal(order.swap, "");
	assert_string_equal(judged(&order, IDLE, "null", "[]", true), "");
	assert_string_equal(judged(&order, "{\"unconfirmed\":true}", "null", "[]", false), "");

	assert_string_equal(judged(&order, "{\"swapping\":true}", running, "[]", false), "");
	assert_string_equal(order.swap, "20260101-000009");
	assert_string_equal(judged(&order, IDLE, done, "[]", true), "done");
	assert_string_equal(order.message, "well");
	/* In a later boot only the log knows it. */
	assert_string_equal(judged(&order, IDLE, "null", returned, false), "failed");
	assert_string_equal(order.message, "returned: no root");
}

static void test_orders_outlive_a_process(void **state)
{
	char directory[] = "/tmp/segue-test-link-XXXXXX";
	LinkOrder order = {.id = 9,
			   .release = "r",
			   .kernel = "6.1",
			   .stage = true,
			   .swap = "s",
			   .boot = "b",
			   .no_trial = true,
			   .reboot = true},
		  again;
	Error err = {0};

	assert_non_null(mkdtemp(directory));
	assert_int_equal(link_order_load(directory, &again, &err), 0);
	assert_int_equal(link_order_save(directory, &order, &err), 0);
	assert_int_equal(link_order_load(directory, &again, &err), 1);
	assert_memory_equal(&order, &again, sizeof(order));
	assert_int_equal(link_order_forget(directory, &err), 0);
	assert_int_equal(link_order_load(directory, &again, &err), 0);
	(void)directory_remove(AT_FDCWD, directory, NULL);
}

static void test_hubs_are_parsed(void **state)
{
	static const struct {
		const char *text, *hub;
	} cases[] = {
		{"hub", "hub:8425"},
		{"hub.example.org:99", "hub.example.org:99"},
		{"192.0.2.1", "192.0.2.1:8425"},
		{"2001:db8::1", "[2001:db8::1]:8425"},
		{"[2001:db8::1]", "[2001:db8::1]:8425"},
		{"[2001:db8::1]:99", "[2001:db8::1]:99"},
		{"a,b:99,[2001:db8::1]", "a:8425 b:99 [2001:db8::1]:8425"},
		{"a:8425 b:99", "a:8425 b:99"},
		{"a, b", "a:8425 b:8425"},
		{"", NULL},
		{",", NULL},
		{"a,b:0", NULL},
		{"hub:", NULL},
		{"hub:0", NULL},
		{"hub:65536", NULL},
		{"hub:8x", NULL},
		{"hub/x", NULL},
		{"https://hub", NULL},
		{"user@hub", NULL},
		{"[hub]:1", NULL},
		{"[2001:db8::1", NULL},
		{"[2001:db8::1]x", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		_cleanup_free_ char *hub = NULL;
		int r = link_hub_parse(cases[i].text, &hub, NULL);

		if (!cases[i].hub != (r == -EINVAL) ||
		    (cases[i].hub && strcmp(hub, cases[i].hub) != 0))
			fail_msg("\"%s\": expected %s, got %s", cases[i].text,
				 cases[i].hub ? cases[i].hub : "an error", hub ? hub : "an error");
	}
}

/* Root reads on a terminal what a process that talks to the network has written. */
static void test_states_are_plain(void **state)
{
	char directory[] = "/tmp/segue-test-link-XXXXXX";
	const LinkConfig node = {.hub = (char[]){"hub:1"}, .name = (char[]){"a"}};
	_cleanup_json_ json_object *told = NULL;
	_cleanup_free_ char *path = NULL;

	assert_non_null(mkdtemp(directory));
	path = text_format("%s/status", directory);
	assert_int_equal(link_state_read(path, &told, NULL), -ENOENT);
	assert_int_equal(link_state_write(path, &node, LINK_OFFLINE, "no \x1b[2J", NULL), 0);
	assert_int_equal(link_state_read(path, &told, NULL), 0);
	assert_string_equal(json_opt_string(told, "message", ""), "no ?[2J");
	assert_string_equal(json_opt_string(told, "state", ""), "offline");
	(void)directory_remove(AT_FDCWD, directory, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_backoff_grows),
		cmocka_unit_test(test_backoff_spreads),
		cmocka_unit_test(test_reboots_are_judged),
		cmocka_unit_test(test_orders_are_checked),
		cmocka_unit_test(test_ends_are_known),
		cmocka_unit_test(test_orders_outlive_a_process),
		cmocka_unit_test(test_hubs_are_parsed),
		cmocka_unit_test(test_states_are_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
