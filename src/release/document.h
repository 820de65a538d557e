/* SPDX-License-Identifier: Apache-2.0 */
/* What is common to release.json, trust.json and seen.json: strict JSON, with limits on all of it,
 * and the forms of names and times.  See segue-release(5). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/json.h"

#define DOCUMENT_NAME_MAX   128
#define DOCUMENT_NUMBER_MAX ((int64_t)1 << 53) /* what every reader of JSON can hold */

/*
 * Bytes that must be one JSON object with "segue": `kind` and "format": 1, and nothing behind it.
 * The kind is a part of what is signed, so that no document can be passed off as one of another
 * kind.  -EFBIG: more than `max` bytes; -EBADMSG.  The caller puts the object.
 */
int document_parse(const void *bytes, size_t size, size_t max, const char *kind, json_object **ret,
		   Error *err);

/* An object with "segue" and "format"; NULL: no memory. */
json_object *document_new(const char *kind);

/* The text of an object, as it is signed; ends with a newline.  The caller frees it. */
int document_text(json_object *object, char **ret_text, size_t *ret_size, Error *err);

/* Members; -EBADMSG names the one that is missing or out of its limits. */
int document_get_number(json_object *o, const char *key, int64_t min, int64_t max, int64_t *ret,
			Error *err);
/* A string of at most `max` bytes without control characters.  It belongs to the object. */
int document_get_string(json_object *o, const char *key, size_t max, const char **ret, Error *err);
/* A string for which name_is_valid(). */
int document_get_name(json_object *o, const char *key, char ret[DOCUMENT_NAME_MAX + 1], Error *err);
/* Seconds since 1970. */
int document_get_time(json_object *o, const char *key, int64_t *ret_s, Error *err);

/* Names become parts of paths: letters, digits and ._+~:- only, the first of them no dot or minus;
 * 1 to DOCUMENT_NAME_MAX. */
bool name_is_valid(const char *name);

/* "2027-01-31T12:00:00Z", the one form of RFC 3339 that is written and read; years 1970 to 9999. */
typedef struct TimeText {
	char text[24];
} TimeText;

TimeText time_text(int64_t s);
bool time_parse(const char *text, int64_t *ret_s);
