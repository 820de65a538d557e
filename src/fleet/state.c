/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/state.h"

#include <stddef.h>
#include <string.h>

const char *const action_names[ACTION_KINDS] = {
	[ACTION_NONE] = "none",       [ACTION_STAGE] = "stage",
	[ACTION_UNSTAGE] = "unstage", [ACTION_GATE_BEFORE] = "gate-before",
	[ACTION_DRAIN] = "drain",     [ACTION_SWAP] = "swap",
	[ACTION_RETURN] = "return",   [ACTION_GATE_AFTER] = "gate-after",
	[ACTION_UNDRAIN] = "undrain",
};

const char *const outcome_names[OUTCOMES] = {
	[OUTCOME_NONE] = "none",         [OUTCOME_OK] = "ok",
	[OUTCOME_FAILED] = "failed",     [OUTCOME_NOT_CARRIED] = "not-carried",
	[OUTCOME_RETURNED] = "returned",
};

const NodeStateInfo node_states[NODE_STATES] = {
	[NODE_OUTSIDE] = {.name = "outside",
			  .doing = "not a node of this rollout",
			  .settled = true},
	[NODE_WAITING] = {.name = "waiting", .doing = "waiting"},
	[NODE_STAGING] = {.name = "staging",
			  .doing = "fetching the release and checking",
			  .action = ACTION_STAGE,
			  .limit = TIME_STAGE,
			  .next = NODE_STAGED,
			  .outcome = NODE_REFUSED,
			  .held = true},
	[NODE_STAGED] = {.name = "staged", .doing = "staged and checked, waiting", .held = true},
	[NODE_GATING] = {.name = "gating",
			 .doing = "asking the gates before",
			 .action = ACTION_GATE_BEFORE,
			 .limit = TIME_GATE,
			 .next = NODE_DRAINING,
			 .outcome = NODE_REFUSED,
			 .held = true,
			 .changing = true,
			 .down = true,
			 .leased = true},
	[NODE_DRAINING] = {.name = "draining",
			   .doing = "being taken out of service",
			   .action = ACTION_DRAIN,
			   .limit = TIME_DRAIN,
			   .next = NODE_READY,
			   .outcome = NODE_FAILED,
			   .held = true,
			   .changing = true,
			   .down = true,
			   .leased = true},
	[NODE_READY] = {.name = "ready",
			.doing = "ready to jump",
			.next = NODE_SWAPPING,
			.outcome = NODE_FAILED,
			.held = true,
			.changing = true,
			.down = true,
			.leased = true},
	[NODE_SWAPPING] = {.name = "swapping",
			   .doing = "moving onto the release",
			   .action = ACTION_SWAP,
			   .limit = TIME_SWAP,
			   .next = NODE_VERIFYING,
			   .outcome = NODE_FAILED,
			   .held = true,
			   .changing = true,
			   .down = true},
	[NODE_VERIFYING] = {.name = "verifying",
			    .doing = "getting healthy",
			    .action = ACTION_GATE_AFTER,
			    .limit = TIME_GATE,
			    .next = NODE_RESTORING,
			    .outcome = NODE_FAILED,
			    .held = true,
			    .changing = true,
			    .down = true,
			    .leased = true},
	[NODE_RESTORING] = {.name = "restoring",
			    .doing = "being put back into service",
			    .action = ACTION_UNDRAIN,
			    .limit = TIME_DRAIN,
			    .next = NODE_SOAKING,
			    .outcome = NODE_FAILED,
			    .held = true,
			    .changing = true,
			    .down = true,
			    .leased = true},
	[NODE_SOAKING] = {.name = "soaking",
			  .doing = "in service and watched",
			  .next = NODE_DONE,
			  .outcome = NODE_FAILED,
			  .leased = true},
	[NODE_RETURNING] = {.name = "returning",
			    .doing = "going back to its old kernel",
			    .action = ACTION_RETURN,
			    .limit = TIME_SWAP,
			    .next = NODE_VERIFYING,
			    .outcome = NODE_FAILED,
			    .held = true,
			    .changing = true,
			    .down = true},
	[NODE_PUTTING_BACK] = {.name = "putting-back",
			       .doing = "being put back into service as it was",
			       .action = ACTION_UNDRAIN,
			       .limit = TIME_DRAIN,
			       .held = true,
			       .changing = true,
			       .down = true,
			       .leased = true},
	[NODE_UNSTAGING] = {.name = "unstaging",
			    .doing = "forgetting what was staged",
			    .action = ACTION_UNSTAGE,
			    .limit = TIME_DRAIN,
			    .held = true},
	[NODE_LOST] = {.name = "lost", .doing = "lost", .down = true, .settled = true},
	[NODE_DONE] = {.name = "done", .doing = "done", .settled = true},
	[NODE_REFUSED] = {.name = "refused", .doing = "refused, untouched", .settled = true},
	[NODE_FAILED] = {.name = "failed", .doing = "failed", .settled = true},
	[NODE_RETURNED] = {.name = "returned",
			   .doing = "failed, and back on its old kernel",
			   .settled = true},
	[NODE_SENT_BACK] = {.name = "sent-back",
			    .doing = "sent back to its old kernel",
			    .settled = true},
	[NODE_SKIPPED] = {.name = "skipped", .doing = "skipped, untouched", .settled = true},
};

const RolloutStateInfo rollout_states[ROLLOUT_STATES] = {
	[ROLLOUT_PLANNED] = {"planned", .can_pause = true, .can_stop = true},
	[ROLLOUT_RUNNING] = {"running", .begins = true, .can_pause = true, .can_stop = true},
	[ROLLOUT_PAUSED] = {"paused", .can_resume = true, .can_stop = true},
	[ROLLOUT_STOPPING] = {"stopping", .can_stop = true},
	[ROLLOUT_SENDING_BACK] = {"sending-back", .can_stop = true},
	[ROLLOUT_STOPPED] = {"stopped", .ended = true},
	[ROLLOUT_ABORTED] = {"aborted", .ended = true},
	[ROLLOUT_DONE] = {"done", .ended = true},
};

int node_state_by_name(const char *name)
{
	for (int i = 0; i < NODE_STATES; i++) {
		if (!strcmp(node_states[i].name, name))
			return i;
	}
	return -1;
}

int rollout_state_by_name(const char *name)
{
	for (int i = 0; i < ROLLOUT_STATES; i++) {
		if (!strcmp(rollout_states[i].name, name))
			return i;
	}
	return -1;
}

int outcome_by_name(const char *name)
{
	for (int i = 0; i < OUTCOMES; i++) {
		if (!strcmp(outcome_names[i], name))
			return i;
	}
	return -1;
}
