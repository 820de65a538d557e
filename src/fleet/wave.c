/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/wave.h"

#include <string.h>

#include "fleet/admit.h"

/* From the command to jump to the jump: time for it to reach every node. */
/* For check, stage, warm and settle of every node, which then waits for the others. */
#define JUMP_LEAD_US (60 * SECOND_US)

int wave_size(const Rollout *rollout)
{
	const Policy *policy = &rollout->policy;
	int step = rollout->wave - 1 - (policy->canaries > 0);
	int64_t size;

	if (step < 0)
		return policy->canaries;
	size = limit_of(policy->wave, rollout->total);
	if (size < 1)
		size = 1;
	for (int i = 0; i < step && size < rollout->total; i++) {
		int64_t more = size * policy->growth_percent / 100;

		if (more == size)
			break;
		size = more;
	}
	return size < rollout->total ? (int)size : rollout->total;
}

typedef struct WaveCount {
	int under_way; /* of the wave, not settled */
	int prepared;  /* staged or about to be, and only waiting for its turn */
	int unsettled;
	int moving; /* something happens with it, or will without anybody's help */
} WaveCount;

static WaveCount wave_count(const Rollout *rollout)
{
	WaveCount count = {0};

	for (size_t i = 0; i < rollout->n_members; i++) {
		const Member *member = &rollout->members[i];
		bool waits = member->state == NODE_WAITING || member->state == NODE_STAGED;

		if (node_states[member->state].settled)
			continue;
		count.unsettled++;
		count.moving += !waits || !member->why.others;
		count.under_way += member->wave == rollout->wave;
		count.prepared += member->state == NODE_STAGING ||
				  (member->state == NODE_STAGED && !member->why.others);
	}
	return count;
}

/* False while all windows are closed, or too little is left of those that are not. */
static bool window_allows(const Turn *turn, Reason *ret_why)
{
	const Policy *policy = &turn->rollout->policy;
	int64_t now = turn->fleet->now_us, next = INT64_MAX;

	for (size_t i = 0; i < policy->windows.n; i++) {
		const Window *window = &turn->rollout->windows[i];
		int64_t opens = window_next_us(window, now);

		if (window_left_us(window, now) >= policy->times_us[TIME_EXPECT])
			return true;
		next = opens < next ? opens : next;
	}
	if (policy->windows.n == 0)
		return true;
	*ret_why = reason_make(REASON_WINDOW);
	ret_why->until_us = next;
	return false;
}

static void member_begin(Turn *turn, int node, NodeState state)
{
	Member *member = &turn->rollout->members[node];

	member->wave = turn->rollout->wave;
	admit_take(turn->fleet, node, turn->index);
	/* What an earlier rollout has left out of service is this one's to put back. */
	for (size_t i = 0; i < turn->fleet->n_rollouts; i++) {
		Rollout *other = &turn->fleet->rollouts[i];

		if ((int)i == turn->index || (size_t)node >= other->n_members)
			continue;
		member->drained |= other->members[node].drained;
		other->members[node].drained = false;
	}
	member_enter(turn, node, state);
}

static Reason wave_reason(const Rollout *rollout, int size, int under_way)
{
	Reason why = reason_make(REASON_WAVE);

	why.have = rollout->wave;
	why.of = size;
	why.limit = rollout->begun - under_way;
	return why;
}

/* Whether others hold what it waits for. */
static bool is_for_slot(const Reason *why)
{
	return !why->others && why->code >= REASON_CHANGING && why->code <= REASON_APART;
}

/* One candidate; `room` nodes may still begin, `stages` still be staged ahead. */
static void candidate_decide(Turn *turn, int node, int *room, int *stages, WaveResult *result)
{
	Member *member = &turn->rollout->members[node];
	Reason why = reason_make(REASON_NONE);
	bool may =
		admit_node(turn->fleet, node, turn->index, ADMIT_CHANGE, &why) &&
		admit_limits(turn->fleet, node, &turn->rollout->policy.limits, ADMIT_CHANGE, &why);

	result->wants |= is_for_slot(&why);
	if (member->state == NODE_STAGED && may && turn->fleet->clock_us < member->after_us) {
		member->why.code = REASON_RETRY;
		member->why.have = (member->after_us - turn->fleet->clock_us) / SECOND_US;
	} else if (member->state == NODE_STAGED && may) {
		(*room)--;
		turn->rollout->begun++;
		member_begin(turn, node, NODE_GATING);
	} else if (member->state == NODE_WAITING && *stages > 0 && !why.others &&
		   why.code != REASON_HELD && why.code != REASON_LOCKED) {
		(*stages)--;
		member_enter(turn, node, NODE_STAGING);
	} else {
		member->why = may ? reason_make(REASON_NEXT) : why;
		member->why.node = node;
	}
}

/* Those that nothing but the world outside keeps from going are given up after long enough. */
static void patience_watch(Turn *turn)
{
	Rollout *rollout = turn->rollout;
	int64_t patience = rollout->policy.times_us[TIME_PATIENCE];
	WaveCount count = wave_count(rollout);

	if (count.moving > 0)
		rollout->moved_us = turn->fleet->clock_us;
	if (patience == 0 || turn->fleet->clock_us - rollout->moved_us <= patience)
		return;
	for (size_t i = 0; i < rollout->n_members; i++) {
		if (rollout->members[i].state == NODE_WAITING ||
		    rollout->members[i].state == NODE_STAGED)
			member_leave(turn, (int)i, NODE_SKIPPED, &rollout->members[i].why);
	}
}

static void wave_next(Rollout *rollout, WaveCount count)
{
	if (rollout->wave > 0 && (rollout->begun < wave_size(rollout) || count.under_way > 0))
		return;
	rollout->wave++;
	rollout->begun = 0;
}

static void rollout_done(Turn *turn)
{
	Rollout *rollout = turn->rollout;

	if (wave_count(rollout).unsettled > 0)
		return;
	rollout->state = ROLLOUT_DONE;
	rollout->why = reason_make(REASON_NONE);
}

/* ---- all at once ---- */

typedef struct Barrier {
	int before, staged, between, ready, total;
} Barrier;

static Barrier barrier_count(const Rollout *rollout)
{
	Barrier barrier = {0};

	for (size_t i = 0; i < rollout->n_members; i++) {
		NodeState state = rollout->members[i].state;

		barrier.before += state == NODE_STAGING || state == NODE_UNSTAGING;
		barrier.staged += state == NODE_STAGED;
		barrier.between += state == NODE_GATING || state == NODE_DRAINING ||
				   state == NODE_PUTTING_BACK;
		barrier.ready += state == NODE_READY;
		barrier.total +=
			state != NODE_OUTSIDE && rollout->members[i].why.code != REASON_ALREADY &&
			!(state == NODE_SKIPPED && rollout->members[i].why.code == REASON_REMOVED);
	}
	return barrier;
}

static bool is_enough(const Rollout *rollout, int ready, int total, Reason *ret_why)
{
	if ((int64_t)ready * 100 >= (int64_t)total * rollout->policy.min_ready_percent && ready > 0)
		return true;
	*ret_why = reason_make(REASON_NOT_READY);
	ret_why->have = ready;
	ret_why->of = total;
	ret_why->limit = rollout->policy.min_ready_percent;
	return false;
}

/* Everybody who can is staged. */
static void at_once_stage(Turn *turn)
{
	for (size_t i = 0; i < turn->rollout->n_members; i++) {
		Member *member = &turn->rollout->members[i];

		if (member->state == NODE_WAITING &&
		    admit_node(turn->fleet, (int)i, turn->index, ADMIT_CHANGE, &member->why))
			member_enter(turn, (int)i, NODE_STAGING);
	}
}

/* Everybody who is in `from` goes on together; those who could not even be staged stay behind. */
static void at_once_go(Turn *turn, NodeState from, NodeState to)
{
	turn->rollout->wave = 1;
	for (size_t i = 0; i < turn->rollout->n_members; i++) {
		const Member *member = &turn->rollout->members[i];

		if (member->state == NODE_WAITING)
			member_leave(turn, (int)i, NODE_SKIPPED, &member->why);
		else if (member->state == from && to == NODE_GATING)
			member_begin(turn, (int)i, to);
		else if (member->state == from)
			member_enter(turn, (int)i, to);
	}
}

static void at_once_wait(Turn *turn, const Barrier *barrier)
{
	for (size_t i = 0; i < turn->rollout->n_members; i++) {
		Member *member = &turn->rollout->members[i];

		if (member->state != NODE_STAGED && member->state != NODE_READY)
			continue;
		member->why = reason_make(REASON_BARRIER);
		member->why.have = barrier->staged + barrier->ready;
		member->why.of = barrier->total;
		member->why.node = (int)i;
	}
}

/* A gate that has failed may still pass, as often as it is asked: the others wait for that. */
static void at_once_retry(Turn *turn)
{
	for (size_t i = 0; i < turn->rollout->n_members; i++) {
		Member *member = &turn->rollout->members[i];

		if (member->state == NODE_STAGED && turn->fleet->clock_us >= member->after_us)
			member_begin(turn, (int)i, NODE_GATING);
	}
}

/* Who comes, or comes back, after the others have gone does not go alone. */
static void at_once_close(Turn *turn)
{
	Reason late = reason_make(REASON_LATE);

	for (size_t i = 0; i < turn->rollout->n_members; i++) {
		late.node = (int)i;
		if (turn->rollout->members[i].state == NODE_WAITING)
			member_leave(turn, (int)i, NODE_SKIPPED, &late);
	}
}

static WaveResult at_once_decide(Turn *turn)
{
	Rollout *rollout = turn->rollout;
	WaveResult result = {0};
	Reason why;
	Barrier barrier;

	if (rollout->wave == 0 && !window_allows(turn, &why)) {
		for (size_t i = 0; i < rollout->n_members; i++)
			if (rollout->members[i].state == NODE_WAITING)
				rollout->members[i].why = why;
		return result;
	}
	if (rollout->wave == 0)
		at_once_stage(turn);
	else
		at_once_close(turn);
	if (rollout->wave == 1 && rollout->jump_us == 0)
		at_once_retry(turn);
	barrier = barrier_count(rollout);
	at_once_wait(turn, &barrier);
	if (rollout->wave == 0 && barrier.before == 0 && barrier.total > 0) {
		if (is_enough(rollout, barrier.staged, barrier.total, &result.not_ready))
			at_once_go(turn, NODE_STAGED, NODE_GATING);
	} else if (rollout->wave == 1 && rollout->jump_us == 0 &&
		   barrier.between + barrier.staged == 0) {
		if (is_enough(rollout, barrier.ready, barrier.total, &result.not_ready)) {
			rollout->jump_us = turn->fleet->now_us + JUMP_LEAD_US;
			at_once_go(turn, NODE_READY, NODE_SWAPPING);
		}
	}
	rollout_done(turn);
	return result;
}

/* ---- in waves ---- */

WaveResult wave_decide(Turn *turn, int yield_to)
{
	Rollout *rollout = turn->rollout;
	WaveCount count = wave_count(rollout);
	WaveResult result = {0};
	Reason closed = reason_make(REASON_NONE);
	int room, stages, size;

	if (rollout->policy.all_at_once)
		return at_once_decide(turn);
	wave_next(rollout, count);
	size = wave_size(rollout);
	room = size - rollout->begun;
	stages = room - count.prepared;
	if (yield_to >= 0) {
		closed = reason_make(REASON_YIELD);
		closed.rollout = yield_to;
	} else {
		(void)window_allows(turn, &closed);
	}
	for (size_t i = 0; i < rollout->n_order; i++) {
		int node = rollout->order[i];
		Member *member = &rollout->members[node];

		if (member->state != NODE_WAITING && member->state != NODE_STAGED)
			continue;
		if (closed.code == REASON_NONE && room == 0)
			closed = wave_reason(rollout, size, count.under_way);
		if (closed.code == REASON_NONE)
			candidate_decide(turn, node, &room, &stages, &result);
		else
			member->why = closed;
		member->why.node = node;
	}
	patience_watch(turn);
	rollout_done(turn);
	return result;
}

/* ---- back ---- */

/* Not if something else has been put onto it since. */
static bool is_to_send_back(const Turn *turn, int node)
{
	const Member *member = &turn->rollout->members[node];

	return member->changed && !member->back &&
	       (member->state == NODE_DONE || member->state == NODE_FAILED) &&
	       !turn->fleet->nodes[node].removed &&
	       !strcmp(turn->fleet->nodes[node].release, turn->rollout->policy.release);
}

/* Sick ones first: they need it, and it takes nothing from service. */
static void send_back_pass(Turn *turn, bool down, int *n_left)
{
	Rollout *rollout = turn->rollout;

	for (size_t i = 0; i < rollout->n_order; i++) {
		int node = rollout->order[i];
		Member *member = &rollout->members[node];

		if (turn->fleet->nodes[node].down != down || !is_to_send_back(turn, node))
			continue;
		if (!admit_node(turn->fleet, node, turn->index, ADMIT_BACK, &member->why) ||
		    !admit_limits(turn->fleet, node, &rollout->policy.limits, ADMIT_BACK,
				  &member->why)) {
			(*n_left)++;
			continue;
		}
		member->back = true;
		member->outcome = NODE_SENT_BACK;
		member_begin(turn, node, NODE_DRAINING);
	}
}

void wave_send_back(Turn *turn)
{
	Rollout *rollout = turn->rollout;
	int64_t patience = rollout->policy.times_us[TIME_PATIENCE];
	int n_left = 0;

	send_back_pass(turn, true, &n_left);
	send_back_pass(turn, false, &n_left);
	if (wave_count(rollout).unsettled > 0)
		rollout->moved_us = turn->fleet->clock_us;
	else if (n_left == 0 ||
		 (patience > 0 && turn->fleet->clock_us - rollout->moved_us > patience))
		rollout->state = rollout->end;
}
