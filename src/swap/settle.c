/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/bus.h"

#define TARGET      "segue-swap.target"
#define TARGET_PATH "/run/systemd/system/" TARGET

/* Stay until the jump.  Wants= would start one that is installed, so only those that run are
 * named. */
static const char *const stay[] = {
	"sysinit.target", /* mounts, journald, udevd */
	"segued.service",           "dbus.service",
	"dbus-broker.service",      "dbus.socket",
	"systemd-networkd.service", "systemd-networkd.socket",
	"networking.service",       "NetworkManager.service",
	"systemd-resolved.service", "ifup@",
	"wpa_supplicant.service",
};

static bool stays(const char *unit)
{
	for (size_t i = 0; i < sizeof(stay) / sizeof(stay[0]); i++) {
		if (strcmp(unit, stay[i]) == 0)
			return true;
		if (text_has_suffix(stay[i], "@") && text_has_prefix(unit, stay[i]))
			return true;
	}
	return false;
}

/* Names of all active units. */
static int running_list(sd_bus *bus, json_object **ret, Error *err)
{
	_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *reply = NULL;
	_cleanup_json_ json_object *list = json_object_new_array();
	int r = sd_bus_call_method(bus, BUS_SYSTEMD, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER,
				   "ListUnits", &error, &reply, "");

	if (r < 0)
		return bus_error_set(err, r, &error, "Listing units");
	r = sd_bus_message_enter_container(reply, 'a', "(ssssssouso)");
	while (r > 0) {
		const char *name, *active;

		r = sd_bus_message_read(reply, "(ssssssouso)", &name, NULL, NULL, &active, NULL,
					NULL, NULL, NULL, NULL, NULL);
		if (r > 0 && strcmp(active, "active") == 0)
			(void)json_object_array_add(list, json_object_new_string(name));
	}
	if (r < 0)
		return error_errno(err, r, "Listing units");
	*ret = steal_ptr(&list);
	return 0;
}

static int target_write(const KeptUnits *kept, json_object *running, Error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int r;

	if (!f)
		return error_errno(err, -ENOMEM, "Writing " TARGET);
	(void)fprintf(f, "[Unit]\nDescription=What stays until segue jumps\nAllowIsolate=yes\n"
			 "DefaultDependencies=no\n");
	for (size_t i = 0; i < kept->n; i++)
		(void)fprintf(f, "Wants=%s\n", kept->units[i].name);
	for (size_t i = 0; i < json_length(running); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(running, i));

		/* The job that starts the target waits for those that stop what the target comes
		 * after: without this it is done before the units are. */
		(void)fprintf(f, "%s=%s\n", stays(name) ? "Wants" : "After", name);
	}
	if (fclose(f) != 0)
		return error_errno(err, -ENOMEM, "Writing " TARGET);
	r = directory_make(AT_FDCWD, "/run/systemd/system", 0755, err);
	return r < 0 ? r : file_write_atomic(AT_FDCWD, TARGET_PATH, text, size, 0644, err);
}

int settle_list(json_object **ret_running, Error *err)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	int r = bus_open(&bus, err);

	return r < 0 ? r : running_list(bus, ret_running, err);
}

int settle_run(const KeptUnits *kept, json_object *running, Error *err)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	int r = bus_open(&bus, err);

	if (r == 0)
		r = target_write(kept, running, err);
	if (r == 0)
		r = bus_daemon_reload(bus, err);
	if (r == 0)
		r = fault_point("settle-isolate", err);
	if (r < 0)
		return r;
	r = bus_unit_start(bus, TARGET, "isolate", err);
	return r < 0 ? error_prefix(err, "Stopping the units that are not kept") : 0;
}

/* Sessions and their managers do not come back by being started. */
static bool can_be_started(const char *unit)
{
	static const char *const kinds[] = {".service", ".socket", ".timer", ".path", ".target"};

	if (text_has_prefix(unit, "user@") || text_has_prefix(unit, "user-runtime-dir@") ||
	    text_has_prefix(unit, "systemd-") || strcmp(unit, TARGET) == 0)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (text_has_suffix(unit, kinds[i]))
			return true;
	return false;
}

void settle_undo(json_object *running)
{
	_cleanup_bus_ sd_bus *bus = NULL;

	(void)unlink(TARGET_PATH);
	if (bus_open(&bus, NULL) < 0)
		return;
	(void)bus_daemon_reload(bus, NULL);
	/* Not waited for: one that cannot start must not keep the report of the swap. */
	(void)bus_unit_queue(bus, "default.target", "replace", NULL);
	for (size_t i = 0; i < json_length(running); i++) {
		const char *unit = json_object_get_string(json_object_array_get_idx(running, i));

		if (can_be_started(unit))
			(void)bus_unit_queue(bus, unit, "replace", NULL);
	}
}
