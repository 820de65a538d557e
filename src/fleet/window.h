/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maintenance windows: weekly, in UTC or at a fixed offset to it.
 *
 *     Mon-Fri 22:00-02:00 +01:00        Sat,Sun 00:00-24:00        02:00-06:00
 *
 * The days are those on which the window opens; none means every day.  One that ends before it
 * begins ends on the next day.  An offset is fixed: there is no summer time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

typedef struct Window {
	unsigned days;      /* bit 0: Monday */
	int begin_min;      /* after midnight at the offset, 0 to 1439 */
	int length_min;     /* 1 to 1440 */
	int utc_offset_min; /* east is positive */
} Window;

/* -EINVAL. */
int window_parse(const char *text, Window *ret, Error *err);

/* How long it stays open from `now_us`, microseconds since 1970; 0 if it is closed. */
int64_t window_left_us(const Window *window, int64_t now_us);

/* When it opens next after `now_us`. */
int64_t window_next_us(const Window *window, int64_t now_us);
