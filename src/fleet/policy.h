/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator asks of a rollout.  Every setting is a text, in one syntax on the command line
 * and in JSON; segue-rollout(7) explains them. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "fleet/limit.h"
#include "fleet/state.h"

#define SECOND_US ((int64_t)1000000)

typedef struct TextList {
	char **items; /* owned, with the array */
	size_t n;
} TextList;

int text_list_add(TextList *list, const char *text, Error *err);
int text_list_copy(const TextList *list, TextList *ret, Error *err);
void text_list_release(TextList *list);

/* Nodes that must not be down together.  Of pairs and quorum sets each text is a list of nodes with
 * commas, of the others a label. */
typedef struct Ties {
	TextList pairs;   /* never two of these nodes */
	TextList quorums; /* a majority stays up */
	TextList apart;   /* nodes with different values of the label: one value at a time */
	TextList pair_by; /* nodes with the same value of the label: as a pair */
} Ties;

typedef enum Mode {
	MODE_IN_PLACE, /* programs are carried */
	MODE_REBOOT,   /* drained, and rebooted through kexec */
	MODE_AUTO,     /* in place, where check lets it; else a reboot */
} Mode;

extern const char *const mode_names[]; /* ends with NULL */

/* All texts are owned. */
typedef struct Policy {
	char *release;
	TextList groups; /* none: all */
	TextList windows;
	Ties ties;
	Limits limits;    /* of each group */
	Limit max_failed; /* of all nodes of the rollout */
	Limit wave;       /* of all nodes of the rollout: the first wave after the canaries */
	int canaries;
	int growth_percent; /* of each wave after that: 100 are waves of one size */
	int priority;
	int mode; /* a Mode */
	int min_ready_percent;
	int gate_attempts;
	bool all_at_once, send_back, return_failed;
	bool gate_before, gate_after, drain; /* there is one */
	int64_t times_us[POLICY_TIMES];
} Policy;

int policy_init(Policy *ret, Error *err);
void policy_release(Policy *policy);
#define _cleanup_policy_ _cleanup_(policy_release)

/* Sets one, or adds to a list.  `key` as in JSON.  -EINVAL, with the key in front. */
int policy_set(Policy *policy, const char *key, const char *text, Error *err);

/* The members that `o` has are set; others stay.  -EINVAL also for one that is not known. */
int policy_from_json(json_object *o, Policy *policy, Error *err);

/* All of them; NULL if there is no memory. */
json_object *policy_to_json(const Policy *policy);

/* Just the limits, as a group has them; see above. */
int limits_from_json(json_object *o, Limits *limits, Error *err);
json_object *limits_to_json(const Limits *limits);

/* The ties alone: members "pair", "quorum", "apart", "pair_by" of `o`. */
int ties_from_json(json_object *o, Ties *ties, Error *err);
void ties_to_json(const Ties *ties, json_object *o);
void ties_release(Ties *ties);

/* "90", "90s", "10min", "2h", "1d". */
int duration_parse(const char *text, int64_t *ret_us, Error *err);
