/* SPDX-License-Identifier: Apache-2.0 */
/* The engine of rollouts in small, exact cases; test/simulate.c has the many. */
#include "fleet/rollout.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "fleet/forecast.h"
#include "fleet/lock.h"
#include "fleet/save.h"
#include "test.h"

#define NODES(list) "{\"nodes\":[" list "]}"
#define WEB                                                                                        \
	"{\"name\":\"web1\",\"group\":\"web\",\"labels\":{\"rack\":\"a\"}},"                       \
	"{\"name\":\"web2\",\"group\":\"web\",\"labels\":{\"rack\":\"a\"}},"                       \
	"{\"name\":\"web3\",\"group\":\"web\",\"labels\":{\"rack\":\"b\"}}"

static Fleet *fleet_of(const char *text)
{
	_cleanup_json_ json_object *o = json_tokener_parse(text);
	Fleet *fleet = NULL;
	Error err = {0};

	assert_non_null(o);
	if (fleet_load(o, &fleet, &err) < 0)
		fail_msg("%s", err.text);
	return fleet;
}

/* Starts a rollout with settings in JSON; returns what rollout_start() does. */
static int start(Fleet *fleet, const char *id, const char *settings, Error *err)
{
	_cleanup_json_ json_object *o = json_tokener_parse(settings);
	_cleanup_policy_ Policy policy = {0};
	int index, r;

	assert_non_null(o);
	assert_int_equal(policy_init(&policy, NULL), 0);
	r = policy_set(&policy, "release", "new", err);
	if (r == 0)
		r = policy_from_json(o, &policy, err);
	return r < 0 ? r : rollout_start(fleet, id, &policy, &index, err);
}

static void step(Fleet *fleet, Actions *actions, int64_t second)
{
	for (size_t i = 0; i < fleet->n_nodes; i++)
		assert_int_equal(fleet_heard(fleet, (int)i, fleet->nodes[i].healthy, NULL, NULL),
				 0);
	assert_int_equal(fleet_step(fleet, second * SECOND_US, actions, NULL), 0);
}

/* Answers every action of a kind that was just given. */
static void answer(Fleet *fleet, const Actions *actions, ActionKind kind, Outcome outcome)
{
	for (size_t i = 0; i < actions->n; i++) {
		if (actions->list[i].kind == kind)
			assert_true(fleet_result(fleet, actions->list[i].node,
						 actions->list[i].number, outcome));
	}
}

static size_t count(const Actions *actions, ActionKind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < actions->n; i++)
		n += actions->list[i].kind == kind;
	return n;
}

static void test_one_at_a_time(void **state)
{
	_cleanup_fleet_ Fleet *fleet = fleet_of(NODES(WEB));
	_cleanup_actions_ Actions actions = {0};

	assert_int_equal(start(fleet, "r", "{\"canary\":0,\"soak\":0}", NULL), 0);
	step(fleet, &actions, 1);
	assert_int_equal(count(&actions, ACTION_STAGE), 3);
	answer(fleet, &actions, ACTION_STAGE, OUTCOME_OK);
	step(fleet, &actions, 2);
	assert_int_equal(count(&actions, ACTION_SWAP), 1);
	assert_string_equal(reason_sentence(fleet, &(Reason){0}).text, "");
	{
		Reason why = node_why(fleet, 1);

		assert_string_equal(
			reason_sentence(fleet, &why).text,
			"1 of the 3 nodes of group web are unavailable, and no more than "
			"1 may be at once");
	}
}

static void test_late_and_double_answers_count_once(void **state)
{
	_cleanup_fleet_ Fleet *fleet = fleet_of(NODES(WEB));
	_cleanup_actions_ Actions actions = {0};
	int64_t number;
	int node;

	assert_int_equal(start(fleet, "r", "{}", NULL), 0);
	step(fleet, &actions, 1);
	number = actions.list[0].number;
	node = actions.list[0].node;
	assert_true(fleet_result(fleet, node, number, OUTCOME_OK));
	assert_false(fleet_result(fleet, node, number, OUTCOME_FAILED));
	step(fleet, &actions, 2);
	assert_false(fleet_result(fleet, node, number, OUTCOME_FAILED));
	assert_int_equal(fleet->rollouts[0].members[node].state, NODE_SWAPPING);
}

static void test_bad_release_stops_after_the_canary(void **state)
{
	_cleanup_fleet_ Fleet *fleet = fleet_of(NODES(WEB));
	_cleanup_actions_ Actions actions = {0};
	Reason why;

	assert_int_equal(start(fleet, "r", "{}", NULL), 0);
	step(fleet, &actions, 1);
	answer(fleet, &actions, ACTION_STAGE, OUTCOME_OK);
	step(fleet, &actions, 2);
	answer(fleet, &actions, ACTION_SWAP, OUTCOME_RETURNED);
	step(fleet, &actions, 3);
	step(fleet, &actions, 4);
	assert_int_equal(fleet->rollouts[0].state, ROLLOUT_STOPPED);
	why = rollout_why(fleet, 0);
	assert_string_equal(reason_sentence(fleet, &why).text,
			    "1 of 3 nodes failed, and more than 0 stop it");
	why = node_why(fleet, 0);
	assert_non_null(strstr(reason_sentence(fleet, &why).text, "web1 could not stay"));
}

static const struct {
	const char *fleet, *settings, *says;
	int code;
} refusals[] = {
	{NODES(WEB), "{\"max_unavailable\":\"10%\"}", "let 0 go at once", -ECANCELED},
	{NODES(WEB), "{\"max_changing\":\"0\"}", "let 0 go at once", -ECANCELED},
	{NODES(WEB), "{\"quorum\":[\"web1,web2\"]}", "needs 3 or more", -ECANCELED},
	{NODES(WEB), "{\"pair\":[\"web1,web9\"]}", "not in the fleet", -ECANCELED},
	{NODES(WEB), "{\"apart\":[\"zone\"]}", "has no label zone", -ECANCELED},
	{NODES(WEB), "{\"group\":[\"db\"]}", "no node of the fleet", -ECANCELED},
	{NODES(WEB), "{\"window\":[\"02:00-02:10\"],\"expect\":\"20min\"}", "lasts 600 s",
	 -ECANCELED},
	{NODES(WEB), "{\"all_at_once\":true,\"pair\":[\"web1,web2\"]}", "all at once", -ECANCELED},
	{NODES(WEB), "{\"release\":\"\"}", "names no release", -ECANCELED},
	{NODES(WEB), "{\"nonsense\":1}", "no setting", -EINVAL},
	{NODES(WEB), "{\"canary\":-1}", "not a number from 0", -EINVAL},
};

static void test_what_cannot_progress_is_refused(void **state)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		_cleanup_fleet_ Fleet *fleet = fleet_of(refusals[i].fleet);
		Error err = {0};

		assert_int_equal(start(fleet, "r", refusals[i].settings, &err), refusals[i].code);
		if (!strstr(err.text, refusals[i].says))
			fail_msg("%s: \"%s\" does not say \"%s\"", refusals[i].settings, err.text,
				 refusals[i].says);
		assert_int_equal(fleet->n_rollouts, 0);
	}
}

static void test_urgent_goes_first(void **state)
{
	_cleanup_fleet_ Fleet *fleet = fleet_of(NODES(WEB));
	_cleanup_actions_ Actions actions = {0};
	Error err = {0};

	assert_int_equal(start(fleet, "slow", "{}", NULL), 0);
	step(fleet, &actions, 1);
	assert_int_equal(start(fleet, "same", "{}", &err), -EBUSY);
	assert_non_null(strstr(err.text, "rollout slow is under way in group web"));
	assert_int_equal(start(fleet, "urgent", "{\"priority\":1,\"release\":\"fix\"}", NULL), 0);
	step(fleet, &actions, 2);
	step(fleet, &actions, 3);
	assert_int_equal(fleet->rollouts[0].members[1].state, NODE_SKIPPED);
	assert_int_equal(fleet->rollouts[0].members[1].why.code, REASON_SUPERSEDED);
}

static void test_lock_clients_obey_the_same_limits(void **state)
{
	_cleanup_fleet_ Fleet *fleet = fleet_of(NODES(WEB));
	_cleanup_actions_ Actions actions = {0};
	Reason why;

	assert_int_equal(lock_take(fleet, "web", "web1", &why, NULL), 0);
	assert_int_equal(lock_take(fleet, "web", "web1", &why, NULL), 0);
	assert_int_equal(lock_take(fleet, "web", "web2", &why, NULL), -EBUSY);
	assert_int_equal(why.code, REASON_CHANGING);
	lock_give(fleet, "web1");
	lock_give(fleet, "nobody");
	assert_int_equal(start(fleet, "r", "{\"canary\":0,\"pair\":[\"web1,web2\"]}", NULL), 0);
	step(fleet, &actions, 1);
	answer(fleet, &actions, ACTION_STAGE, OUTCOME_OK);
	step(fleet, &actions, 2);
	assert_int_equal(count(&actions, ACTION_SWAP), 1);
	assert_int_equal(lock_take(fleet, "web", "web1", &why, NULL), -EBUSY);
	assert_int_equal(why.code, REASON_HELD);
	assert_int_equal(lock_take(fleet, "web", "guest", &why, NULL), -EBUSY);
	assert_int_equal(why.code, REASON_UNAVAILABLE);
	/* One that the fleet does not know counts with its group from then on. */
	assert_int_equal(lock_take(fleet, "other", "stranger", &why, NULL), 0);
	assert_true(fleet->nodes[fleet_node_find(fleet, "stranger")].foreign);
}

static void test_lock_lapses(void **state)
{
	_cleanup_fleet_ Fleet *fleet = fleet_of(NODES(WEB));
	_cleanup_actions_ Actions actions = {0};
	Reason why;

	fleet->lock_lease_us = 100 * SECOND_US;
	step(fleet, &actions, 0);
	assert_int_equal(lock_take(fleet, "web", "guest", &why, NULL), 0);
	for (int64_t second = 30; second <= 150; second += 30)
		step(fleet, &actions, second);
	assert_true(fleet->nodes[3].lapsed);
	/* The slot is free, and its node counts as unhealthy. */
	fleet_count(fleet);
	assert_int_equal(fleet->groups[0].changing, 0);
	assert_int_equal(fleet->groups[0].unhealthy, 1);
	lock_give(fleet, "guest");
	assert_int_equal(lock_take(fleet, "web", "web1", &why, NULL), 0);
}

static void test_clock_jumps(void **state)
{
	_cleanup_fleet_ Fleet *fleet = fleet_of(NODES(WEB));
	_cleanup_actions_ Actions actions = {0};

	assert_int_equal(start(fleet, "r", "{}", NULL), 0);
	step(fleet, &actions, 1000000);
	answer(fleet, &actions, ACTION_STAGE, OUTCOME_OK);
	step(fleet, &actions, 1000001);
	assert_int_equal(fleet->rollouts[0].members[0].state, NODE_SWAPPING);
	/* A year on, and back: the node is not late, and nobody is silent. */
	assert_int_equal(fleet_step(fleet, 33000000 * SECOND_US, &actions, NULL), 0);
	assert_int_equal(fleet_step(fleet, 5 * SECOND_US, &actions, NULL), 0);
	assert_int_equal(fleet->rollouts[0].members[0].state, NODE_SWAPPING);
	assert_true(fleet->clock_us <= 61 * SECOND_US);
	assert_int_equal(fleet->rollouts[0].state, ROLLOUT_RUNNING);
}

static void test_saved_is_loaded_alike(void **state)
{
	_cleanup_fleet_ Fleet *fleet = fleet_of(NODES(WEB)), *again = NULL;
	_cleanup_actions_ Actions actions = {0}, pending = {0};
	_cleanup_json_ json_object *saved = NULL, *resaved = NULL;
	Error err = {0};

	assert_int_equal(start(fleet, "r", "{\"pair\":[\"web1,web2\"]}", NULL), 0);
	step(fleet, &actions, 1);
	assert_int_equal(fleet_save(fleet, &saved, NULL), 0);
	assert_int_equal(fleet_load(saved, &again, NULL), 0);
	assert_int_equal(fleet_save(again, &resaved, NULL), 0);
	assert_string_equal(json_object_to_json_string(saved), json_object_to_json_string(resaved));
	assert_int_equal(fleet_pending(again, &pending, NULL), 0);
	assert_int_equal(pending.n, actions.n);
	assert_int_equal(pending.list[0].number, actions.list[0].number);
	json_put_int(saved, "version", 2);
	fleet_free(again);
	again = NULL;
	assert_int_equal(fleet_load(saved, &again, &err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err.text, "version 2"));
}

static void test_forecast(void **state)
{
	_cleanup_fleet_ Fleet *fleet = fleet_of(NODES(WEB));
	_cleanup_json_ json_object *plan = NULL;

	assert_int_equal(start(fleet, "r", "{\"soak\":\"1min\",\"expect\":\"30s\"}", NULL), 0);
	assert_int_equal(forecast_make(fleet, 0, 0, &plan, NULL), 0);
	assert_string_equal(json_opt_string(plan, "state", ""), "done");
	assert_int_equal(json_length(json_opt_array(plan, "steps")), 3);
	assert_int_equal(json_length(json_opt_array(plan, "left")), 0);
	assert_in_range(json_opt_int(plan, "duration_s", 0), 180, 300);
}

static void test_windows(void **state)
{
	/* 2026-11-23 is a Monday; at 23:30 UTC. */
	const int64_t monday = 1795476600 * SECOND_US;
	Window window;

	assert_int_equal(window_parse("Mon-Fri 22:00-02:00 +01:00", &window, NULL), 0);
	assert_int_equal(window_left_us(&window, monday), 90L * 60 * SECOND_US);
	assert_int_equal(window_left_us(&window, monday + 7200 * SECOND_US), 0);
	assert_int_equal(window_next_us(&window, monday) - monday, (24 * 3600 - 9000) * SECOND_US);
	assert_int_equal(window_parse("Sat,Sun 00:00-24:00", &window, NULL), 0);
	assert_int_equal(window_left_us(&window, monday), 0);
	assert_int_equal(window_parse("Mon 25:00-02:00", &window, NULL), -EINVAL);
	assert_int_equal(window_parse("02:00-02:00", &window, NULL), -EINVAL);
	assert_int_equal(window_parse("", &window, NULL), -EINVAL);
	assert_int_equal(window_parse("02:00-03:00 Mars", &window, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_at_a_time),
		cmocka_unit_test(test_late_and_double_answers_count_once),
		cmocka_unit_test(test_bad_release_stops_after_the_canary),
		cmocka_unit_test(test_what_cannot_progress_is_refused),
		cmocka_unit_test(test_urgent_goes_first),
		cmocka_unit_test(test_lock_clients_obey_the_same_limits),
		cmocka_unit_test(test_lock_lapses),
		cmocka_unit_test(test_clock_jumps),
		cmocka_unit_test(test_saved_is_loaded_alike),
		cmocka_unit_test(test_forecast),
		cmocka_unit_test(test_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
