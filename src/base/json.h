/* SPDX-License-Identifier: Apache-2.0 */
/* json-c, with checked look-ups and errors that name file and member. */
#pragma once

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"

static inline void cleanup_json(json_object **o)
{
	if (*o)
		(void)json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(cleanup_json)

/* Reads a file that must hold one JSON object.  The caller puts it. */
int json_read(int dirfd, const char *path, json_object **ret, Error *err);

/* Writes an object atomically (see file_write_atomic()), root-only. */
int json_write(int dirfd, const char *path, json_object *object, Error *err);

/* Required members.  The string belongs to the object.  -EBADMSG names the member. */
int json_get_string(json_object *o, const char *key, const char **ret, Error *err);
int json_get_int(json_object *o, const char *key, int64_t *ret, Error *err);
int json_get_array(json_object *o, const char *key, json_object **ret, Error *err);
int json_get_object(json_object *o, const char *key, json_object **ret, Error *err);

/* A member that an object has to have, or may have (null counts as absent), and of which type. */
typedef struct JsonMember {
	const char *key;
	json_type type;
	bool optional;
} JsonMember;

/* Checks an object against `n` members; others are passed over.  -EBADMSG names the first that is
 * wrong. */
int json_check(json_object *o, const JsonMember *members, size_t n, Error *err);

/* As that, each element of a list, which must be objects.  A member that is absent is an empty
 * list.
 */
int json_check_list(json_object *o, const char *key, const JsonMember *members, size_t n,
		    Error *err);

/* Optional members: the fallback if absent or of another type. */
const char *json_opt_string(json_object *o, const char *key, const char *fallback);
int64_t json_opt_int(json_object *o, const char *key, int64_t fallback);
bool json_opt_bool(json_object *o, const char *key, bool fallback);
/* NULL if absent or not an array; json_object_array_length() must not be called on NULL: use
 * json_length(). */
json_object *json_opt_array(json_object *o, const char *key);
size_t json_length(json_object *array_or_null);

/* Adds a member; NULL text adds null.  -ENOMEM is fatal only to the value: json-c aborts on none of
 * these. */
void json_put_string(json_object *o, const char *key, const char *value);
void json_put_int(json_object *o, const char *key, int64_t value);
void json_put_bool(json_object *o, const char *key, bool value);
