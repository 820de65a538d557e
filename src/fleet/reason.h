/* SPDX-License-Identifier: Apache-2.0 */
/* Why a node or a rollout waits, was refused, or stopped: numbers first, made into a sentence or
 * JSON when somebody asks. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fleet/state.h"

typedef struct Fleet Fleet;

typedef enum ReasonCode {
	REASON_NONE,
	/* a node waits for itself */
	REASON_UNHEALTHY,
	REASON_SILENT,
	REASON_BLOCKED,
	REASON_REMOVED,
	REASON_HELD,
	REASON_LOCKED,
	/* for others */
	REASON_CHANGING,
	REASON_UNAVAILABLE,
	REASON_TOO_UNHEALTHY,
	REASON_PAIR,
	REASON_QUORUM,
	REASON_APART,
	/* for its turn */
	REASON_WINDOW,
	REASON_WAVE,
	REASON_SOAK,
	REASON_RETRY,
	REASON_YIELD,
	REASON_BARRIER,
	REASON_NOT_RUNNING,
	REASON_NEXT,
	/* how a node ended */
	REASON_ALREADY,
	REASON_NO_ANSWER,
	REASON_ACTION_FAILED,
	REASON_NOT_HEALTHY_AFTER,
	REASON_WENT_BACK,
	REASON_SUPERSEDED,
	REASON_LEFT,
	REASON_ENDED,
	REASON_LATE,
	/* why a rollout waits, stops, or is refused */
	REASON_FAILURES,
	REASON_UNHEALTHY_AFTER,
	REASON_WITHDRAWN,
	REASON_OPERATOR,
	REASON_NOT_READY,
	REASON_NOTHING,
	REASON_LIMIT_NONE,
	REASON_QUORUM_NONE,
	REASON_WINDOW_SHORT,
	REASON_NO_LABEL,
	REASON_NO_SUCH_NODE,
	REASON_SET_SMALL,
	REASON_AT_ONCE,
	REASON_OVERLAP,
	REASON_NO_RELEASE,
	REASONS,
} ReasonCode;

/* Which members count depends on the code; names are looked up when it is printed, so that one of
 * these costs no memory of its own. */
typedef struct Reason {
	ReasonCode code;
	int node, other, group, set, rollout; /* indices into the fleet; -1: none */
	int64_t have, limit, of;
	int64_t until_us;  /* real time */
	ActionKind action; /* that failed */
	bool others;       /* it stays so until something outside of the rollouts changes */
} Reason;

/* One of the code given, with all indices none. */
Reason reason_make(ReasonCode code);

typedef struct ReasonText {
	char text[384];
} ReasonText;

/* One sentence without the final stop; "" for REASON_NONE. */
ReasonText reason_sentence(const Fleet *fleet, const Reason *reason);

/* { "reason": "pair", "sentence": "...", "node": "...", "have": n, "limit": n, ... }: the members
 * that the sentence uses. */
json_object *reason_to_json(const Fleet *fleet, const Reason *reason);

/* The numbers alone, as they are kept in a saved fleet. */
json_object *reason_save(const Reason *reason);
Reason reason_load(json_object *o);
