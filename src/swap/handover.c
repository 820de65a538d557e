/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const JsonMember head[] = {
	{"id", json_type_string},
	{"direction", json_type_string},
	{"init", json_type_string},
	{"pid_last", json_type_int},
	{"modules", json_type_array},
	{"modules_first", json_type_int},
	{"console_level", json_type_int, true},
	{"root", json_type_object},
	{"mounts", json_type_array},
	{"store", json_type_object},
	{"back", json_type_object, true},
};
static const JsonMember module[] = {{"path", json_type_string},
				    {"options", json_type_string, true}};
static const JsonMember device[] = {{"point", json_type_string, true},
				    {"source", json_type_string},
				    {"uuid", json_type_string},
				    {"fstype", json_type_string},
				    {"options", json_type_string}};
static const JsonMember store[] = {{"kind", json_type_string}};
static const JsonMember back[] = {
	{"image", json_type_string}, {"initrd", json_type_string}, {"cmdline", json_type_string}};

static int member_check(json_object *o, const char *key, const JsonMember *members, size_t n,
			Error *err)
{
	json_object *member = NULL;

	if (!json_object_object_get_ex(o, key, &member) || !member)
		return 0;
	return json_check(member, members, n, err) < 0 ? error_prefix(err, "\"%s\"", key) : 0;
}

static int handover_check(json_object *o, Error *err)
{
	const char *direction;
	int64_t version = 0;
	int r = json_get_int(o, "version", &version, err);

	if (r == 0 && version != HANDOVER_VERSION)
		r = error_set(err, -EBADMSG, "it is of version %lld, not %d", (long long)version,
			      HANDOVER_VERSION);
	if (r < 0 || (r = json_check(o, head, COUNT(head), err)) < 0 ||
	    (r = json_check_list(o, "modules", module, COUNT(module), err)) < 0 ||
	    (r = json_check_list(o, "mounts", device, COUNT(device), err)) < 0 ||
	    (r = member_check(o, "root", device, COUNT(device), err)) < 0 ||
	    (r = member_check(o, "store", store, COUNT(store), err)) < 0 ||
	    (r = member_check(o, "back", back, COUNT(back), err)) < 0)
		return r;
	direction = json_opt_string(o, "direction", "");
	if (strcmp(direction, "forward") != 0 && strcmp(direction, "return") != 0 &&
	    strcmp(direction, HANDOVER_REHEARSE) != 0)
		return error_set(err, -EBADMSG, "\"direction\": \"%.32s\" is not known", direction);
	if (json_opt_int(o, "modules_first", 0) < 0)
		return error_set(err, -EBADMSG, "\"modules_first\" is below zero");
	return 0;
}

int handover_read(int dirfd, const char *path, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *o = NULL;
	int r = json_read(dirfd, path, &o, err);

	if (r < 0)
		return r;
	r = handover_check(o, err);
	if (r < 0)
		return error_prefix(err, "%s", path);
	*ret = steal_ptr(&o);
	return 0;
}
