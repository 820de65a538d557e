/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "swap/capture.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define PID_LIMIT    (4 << 20) /* PID_MAX_LIMIT of a 64-bit kernel */

static const JsonMember head[] = {
	{"units", json_type_array},   {"mounts", json_type_array}, {"sysctl", json_type_object},
	{"carried", json_type_array}, {"private", json_type_int},
};
static const JsonMember mount[] = {{"point", json_type_string}, {"from", json_type_string, true}};
static const JsonMember carried[] = {{"point", json_type_string}, {"directory", json_type_string}};
static const JsonMember unit[] = {
	{"unit", json_type_string},      {"kind", json_type_string}, {"cgroup", json_type_string},
	{"directory", json_type_string}, {"trees", json_type_array}, {"tasks", json_type_array},
};
static const JsonMember task[] = {{"pid", json_type_int}, {"cgroup", json_type_string, true}};
static const JsonMember tree[] = {
	{"directory", json_type_string}, {"pid", json_type_int},
	{"sid", json_type_int, true},    {"namespaces", json_type_object},
	{"externals", json_type_array},
};
static const JsonMember openfile[] = {{"path", json_type_string}};
static const JsonMember external[] = {{"kind", json_type_string},
				      {"path", json_type_string, true},
				      {"directory", json_type_string, true},
				      {"queue", json_type_string, true}};

/* One component of a path, which leads nowhere else. */
static int component_check(json_object *o, const char *key, Error *err)
{
	const char *name = json_opt_string(o, key, "");

	if (*name == '\0' || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return error_set(err, -EBADMSG, "\"%s\": \"%.64s\" is no name of a file", key,
				 name);
	return 0;
}

static int cgroup_check(json_object *o, Error *err)
{
	const char *path = json_opt_string(o, "cgroup", "/");

	if (*path != '/' || strstr(path, "/../") || text_has_suffix(path, "/.."))
		return error_set(err, -EBADMSG, "\"%.64s\" is no control group", path);
	return 0;
}

static int pid_check(json_object *o, Error *err)
{
	int64_t pid = json_opt_int(o, "pid", 0);

	return pid > 0 && pid < PID_LIMIT
		       ? 0
		       : error_set(err, -EBADMSG, "\"pid\": %lld is none", (long long)pid);
}

static int tree_check(json_object *o, Error *err)
{
	json_object *namespaces = NULL;
	int r = component_check(o, "directory", err);

	if (r < 0 || (r = pid_check(o, err)) < 0 ||
	    (r = json_check_list(o, "externals", external, COUNT(external), err)) < 0)
		return r;
	(void)json_object_object_get_ex(o, "namespaces", &namespaces);
	return json_check_list(namespaces, "mnt", mount, COUNT(mount), err);
}

static int unit_check(json_object *o, Error *err)
{
	json_object *trees = json_opt_array(o, "trees"), *tasks = json_opt_array(o, "tasks");
	int r = component_check(o, "unit", err);

	if (r < 0 || (r = component_check(o, "directory", err)) < 0 ||
	    (r = cgroup_check(o, err)) < 0 ||
	    (r = json_check_list(o, "tasks", task, COUNT(task), err)) < 0 ||
	    (r = json_check_list(o, "trees", tree, COUNT(tree), err)) < 0 ||
	    (r = json_check_list(o, "openfiles", openfile, COUNT(openfile), err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < json_length(tasks); i++) {
		r = pid_check(json_object_array_get_idx(tasks, i), err);
		if (r == 0)
			r = cgroup_check(json_object_array_get_idx(tasks, i), err);
	}
	for (size_t i = 0; r == 0 && i < json_length(trees); i++)
		r = tree_check(json_object_array_get_idx(trees, i), err);
	return r;
}

/* Names below /proc/sys. */
static int limits_check(json_object *limits, Error *err)
{
	json_object_object_foreach(limits, name, value)
	{
		if (*name == '/' || strstr(name, "..") ||
		    !json_object_is_type(value, json_type_string))
			return error_set(err, -EBADMSG, "\"sysctl\": \"%.64s\" is no limit", name);
	}
	return 0;
}

static int capture_check(json_object *o, Error *err)
{
	json_object *units, *limits = NULL;
	int64_t version = 0;
	int r = json_get_int(o, "version", &version, err);

	if (r == 0 && version != CAPTURE_VERSION)
		r = error_set(err, -EBADMSG, "it is of version %lld, not %d", (long long)version,
			      CAPTURE_VERSION);
	if (r < 0 || (r = json_check(o, head, COUNT(head), err)) < 0 ||
	    (r = json_check_list(o, "mounts", mount, COUNT(mount), err)) < 0 ||
	    (r = json_check_list(o, "openfiles", openfile, COUNT(openfile), err)) < 0 ||
	    (r = json_check_list(o, "carried", carried, COUNT(carried), err)) < 0 ||
	    (r = json_check_list(o, "units", unit, COUNT(unit), err)) < 0)
		return r;
	(void)json_object_object_get_ex(o, "sysctl", &limits);
	r = limits_check(limits, err);
	for (size_t i = 0; r == 0 && i < json_length(json_opt_array(o, "carried")); i++)
		r = component_check(json_object_array_get_idx(json_opt_array(o, "carried"), i),
				    "directory", err);
	units = json_opt_array(o, "units");
	for (size_t i = 0; r == 0 && i < json_length(units); i++) {
		r = unit_check(json_object_array_get_idx(units, i), err);
		if (r < 0)
			(void)error_prefix(err, "\"units\", element %zu", i);
	}
	return r;
}

int capture_read(int dirfd, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *o = NULL;
	int r = json_read(dirfd, CAPTURE_FILE, &o, err);

	if (r < 0)
		return r;
	r = capture_check(o, err);
	if (r < 0)
		return error_prefix(err, CAPTURE_FILE);
	*ret = steal_ptr(&o);
	return 0;
}
