/* SPDX-License-Identifier: Apache-2.0 */
#include "link/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "http/body.h"

#define STATE_SIZE_MAX ((size_t)4096)

static const char *const names[] = {
	[LINK_NONE] = "none",           [LINK_CONNECTING] = "connecting",
	[LINK_CONNECTED] = "connected", [LINK_OFFLINE] = "offline",
	[LINK_REFUSED] = "refused",
};

int link_state_write(const char *path, const LinkConfig *node, LinkState state, const char *message,
		     Error *err)
{
	_cleanup_json_ json_object *object = json_object_new_object();
	const char *text;

	json_put_string(object, "hub", node->hub);
	json_put_string(object, "name", node->name);
	json_put_string(object, "state", names[state]);
	json_put_string(object, "message", message);
	json_put_int(object, "since_s", clock_realtime_us() / 1000000);
	text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE);
	return file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
}

static void values_make_plain(json_object *object)
{
	json_object_object_foreach(object, key, value)
	{
		_cleanup_free_ char *text = NULL;

		(void)key;
		if (!json_object_is_type(value, json_type_string))
			continue;
		text = strdup(json_object_get_string(value));
		if (text)
			text_make_plain(text);
		(void)json_object_set_string(value, text ? text : "");
	}
}

/* The file is the link's, which talks to the network, and who reads it may be root. */
int link_state_read(const char *path, json_object **ret, Error *err)
{
	_cleanup_close_ int fd = path_open(path, O_PATH | O_CLOEXEC, err);
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r;

	if (fd < 0)
		return fd;
	r = file_read_max(AT_FDCWD, fd_path(fd).text, STATE_SIZE_MAX, &text, &size, err);
	if (r >= 0)
		r = body_parse(text, size, ret, err);
	if (r < 0)
		return error_prefix(err, "%s", path);
	values_make_plain(*ret);
	return 0;
}
