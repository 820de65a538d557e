/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/window.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MINUTE_US ((int64_t)60000000)
#define DAY_MIN   1440
#define ALL_DAYS  0x7fu
/* 1970-01-01 was a Thursday. */
#define EPOCH_DAY 3

static const char *const day_names[7] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

static int day_parse(const char **p)
{
	for (int i = 0; i < 7; i++) {
		if (!strncmp(*p, day_names[i], 3)) {
			*p += 3;
			return i;
		}
	}
	return -1;
}

/* "Mon-Fri,Sun "; nothing stands for every day. */
static bool days_parse(const char **p, unsigned *ret_days)
{
	unsigned days = 0;

	if (**p >= '0' && **p <= '9') {
		*ret_days = ALL_DAYS;
		return true;
	}
	for (;;) {
		int first = day_parse(p), last = first;

		if (first >= 0 && **p == '-') {
			(*p)++;
			last = day_parse(p);
		}
		if (first < 0 || last < 0)
			return false;
		for (int day = first;; day = (day + 1) % 7) {
			days |= 1u << day;
			if (day == last)
				break;
		}
		if (**p != ',')
			break;
		(*p)++;
	}
	*ret_days = days;
	return *(*p)++ == ' ';
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : -1;
}

/* "22:00": minutes, or -1. */
static int time_parse(const char **p)
{
	const char *t = *p;
	int minutes;

	for (int i = 0; i < 5; i++) {
		if (i == 2 ? t[i] != ':' : digit(t[i]) < 0)
			return -1;
	}
	minutes = digit(t[3]) * 10 + digit(t[4]);
	*p += 5;
	return minutes < 60 ? (digit(t[0]) * 10 + digit(t[1])) * 60 + minutes : -1;
}

static bool offset_parse(const char *p, int *ret_min)
{
	int sign = *p == '-' ? -1 : 1, minutes;

	*ret_min = 0;
	if (*p == '\0' || !strcmp(p, "UTC"))
		return true;
	if (*p != '+' && *p != '-')
		return false;
	p++;
	minutes = time_parse(&p);
	*ret_min = sign * minutes;
	return minutes >= 0 && minutes <= 14 * 60 && *p == '\0';
}

int window_parse(const char *text, Window *ret, Error *err)
{
	const char *p = text;
	Window window;
	int begin = -1, end = -1;
	bool good = days_parse(&p, &window.days) && (begin = time_parse(&p)) >= 0 &&
		    begin < DAY_MIN && *p++ == '-' && (end = time_parse(&p)) >= 0 &&
		    end <= DAY_MIN && begin != end;

	if (good && *p == ' ')
		p++;
	if (!good || !offset_parse(p, &window.utc_offset_min))
		return error_set(err, -EINVAL,
				 "\"%.64s\" is no window; write one as \"Mon-Fri 22:00-02:00 "
				 "+01:00\"",
				 text);
	window.begin_min = begin;
	window.length_min = end > begin ? end - begin : end + DAY_MIN - begin;
	*ret = window;
	return 0;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* When the window begins on the day that is `ahead` days after that of `now_us`; -1 if not on that
 * day. */
static int64_t opening_us(const Window *window, int64_t now_us, int ahead)
{
	int64_t local_min = floor_div(now_us, MINUTE_US) + window->utc_offset_min;
	int64_t day = floor_div(local_min, DAY_MIN) + ahead;
	unsigned weekday = (unsigned)((day % 7 + 7 + EPOCH_DAY) % 7);

	if (!(window->days & 1u << weekday))
		return -1;
	return (day * DAY_MIN + window->begin_min - window->utc_offset_min) * MINUTE_US;
}

int64_t window_left_us(const Window *window, int64_t now_us)
{
	int64_t length = window->length_min * MINUTE_US;

	/* The one of yesterday may go on after midnight. */
	for (int ahead = -1; ahead <= 0; ahead++) {
		int64_t begin = opening_us(window, now_us, ahead);

		if (begin >= 0 && now_us >= begin && now_us < begin + length)
			return begin + length - now_us;
	}
	return 0;
}

int64_t window_next_us(const Window *window, int64_t now_us)
{
	for (int ahead = 0; ahead <= 7; ahead++) {
		int64_t begin = opening_us(window, now_us, ahead);

		if (begin > now_us)
			return begin;
	}
	return now_us;
}
