/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/reason.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "fleet/fleet.h"

/* In the sentences {have}, {limit}, {of} are the numbers, {node}, {other}, {group}, {set},
 * {rollout}, {action} names, {until} a time.  What a sentence names is what its JSON has. */
static const struct {
	const char *name, *sentence;
} reasons[REASONS] = {
	[REASON_NONE] = {"none", ""},
	[REASON_UNHEALTHY] = {"unhealthy",
			      "{node} is unhealthy, and only healthy nodes are changed"},
	[REASON_SILENT] = {"silent", "{node} has not been heard of for {have} s; if it is gone for "
				     "good, remove it from the fleet"},
	[REASON_BLOCKED] = {"blocked", "{node} is blocked by the operator"},
	[REASON_REMOVED] = {"removed", "{node} was removed from the fleet"},
	[REASON_HELD] = {"held", "{node} is in the hands of rollout {rollout}"},
	[REASON_LOCKED] = {"locked", "{node} holds a FleetLock slot"},
	[REASON_CHANGING] = {"max-changing", "{have} of the {of} nodes of group {group} are being "
					     "changed, and no more than {limit} may be at once"},
	[REASON_UNAVAILABLE] = {"max-unavailable",
				"{have} of the {of} nodes of group {group} are unavailable, and no "
				"more than {limit} may be at once"},
	[REASON_TOO_UNHEALTHY] = {"max-unhealthy",
				  "{have} of the {of} nodes of group {group} are unhealthy, and "
				  "with more than {limit} no further one is changed"},
	[REASON_PAIR] = {"pair", "{other} is down, and {node} must not be down with it, by pair "
				 "{set}"},
	[REASON_QUORUM] = {"quorum",
			   "{have} of the {of} nodes of quorum set {set} are down or gone, "
			   "and no more than {limit} may be"},
	[REASON_APART] = {"apart",
			  "{other} is down, and it has another {set} than {node}; one {set} "
			  "is changed at a time"},
	[REASON_WINDOW] = {"window",
			   "no maintenance window is open for long enough; the next opens "
			   "at {until}"},
	[REASON_WAVE] = {"wave", "wave {have} goes on: {limit} of its {of} nodes are through"},
	[REASON_SOAK] = {"soak", "wave {have} is being watched"},
	[REASON_RETRY] = {"retry",
			  "the gate before has refused {node}; it is asked again in {have} "
			  "s"},
	[REASON_YIELD] = {"yield", "rollout {rollout} is more urgent and waits for nodes too"},
	[REASON_BARRIER] = {"barrier", "{have} of {of} nodes are ready, and all go at once"},
	[REASON_NOT_RUNNING] = {"not-running", "rollout {rollout} is paused"},
	[REASON_NEXT] = {"next", "{node} is to be staged when its turn comes"},
	[REASON_ALREADY] = {"already", "{node} runs the release already"},
	[REASON_NO_ANSWER] = {"no-answer", "{node} has not answered to {action} within {limit} s"},
	[REASON_ACTION_FAILED] = {"action-failed", "{action} failed on {node}; segue log there "
						   "tells more"},
	[REASON_NOT_HEALTHY_AFTER] = {"not-healthy-after",
				      "{node} was not healthy within {limit} s after its change"},
	[REASON_WENT_BACK] = {"went-back", "{node} could not stay on the release and went back to "
					   "its old kernel by itself; segue log there tells more"},
	[REASON_SUPERSEDED] = {"superseded", "{node} is left to rollout {rollout}, which is more "
					     "urgent"},
	[REASON_LEFT] = {"left", "{node} is in none of the rollout's groups any more"},
	[REASON_LATE] = {"late", "{node} came when all others had gone at once"},
	[REASON_ENDED] = {"ended", "rollout {rollout} stopped before the turn of {node}"},
	[REASON_FAILURES] = {"max-failed",
			     "{have} of {of} nodes failed, and more than {limit} stop "
			     "it"},
	[REASON_UNHEALTHY_AFTER] =
		{"max-unhealthy-after",
		 "{have} of the {of} nodes of group {group} that were changed are "
		 "unhealthy, and more than {limit} stop it"},
	[REASON_WITHDRAWN] = {"withdrawn", "the release was withdrawn"},
	[REASON_OPERATOR] = {"operator", "the operator wants it so"},
	[REASON_NOT_READY] = {"min-ready", "{have} of {of} nodes are ready, and all at once takes "
					   "{limit}% of them"},
	[REASON_NOTHING] = {"nothing", "no node of the fleet is in its groups"},
	[REASON_LIMIT_NONE] = {"limit-none",
			       "of the {of} nodes of group {group} its limits let {limit} go at "
			       "once; raise max_unavailable or max_changing, or write a count"},
	[REASON_QUORUM_NONE] =
		{"quorum-none",
		 "of the {of} nodes of quorum set {set} {have} are gone, and no more "
		 "than {limit} may be down, so none may go; a set needs 3 or more"},
	[REASON_WINDOW_SHORT] = {"window-short",
				 "the longest maintenance window lasts {limit} s, and one node is "
				 "expected to take {have} s"},
	[REASON_NO_LABEL] = {"no-label",
			     "{node} has no label {set}, so nobody knows which nodes it "
			     "must not be down with"},
	[REASON_NO_SUCH_NODE] = {"no-such-node",
				 "{have} of the nodes in {set} are not in the fleet"},
	[REASON_SET_SMALL] = {"set-small",
			      "{set} is only one node; write two or more, with commas"},
	[REASON_AT_ONCE] = {"at-once", "all at once takes every node down together, and the limits "
				       "or ties of the fleet do not allow that"},
	[REASON_OVERLAP] =
		{"overlap",
		 "rollout {rollout} is under way in group {group} with priority {limit}; "
		 "this one needs a higher one than {have}, or to wait"},
	[REASON_NO_RELEASE] = {"no-release", "it names no release"},
};

Reason reason_make(ReasonCode code)
{
	return (Reason){
		.code = code, .node = -1, .other = -1, .group = -1, .set = -1, .rollout = -1};
}

static void time_text(int64_t us, char *buffer, size_t size)
{
	time_t seconds = (time_t)(us / SECOND_US);
	struct tm tm;

	buffer[0] = '\0';
	if (gmtime_r(&seconds, &tm))
		(void)strftime(buffer, size, "%Y-%m-%d %H:%M UTC", &tm);
}

typedef struct Token {
	const char *name;
	const char *text; /* NULL: it is the number */
	int64_t number;
} Token;

enum { TOKENS = 10 };

static const char *node_name(const Fleet *fleet, int node)
{
	return node >= 0 && (size_t)node < fleet->n_nodes ? fleet->nodes[node].name : "a node";
}

static const char *set_name(const Fleet *fleet, int set)
{
	return set >= 0 && (size_t)set < fleet->table.n_sets ? fleet->table.sets[set].name
							     : "a set";
}

static void tokens_fill(const Fleet *fleet, const Reason *reason, char *until, size_t size,
			Token tokens[TOKENS])
{
	bool has_group = reason->group >= 0 && (size_t)reason->group < fleet->n_groups;
	bool has_rollout = reason->rollout >= 0 && (size_t)reason->rollout < fleet->n_rollouts;
	const Token all[TOKENS] = {
		{"have", NULL, reason->have},
		{"limit", NULL, reason->limit},
		{"of", NULL, reason->of},
		{"node", node_name(fleet, reason->node)},
		{"other", node_name(fleet, reason->other)},
		{"group", has_group ? fleet->groups[reason->group].name : "?"},
		{"set", set_name(fleet, reason->set)},
		{"rollout", has_rollout ? fleet->rollouts[reason->rollout].id : "?"},
		{"action", action_names[reason->action]},
		{"until", until},
	};

	time_text(reason->until_us, until, size);
	memcpy(tokens, all, sizeof(all));
}

static const Token *token_find(const Token tokens[TOKENS], const char *name, size_t n)
{
	for (int i = 0; i < TOKENS; i++) {
		if (strlen(tokens[i].name) == n && !strncmp(tokens[i].name, name, n))
			return &tokens[i];
	}
	return NULL;
}

ReasonText reason_sentence(const Fleet *fleet, const Reason *reason)
{
	Token tokens[TOKENS];
	char until[32];
	ReasonText result = {0};
	size_t used = 0;

	tokens_fill(fleet, reason, until, sizeof(until), tokens);
	for (const char *p = reasons[reason->code].sentence;
	     *p && used + 1 < sizeof(result.text);) {
		size_t n = strcspn(p + 1, "}");
		const Token *token = *p == '{' ? token_find(tokens, p + 1, n) : NULL;
		int written;

		if (!token) {
			result.text[used++] = *p++;
			continue;
		}
		written = token->text ? snprintf(result.text + used, sizeof(result.text) - used,
						 "%s", token->text)
				      : snprintf(result.text + used, sizeof(result.text) - used,
						 "%" PRId64, token->number);
		used = strnlen(result.text, sizeof(result.text));
		(void)written;
		p += n + 2;
	}
	return result;
}

json_object *reason_to_json(const Fleet *fleet, const Reason *reason)
{
	json_object *o = json_object_new_object();
	Token tokens[TOKENS];
	char until[32], mark[16];

	tokens_fill(fleet, reason, until, sizeof(until), tokens);
	json_put_string(o, "reason", reasons[reason->code].name);
	json_put_string(o, "sentence", reason_sentence(fleet, reason).text);
	for (int i = 0; i < TOKENS; i++) {
		(void)snprintf(mark, sizeof(mark), "{%s}", tokens[i].name);
		if (!strstr(reasons[reason->code].sentence, mark))
			continue;
		if (tokens[i].text)
			json_put_string(o, tokens[i].name, tokens[i].text);
		else
			json_put_int(o, tokens[i].name, tokens[i].number);
	}
	return o;
}

/* ---- kept ---- */

static int code_by_name(const char *name)
{
	for (int i = 0; i < REASONS; i++) {
		if (!strcmp(reasons[i].name, name))
			return i;
	}
	return REASON_NONE;
}

json_object *reason_save(const Reason *reason)
{
	json_object *o = json_object_new_object();
	const int64_t numbers[] = {reason->node,     reason->other,  reason->group, reason->set,
				   reason->rollout,  reason->have,   reason->limit, reason->of,
				   reason->until_us, reason->action, reason->others};
	json_object *array = json_object_new_array();

	json_put_string(o, "code", reasons[reason->code].name);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		(void)json_object_array_add(array, json_object_new_int64(numbers[i]));
	(void)json_object_object_add(o, "numbers", array);
	return o;
}

Reason reason_load(json_object *o)
{
	json_object *array = json_opt_array(o, "numbers");
	int64_t numbers[11] = {-1, -1, -1, -1, -1};
	Reason reason;

	for (size_t i = 0; i < 11 && i < json_length(array); i++)
		numbers[i] = json_object_get_int64(json_object_array_get_idx(array, i));
	reason = reason_make((ReasonCode)code_by_name(json_opt_string(o, "code", "none")));
	reason.node = (int)numbers[0];
	reason.other = (int)numbers[1];
	reason.group = (int)numbers[2];
	reason.set = (int)numbers[3];
	reason.rollout = (int)numbers[4];
	reason.have = numbers[5];
	reason.limit = numbers[6];
	reason.of = numbers[7];
	reason.until_us = numbers[8];
	reason.action =
		numbers[9] > 0 && numbers[9] < ACTION_KINDS ? (ActionKind)numbers[9] : ACTION_NONE;
	reason.others = numbers[10] != 0;
	return reason;
}
