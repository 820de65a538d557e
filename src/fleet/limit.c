/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/limit.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_MAX 1000000

const char *const limit_names[LIMITS] = {
	[LIMIT_CHANGING] = "max_changing",
	[LIMIT_UNAVAILABLE] = "max_unavailable",
	[LIMIT_UNHEALTHY] = "max_unhealthy",
	[LIMIT_UNHEALTHY_AFTER] = "max_unhealthy_after",
};

int limit_parse(const char *text, Limit *ret, Error *err)
{
	unsigned long value;
	bool percent;
	char *end;

	if (!strcmp(text, "none")) {
		*ret = (Limit){.unit = LIMIT_NONE};
		return 0;
	}
	errno = 0;
	value = strtoul(text, &end, 10);
	percent = *end == '%';
	if (*text < '0' || *text > '9' || errno || end[percent] != '\0' ||
	    value > (percent ? 100 : COUNT_MAX))
		return error_set(err, -EINVAL,
				 "\"%.32s\" is neither a count as 3, nor a share as 10%%, nor none",
				 text);
	ret->unit = percent ? LIMIT_PERCENT : LIMIT_COUNT;
	ret->value = (int)value;
	return 0;
}

LimitText limit_text(Limit limit)
{
	LimitText result;

	if (limit.unit == LIMIT_NONE)
		(void)snprintf(result.text, sizeof(result.text), "none");
	else
		(void)snprintf(result.text, sizeof(result.text), "%d%s", limit.value,
			       limit.unit == LIMIT_PERCENT ? "%" : "");
	return result;
}

int limit_of(Limit limit, int n)
{
	switch (limit.unit) {
	case LIMIT_COUNT:
		return limit.value;
	case LIMIT_PERCENT:
		return (int)((int64_t)n * limit.value / 100);
	default:
		return INT_MAX;
	}
}
