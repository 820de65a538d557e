/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/sealed.h"
#include "swap/state.h"

#define MAGIC "segue-journal"

int journal_encode(json_object *object, char **ret_text, size_t *ret_size, Error *err)
{
	const char *body = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	char *text = body ? sealed_make(MAGIC, JOURNAL_VERSION, body) : NULL;

	if (!text)
		return error_errno(err, -ENOMEM, "Writing the journal");
	*ret_text = text;
	*ret_size = strlen(text);
	return 0;
}

static json_object *body_parse(const char *body, size_t size)
{
	json_tokener *tokener = json_tokener_new();
	json_object *object = tokener && size < INT32_MAX
				      ? json_tokener_parse_ex(tokener, body, (int)size)
				      : NULL;

	if (tokener)
		json_tokener_free(tokener);
	return object;
}

/* What is not as it should be must not bring down who goes on with it: segue-init is PID 1. */
static int lists_check(json_object *object, Error *err)
{
	static const struct {
		const char *key;
		json_type type;
	} lists[] = {
		{"steps", json_type_object},
		{"warnings", json_type_string},
		{"units", json_type_object},
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		json_object *list;
		int r = json_get_array(object, lists[i].key, &list, err);

		if (r < 0)
			return r;
		for (size_t j = 0; j < json_length(list); j++)
			if (!json_object_is_type(json_object_array_get_idx(list, j), lists[i].type))
				return error_set(err, -EBADMSG, "\"%s\" holds what is no %s",
						 lists[i].key, json_type_to_name(lists[i].type));
	}
	return 0;
}

int journal_decode(const char *text, size_t size, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *object = NULL;
	const char *body;
	int r = sealed_open(MAGIC, JOURNAL_VERSION, text, size, &body, err);

	if (r < 0)
		return r;
	object = body_parse(body, size - (size_t)(body - text));
	if (!json_object_is_type(object, json_type_object) ||
	    swap_state_by_name(json_opt_string(object, "state", "")) < 0)
		return error_set(err, -EBADMSG, "It names no state of a swap");
	if (lists_check(object, err) < 0)
		return -EBADMSG;
	*ret = steal_ptr(&object);
	return 0;
}

static int copy_read(const char *path, json_object **ret, Error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = file_read(AT_FDCWD, path, &text, &size, err);

	if (r == 0)
		r = journal_decode(text, size, ret, err);
	if (r < 0)
		(void)error_prefix(err, "Reading %s", path);
	return r;
}

int journal_file_load(const char *path, json_object **ret, Error *ret_damage, Error *err)
{
	_cleanup_free_ char *copy = text_format("%s" JOURNAL_COPY, path);
	int r = copy_read(path, ret, ret_damage);

	if (r == 0)
		return 0;
	if (r == -EPROTONOSUPPORT) {
		(void)error_set(err, r, "%s", ret_damage->text);
		(void)error_hint(err, "install that segue again, or remove the file");
		return r;
	}
	if (!copy || copy_read(copy, ret, NULL) < 0)
		return error_set(err, -EBADMSG, "%s", ret_damage->text);
	return 0;
}

/* The first one has none, and one without is still replaced atomically. */
static void copy_make(const char *path, const char *copy)
{
	(void)unlink(copy);
	(void)!link(path, copy);
}

int journal_file_save(const char *path, json_object *object, bool keep, Error *err)
{
	_cleanup_free_ char *copy = text_format("%s" JOURNAL_COPY, path), *text = NULL;
	size_t size;
	int r = journal_encode(object, &text, &size, err);

	if (r < 0)
		return r;
	if (copy && keep)
		copy_make(path, copy);
	return file_write_atomic(AT_FDCWD, path, text, size, 0600, err);
}
