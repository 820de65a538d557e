/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/forecast.h"

#include <errno.h>

#include "base/json.h"
#include "fleet/rollout.h"

/* Weekly windows: what does not get through in this time will not. */
#define FORECAST_MAX_US ((int64_t)60 * 86400 * SECOND_US)

typedef struct Forecast {
	Fleet *fleet;
	int index;
	int64_t begin_us, now_us;
	Actions actions;
	int64_t *ends_us; /* of the node's action; 0: it has none */
	int64_t *numbers;
	json_object *steps;
} Forecast;

/* All of the expected time goes to the swap; the rest is quick. */
static int64_t action_time(const Policy *policy, ActionKind kind)
{
	return kind == ACTION_SWAP || kind == ACTION_RETURN ? policy->times_us[TIME_EXPECT]
							    : SECOND_US;
}

static void step_add(Forecast *forecast, int node)
{
	const Fleet *fleet = forecast->fleet;
	json_object *o = json_object_new_object();

	json_put_int(o, "at_s", (forecast->now_us - forecast->begin_us) / SECOND_US);
	json_put_int(o, "wave", fleet->rollouts[forecast->index].members[node].wave);
	json_put_string(o, "node", fleet->nodes[node].name);
	json_put_string(o, "group", fleet->groups[fleet->nodes[node].group].name);
	(void)json_object_array_add(forecast->steps, o);
}

static void actions_take(Forecast *forecast)
{
	for (size_t i = 0; i < forecast->actions.n; i++) {
		const Action *action = &forecast->actions.list[i];

		forecast->numbers[action->node] = action->number;
		forecast->ends_us[action->node] =
			forecast->now_us +
			action_time(&forecast->fleet->rollouts[action->rollout].policy,
				    action->kind);
		if (action->kind == ACTION_SWAP && action->rollout == forecast->index)
			step_add(forecast, action->node);
	}
}

/* Everybody is well, and what is due has gone well. */
static int world_speak(Forecast *forecast, Error *err)
{
	Fleet *fleet = forecast->fleet;
	const Rollout *rollout = &fleet->rollouts[forecast->index];

	for (size_t i = 0; i < fleet->n_nodes; i++) {
		NodeState state = rollout->members ? rollout->members[i].state : NODE_OUTSIDE;
		int r = fleet_heard(fleet, (int)i, fleet->nodes[i].healthy,
				    state == NODE_VERIFYING ? rollout->policy.release : NULL, err);

		if (r < 0)
			return r;
		if (forecast->ends_us[i] == 0 || forecast->ends_us[i] > forecast->now_us)
			continue;
		(void)fleet_result(fleet, (int)i, forecast->numbers[i], OUTCOME_OK);
		forecast->ends_us[i] = 0;
	}
	return 0;
}

/* In small steps while something is under way; between windows nothing is. */
static int64_t step_length(const Forecast *forecast)
{
	const Rollout *rollout = &forecast->fleet->rollouts[forecast->index];

	return rollout->held > 0 || forecast->actions.n > 0 ? SECOND_US : FLEET_STEP_MAX_US;
}

static int forecast_run(Forecast *forecast, Error *err)
{
	const Rollout *rollout = &forecast->fleet->rollouts[forecast->index];

	while (!rollout_states[rollout->state].ended &&
	       forecast->now_us < forecast->begin_us + FORECAST_MAX_US) {
		int r = world_speak(forecast, err);

		if (r == 0)
			r = fleet_step(forecast->fleet, forecast->now_us, &forecast->actions, err);
		if (r < 0)
			return r;
		actions_take(forecast);
		/* It waits for what nobody will do in a forecast. */
		if (rollout->state == ROLLOUT_PAUSED)
			break;
		forecast->now_us += step_length(forecast);
	}
	return 0;
}

static json_object *left_list(const Fleet *fleet, const Rollout *rollout)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < rollout->n_members; i++) {
		const Member *member = &rollout->members[i];
		json_object *o;

		if (member->state == NODE_OUTSIDE ||
		    (member->state == NODE_DONE && member->why.code == REASON_NONE))
			continue;
		o = json_object_new_object();
		json_put_string(o, "node", fleet->nodes[i].name);
		json_put_string(o, "state", node_states[member->state].name);
		(void)json_object_object_add(o, "why", reason_to_json(fleet, &member->why));
		(void)json_object_array_add(list, o);
	}
	return list;
}

static json_object *forecast_result(Forecast *forecast)
{
	const Fleet *fleet = forecast->fleet;
	const Rollout *rollout = &fleet->rollouts[forecast->index];
	json_object *o = json_object_new_object();
	Reason why = rollout_why(fleet, forecast->index);

	json_put_string(o, "rollout", rollout->id);
	json_put_string(o, "release", rollout->policy.release);
	json_put_string(o, "state", rollout_states[rollout->state].name);
	json_put_int(o, "nodes", rollout->total);
	(void)json_object_object_add(o, "why",
				     why.code == REASON_NONE ? NULL : reason_to_json(fleet, &why));
	(void)json_object_object_add(o, "steps", steal_ptr(&forecast->steps));
	(void)json_object_object_add(o, "left", left_list(fleet, rollout));
	return o;
}

int forecast_make(Fleet *fleet, int index, int64_t now_us, json_object **ret, Error *err)
{
	Forecast forecast = {.fleet = fleet, .index = index, .begin_us = now_us, .now_us = now_us};
	int r = 0;

	forecast.ends_us = calloc(fleet->n_nodes + 1, sizeof(*forecast.ends_us));
	forecast.numbers = calloc(fleet->n_nodes + 1, sizeof(*forecast.numbers));
	forecast.steps = json_object_new_array();
	if (!forecast.ends_us || !forecast.numbers || !forecast.steps)
		r = error_errno(err, -ENOMEM, "Planning a rollout");
	if (r == 0)
		r = forecast_run(&forecast, err);
	if (r == 0) {
		int64_t took = forecast.now_us - forecast.begin_us;

		*ret = forecast_result(&forecast);
		json_put_int(*ret, "duration_s", took / SECOND_US);
	}
	free(forecast.ends_us);
	free(forecast.numbers);
	actions_release(&forecast.actions);
	(void)json_object_put(forecast.steps);
	return r;
}
