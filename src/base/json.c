/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"

int json_read(int dirfd, const char *path, json_object **ret, Error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_object *o = NULL;
	enum json_tokener_error parse_error;
	int r = file_read(dirfd, path, &text, NULL, err);

	if (r < 0)
		return r;
	o = json_tokener_parse_verbose(text, &parse_error);
	if (!o)
		return error_set(err, -EBADMSG, "%s is not JSON: %s", path,
				 json_tokener_error_desc(parse_error));
	if (!json_object_is_type(o, json_type_object))
		return error_set(err, -EBADMSG, "%s holds no JSON object", path);
	*ret = steal_ptr(&o);
	return 0;
}

int json_write(int dirfd, const char *path, json_object *object, Error *err)
{
	const char *text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text)
		return error_errno(err, -ENOMEM, "Writing %s", path);
	return file_write_atomic(dirfd, path, text, strlen(text), 0600, err);
}

static int json_get(json_object *o, const char *key, json_type type, json_object **ret, Error *err)
{
	json_object *member;

	if (!json_object_object_get_ex(o, key, &member))
		return error_set(err, -EBADMSG, "\"%s\" is missing", key);
	if (!json_object_is_type(member, type))
		return error_set(err, -EBADMSG, "\"%s\" is not of type %s", key,
				 json_type_to_name(type));
	*ret = member;
	return 0;
}

int json_get_string(json_object *o, const char *key, const char **ret, Error *err)
{
	json_object *member;
	int r = json_get(o, key, json_type_string, &member, err);

	if (r < 0)
		return r;
	*ret = json_object_get_string(member);
	return 0;
}

int json_get_int(json_object *o, const char *key, int64_t *ret, Error *err)
{
	json_object *member;
	int r = json_get(o, key, json_type_int, &member, err);

	if (r < 0)
		return r;
	*ret = json_object_get_int64(member);
	return 0;
}

int json_get_array(json_object *o, const char *key, json_object **ret, Error *err)
{
	return json_get(o, key, json_type_array, ret, err);
}

int json_get_object(json_object *o, const char *key, json_object **ret, Error *err)
{
	return json_get(o, key, json_type_object, ret, err);
}

int json_check(json_object *o, const JsonMember *members, size_t n, Error *err)
{
	if (!json_object_is_type(o, json_type_object))
		return error_set(err, -EBADMSG, "what is there is no JSON object");
	for (size_t i = 0; i < n; i++) {
		json_object *member = NULL;
		int r = 0;

		if (!members[i].optional ||
		    (json_object_object_get_ex(o, members[i].key, &member) && member))
			r = json_get(o, members[i].key, members[i].type, &member, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int json_check_list(json_object *o, const char *key, const JsonMember *members, size_t n,
		    Error *err)
{
	const JsonMember list = {key, json_type_array, true};
	json_object *elements;
	int r = json_check(o, &list, 1, err);

	if (r < 0)
		return r;
	elements = json_opt_array(o, key);
	for (size_t i = 0; i < json_length(elements); i++) {
		r = json_check(json_object_array_get_idx(elements, i), members, n, err);
		if (r < 0)
			return error_prefix(err, "\"%s\", element %zu", key, i);
	}
	return 0;
}

static json_object *json_opt(json_object *o, const char *key, json_type type)
{
	json_object *member;

	if (!json_object_object_get_ex(o, key, &member) || !json_object_is_type(member, type))
		return NULL;
	return member;
}

const char *json_opt_string(json_object *o, const char *key, const char *fallback)
{
	json_object *member = json_opt(o, key, json_type_string);

	return member ? json_object_get_string(member) : fallback;
}

int64_t json_opt_int(json_object *o, const char *key, int64_t fallback)
{
	json_object *member = json_opt(o, key, json_type_int);

	return member ? json_object_get_int64(member) : fallback;
}

bool json_opt_bool(json_object *o, const char *key, bool fallback)
{
	json_object *member = json_opt(o, key, json_type_boolean);

	return member ? json_object_get_boolean(member) : fallback;
}

json_object *json_opt_array(json_object *o, const char *key)
{
	return json_opt(o, key, json_type_array);
}

size_t json_length(json_object *array_or_null)
{
	return array_or_null ? json_object_array_length(array_or_null) : 0;
}

void json_put_string(json_object *o, const char *key, const char *value)
{
	(void)json_object_object_add(o, key, value ? json_object_new_string(value) : NULL);
}

void json_put_int(json_object *o, const char *key, int64_t value)
{
	(void)json_object_object_add(o, key, json_object_new_int64(value));
}

void json_put_bool(json_object *o, const char *key, bool value)
{
	(void)json_object_object_add(o, key, json_object_new_boolean(value));
}
