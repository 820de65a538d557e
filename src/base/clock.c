/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define DAY_US (86400LL * 1000000)

static int64_t clock_us(clockid_t id)
{
	struct timespec ts = {0};

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

int64_t clock_boottime_us(void)
{
	return clock_us(CLOCK_BOOTTIME);
}

int64_t clock_realtime_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

ClockMark clock_mark(void)
{
	ClockMark mark = {.realtime_us = clock_realtime_us()};

#if defined(__x86_64__)
	mark.tsc = (int64_t)__rdtsc();
#endif
	return mark;
}

int64_t clock_tsc_hz(ClockMark earlier, ClockMark later)
{
	int64_t us = later.realtime_us - earlier.realtime_us, ticks = later.tsc - earlier.tsc;

	if (earlier.tsc == 0 || us <= 0 || ticks <= 0)
		return 0;
	return (int64_t)((double)ticks * 1e6 / (double)us);
}

int64_t clock_since_mark_us(ClockMark mark, int64_t tsc_hz)
{
	ClockMark now = clock_mark();
	int64_t us = now.realtime_us - mark.realtime_us;

	/* A counter that went back was reset: a machine that was powered off meanwhile. */
	if (tsc_hz > 0 && mark.tsc > 0 && now.tsc > mark.tsc)
		us = (int64_t)((double)(now.tsc - mark.tsc) * 1e6 / (double)tsc_hz);
	if (us < 0)
		return 0;
	return us > DAY_US ? DAY_US : us;
}
