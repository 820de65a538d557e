/* SPDX-License-Identifier: Apache-2.0 */
#include "release/document.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"

#define DOCUMENT_DEPTH  8
#define DOCUMENT_FORMAT 1

/* Of 9999-12-31T23:59:59Z. */
#define TIME_MAX ((int64_t)253402300799)

static void cleanup_tokener(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

static int object_parse(const void *bytes, size_t size, json_object **ret, Error *err)
{
	__attribute__((cleanup(cleanup_tokener))) struct json_tokener *tokener =
		json_tokener_new_ex(DOCUMENT_DEPTH);
	_cleanup_json_ json_object *o = NULL;

	if (!tokener)
		return error_errno(err, -ENOMEM, "Parsing");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tokener, bytes, (int)size);
	if (!o)
		return error_set(err, -EBADMSG, "Not JSON, or cut short (%s, at byte %zu)",
				 json_tokener_error_desc(json_tokener_get_error(tokener)),
				 json_tokener_get_parse_end(tokener));
	for (size_t i = json_tokener_get_parse_end(tokener); i < size; i++)
		if (!strchr(" \t\r\n", ((const char *)bytes)[i]) || !((const char *)bytes)[i])
			return error_set(err, -EBADMSG, "Something follows the JSON, at byte %zu",
					 i);
	if (!json_object_is_type(o, json_type_object))
		return error_set(err, -EBADMSG, "Not a JSON object");
	*ret = steal_ptr(&o);
	return 0;
}

int document_parse(const void *bytes, size_t size, size_t max, const char *kind, json_object **ret,
		   Error *err)
{
	_cleanup_json_ json_object *o = NULL;
	const char *is;
	int64_t format;
	int r;

	if (size > max || size > INT_MAX)
		return error_set(err, -EFBIG, "%zu bytes; at most %zu are read", size, max);
	if ((r = object_parse(bytes, size, &o, err)) < 0 ||
	    (r = document_get_string(o, "segue", DOCUMENT_NAME_MAX, &is, err)) < 0)
		return r;
	if (strcmp(is, kind) != 0)
		return error_set(err, -EBADMSG, "This is of the kind \"%s\", not \"%s\"", is, kind);
	r = document_get_number(o, "format", 1, DOCUMENT_NUMBER_MAX, &format, err);
	if (r < 0)
		return r;
	if (format != DOCUMENT_FORMAT)
		return error_set(err, -EBADMSG,
				 "Format %lld is not known here; install a newer segue",
				 (long long)format);
	*ret = steal_ptr(&o);
	return 0;
}

json_object *document_new(const char *kind)
{
	json_object *o = json_object_new_object();

	if (!o)
		return NULL;
	json_put_string(o, "segue", kind);
	json_put_int(o, "format", DOCUMENT_FORMAT);
	return o;
}

int document_text(json_object *object, char **ret_text, size_t *ret_size, Error *err)
{
	const char *inner = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_PRETTY_TAB |
				JSON_C_TO_STRING_NOSLASHESCAPE);
	char *text = inner ? text_format("%s\n", inner) : NULL;

	if (!text)
		return error_errno(err, -ENOMEM, "Writing JSON");
	*ret_text = text;
	*ret_size = strlen(text);
	return 0;
}

int document_get_number(json_object *o, const char *key, int64_t min, int64_t max, int64_t *ret,
			Error *err)
{
	int64_t n;
	int r = json_get_int(o, key, &n, err);

	if (r < 0)
		return r;
	if (n < min || n > max)
		return error_set(err, -EBADMSG, "\"%s\" is %lld, not from %lld to %lld", key,
				 (long long)n, (long long)min, (long long)max);
	*ret = n;
	return 0;
}

static bool text_is_plain(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return true;
}

int document_get_string(json_object *o, const char *key, size_t max, const char **ret, Error *err)
{
	json_object *member = NULL;
	const char *text;
	int r = json_get_string(o, key, &text, err);

	if (r < 0)
		return r;
	(void)json_object_object_get_ex(o, key, &member);
	if ((size_t)json_object_get_string_len(member) != strlen(text) || !text_is_plain(text))
		return error_set(err, -EBADMSG, "\"%s\" has control characters", key);
	if (strlen(text) > max)
		return error_set(err, -EBADMSG, "\"%s\" has more than %zu bytes", key, max);
	*ret = text;
	return 0;
}

int document_get_name(json_object *o, const char *key, char ret[DOCUMENT_NAME_MAX + 1], Error *err)
{
	const char *text;
	int r = document_get_string(o, key, DOCUMENT_NAME_MAX, &text, err);

	if (r < 0)
		return r;
	if (!name_is_valid(text))
		return error_set(err, -EBADMSG, "\"%s\" is \"%s\", which is no name", key, text);
	(void)snprintf(ret, DOCUMENT_NAME_MAX + 1, "%s", text);
	return 0;
}

int document_get_time(json_object *o, const char *key, int64_t *ret_s, Error *err)
{
	const char *text;
	int r = document_get_string(o, key, DOCUMENT_NAME_MAX, &text, err);

	if (r < 0)
		return r;
	if (!time_parse(text, ret_s))
		return error_set(err, -EBADMSG,
				 "\"%s\" is \"%s\", not a time like 2027-01-31T12:00:00Z", key,
				 text);
	return 0;
}

bool name_is_valid(const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				   "._+~:-";
	size_t n = strlen(name);

	return n > 0 && n <= DOCUMENT_NAME_MAX && strspn(name, good) == n && name[0] != '.' &&
	       name[0] != '-';
}

TimeText time_text(int64_t s)
{
	time_t t = (time_t)(s < 0 ? 0 : s > TIME_MAX ? TIME_MAX : s);
	TimeText result = {0};
	struct tm tm;

	if (gmtime_r(&t, &tm))
		(void)strftime(result.text, sizeof(result.text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return result;
}

bool time_parse(const char *text, int64_t *ret_s)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	int64_t s;

	if (!end || *end)
		return false;
	s = (int64_t)timegm(&tm);
	/* Blanks, a 30th of February and the like: only what would be written like that is read. */
	if (s < 0 || s > TIME_MAX || strcmp(time_text(s).text, text) != 0)
		return false;
	*ret_s = s;
	return true;
}
