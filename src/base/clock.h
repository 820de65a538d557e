/* SPDX-License-Identifier: Apache-2.0 */
/* Time in microseconds, by clock. */
#pragma once

#include <stdint.h>

int64_t clock_monotonic_us(void);
int64_t clock_boottime_us(void);
int64_t clock_realtime_us(void);
