/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/transient.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "swap/bus.h"
#include "swap/kept.h"
#include "swap/unit.h"

#define NAME_PART_MAX 64
#define NAMES_TRIED   10000

char *transient_name(const char *path, unsigned n)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789:-_.";
	const char *slash = strrchr(path, '/');
	char part[NAME_PART_MAX];

	(void)snprintf(part, sizeof(part), "%s", slash ? slash + 1 : path);
	for (char *p = part; *p; p++) {
		if (!strchr(allowed, *p))
			*p = '_';
	}
	return text_format("run-segue-%s-%u.service", part, n);
}

static int append_string(sd_bus_message *m, const char *property, const char *value)
{
	return value ? sd_bus_message_append(m, "(sv)", property, "s", value) : 0;
}

/* The words as they are: "$" in one is for the command, such as a shell, and not for systemd. */
static int append_exec(sd_bus_message *m, const char *const *argv)
{
	int r;

	if ((r = sd_bus_message_open_container(m, 'r', "sv")) < 0 ||
	    (r = sd_bus_message_append(m, "s", "ExecStartEx")) < 0 ||
	    (r = sd_bus_message_open_container(m, 'v', "a(sasas)")) < 0 ||
	    (r = sd_bus_message_open_container(m, 'a', "(sasas)")) < 0 ||
	    (r = sd_bus_message_open_container(m, 'r', "sasas")) < 0 ||
	    (r = sd_bus_message_append(m, "s", argv[0])) < 0 ||
	    (r = sd_bus_message_append_strv(m, (char **)(uintptr_t)argv)) < 0 ||
	    (r = sd_bus_message_append(m, "as", 1, "no-env-expand")) < 0)
		return r;
	for (int depth = 0; depth < 4 && r >= 0; depth++)
		r = sd_bus_message_close_container(m);
	return r;
}

static int append_environment(sd_bus_message *m, const char *const *environment)
{
	int r;

	if (!environment || !*environment)
		return 0;
	if ((r = sd_bus_message_open_container(m, 'r', "sv")) < 0 ||
	    (r = sd_bus_message_append(m, "s", "Environment")) < 0 ||
	    (r = sd_bus_message_open_container(m, 'v', "as")) < 0 ||
	    (r = sd_bus_message_append_strv(m, (char **)(uintptr_t)environment)) < 0 ||
	    (r = sd_bus_message_close_container(m)) < 0)
		return r;
	return sd_bus_message_close_container(m);
}

static int append_properties(sd_bus_message *m, const TransientRequest *request)
{
	const char *description = request->description ? request->description : request->argv[0];
	int r;

	if ((r = sd_bus_message_open_container(m, 'a', "(sv)")) < 0 ||
	    (r = append_string(m, "Description", description)) < 0 ||
	    (r = append_string(m, "Type", request->forking ? "forking" : "exec")) < 0 ||
	    (r = append_string(m, "User", request->user)) < 0 ||
	    (r = append_string(m, "WorkingDirectory", request->working_directory)) < 0 ||
	    /* It is gone from systemd when it ends, also if it failed: nobody resets it. */
	    (r = append_string(m, "CollectMode", "inactive-or-failed")) < 0 ||
	    (request->forking &&
	     (r = sd_bus_message_append(m, "(sv)", "GuessMainPID", "b", 1)) < 0) ||
	    (r = append_environment(m, request->environment)) < 0 ||
	    (r = append_exec(m, request->argv)) < 0)
		return r;
	return sd_bus_message_close_container(m);
}

/* -EEXIST: the name is taken. */
static int start_as(sd_bus *bus, const char *name, const TransientRequest *request, Error *err)
{
	_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *m = NULL;
	_cleanup_free_ char *what = text_format("Starting %s", name);
	int r;

	if (!what)
		return error_errno(err, -ENOMEM, "Starting %s", name);
	if ((r = sd_bus_message_new_method_call(bus, &m, BUS_SYSTEMD, BUS_SYSTEMD_PATH,
						BUS_SYSTEMD_MANAGER, "StartTransientUnit")) < 0 ||
	    (r = sd_bus_message_append(m, "ss", name, "fail")) < 0 ||
	    (r = append_properties(m, request)) < 0 ||
	    (r = sd_bus_message_append(m, "a(sa(sv))", 0)) < 0)
		return error_errno(err, r, "%s", what);
	r = bus_call_job(bus, m, what, &error, err);
	if (sd_bus_error_has_name(&error, "org.freedesktop.systemd1.UnitExists"))
		return error_set(err, -EEXIST, "Unit %s exists already; choose another --unit",
				 name);
	if (r < 0)
		return error_hint(err, "see journalctl -u %s", name);
	return 0;
}

int transient_start(const TransientRequest *request, char **ret_unit, Error *err)
{
	_cleanup_free_ char *name = request->unit ? strdup(request->unit) : NULL;
	_cleanup_bus_ sd_bus *bus = NULL;
	int r = bus_open(&bus, err);

	if (r < 0)
		return r;
	if (request->unit) {
		if (!name)
			return error_errno(err, -ENOMEM, "Starting %s", request->argv[0]);
		r = start_as(bus, name, request, err);
	} else {
		r = -EEXIST;
		for (unsigned n = 1; r == -EEXIST && n < NAMES_TRIED; n++) {
			free(name);
			name = transient_name(request->argv[0], n);
			if (!name)
				return error_errno(err, -ENOMEM, "Starting %s", request->argv[0]);
			r = start_as(bus, name, request, err);
		}
	}
	if (r < 0)
		return r;
	r = kept_add(name, true, err);
	if (r < 0)
		return r;
	*ret_unit = steal_ptr(&name);
	return 0;
}
