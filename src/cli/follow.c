/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/follow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/print.h"

#define FOLLOW_PERIOD_NS   250000000L
#define FOLLOW_PATIENCE_US (600LL * 1000000)
#define FOLLOW_CLEAR_LINE  "\r\033[K"

typedef struct Follow {
	const char *id, *previous; /* see follow_swap() */
	bool quiet, live;          /* live: on a terminal, where the last line is written anew */
	size_t n_told;             /* steps that are told to their end */
} Follow;

static void follow_tell(Follow *follow, json_object *status)
{
	json_object *steps = json_opt_array(status, "steps");
	size_t n = json_length(steps);

	if (follow->quiet)
		return;
	if (follow->live)
		(void)printf(FOLLOW_CLEAR_LINE);
	for (; follow->n_told < n; follow->n_told++) {
		json_object *step = json_object_array_get_idx(steps, follow->n_told);
		int64_t duration = json_opt_int(step, "duration_us", -1);

		if (duration < 0)
			break;
		(void)printf("%-10s %8s\n", json_opt_string(step, "step", ""),
			     print_duration(duration).text);
	}
	if (follow->live && json_opt_bool(status, "running", false)) {
		json_object *step = follow->n_told < n
					    ? json_object_array_get_idx(steps, follow->n_told)
					    : NULL;
		int64_t since = step ? json_opt_int(step, "at_us", 0) : 0;

		(void)printf("%-10s %8s  %.60s",
			     step ? json_opt_string(step, "step", "")
				  : json_opt_string(status, "state", ""),
			     since > 0 ? print_duration(clock_realtime_us() - since).text : "",
			     json_opt_string(status, "message", ""));
	}
	(void)fflush(stdout);
}

static bool follow_is_it(const Follow *follow, json_object *status)
{
	const char *id = json_opt_string(status, "id", "");

	return status && (follow->id ? !strcmp(id, follow->id) : strcmp(id, follow->previous) != 0);
}

/* 1: it has ended and is in `ret_status`; 0: not yet. */
static int follow_ask(Follow *follow, json_object **ret_status, Error *err)
{
	_cleanup_json_ json_object *status = NULL;
	int r = client_call("GET", "/v1/swap", NULL, &status, err);

	if (r < 0)
		return r;
	/* Just after the jump segued may not know yet of the swap. */
	if (!follow_is_it(follow, status))
		return -EAGAIN;
	follow_tell(follow, status);
	if (json_opt_bool(status, "running", false))
		return 0;
	*ret_status = steal_ptr(&status);
	return 1;
}

static bool is_passing(int code)
{
	return code == -ECONNREFUSED || code == -ECONNRESET || code == -EAGAIN;
}

int follow_swap(const char *id, const char *previous, bool quiet, json_object **ret_status,
		Error *err)
{
	Follow follow = {
		.id = id, .previous = previous, .quiet = quiet, .live = isatty(STDOUT_FILENO)};
	const struct timespec period = {.tv_nsec = FOLLOW_PERIOD_NS};
	int64_t reached_us = clock_monotonic_us();

	for (;;) {
		int64_t now_us = clock_monotonic_us();
		Error inner = {0};
		int r = follow_ask(&follow, ret_status, &inner);

		if (r > 0)
			return 0;
		if (r == 0)
			reached_us = now_us;
		else if (!is_passing(r))
			return error_set(err, r, "%s", inner.text);
		else if (now_us - reached_us > FOLLOW_PATIENCE_US)
			return error_set(
				err, -ETIMEDOUT,
				"Following the swap: segued has not told of it for 10 minutes; "
				"see journalctl -u segued");
		(void)nanosleep(&period, NULL);
	}
}
