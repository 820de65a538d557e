/* SPDX-License-Identifier: Apache-2.0 */
/* Time in microseconds, by clock. */
#pragma once

#include <stdint.h>

int64_t clock_monotonic_us(void);
int64_t clock_boottime_us(void);
int64_t clock_realtime_us(void);

/*
 * A reading that can be taken under one kernel and continued under the next: the processor's time
 * stamp counter runs on across a kexec, while every clock of the kernel starts again, the wall
 * clock from an RTC that counts seconds.
 */
typedef struct ClockMark {
	int64_t realtime_us;
	int64_t tsc; /* 0: this machine has no usable counter */
} ClockMark;

ClockMark clock_mark(void);

/* Counts per second of the counter between two marks under one kernel; 0 if unknown. */
int64_t clock_tsc_hz(ClockMark earlier, ClockMark later);

/* Time from a mark until now, whichever kernel took it; falls back to the wall clock.  Never
 * negative, and at most a day: a wall clock may be set. */
int64_t clock_since_mark_us(ClockMark mark, int64_t tsc_hz);
