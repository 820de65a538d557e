/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

/* A restore that the machine did not outlive has renamed it. */
static bool is_renamed(const char *old, const char *new)
{
	struct stat st;

	return !path_exists(AT_FDCWD, old) && lstat(new, &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid();
}

static int directory_rename(const char *parent, const char *name, int length, int64_t number,
			    const char **ret_new, Error *err)
{
	_cleanup_free_ char *old = text_format("%s" SYSTEMD_NAME "%.*s", parent, length, name);
	_cleanup_free_ char *new = NULL;

	for (size_t i = 0; old && i < n_renamed; i++)
		if (strcmp(renamed[i].old, old) == 0) {
			*ret_new = renamed[i].new;
			return 0;
		}
	if (n_renamed == PRIVATE_MAX)
		return error_set(err, -E2BIG, "More than %d private directories", PRIVATE_MAX);
	new = text_format("%s" SEGUE_NAME "%016llx-%zu", parent, (unsigned long long)number,
			  n_renamed);
	if (!old || !new)
		return error_errno(err, -ENOMEM, "Renaming %s", name);
	if (renameat2(AT_FDCWD, old, AT_FDCWD, new, RENAME_NOREPLACE) < 0 && !is_renamed(old, new))
		return error_errno(err, -errno, "Renaming %s", old);
	renamed[n_renamed] = (struct Renamed){steal_ptr(&old), steal_ptr(&new)};
	*ret_new = renamed[n_renamed++].new;
	return 0;
}

static int private_settle(json_object *mount, int64_t number, Error *err)
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
		r = directory_rename(parents[i], name, length, number, &new, err);
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

int private_directories_settle(json_object *mounts, int64_t number, Error *err)
{
	for (size_t i = 0; i < json_length(mounts); i++) {
		int r = private_settle(json_object_array_get_idx(mounts, i), number, err);

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
