/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "swap/paths.h"
#include "swap/unit.h"

#define KEPT_DIR SEGUE_STATE_DIR "/kept"

static int kept_open(int *ret_fd, Error *err)
{
	int r = directory_make(AT_FDCWD, KEPT_DIR, 0700, err);
	int fd;

	if (r < 0)
		return r;
	fd = open(KEPT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, -errno, "Opening %s", KEPT_DIR);
	*ret_fd = fd;
	return 0;
}

int kept_add(const char *unit, bool transient, Error *err)
{
	_cleanup_json_ json_object *entry = json_object_new_object();
	_cleanup_close_ int fd = -1;
	int r;

	if (!entry)
		return error_errno(err, -ENOMEM, "Keeping %s", unit);
	json_put_string(entry, "unit", unit);
	json_put_bool(entry, "transient", transient);
	r = kept_open(&fd, err);
	if (r >= 0)
		r = json_write(fd, unit, entry, err);
	return r < 0 ? error_prefix(err, "Keeping %s", unit) : 0;
}

int kept_remove(const char *unit, Error *err)
{
	_cleanup_close_ int fd = -1;
	int r = kept_open(&fd, err);

	if (r < 0)
		return r;
	if (unlinkat(fd, unit, 0) == 0)
		return 0;
	if (errno == ENOENT)
		return error_set(err, -ENOENT,
				 "Unit %s is not kept; segue list shows those that are", unit);
	return error_errno(err, -errno, "Removing %s/%s", KEPT_DIR, unit);
}

void kept_list_free(char **units)
{
	if (!units)
		return;
	for (char **p = units; *p; p++)
		free(*p);
	free(units);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Files that a crash left half-written, and what an editor left, are no units. */
static bool is_unit(const char *name)
{
	return *name != '.' &&
	       (text_has_suffix(name, ".service") || text_has_suffix(name, ".scope"));
}

int kept_list(char ***ret_units, Error *err)
{
	_cleanup_kept_list_ char **units = calloc(1, sizeof(char *));
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_close_ int fd = -1;
	struct dirent *entry;
	size_t n = 0;
	int r = kept_open(&fd, err);

	if (r < 0)
		return r;
	dir = fdopendir(fd);
	if (!dir || !units)
		return error_errno(err, -ENOMEM, "Listing the kept units");
	(void)steal_fd(&fd);
	while ((entry = readdir(dir))) {
		char **more;

		if (!is_unit(entry->d_name))
			continue;
		more = reallocarray(units, n + 2, sizeof(char *));
		if (!more)
			return error_errno(err, -ENOMEM, "Listing the kept units");
		units = more;
		units[n] = strdup(entry->d_name);
		if (!units[n])
			return error_errno(err, -ENOMEM, "Listing the kept units");
		units[++n] = NULL;
	}
	qsort(units, n, sizeof(char *), compare_names);
	*ret_units = steal_ptr(&units);
	return 0;
}

static bool kept_is_transient(const char *unit)
{
	_cleanup_free_ char *path = text_format("%s/%s", KEPT_DIR, unit);
	_cleanup_json_ json_object *entry = NULL;

	return path && json_read(AT_FDCWD, path, &entry, NULL) >= 0 &&
	       json_opt_bool(entry, "transient", false);
}

int kept_prune(Error *err)
{
	_cleanup_kept_list_ char **units = NULL;
	int r = kept_list(&units, err);

	if (r < 0)
		return r;
	for (char **p = units; *p; p++) {
		_cleanup_unit_ Unit unit = {0};

		if (!kept_is_transient(*p))
			continue;
		r = unit_query(*p, &unit, err);
		if (r == -ENOENT)
			r = kept_remove(*p, err);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}
