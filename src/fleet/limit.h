/* SPDX-License-Identifier: Apache-2.0 */
/* Limits on how many nodes of a group may be in some condition: a count, or percent of the group.
 */
#pragma once

#include "base/error.h"

typedef enum LimitUnit {
	LIMIT_NONE, /* any number */
	LIMIT_COUNT,
	LIMIT_PERCENT,
} LimitUnit;

typedef struct Limit {
	LimitUnit unit;
	int value; /* 0 to 1000000; percent: 0 to 100 */
} Limit;

typedef enum LimitKind {
	LIMIT_CHANGING,        /* in the hands of a rollout or of a FleetLock client */
	LIMIT_UNAVAILABLE,     /* those, and whatever else is unhealthy or silent */
	LIMIT_UNHEALTHY,       /* unhealthy or silent, not counting those in somebody's hands */
	LIMIT_UNHEALTHY_AFTER, /* of those that the rollout has changed */
	LIMITS,
} LimitKind;

typedef struct Limits {
	Limit by[LIMITS];
} Limits;

/* "max_changing", ... */
extern const char *const limit_names[LIMITS];

/* "3", "10%" or "none".  -EINVAL. */
int limit_parse(const char *text, Limit *ret, Error *err);

typedef struct LimitText {
	char text[16];
} LimitText;

LimitText limit_text(Limit limit);

/* What it comes to among `n`; a percentage is rounded down, so that a limit is never exceeded.
 * INT_MAX if there is none. */
int limit_of(Limit limit, int n);
