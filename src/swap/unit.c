/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "swap/bus.h"

#define UNIT_NAME_MAX 255

static void list_free(char **list)
{
	if (!list)
		return;
	for (char **p = list; *p; p++)
		free(*p);
	free(list);
}

void unit_options_release(UnitOptions *options)
{
	free(options->health_check);
	free(options->pre_freeze);
	free(options->post_thaw);
	*options = (UnitOptions){0};
}

void unit_release(Unit *unit)
{
	free(unit->id);
	free(unit->object_path);
	free(unit->load_state);
	free(unit->active_state);
	free(unit->sub_state);
	free(unit->type);
	free(unit->control_group);
	free(unit->user);
	free(unit->fragment_path);
	list_free(unit->drop_in_paths);
	list_free(unit->runtime_directory);
	free(unit->invocation_id);
	unit_options_release(&unit->options);
	*unit = (Unit){0};
}

static const char *const unit_suffixes[] = {".service", ".scope"};

static const char *const other_suffixes[] = {".socket", ".timer",     ".target", ".mount", ".path",
					     ".slice",  ".automount", ".swap",   ".device"};

static bool suffix_is_one_of(const char *name, const char *const suffixes[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text_has_suffix(name, suffixes[i]) && strlen(name) > strlen(suffixes[i]))
			return true;
	}
	return false;
}

int unit_name_normalize(const char *name, char **ret_name, Error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789:-_.\\@";
	char *full;

	if (*name == '\0' || *name == '.' || *name == '@' || name[strspn(name, allowed)])
		return error_set(err, -EINVAL,
				 "\"%.64s\" is no unit name; systemctl list-units shows them",
				 name);
	if (suffix_is_one_of(name, other_suffixes,
			     sizeof(other_suffixes) / sizeof(*other_suffixes)))
		return error_set(err, -EINVAL,
				 "%.64s has no processes to keep; name a service or a scope", name);
	full = suffix_is_one_of(name, unit_suffixes, sizeof(unit_suffixes) / sizeof(*unit_suffixes))
		       ? strdup(name)
		       : text_format("%s.service", name);
	if (!full)
		return error_errno(err, -ENOMEM, "Naming unit %.64s", name);
	if (strlen(full) > UNIT_NAME_MAX || strstr(full, "@.")) {
		free(full);
		return error_set(err, -EINVAL, "\"%.64s\" %s", name,
				 strlen(name) > UNIT_NAME_MAX - 8
					 ? "is too long for a unit name"
					 : "is a template; name an instance of it, as in name@1");
	}
	*ret_name = full;
	return 0;
}

static int bus_get_string(sd_bus *bus, const char *path, const char *interface,
			  const char *property, char **ret, Error *err)
{
	_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_get_property_string(bus, BUS_SYSTEMD, path, interface, property, &error,
					   ret);

	if (r < 0)
		return bus_error_set(err, r, &error, "Asking systemd for %s", property);
	return 0;
}

static int bus_get_list(sd_bus *bus, const char *path, const char *interface, const char *property,
			char ***ret, Error *err)
{
	_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	int r = sd_bus_get_property_strv(bus, BUS_SYSTEMD, path, interface, property, &error, ret);

	if (r < 0)
		return bus_error_set(err, r, &error, "Asking systemd for %s", property);
	if (!*ret)
		*ret = calloc(1, sizeof(char *));
	return *ret ? 0 : error_errno(err, -ENOMEM, "Asking systemd for %s", property);
}

static int bus_get_bool(sd_bus *bus, const char *path, const char *interface, const char *property,
			bool *ret, Error *err)
{
	_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	int value = 0;
	int r = sd_bus_get_property_trivial(bus, BUS_SYSTEMD, path, interface, property, &error,
					    'b', &value);

	if (r < 0)
		return bus_error_set(err, r, &error, "Asking systemd for %s", property);
	*ret = value;
	return 0;
}

static int bus_get_invocation(sd_bus *bus, const char *path, char **ret, Error *err)
{
	_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *reply = NULL;
	const unsigned char *id;
	size_t n;
	char *text;
	int r = sd_bus_get_property(bus, BUS_SYSTEMD, path, BUS_SYSTEMD_UNIT, "InvocationID",
				    &error, &reply, "ay");

	if (r >= 0)
		r = sd_bus_message_read_array(reply, 'y', (const void **)&id, &n);
	if (r < 0)
		return bus_error_set(err, r, &error, "Asking systemd for InvocationID");
	text = calloc(2, n + 1);
	if (!text)
		return error_errno(err, -ENOMEM, "Asking systemd for InvocationID");
	for (size_t i = 0; i < n; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", id[i]);
	*ret = text;
	return 0;
}

static const char *unit_interface(const char *name)
{
	return text_has_suffix(name, ".scope") ? "org.freedesktop.systemd1.Scope"
					       : "org.freedesktop.systemd1.Service";
}

/* What every unit has. */
static int unit_fill(sd_bus *bus, Unit *u, Error *err)
{
	const char *path = u->object_path, *common = BUS_SYSTEMD_UNIT;
	int r;

	if ((r = bus_get_string(bus, path, common, "Id", &u->id, err)) < 0 ||
	    (r = bus_get_string(bus, path, common, "LoadState", &u->load_state, err)) < 0 ||
	    (r = bus_get_string(bus, path, common, "ActiveState", &u->active_state, err)) < 0 ||
	    (r = bus_get_string(bus, path, common, "SubState", &u->sub_state, err)) < 0 ||
	    (r = bus_get_string(bus, path, common, "FragmentPath", &u->fragment_path, err)) < 0 ||
	    (r = bus_get_list(bus, path, common, "DropInPaths", &u->drop_in_paths, err)) < 0 ||
	    (r = bus_get_bool(bus, path, common, "Transient", &u->transient, err)) < 0 ||
	    (r = bus_get_invocation(bus, path, &u->invocation_id, err)) < 0)
		return r;
	return bus_get_string(bus, path, unit_interface(u->id), "ControlGroup", &u->control_group,
			      err);
}

/* What only services have. */
static int unit_fill_service(sd_bus *bus, Unit *u, Error *err)
{
	const char *path = u->object_path, *service = unit_interface(u->id);
	_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	uint32_t pid = 0;
	int r;

	if (text_has_suffix(u->id, ".scope")) {
		u->type = strdup("");
		u->user = strdup("");
		u->runtime_directory = calloc(1, sizeof(char *));
		if (!u->type || !u->user || !u->runtime_directory)
			return error_errno(err, -ENOMEM, "Asking systemd");
		return 0;
	}
	if ((r = bus_get_string(bus, path, service, "Type", &u->type, err)) < 0 ||
	    (r = bus_get_string(bus, path, service, "User", &u->user, err)) < 0 ||
	    (r = bus_get_bool(bus, path, service, "DynamicUser", &u->dynamic_user, err)) < 0 ||
	    (r = bus_get_list(bus, path, service, "RuntimeDirectory", &u->runtime_directory, err)) <
		    0)
		return r;
	r = sd_bus_get_property_trivial(bus, BUS_SYSTEMD, path, service, "MainPID", &error, 'u',
					&pid);
	if (r < 0)
		return bus_error_set(err, r, &error, "Asking systemd for MainPID");
	u->main_pid = (pid_t)pid;
	return 0;
}

static int unit_load(sd_bus *bus, const char *name, char **ret_path, Error *err)
{
	_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
	_cleanup_message_ sd_bus_message *reply = NULL;
	const char *path;
	int r = sd_bus_call_method(bus, BUS_SYSTEMD, BUS_SYSTEMD_PATH, BUS_SYSTEMD_MANAGER,
				   "LoadUnit", &error, &reply, "s", name);

	if (r >= 0)
		r = sd_bus_message_read(reply, "o", &path);
	if (r < 0)
		return bus_error_set(err, r, &error, "Asking systemd");
	*ret_path = strdup(path);
	return *ret_path ? 0 : error_errno(err, -ENOMEM, "Asking systemd");
}

static int unit_read_options(Unit *u, Error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0; i++) {
		const char *path = i == 0 ? u->fragment_path : u->drop_in_paths[i - 1];
		_cleanup_free_ char *text = NULL;
		size_t size;

		if (!path)
			break;
		if (*path == '\0')
			continue;
		r = file_read(AT_FDCWD, path, &text, &size, err);
		/* Units that systemd knows may have lost their file since. */
		if (r == -ENOENT)
			r = 0;
		else if (r >= 0)
			r = unit_options_parse(text, size, path, &u->options, err);
	}
	return r;
}

int unit_query(const char *name, Unit *ret, Error *err)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	_cleanup_free_ char *full = NULL;
	_cleanup_unit_ Unit unit = {0};
	int r = unit_name_normalize(name, &full, err);

	if (r < 0)
		return r;
	if ((r = bus_open(&bus, err)) < 0 ||
	    (r = unit_load(bus, full, &unit.object_path, err)) < 0 ||
	    (r = unit_fill(bus, &unit, err)) < 0)
		return error_prefix(err, "Looking up %s", full);
	if (!strcmp(unit.load_state, "not-found"))
		return error_set(
			err, -ENOENT,
			"Unit %s is not known to systemd; systemctl list-units shows those "
			"that are",
			full);
	if ((r = unit_fill_service(bus, &unit, err)) < 0 || (r = unit_read_options(&unit, err)) < 0)
		return error_prefix(err, "Looking up %s", full);
	*ret = unit;
	unit = (Unit){0};
	return 0;
}

int unit_require_keepable(const Unit *unit, Error *err)
{
	static const char *const working[] = {"segued.service", "init.scope"};

	for (size_t i = 0; i < sizeof(working) / sizeof(*working); i++) {
		if (!strcmp(unit->id, working[i]))
			return error_set(
				err, -EOPNOTSUPP,
				"Unit %s cannot be kept: it is at work in a swap, and starts "
				"anew under the next kernel",
				unit->id);
	}
	return 0;
}

int unit_require_running(const Unit *unit, Error *err)
{
	static const char *const up[] = {"active", "activating", "reloading", "refreshing"};

	for (size_t i = 0; i < sizeof(up) / sizeof(*up); i++) {
		if (!strcmp(unit->active_state, up[i]) && *unit->control_group)
			return 0;
	}
	return error_set(err, -ESRCH, "Unit %s is not running (%s, %s); systemctl start %s",
			 unit->id, unit->active_state, unit->sub_state, unit->id);
}

static int message_read_list(sd_bus_message *message, char **ret, Error *err)
{
	_cleanup_fclose_ FILE *memory = NULL;
	char *text = NULL;
	const char *item;
	size_t size = 0;
	int r;

	memory = open_memstream(&text, &size);
	if (!memory)
		return error_errno(err, -ENOMEM, "Reading systemd's answer");
	r = sd_bus_message_enter_container(message, 'a', "s");
	for (bool first = true; r >= 0 && (r = sd_bus_message_read(message, "s", &item)) > 0;
	     first = false)
		(void)fprintf(memory, "%s%s", first ? "" : " ", item);
	(void)fclose(steal_ptr(&memory));
	if (r < 0 || !text) {
		free(text);
		return error_errno(err, r < 0 ? r : -ENOMEM, "Reading systemd's answer");
	}
	*ret = text;
	return 0;
}

/* The basic types of D-Bus as text. */
static int message_read_value(sd_bus_message *message, const char *contents, char **ret, Error *err)
{
	union {
		const char *s;
		int b;
		int32_t i;
		uint32_t u;
		int64_t x;
		uint64_t t;
	} v;
	char *text = NULL;
	int r;

	if (!strcmp(contents, "as"))
		return message_read_list(message, ret, err);
	if (!strchr("sogbiuxt", *contents) || contents[1])
		return error_set(err, -EOPNOTSUPP, "it is of type %s, not a plain value", contents);
	r = sd_bus_message_read_basic(message, *contents, &v);
	if (r < 0)
		return error_errno(err, r, "Reading systemd's answer");
	switch (*contents) {
	case 'b':
		text = strdup(v.b ? "yes" : "no");
		break;
	case 'i':
		text = text_format("%d", v.i);
		break;
	case 'u':
		text = text_format("%u", v.u);
		break;
	case 'x':
		text = text_format("%lld", (long long)v.x);
		break;
	case 't':
		text = text_format("%llu", (unsigned long long)v.t);
		break;
	default:
		text = strdup(v.s);
	}
	if (!text)
		return error_errno(err, -ENOMEM, "Reading systemd's answer");
	*ret = text;
	return 0;
}

int unit_get_property_string(const Unit *unit, const char *property, char **ret_value, Error *err)
{
	const char *interfaces[] = {unit_interface(unit->id), BUS_SYSTEMD_UNIT};
	_cleanup_bus_ sd_bus *bus = NULL;
	int r = bus_open(&bus, err);

	for (size_t i = 0; r >= 0 && i < sizeof(interfaces) / sizeof(*interfaces); i++) {
		_cleanup_bus_error_ sd_bus_error error = SD_BUS_ERROR_NULL;
		_cleanup_message_ sd_bus_message *reply = NULL;
		const char *contents;

		r = sd_bus_call_method(bus, BUS_SYSTEMD, unit->object_path,
				       "org.freedesktop.DBus.Properties", "Get", &error, &reply,
				       "ss", interfaces[i], property);
		if (r < 0 && sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_PROPERTY)) {
			r = 0;
			continue;
		}
		if (r < 0)
			return bus_error_set(err, r, &error, "Asking systemd for %s of %s",
					     property, unit->id);
		if ((r = sd_bus_message_peek_type(reply, NULL, &contents)) < 0 ||
		    (r = sd_bus_message_enter_container(reply, 'v', contents)) < 0)
			return error_errno(err, r, "Asking systemd for %s of %s", property,
					   unit->id);
		r = message_read_value(reply, contents, ret_value, err);
		return r < 0 ? error_prefix(err, "Asking systemd for %s of %s", property, unit->id)
			     : 0;
	}
	if (r < 0)
		return r;
	return error_set(err, -ENOENT, "%s has no property %s in this version of systemd", unit->id,
			 property);
}
