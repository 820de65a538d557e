/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define SYSTEMD_NAME "systemd-private-"
#define SEGUE_NAME   "segue-private-"

static int private_settle(json_object *mount, Error *err)
{
	static const char *const parents[] = {"/tmp/", "/var/tmp/"};
	const char *from = json_opt_string(mount, "from", "");

	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		_cleanup_free_ char *old = NULL, *new = NULL, *new_from = NULL;
		const char *name = from + strlen(parents[i]) + strlen(SYSTEMD_NAME);
		int name_length;

		if (!text_has_prefix(from, parents[i]) ||
		    !text_has_prefix(from + strlen(parents[i]), SYSTEMD_NAME))
			continue;
		name_length = (int)strcspn(name, "/");
		old = text_format("%s" SYSTEMD_NAME "%.*s", parents[i], name_length, name);
		new = text_format("%s" SEGUE_NAME "%.*s", parents[i], name_length, name);
		new_from = text_format("%s%s", new ? new : "", name + name_length);
		if (!old || !new || !new_from)
			return error_errno(err, -ENOMEM, "Renaming %s", from);
		if (!path_exists(AT_FDCWD, new) && rename(old, new) < 0)
			return error_errno(err, -errno, "Renaming %s", old);
		json_put_string(mount, "from", new_from);
		return 0;
	}
	return 0;
}

int private_directories_settle(json_object *mounts, Error *err)
{
	for (size_t i = 0; i < json_length(mounts); i++) {
		int r = private_settle(json_object_array_get_idx(mounts, i), err);

		if (r < 0)
			return r;
	}
	return 0;
}
