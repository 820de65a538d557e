/* SPDX-License-Identifier: Apache-2.0 */
#include "http/body.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define JSON_DEPTH_MAX 8

int body_parse(const char *text, size_t size, json_object **ret_body, Error *err)
{
	struct json_tokener *tokener;
	json_object *body;
	enum json_tokener_error problem;
	size_t end;

	if (size == 0) {
		*ret_body = json_object_new_object();
		return *ret_body ? 0 : error_errno(err, -ENOMEM, "Reading the request");
	}
	tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
	if (!tokener)
		return error_errno(err, -ENOMEM, "Reading the request");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	body = json_tokener_parse_ex(tokener, text, (int)size);
	problem = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	while (end < size && strchr(" \t\r\n", text[end]))
		end++;
	if (problem != json_tokener_success || end < size || !body) {
		(void)json_object_put(body);
		return error_set(err, -EINVAL, "The request's body is not JSON: %s",
				 problem == json_tokener_success
					 ? "something follows its end"
					 : json_tokener_error_desc(problem));
	}
	if (!json_object_is_type(body, json_type_object)) {
		(void)json_object_put(body);
		return error_set(err, -EINVAL, "The request's body is not a JSON object");
	}
	*ret_body = body;
	return 0;
}

int body_take_one(const BodyMember *member, json_object *value, Error *err)
{
	if (!json_object_is_type(value, member->type))
		return error_set(err, -EINVAL, "\"%s\" must be of type %s", member->key,
				 json_type_to_name(member->type));
	switch (member->type) {
	case json_type_int:
		*(int64_t *)member->ret = json_object_get_int64(value);
		return 0;
	case json_type_boolean:
		*(bool *)member->ret = json_object_get_boolean(value);
		return 0;
	case json_type_string:
		if (strlen(json_object_get_string(value)) !=
		    (size_t)json_object_get_string_len(value))
			return error_set(err, -EINVAL, "\"%s\" holds a NUL byte", member->key);
		*(const char **)member->ret = json_object_get_string(value);
		return 0;
	default:
		*(json_object **)member->ret = value;
		return 0;
	}
}

int body_take(json_object *body, const BodyMember *members, size_t n, Error *err)
{
	json_object_object_foreach(body, key, value)
	{
		const BodyMember *member = NULL;
		int r;

		for (size_t i = 0; i < n && !member; i++) {
			if (!strcmp(members[i].key, key))
				member = &members[i];
		}
		if (!member)
			return error_set(err, -EINVAL, "\"%.64s\" is not known here", key);
		r = value ? body_take_one(member, value, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}
