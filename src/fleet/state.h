/* SPDX-License-Identifier: Apache-2.0 */
/* The states of a node within a rollout, those of a rollout, and what nodes are asked to do. */
#pragma once

#include <stdbool.h>

typedef enum ActionKind {
	ACTION_NONE,
	ACTION_STAGE,       /* fetch the release, prepare the swap, check; touches nothing */
	ACTION_UNSTAGE,     /* forget that again */
	ACTION_GATE_BEFORE, /* health gates, on the node and from the hub */
	ACTION_DRAIN,       /* the hook that takes it out of service */
	ACTION_SWAP,        /* onto the release: in place, or by a reboot */
	ACTION_RETURN,      /* back to the kernel before */
	ACTION_GATE_AFTER,
	ACTION_UNDRAIN, /* the hook that puts it back into service */
	ACTION_KINDS,
} ActionKind;

extern const char *const action_names[ACTION_KINDS];

/* How an action ended. */
typedef enum Outcome {
	OUTCOME_NONE, /* not yet */
	OUTCOME_OK,
	OUTCOME_FAILED,      /* and the node is as it was before; of a return: it stays as it is */
	OUTCOME_NOT_CARRIED, /* of stage: a unit cannot be carried in place; a reboot could be done
			      */
	OUTCOME_RETURNED,    /* of swap: the node was on the release, and went back by itself */
	OUTCOMES,
} Outcome;

extern const char *const outcome_names[OUTCOMES];

typedef enum NodeState {
	NODE_OUTSIDE, /* not a node of this rollout */
	NODE_WAITING,
	NODE_STAGING,
	NODE_STAGED,
	NODE_GATING,
	NODE_DRAINING,
	NODE_READY, /* for the jump; all at once, all wait here for the last */
	NODE_SWAPPING,
	NODE_VERIFYING,
	NODE_RESTORING,
	NODE_SOAKING,
	NODE_RETURNING,
	NODE_PUTTING_BACK, /* into service, after something failed or was called off */
	NODE_UNSTAGING,
	NODE_LOST, /* dead, removed or blocked while it was in hand */
	NODE_DONE,
	NODE_REFUSED, /* by its check or its gate before; untouched */
	NODE_FAILED,
	NODE_RETURNED,  /* failed, and is back on its old kernel */
	NODE_SENT_BACK, /* was changed, and the rollout took that back */
	NODE_SKIPPED,   /* untouched */
	NODE_STATES,
} NodeState;

/* What an action may take; an index into Policy.times_us. */
typedef enum PolicyTime {
	TIME_NONE,
	TIME_STAGE,
	TIME_GATE,
	TIME_DRAIN,
	TIME_SWAP,
	TIME_VERIFY, /* from the swap's end until it is healthy */
	TIME_RETRY,  /* between two tries of a gate */
	TIME_SOAK,
	TIME_LEASE,    /* of silence, after which a node is lost */
	TIME_PATIENCE, /* without any progress, after which what stands in the way is skipped */
	TIME_EXPECT,   /* of one node, drain to healthy; for plans, and to fit into a window */
	POLICY_TIMES,
} PolicyTime;

typedef struct NodeStateInfo {
	const char *name;
	const char *doing; /* for people */
	ActionKind action; /* asked for on entering */
	PolicyTime limit;  /* of the action; then it has failed */
	NodeState next;    /* when the action ends well */
	NodeState outcome; /* when it does not: where the node ends, put back and unstaged first */
	bool held;         /* nobody else may touch the node */
	bool changing;     /* counts for max_changing */
	bool down;         /* counts for max_unavailable, pairs, quorum, apart, whatever it says */
	bool leased;       /* silence is a loss */
	bool settled;      /* the rollout does not wait for it */
} NodeStateInfo;

extern const NodeStateInfo node_states[NODE_STATES];

typedef enum RolloutState {
	ROLLOUT_PLANNED, /* accepted; begins at the next step */
	ROLLOUT_RUNNING,
	ROLLOUT_PAUSED,
	ROLLOUT_STOPPING,     /* nothing begins; what is under way comes to its end */
	ROLLOUT_SENDING_BACK, /* what was changed goes back, under the same limits */
	ROLLOUT_STOPPED,
	ROLLOUT_ABORTED,
	ROLLOUT_DONE,
	ROLLOUT_STATES,
} RolloutState;

typedef struct RolloutStateInfo {
	const char *name;
	bool begins; /* nodes are staged and changed */
	bool ended;
	bool can_pause, can_resume, can_stop;
} RolloutStateInfo;

extern const RolloutStateInfo rollout_states[ROLLOUT_STATES];

/* -1 if there is none of this name. */
int node_state_by_name(const char *name);
int rollout_state_by_name(const char *name);
int outcome_by_name(const char *name);
