/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/policy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "fleet/window.h"

#define DURATION_MAX_S ((int64_t)366 * 86400)

const char *const mode_names[] = {
	[MODE_IN_PLACE] = "in-place",
	[MODE_REBOOT] = "reboot",
	[MODE_AUTO] = "auto",
	NULL,
};

typedef enum FieldKind {
	FIELD_TEXT,
	FIELD_LIST,
	FIELD_WINDOWS,
	FIELD_LIMIT,
	FIELD_INT,
	FIELD_MODE,
	FIELD_BOOL,
	FIELD_TIME,
} FieldKind;

typedef struct Field {
	const char *key;
	FieldKind kind;
	size_t offset;
	int min, max; /* of an integer; of a time, in seconds, at least */
} Field;

#define FIELD(member)     offsetof(Policy, member)
#define FIELD_LIMITS(i)   (offsetof(Policy, limits) + (i) * sizeof(Limit))
#define FIELD_DURATION(i) (offsetof(Policy, times_us) + (i) * sizeof(int64_t))

static const Field fields[] = {
	{"release", FIELD_TEXT, FIELD(release)},
	{"group", FIELD_LIST, FIELD(groups)},
	{"window", FIELD_WINDOWS, FIELD(windows)},
	{"pair", FIELD_LIST, FIELD(ties.pairs)},
	{"quorum", FIELD_LIST, FIELD(ties.quorums)},
	{"apart", FIELD_LIST, FIELD(ties.apart)},
	{"pair_by", FIELD_LIST, FIELD(ties.pair_by)},
	{"max_changing", FIELD_LIMIT, FIELD_LIMITS(LIMIT_CHANGING)},
	{"max_unavailable", FIELD_LIMIT, FIELD_LIMITS(LIMIT_UNAVAILABLE)},
	{"max_unhealthy", FIELD_LIMIT, FIELD_LIMITS(LIMIT_UNHEALTHY)},
	{"max_unhealthy_after", FIELD_LIMIT, FIELD_LIMITS(LIMIT_UNHEALTHY_AFTER)},
	{"max_failed", FIELD_LIMIT, FIELD(max_failed)},
	{"canary", FIELD_INT, FIELD(canaries), 0, 1000000},
	{"wave", FIELD_LIMIT, FIELD(wave)},
	{"growth", FIELD_INT, FIELD(growth_percent), 100, 1000},
	{"priority", FIELD_INT, FIELD(priority), 0, 1000},
	{"mode", FIELD_MODE, FIELD(mode)},
	{"all_at_once", FIELD_BOOL, FIELD(all_at_once)},
	{"min_ready", FIELD_INT, FIELD(min_ready_percent), 1, 100},
	{"send_back", FIELD_BOOL, FIELD(send_back)},
	{"return_failed", FIELD_BOOL, FIELD(return_failed)},
	{"gate_before", FIELD_BOOL, FIELD(gate_before)},
	{"gate_after", FIELD_BOOL, FIELD(gate_after)},
	{"gate_attempts", FIELD_INT, FIELD(gate_attempts), 1, 1000},
	{"drain", FIELD_BOOL, FIELD(drain)},
	{"stage_timeout", FIELD_TIME, FIELD_DURATION(TIME_STAGE), 1},
	{"gate_timeout", FIELD_TIME, FIELD_DURATION(TIME_GATE), 1},
	{"drain_timeout", FIELD_TIME, FIELD_DURATION(TIME_DRAIN), 1},
	{"swap_timeout", FIELD_TIME, FIELD_DURATION(TIME_SWAP), 1},
	{"verify_timeout", FIELD_TIME, FIELD_DURATION(TIME_VERIFY), 1},
	{"retry", FIELD_TIME, FIELD_DURATION(TIME_RETRY), 1},
	{"soak", FIELD_TIME, FIELD_DURATION(TIME_SOAK), 0},
	{"lease", FIELD_TIME, FIELD_DURATION(TIME_LEASE), 1},
	{"patience", FIELD_TIME, FIELD_DURATION(TIME_PATIENCE), 0},
	{"expect", FIELD_TIME, FIELD_DURATION(TIME_EXPECT), 1},
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

int text_list_add(TextList *list, const char *text, Error *err)
{
	char **items = reallocarray(list->items, list->n + 1, sizeof(*items));
	char *copy = strdup(text);

	if (items)
		list->items = items;
	if (!items || !copy) {
		free(copy);
		return error_errno(err, -ENOMEM, "\"%.64s\"", text);
	}
	list->items[list->n++] = copy;
	return 0;
}

void text_list_release(TextList *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (TextList){0};
}

int text_list_copy(const TextList *list, TextList *ret, Error *err)
{
	for (size_t i = 0; i < list->n; i++) {
		int r = text_list_add(ret, list->items[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

void ties_release(Ties *ties)
{
	text_list_release(&ties->pairs);
	text_list_release(&ties->quorums);
	text_list_release(&ties->apart);
	text_list_release(&ties->pair_by);
}

/* Cautious: one node first, then one at a time, and the first failure stops it. */
int policy_init(Policy *ret, Error *err)
{
	*ret = (Policy){
		.release = strdup(""),
		.limits.by = {[LIMIT_UNAVAILABLE] = {LIMIT_COUNT, 1}},
		.max_failed = {LIMIT_COUNT, 0},
		.canaries = 1,
		.growth_percent = 200,
		.min_ready_percent = 100,
		.gate_attempts = 3,
		.return_failed = true,
		.times_us =
			{
				[TIME_STAGE] = 1800 * SECOND_US,
				[TIME_GATE] = 60 * SECOND_US,
				[TIME_DRAIN] = 300 * SECOND_US,
				[TIME_SWAP] = 600 * SECOND_US,
				[TIME_VERIFY] = 300 * SECOND_US,
				[TIME_RETRY] = 30 * SECOND_US,
				[TIME_SOAK] = 300 * SECOND_US,
				[TIME_LEASE] = 90 * SECOND_US,
				[TIME_PATIENCE] = 21600 * SECOND_US,
				[TIME_EXPECT] = 120 * SECOND_US,
			},
	};
	return ret->release ? 0 : error_errno(err, -ENOMEM, "Preparing a rollout");
}

void policy_release(Policy *policy)
{
	free(policy->release);
	text_list_release(&policy->groups);
	text_list_release(&policy->windows);
	ties_release(&policy->ties);
	*policy = (Policy){0};
}

int duration_parse(const char *text, int64_t *ret_us, Error *err)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = {{"", 1}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
	long long value;
	char *end;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (*text < '0' || *text > '9' || errno || value > DURATION_MAX_S)
		end = NULL;
	for (size_t i = 0; end && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].name) != 0 || value * units[i].seconds > DURATION_MAX_S)
			continue;
		*ret_us = value * units[i].seconds * SECOND_US;
		return 0;
	}
	return error_set(err, -EINVAL,
			 "\"%.32s\" is no duration of at most a year, such as 90s, 10min, 2h, 1d",
			 text);
}

static int integer_parse(const Field *field, const char *text, int *ret, Error *err)
{
	long value;
	char *end;

	errno = 0;
	value = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value < field->min || value > field->max)
		return error_set(err, -EINVAL, "\"%.32s\" is not a number from %d to %d", text,
				 field->min, field->max);
	*ret = (int)value;
	return 0;
}

static int mode_parse(const char *text, int *ret, Error *err)
{
	for (int i = 0; mode_names[i]; i++) {
		if (!strcmp(mode_names[i], text)) {
			*ret = i;
			return 0;
		}
	}
	return error_set(err, -EINVAL, "\"%.32s\" is not one of: in-place, reboot, auto", text);
}

static int bool_parse(const char *text, bool *ret, Error *err)
{
	*ret = !strcmp(text, "true");
	return *ret || !strcmp(text, "false")
		       ? 0
		       : error_set(err, -EINVAL, "\"%.32s\" is neither true nor false", text);
}

static int time_set(const Field *field, const char *text, int64_t *ret_us, Error *err)
{
	int64_t us;
	int r = duration_parse(text, &us, err);

	if (r < 0)
		return r;
	if (us < field->min * SECOND_US)
		return error_set(err, -EINVAL, "\"%.32s\" is less than %d s", text, field->min);
	*ret_us = us;
	return 0;
}

static int text_set(char **target, const char *text, Error *err)
{
	char *copy = strdup(text);

	if (!copy)
		return error_errno(err, -ENOMEM, "\"%.64s\"", text);
	free(*target);
	*target = copy;
	return 0;
}

static int field_set(const Field *field, void *base, const char *text, Error *err)
{
	void *target = (char *)base + field->offset;
	Window window;
	int r;

	switch (field->kind) {
	case FIELD_TEXT:
		return text_set(target, text, err);
	case FIELD_WINDOWS:
		r = window_parse(text, &window, err);
		return r < 0 ? r : text_list_add(target, text, err);
	case FIELD_LIST:
		return *text ? text_list_add(target, text, err)
			     : error_set(err, -EINVAL, "An empty text says nothing");
	case FIELD_LIMIT:
		return limit_parse(text, target, err);
	case FIELD_INT:
		return integer_parse(field, text, target, err);
	case FIELD_MODE:
		return mode_parse(text, target, err);
	case FIELD_BOOL:
		return bool_parse(text, target, err);
	default:
		return time_set(field, text, target, err);
	}
}

static const Field *field_find(const char *key)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (!strcmp(fields[i].key, key))
			return &fields[i];
	}
	return NULL;
}

int policy_set(Policy *policy, const char *key, const char *text, Error *err)
{
	const Field *field = field_find(key);

	if (!field)
		return error_set(err, -EINVAL, "\"%.64s\" is no setting of a rollout", key);
	return field_set(field, policy, text, err) < 0 ? error_prefix(err, "%s", key) : 0;
}

/* An array, or one value, which may be written as a number or a boolean. */
static int value_set(Policy *policy, const char *key, json_object *value, Error *err)
{
	if (json_object_is_type(value, json_type_object) || !value)
		return error_set(err, -EINVAL, "\"%.64s\" is not a text", key);
	if (!json_object_is_type(value, json_type_array))
		return policy_set(policy, key, json_object_get_string(value), err);
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		json_object *item = json_object_array_get_idx(value, i);
		int r = json_object_is_type(item, json_type_string)
				? policy_set(policy, key, json_object_get_string(item), err)
				: error_set(err, -EINVAL, "\"%.64s\" is not a list of texts", key);

		if (r < 0)
			return r;
	}
	return 0;
}

int policy_from_json(json_object *o, Policy *policy, Error *err)
{
	json_object_object_foreach(o, key, value)
	{
		int r = value_set(policy, key, value, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static json_object *list_to_json(const TextList *list)
{
	json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->n; i++)
		(void)json_object_array_add(array, json_object_new_string(list->items[i]));
	return array;
}

static json_object *field_get(const Field *field, const void *base)
{
	const void *source = (const char *)base + field->offset;
	char text[32];

	switch (field->kind) {
	case FIELD_TEXT:
		return json_object_new_string(*(char *const *)source);
	case FIELD_WINDOWS:
	case FIELD_LIST:
		return list_to_json(source);
	case FIELD_LIMIT:
		return json_object_new_string(limit_text(*(const Limit *)source).text);
	case FIELD_INT:
		return json_object_new_int(*(const int *)source);
	case FIELD_MODE:
		return json_object_new_string(mode_names[*(const int *)source]);
	case FIELD_BOOL:
		return json_object_new_boolean(*(const bool *)source);
	default:
		(void)snprintf(text, sizeof(text), "%llds",
			       (long long)(*(const int64_t *)source / SECOND_US));
		return json_object_new_string(text);
	}
}

json_object *policy_to_json(const Policy *policy)
{
	json_object *o = json_object_new_object();

	for (size_t i = 0; o && i < N_FIELDS; i++)
		(void)json_object_object_add(o, fields[i].key, field_get(&fields[i], policy));
	return o;
}

int limits_from_json(json_object *o, Limits *limits, Error *err)
{
	json_object_object_foreach(o, key, value)
	{
		int kind = 0, r;

		while (kind < LIMITS && strcmp(limit_names[kind], key) != 0)
			kind++;
		if (kind == LIMITS)
			return error_set(err, -EINVAL, "\"%.64s\" is no limit of a group", key);
		r = limit_parse(value ? json_object_get_string(value) : "", &limits->by[kind], err);
		if (r < 0)
			return error_prefix(err, "%s", key);
	}
	return 0;
}

json_object *limits_to_json(const Limits *limits)
{
	json_object *o = json_object_new_object();

	for (int i = 0; i < LIMITS; i++)
		if (limits->by[i].unit != LIMIT_NONE)
			json_put_string(o, limit_names[i], limit_text(limits->by[i]).text);
	return o;
}

static const struct {
	const char *key;
	size_t offset;
} tie_lists[] = {
	{"pair", offsetof(Ties, pairs)},
	{"quorum", offsetof(Ties, quorums)},
	{"apart", offsetof(Ties, apart)},
	{"pair_by", offsetof(Ties, pair_by)},
};

int ties_from_json(json_object *o, Ties *ties, Error *err)
{
	for (size_t i = 0; i < sizeof(tie_lists) / sizeof(tie_lists[0]); i++) {
		json_object *array = json_opt_array(o, tie_lists[i].key);

		for (size_t j = 0; j < json_length(array); j++) {
			json_object *item = json_object_array_get_idx(array, j);
			int r = json_object_is_type(item, json_type_string)
					? text_list_add((TextList *)(void *)((char *)ties +
									     tie_lists[i].offset),
							json_object_get_string(item), err)
					: error_set(err, -EINVAL, "\"%s\" is not a list of texts",
						    tie_lists[i].key);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

void ties_to_json(const Ties *ties, json_object *o)
{
	for (size_t i = 0; i < sizeof(tie_lists) / sizeof(tie_lists[0]); i++)
		(void)json_object_object_add(
			o, tie_lists[i].key,
			list_to_json((const TextList *)(const void *)((const char *)ties +
								      tie_lists[i].offset)));
}
