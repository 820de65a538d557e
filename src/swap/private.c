/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define SYSTEMD_NAME "systemd-private-"
#define SEGUE_NAME   "segue-private-"
#define PRIVATE_MAX  256

/* What has its new name already: the trees of a unit share its directories. */
static struct Renamed {
	char *old, *new;
} renamed[PRIVATE_MAX];
static size_t n_renamed;

/* Nobody can have made something of the new name: it is a random one. */
static int directory_rename(const char *parent, const char *name, int length, const char **ret_new,
			    Error *err)
{
	_cleanup_free_ char *old = text_format("%s" SYSTEMD_NAME "%.*s", parent, length, name);
	_cleanup_free_ char *new = NULL;
	uint64_t number;

	for (size_t i = 0; old && i < n_renamed; i++)
		if (strcmp(renamed[i].old, old) == 0) {
			*ret_new = renamed[i].new;
			return 0;
		}
	if (n_renamed == PRIVATE_MAX)
		return error_set(err, -E2BIG, "More than %d private directories", PRIVATE_MAX);
	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return error_errno(err, -EIO, "Finding a name");
	new = text_format("%s" SEGUE_NAME "%016llx", parent, (unsigned long long)number);
	if (!old || !new)
		return error_errno(err, -ENOMEM, "Renaming %s", name);
	if (renameat2(AT_FDCWD, old, AT_FDCWD, new, RENAME_NOREPLACE) < 0)
		return error_errno(err, -errno, "Renaming %s", old);
	renamed[n_renamed] = (struct Renamed){steal_ptr(&old), steal_ptr(&new)};
	*ret_new = renamed[n_renamed++].new;
	return 0;
}

static int private_settle(json_object *mount, Error *err)
{
	static const char *const parents[] = {"/tmp/", "/var/tmp/"};
	const char *from = json_opt_string(mount, "from", "");

	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		const char *name = from + strlen(parents[i]) + strlen(SYSTEMD_NAME), *new = NULL;
		_cleanup_free_ char *new_from = NULL;
		int length, r;

		if (!text_has_prefix(from, parents[i]) ||
		    !text_has_prefix(from + strlen(parents[i]), SYSTEMD_NAME))
			continue;
		length = (int)strcspn(name, "/");
		r = directory_rename(parents[i], name, length, &new, err);
		if (r < 0)
			return r;
		new_from = text_format("%s%s", new, name + length);
		if (!new_from)
			return error_errno(err, -ENOMEM, "Renaming %s", from);
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

void private_directories_return(void)
{
	for (; n_renamed > 0; n_renamed--) {
		struct Renamed *one = &renamed[n_renamed - 1];

		(void)renameat2(AT_FDCWD, one->new, AT_FDCWD, one->old, RENAME_NOREPLACE);
		free(one->old);
		free(one->new);
	}
}
