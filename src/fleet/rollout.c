/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/rollout.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "fleet/admit.h"
#include "fleet/lock.h"
#include "fleet/member.h"
#include "fleet/obstacle.h"
#include "fleet/wave.h"

void actions_release(Actions *actions)
{
	free(actions->list);
	*actions = (Actions){0};
}

static int actions_reserve(Actions *actions, size_t room, Error *err)
{
	Action *list;

	actions->n = 0;
	if (actions->list && room <= actions->room)
		return 0;
	list = reallocarray(actions->list, room + 1, sizeof(*list));
	if (!list)
		return error_errno(err, -ENOMEM, "Deciding what to do");
	actions->list = list;
	actions->room = room;
	return 0;
}

void rollout_release(Rollout *rollout)
{
	free(rollout->id);
	policy_release(&rollout->policy);
	free(rollout->members);
	free(rollout->order);
	free(rollout->counts);
	free(rollout->windows);
	*rollout = (Rollout){0};
}

/* ---- counting ---- */

static void member_count(const Fleet *fleet, Rollout *rollout, int index)
{
	const Member *member = &rollout->members[index];
	const FleetNode *node = &fleet->nodes[index];
	const NodeStateInfo *state = &node_states[member->state];
	GroupCount *count = &rollout->counts[node->group];

	if (member->state == NODE_OUTSIDE)
		return;
	rollout->total++;
	rollout->failed += member->failed;
	rollout->unsettled += !state->settled;
	rollout->held += state->held && member->state != NODE_STAGED;
	rollout->held += member->state == NODE_SOAKING;
	rollout->begun += member->wave == rollout->wave && member->wave > 0;
	if (!member->changed || node->removed)
		return;
	count->changed++;
	/* One that does not get healthy is counted when its time is up: as failed. */
	count->unhealthy_after += node->down && !node->changing;
}

void rollout_count(Fleet *fleet, Rollout *rollout)
{
	rollout->total = rollout->failed = rollout->begun = rollout->unsettled = rollout->held = 0;
	for (size_t i = 0; i < fleet->n_groups; i++)
		rollout->counts[i].changed = rollout->counts[i].unhealthy_after = 0;
	for (size_t i = 0; i < rollout->n_members; i++)
		member_count(fleet, rollout, (int)i);
}

/* ---- a step ---- */

static void clock_advance(Fleet *fleet, int64_t now_us)
{
	int64_t passed =
		fleet->now_us == INT64_MIN || now_us < fleet->now_us ? 0 : now_us - fleet->now_us;

	fleet->clock_us += passed < FLEET_STEP_MAX_US ? passed : FLEET_STEP_MAX_US;
	fleet->now_us = now_us;
}

static void rollout_stop(Rollout *rollout, RolloutState end, const Reason *why)
{
	rollout->state = ROLLOUT_STOPPING;
	rollout->end = end;
	rollout->why = *why;
}

/* Too many failed, or too many of those that were changed are unhealthy now. */
static void threshold_watch(const Fleet *fleet, Rollout *rollout)
{
	Reason why = reason_make(REASON_FAILURES);

	why.have = rollout->failed;
	why.of = rollout->total;
	why.limit = limit_of(rollout->policy.max_failed, rollout->total);
	if (why.have > why.limit) {
		rollout_stop(rollout, ROLLOUT_STOPPED, &why);
		return;
	}
	for (size_t i = 0; i < fleet->n_groups; i++) {
		const GroupCount *count = &rollout->counts[i];
		int limit =
			limit_of(rollout->policy.limits.by[LIMIT_UNHEALTHY_AFTER], count->changed);

		if (count->unhealthy_after <= limit)
			continue;
		why = reason_make(REASON_UNHEALTHY_AFTER);
		why.group = (int)i;
		why.have = count->unhealthy_after;
		why.of = count->changed;
		why.limit = limit;
		rollout_stop(rollout, ROLLOUT_STOPPED, &why);
		return;
	}
}

/* A group may have become so small that its limits let nothing go. */
static void obstacle_watch(Turn *turn)
{
	Rollout *rollout = turn->rollout;
	Reason why;

	/* Also what has changed between its start and its first step. */
	if ((rollout->state == ROLLOUT_RUNNING || rollout->state == ROLLOUT_PLANNED) &&
	    obstacle_find(turn->fleet, turn->index, &why)) {
		rollout->state = ROLLOUT_PAUSED;
		rollout->frozen = true;
		rollout->why = why;
		rollout->moved_us = turn->fleet->clock_us;
	} else if (rollout->state == ROLLOUT_PAUSED && rollout->frozen &&
		   !obstacle_find(turn->fleet, turn->index, &why)) {
		rollout->state = ROLLOUT_RUNNING;
		rollout->frozen = false;
	}
}

static void paused_decide(Turn *turn)
{
	Reason why = reason_make(REASON_NOT_RUNNING);

	why.rollout = turn->index;
	turn->rollout->moved_us = turn->fleet->clock_us;
	for (size_t i = 0; i < turn->rollout->n_members; i++) {
		Member *member = &turn->rollout->members[i];

		if (member->state == NODE_WAITING || member->state == NODE_STAGED)
			member->why = why;
	}
}

static void stopping_decide(Turn *turn)
{
	Rollout *rollout = turn->rollout;

	for (size_t i = 0; i < rollout->n_members; i++)
		member_call_off(turn, (int)i);
	rollout_count(turn->fleet, rollout);
	if (rollout->unsettled > 0)
		return;
	rollout->state = rollout->policy.send_back ? ROLLOUT_SENDING_BACK : rollout->end;
	rollout->moved_us = turn->fleet->clock_us;
}

static void rollout_decide(Turn *turn, bool *yield_to, int *yield_rollout)
{
	Rollout *rollout = turn->rollout;
	WaveResult result = {0};

	if (rollout->state == ROLLOUT_PLANNED)
		rollout->state = ROLLOUT_RUNNING;
	if (rollout->state == ROLLOUT_RUNNING || rollout->state == ROLLOUT_PAUSED)
		threshold_watch(turn->fleet, rollout);
	switch (rollout->state) {
	case ROLLOUT_PAUSED:
		paused_decide(turn);
		break;
	case ROLLOUT_RUNNING:
		result = wave_decide(turn, *yield_to ? *yield_rollout : -1);
		break;
	case ROLLOUT_STOPPING:
		stopping_decide(turn);
		break;
	case ROLLOUT_SENDING_BACK:
		wave_send_back(turn);
		break;
	default:
		break;
	}
	if (result.not_ready.code != REASON_NONE)
		rollout_stop(rollout, ROLLOUT_STOPPED, &result.not_ready);
	if (result.wants && !*yield_to) {
		*yield_to = true;
		*yield_rollout = turn->index;
	}
}

/* The rollout that comes after one of this priority and index: the most urgent first, of equals
 * the oldest.  -1: none. */
static int rollout_after(const Fleet *fleet, int priority, int index)
{
	int next = -1;

	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		int mine = fleet->rollouts[i].policy.priority;

		if (rollout_states[fleet->rollouts[i].state].ended || mine > priority ||
		    (mine == priority && (int)i <= index))
			continue;
		if (next < 0 || mine > fleet->rollouts[next].policy.priority)
			next = (int)i;
	}
	return next;
}

/* Nodes that a more urgent rollout is going to change are left to it. */
static void superseded_watch(Turn *turn, const Rollout *urgent, int urgent_index)
{
	Reason why = reason_make(REASON_SUPERSEDED);

	why.rollout = urgent_index;
	for (size_t i = 0; i < turn->rollout->n_members; i++) {
		NodeState state = turn->rollout->members[i].state;

		if (!node_states[urgent->members[i].state].settled &&
		    (state == NODE_WAITING || state == NODE_STAGING || state == NODE_STAGED))
			member_leave(turn, (int)i, NODE_SKIPPED, &why);
	}
}

static void fleet_watch(Fleet *fleet, Actions *actions)
{
	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		Turn turn = {fleet, &fleet->rollouts[i], (int)i, actions};

		for (size_t j = 0; j < fleet->rollouts[i].n_members; j++)
			member_watch(&turn, (int)j);
		for (size_t j = 0; j < fleet->n_rollouts; j++) {
			const Rollout *other = &fleet->rollouts[j];

			if (!rollout_states[turn.rollout->state].ended &&
			    !rollout_states[other->state].ended &&
			    other->policy.priority > turn.rollout->policy.priority)
				superseded_watch(&turn, other, (int)j);
		}
	}
	lock_watch(fleet);
}

/* Last, so that no node jumps in the step that learns why it should not. */
static void fleet_go(Fleet *fleet, Actions *actions)
{
	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		Turn turn = {fleet, &fleet->rollouts[i], (int)i, actions};

		for (size_t j = 0; j < turn.rollout->n_members; j++)
			member_go(&turn, (int)j);
	}
}

int fleet_step(Fleet *fleet, int64_t now_us, Actions *actions, Error *err)
{
	int yield_rollout = -1;
	bool yield_to = false;
	int r = fleet_refresh(fleet, err);

	/* Twice at most for a member: what it was about to do, and that it shall not. */
	if (r == 0)
		r = actions_reserve(actions, 2 * fleet->n_nodes * fleet->n_rollouts, err);
	if (r < 0)
		return r;
	clock_advance(fleet, now_us);
	/* Silence and health as of now; whom that concerns takes note, and then it is counted. */
	fleet_count(fleet);
	fleet_watch(fleet, actions);
	fleet_count(fleet);
	for (int i = rollout_after(fleet, INT_MAX, -1); i >= 0;
	     i = rollout_after(fleet, fleet->rollouts[i].policy.priority, i)) {
		Turn turn = {fleet, &fleet->rollouts[i], i, actions};

		if (fleet->regrouped)
			obstacle_watch(&turn);
		rollout_decide(&turn, &yield_to, &yield_rollout);
	}
	fleet->regrouped = false;
	fleet_go(fleet, actions);
	/* One that has ended takes its ties with it. */
	for (size_t i = 0; i < fleet->n_rollouts; i++)
		if (rollout_states[fleet->rollouts[i].state].ended &&
		    fleet->rollouts[i].order != NULL)
			fleet_change(fleet);
	return 0;
}

int fleet_pending(const Fleet *fleet, Actions *actions, Error *err)
{
	int r = actions_reserve(actions, fleet->n_nodes * fleet->n_rollouts, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		const Rollout *rollout = &fleet->rollouts[i];

		for (size_t j = 0; j < rollout->n_members; j++) {
			const Member *member = &rollout->members[j];

			if (member->number && member->result == OUTCOME_NONE)
				actions->list[actions->n++] = (Action){
					.number = member->number,
					.kind = node_states[member->state].action,
					.node = (int)j,
					.rollout = (int)i,
					.reboot = member->reboot,
					.at_us = member->state == NODE_SWAPPING ? rollout->jump_us
										: 0,
				};
		}
	}
	return 0;
}

bool fleet_result(Fleet *fleet, int node, int64_t number, Outcome outcome)
{
	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		Rollout *rollout = &fleet->rollouts[i];
		Member *member;

		if ((size_t)node >= rollout->n_members)
			continue;
		member = &rollout->members[node];
		if (number == 0 || member->number != number || member->result != OUTCOME_NONE)
			continue;
		member->result = outcome;
		return true;
	}
	return false;
}

/* ---- what the operator wants ---- */

int rollout_start(Fleet *fleet, const char *id, Policy *policy, int *ret, Error *err)
{
	Rollout *rollouts;
	Reason why;
	char *copy;
	int index = (int)fleet->n_rollouts, r;

	if (fleet_rollout_find(fleet, id) >= 0)
		return error_set(err, -EEXIST, "There is a rollout %s already", id);
	rollouts = reallocarray(fleet->rollouts, fleet->n_rollouts + 1, sizeof(*rollouts));
	copy = strdup(id);
	if (rollouts)
		fleet->rollouts = rollouts;
	if (!rollouts || !copy) {
		free(copy);
		return error_errno(err, -ENOMEM, "Starting rollout %s", id);
	}
	rollouts[index] = (Rollout){.id = copy, .policy = *policy, .moved_us = fleet->clock_us};
	fleet->n_rollouts++;
	fleet_change(fleet);
	r = fleet_refresh(fleet, err);
	if (r == 0 &&
	    (obstacle_find_at_start(fleet, index, &why) || obstacle_find(fleet, index, &why))) {
		r = why.code == REASON_OVERLAP ? -EBUSY : -ECANCELED;
		(void)error_set(err, r, "Rollout %s is refused: %s", id,
				reason_sentence(fleet, &why).text);
	}
	if (r < 0) {
		/* The policy stays the caller's. */
		rollouts[index].policy = (Policy){0};
		fleet->n_rollouts--;
		rollout_release(&rollouts[index]);
		fleet_change(fleet);
		/* Its ties point into the policy. */
		tie_table_release(&fleet->table);
		return r;
	}
	*policy = (Policy){0};
	*ret = index;
	return 0;
}

static int refuse_wish(const Rollout *rollout, const char *what, Error *err)
{
	return error_set(err, -EINVAL, "Rollout %s is %s, so it cannot be %s", rollout->id,
			 rollout_states[rollout->state].name, what);
}

int rollout_pause(Fleet *fleet, int index, Error *err)
{
	Rollout *rollout = &fleet->rollouts[index];

	if (!rollout_states[rollout->state].can_pause)
		return refuse_wish(rollout, "paused", err);
	rollout->state = ROLLOUT_PAUSED;
	rollout->frozen = false;
	rollout->why = reason_make(REASON_OPERATOR);
	return 0;
}

int rollout_resume(Fleet *fleet, int index, Error *err)
{
	Rollout *rollout = &fleet->rollouts[index];

	if (!rollout_states[rollout->state].can_resume)
		return refuse_wish(rollout, "resumed", err);
	rollout->state = ROLLOUT_RUNNING;
	rollout->moved_us = fleet->clock_us;
	/* The next step looks whether it can get anywhere, and pauses it again if not. */
	fleet_change(fleet);
	return 0;
}

int rollout_abort(Fleet *fleet, int index, bool send_back, Error *err)
{
	Rollout *rollout = &fleet->rollouts[index];
	Reason why = reason_make(REASON_OPERATOR);

	if (!rollout_states[rollout->state].can_stop)
		return refuse_wish(rollout, "aborted", err);
	rollout->policy.send_back = send_back;
	rollout_stop(rollout, ROLLOUT_ABORTED, &why);
	return 0;
}

void fleet_withdraw(Fleet *fleet, const char *release)
{
	Reason why = reason_make(REASON_WITHDRAWN);

	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		Rollout *rollout = &fleet->rollouts[i];

		if (rollout_states[rollout->state].ended ||
		    strcmp(rollout->policy.release, release) != 0)
			continue;
		why.rollout = (int)i;
		if (rollout->state != ROLLOUT_SENDING_BACK && rollout->state != ROLLOUT_STOPPING)
			rollout_stop(rollout, ROLLOUT_STOPPED, &why);
	}
}

/* ---- why ---- */

Reason rollout_why(const Fleet *fleet, int index)
{
	const Rollout *rollout = &fleet->rollouts[index];

	if (rollout->state != ROLLOUT_RUNNING)
		return rollout->why;
	for (size_t i = 0; i < rollout->n_order; i++) {
		const Member *member = &rollout->members[rollout->order[i]];

		if ((member->state == NODE_WAITING || member->state == NODE_STAGED) &&
		    member->why.code != REASON_NONE && member->why.code != REASON_NEXT)
			return member->why;
	}
	return reason_make(REASON_NONE);
}

Reason node_why(const Fleet *fleet, int node)
{
	Reason why = reason_make(REASON_NONE);

	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		const Rollout *rollout = &fleet->rollouts[i];

		if ((size_t)node < rollout->n_members &&
		    rollout->members[node].state != NODE_OUTSIDE)
			why = rollout->members[node].why;
		if (why.code != REASON_NONE && !rollout_states[rollout->state].ended)
			break;
	}
	return why;
}
