/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests: bytes of anyone to JSON, and JSON to checked values. */
#pragma once

#include <json-c/json.h>
#include <stddef.h>

#include "base/error.h"

/* A body of `size` bytes to an object; an empty body is an empty object.  The caller puts it.
 * -EINVAL. */
int body_parse(const char *text, size_t size, json_object **ret_body, Error *err);

/* A member that a request may have, and where its value goes. */
typedef struct BodyMember {
	const char *key;
	json_type type;
	void *ret; /* const char **, bool *, int64_t *, json_object **: as the type says */
} BodyMember;

#define BODY_MEMBERS(array) (array), sizeof(array) / sizeof(*(array))

/* Takes the members of a body; null stands for an absent one, which leaves the value as it is.  The
 * values belong to the body.  -EINVAL names the member that is of another type or not known. */
int body_take(json_object *body, const BodyMember *members, size_t n, Error *err);

/* As body_take(), of one value that is no null. */
int body_take_one(const BodyMember *member, json_object *value, Error *err);
