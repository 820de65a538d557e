/* SPDX-License-Identifier: Apache-2.0 */
#include "node/metrics.h"

#include <errno.h>
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

int metrics_format(json_object *log, size_t n_kept, bool swapping, char **ret_text, Error *err)
{
	char *text = NULL;
	size_t size = 0;
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
	if (log_blackout(log, &blackout)) {
		metric_begin(out, "last_blackout_seconds", "gauge",
			     "How long kept programs stood still in the last swap.");
		(void)fprintf(out, "segue_last_blackout_seconds %.6f\n", blackout);
	}
	if (fclose(out) != 0) {
		free(text);
		return error_errno(err, -ENOMEM, "Writing metrics");
	}
	*ret_text = text;
	return 0;
}
