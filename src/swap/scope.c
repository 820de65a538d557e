/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

/* Of systemd.scope(5), systemd.resource-control(5) and systemd.kill(5), by their names and types on
 * the bus (org.freedesktop.systemd1(5)).  Those that this systemd does not have are passed over. */
static const struct Property {
	const char *name;
	char type;
} properties_carried[] = {
	{"Description", 's'},    {"Slice", 's'},     {"Delegate", 'b'},
	{"KillMode", 's'},       {"OOMPolicy", 's'}, {"TimeoutStopUSec", 't'},
	{"RuntimeMaxUSec", 't'}, {"CPUWeight", 't'}, {"CPUQuotaPerSecUSec", 't'},
	{"IOWeight", 't'},       {"MemoryMin", 't'}, {"MemoryLow", 't'},
	{"MemoryHigh", 't'},     {"MemoryMax", 't'}, {"MemorySwapMax", 't'},
	{"TasksMax", 't'},
};
#define N_PROPERTIES (sizeof(properties_carried) / sizeof(properties_carried[0]))

/* "infinity" and "not set" are the greatest number. */
static bool says_something(const struct Property *property, const char *value)
{
	return property->type == 't' ? strtoull(value, NULL, 10) != UINT64_MAX : *value != '\0';
}

int scope_describe(const Unit *scope, json_object **ret_properties, Error *err)
{
	_cleanup_json_ json_object *found = json_object_new_object();

	for (size_t i = 0; i < N_PROPERTIES; i++) {
		_cleanup_free_ char *value = NULL;
		int r = unit_get_property_string(scope, properties_carried[i].name, &value, err);

		if (r == -ENOENT)
			continue;
		if (r < 0)
			return r;
		if (says_something(&properties_carried[i], value))
			json_put_string(found, properties_carried[i].name, value);
	}
	*ret_properties = steal_ptr(&found);
	return 0;
}

/* Processes that have ended meanwhile would make the call fail; they are taken out of the list
 * first. */
static void tasks_prune(json_object *tasks)
{
	for (size_t i = json_length(tasks); i-- > 0;) {
		char path[64];

		(void)snprintf(
			path, sizeof(path), "/proc/%lld",
			(long long)json_opt_int(json_object_array_get_idx(tasks, i), "pid", 0));
		if (!path_exists(AT_FDCWD, path))
			(void)json_object_array_del_idx(tasks, i, 1);
	}
}

static int append_pids(sd_bus_message *call, json_object *tasks)
{
	int r = sd_bus_message_open_container(call, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(call, "s", "PIDs");
	if (r >= 0)
		r = sd_bus_message_open_container(call, 'v', "au");
	if (r >= 0)
		r = sd_bus_message_open_container(call, 'a', "u");
	for (size_t i = 0; r >= 0 && i < json_length(tasks); i++)
		r = sd_bus_message_append(
			call, "u",
			(uint32_t)json_opt_int(json_object_array_get_idx(tasks, i), "pid", 0));
	for (int i = 0; r >= 0 && i < 3; i++)
		r = sd_bus_message_close_container(call);
	return r;
}

static int append_property(sd_bus_message *call, const struct Property *property, const char *value)
{
	switch (property->type) {
	case 's':
		return sd_bus_message_append(call, "(sv)", property->name, "s", value);
	case 'b':
		return sd_bus_message_append(call, "(sv)", property->name, "b",
					     strcmp(value, "yes") == 0);
	default:
		return sd_bus_message_append(call, "(sv)", property->name, "t",
					     (uint64_t)strtoull(value, NULL, 10));
	}
}

static int append_all(sd_bus_message *call, json_object *properties, json_object *tasks)
{
	int r = sd_bus_message_open_container(call, 'a', "(sv)");

	for (size_t i = 0; r >= 0 && i < N_PROPERTIES; i++) {
		const char *value = json_opt_string(properties, properties_carried[i].name, NULL);

		if (value)
			r = append_property(call, &properties_carried[i], value);
	}
	if (r >= 0)
		r = append_pids(call, tasks);
	return r < 0 ? r : sd_bus_message_close_container(call);
}

int scope_start(sd_bus *bus, const char *name, json_object *properties, json_object *tasks,
		Error *err)
{
	_cleanup_message_ sd_bus_message *call = NULL;
	int r;

	tasks_prune(tasks);
	r = sd_bus_message_new_method_call(bus, &call, BUS_SYSTEMD, BUS_SYSTEMD_PATH,
					   BUS_SYSTEMD_MANAGER, "StartTransientUnit");
	if (r >= 0)
		r = sd_bus_message_append(call, "ss", name, "replace");
	if (r >= 0)
		r = append_all(call, properties, tasks);
	if (r >= 0)
		r = sd_bus_message_append(call, "a(sa(sv))", 0);
	if (r < 0)
		return error_errno(err, r, "Adopting %s", name);
	return bus_call_job(bus, call, name, NULL, err);
}
