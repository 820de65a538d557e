/* SPDX-License-Identifier: Apache-2.0 */
#include "node/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"

static const char *const outcomes[] = {"done", "refused", "called-off", "returned", "failed"};

static size_t log_count(json_object *log, const char *outcome)
{
	size_t n = 0;

	for (size_t i = 0; i < json_length(log); i++) {
		json_object *swap = json_object_array_get_idx(log, i);

		n += !strcmp(json_opt_string(swap, "state", ""), outcome);
	}
	return n;
}

/* Of the newest swap that had one; false if none had. */
static bool log_blackout(json_object *log, double *ret_seconds)
{
	for (size_t i = json_length(log); i > 0; i--) {
		json_object *value;

		if (!json_object_object_get_ex(json_object_array_get_idx(log, i - 1), "blackout_s",
					       &value) ||
		    !value)
			continue;
		*ret_seconds = json_object_get_double(value);
		return true;
	}
	return false;
}

static void metric_begin(FILE *out, const char *name, const char *type, const char *help)
{
	(void)fprintf(out, "# HELP segue_%s %s\n# TYPE segue_%s %s\n", name, help, name, type);
}

/* The value of a label, quoted. */
static void label_write(FILE *out, const char *name, const char *value)
{
	(void)fprintf(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n')
			(void)fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			(void)fprintf(out, "\\%c", *value);
		else
			(void)fputc(*value, out);
	}
	(void)fputc('"', out);
}

/* Microseconds as seconds, exactly. */
static void seconds_write(FILE *out, int64_t us)
{
	(void)fprintf(out, " %" PRId64 ".%06" PRId64 "\n", us / 1000000, us % 1000000);
}

/* How long the steps of this name took together, for a return jumps and lands twice; -1 if it is
 * not known of any.  `before`: how many steps come before the first of them. */
static int64_t phase_us(json_object *steps, const char *name, size_t *ret_before)
{
	int64_t sum = -1;

	*ret_before = json_length(steps);
	for (size_t i = json_length(steps); i > 0; i--) {
		json_object *step = json_object_array_get_idx(steps, i - 1);
		int64_t us = json_opt_int(step, "duration_us", -1);

		if (strcmp(json_opt_string(step, "step", ""), name) != 0)
			continue;
		*ret_before = i - 1;
		if (us >= 0 && us < INT64_MAX / 2 && sum < INT64_MAX / 2)
			sum = sum < 0 ? us : sum + us;
	}
	return sum;
}

/* A time series may be there once only, so each phase is written where it is first. */
static void phases_write(FILE *out, json_object *steps)
{
	metric_begin(out, "last_swap_phase_seconds", "gauge",
		     "How long each phase of the last swap took.");
	for (size_t i = 0; i < json_length(steps); i++) {
		const char *name = json_opt_string(json_object_array_get_idx(steps, i), "step", "");
		size_t before;
		int64_t us = phase_us(steps, name, &before);

		if (us < 0 || before != i)
			continue;
		(void)fputs("segue_last_swap_phase_seconds{", out);
		label_write(out, "phase", name);
		(void)fputc('}', out);
		seconds_write(out, us);
	}
}

static void last_swap_write(FILE *out, json_object *swap)
{
	json_object *steps = json_opt_array(swap, "steps");
	json_object *first = json_length(steps) > 0 ? json_object_array_get_idx(steps, 0) : NULL;
	int64_t at = json_opt_int(first, "at_us", -1);

	metric_begin(out, "last_swap_info", "gauge", "1; what the last swap was.");
	(void)fputs("segue_last_swap_info{", out);
	label_write(out, "id", json_opt_string(swap, "id", ""));
	(void)fputc(',', out);
	label_write(out, "from", json_opt_string(swap, "from", ""));
	(void)fputc(',', out);
	label_write(out, "to", json_opt_string(swap, "to", ""));
	(void)fputc(',', out);
	label_write(out, "outcome", json_opt_string(swap, "state", ""));
	(void)fputs("} 1\n", out);
	if (at >= 0) {
		metric_begin(out, "last_swap_start_timestamp_seconds", "gauge",
			     "When the last swap began, since the epoch.");
		(void)fputs("segue_last_swap_start_timestamp_seconds", out);
		seconds_write(out, at);
	}
	if (first)
		phases_write(out, steps);
}

int metrics_format(json_object *log, size_t n_kept, bool swapping, char **ret_text, Error *err)
{
	size_t size = 0, n = json_length(log);
	char *text = NULL;
	double blackout;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return error_errno(err, -ENOMEM, "Writing metrics");
	metric_begin(out, "swaps_total", "counter", "Swaps of this machine by how they ended.");
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(*outcomes); i++)
		(void)fprintf(out, "segue_swaps_total{outcome=\"%s\"} %zu\n", outcomes[i],
			      log_count(log, outcomes[i]));
	metric_begin(out, "kept_units", "gauge", "Units that are carried in a swap.");
	(void)fprintf(out, "segue_kept_units %zu\n", n_kept);
	metric_begin(out, "swapping", "gauge", "1 while something works on a swap.");
	(void)fprintf(out, "segue_swapping %d\n", swapping);
	if (n > 0)
		last_swap_write(out, json_object_array_get_idx(log, n - 1));
	if (log_blackout(log, &blackout)) {
		metric_begin(out, "last_blackout_seconds", "gauge",
			     "How long kept programs stood still in the last swap that froze "
			     "them.");
		(void)fprintf(out, "segue_last_blackout_seconds %.6f\n", blackout);
	}
	if (fclose(out) != 0) {
		free(text);
		return error_errno(err, -ENOMEM, "Writing metrics");
	}
	*ret_text = text;
	return 0;
}
