/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/bus.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Jobs end by the time limit of their unit; this is for units that have none. */
#define BUS_JOB_LIMIT_S 300
/* While a machine boots, systemd may be busy for longer than sd-bus's own 25 s: an adoption that
 * gives up then would fail a swap that went well. */
#define BUS_CALL_LIMIT_US (300ULL * 1000000)

static int bus_open_private(sd_bus **ret)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	int r = sd_bus_new(&bus);

	if (r < 0)
		return r;
	r = sd_bus_set_address(bus, "unix:path=/run/systemd/private");
	if (r < 0)
		return r;
	r = sd_bus_start(bus);
	if (r < 0)
		return r;
	*ret = steal_ptr(&bus);
	return 0;
}

int bus_open(sd_bus **ret, Error *err)
{
	int r = bus_open_private(ret);

	if (r < 0)
		r = sd_bus_open_system(ret);
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(*ret, BUS_CALL_LIMIT_US);
	/* Not the code that it failed with: -ENOENT is a unit that does not exist. */
	if (r < 0)
		return error_set(err, -ECONNREFUSED, "Connecting to systemd: %s; is it running?",
				 strerror(-r));
	return 0;
}

int bus_error_set(Error *err, int code, const sd_bus_error *error, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (error && error->message)
		return error_set(err, code, "%s: %s", what, error->message);
	return error_errno(err, code, "%s", what);
}

typedef struct BusJob {
	char *path; /* owned */
	char result[32];
	bool over;
} BusJob;

static int job_removed(sd_bus_message *message, void *data, sd_bus_error *error)
{
	const char *path, *unit, *result;
	BusJob *job = data;
	uint32_t id;

	if (sd_bus_message_read(message, "uoss", &id, &path, &unit, &result) < 0)
		return 0;
	if (job->path && !strcmp(path, job->path)) {
		(void)snprintf(job->result, sizeof(job->result), "%s", result);
		job->over = true;
	}
	return 0;
}

static int job_wait(sd_bus *bus, BusJob *job, const char *what, Error *err)
{
	int64_t deadline = clock_monotonic_us() + BUS_JOB_LIMIT_S * INT64_C(1000000);

	while (!job->over) {
		int64_t left = deadline - clock_monotonic_us();
		int r = sd_bus_process(bus, NULL);

		if (r < 0)
			return error_errno(err, r, "%s", what);
		if (r > 0)
			continue;
		if (left <= 0)
			return error_set(err, -ETIMEDOUT,
					 "%s: not done after %d s; what keeps it: systemctl "
					 "list-jobs",
					 what, BUS_JOB_LIMIT_S);
		r = sd_bus_wait(bus, (uint64_t)left);
		if (r < 0)
			return error_errno(err, r, "%s", what);
	}
	if (strcmp(job->result, "done") != 0)
		return error_set(err, -EPROTO, "%s: the job ended with \"%s\"", what, job->result);
	return 0;
}

int bus_call_job(sd_bus *bus, sd_bus_message *call, const char *what, sd_bus_error *ret_error,
		 Error *err)
{
	_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *reply = NULL;
	_cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
	BusJob job = {0};
	const char *path;
	int r;

	/* systemd sends signals only to those who have asked for them. */
	r = sd_bus_match_signal(bus, &slot, NULL, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER,
				"JobRemoved", job_removed, &job);
	if (r >= 0)
		r = sd_bus_call_method(bus, BUS_SYSTEMD, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER,
				       "Subscribe", NULL, NULL, NULL);
	if (r < 0)
		return error_errno(err, r, "%s: asking systemd for its signals", what);
	r = sd_bus_call(bus, call, 0, &error, &reply);
	if (r < 0) {
		r = bus_error_set(err, r, &error, "%s", what);
		if (ret_error)
			(void)sd_bus_error_move(ret_error, &error);
		return r;
	}
	r = sd_bus_message_read(reply, "o", &path);
	if (r < 0)
		return error_errno(err, r, "%s", what);
	/* Signals that came before the reply wait in the connection's queue: none is lost. */
	job.path = strdup(path);
	if (!job.path)
		return error_errno(err, -ENOMEM, "%s", what);
	r = job_wait(bus, &job, what, err);
	free(job.path);
	return r;
}

int bus_unit_start(sd_bus *bus, const char *unit, const char *mode, Error *err)
{
	_cleanup_message_ sd_bus_message *call = NULL;
	int r = sd_bus_message_new_method_call(bus, &call, BUS_SYSTEMD, BUS_SYSTEMD_PATH,
					       BUS_SYSTEMD_MANAGER, "StartUnit");

	if (r >= 0)
		r = sd_bus_message_append(call, "ss", unit, mode);
	if (r < 0)
		return error_errno(err, r, "Starting %s", unit);
	return bus_call_job(bus, call, unit, NULL, err);
}

int bus_unit_queue(sd_bus *bus, const char *unit, const char *mode, Error *err)
{
	_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_call_method(bus, BUS_SYSTEMD, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER,
				   "StartUnit", &error, NULL, "ss", unit, mode);

	return r < 0 ? bus_error_set(err, r, &error, "Starting %s", unit) : 0;
}

int bus_systemd_version(sd_bus *bus, char **ret, Error *err)
{
	_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_get_property_string(bus, BUS_SYSTEMD, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER,
					   "Version", &error, ret);

	return r < 0 ? bus_error_set(err, r, &error, "Asking systemd for its version") : 0;
}

int bus_daemon_reload(sd_bus *bus, Error *err)
{
	_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *call = NULL;
	int r;

	r = sd_bus_message_new_method_call(bus, &call, BUS_SYSTEMD, BUS_SYSTEMD_PATH,
					   BUS_SYSTEMD_MANAGER, "Reload");
	if (r >= 0)
		r = sd_bus_call(bus, call, 0, &error, NULL);
	if (r < 0)
		return bus_error_set(err, r, &error, "Making systemd read its units again");
	return 0;
}
