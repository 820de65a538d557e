/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/clean.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "release/assembly.h"

static CleanItem *oldest(CleanItem *items, size_t n)
{
	CleanItem *found = NULL;

	for (size_t i = 0; i < n; i++)
		if (!items[i].keep && !items[i].remove &&
		    (!found || items[i].version < found->version))
			found = &items[i];
	return found;
}

int clean_decide(CleanItem *items, size_t n, int64_t need, int64_t quota, Error *err)
{
	int64_t total = need;

	for (size_t i = 0; i < n; i++)
		total += items[i].size;
	while (quota > 0 && total > quota) {
		CleanItem *item = oldest(items, n);

		if (!item)
			return error_set(err, -EDQUOT,
					 "Releases that are in use and those to come take %lld "
					 "bytes, and the quota is %lld; raise it",
					 (long long)total, (long long)quota);
		item->remove = true;
		total -= item->size;
	}
	return 0;
}

static bool is_kept(const CleanPlan *plan, const char *name)
{
	for (size_t i = 0; i < plan->n_keep; i++)
		if (strcmp(plan->keep[i], name) == 0)
			return true;
	return false;
}

/* Not of those that are coming.  Adds up what is set aside for others than `coming`. */
static int partials_remove(const Depot *depot, const char *coming, const CleanPlan *plan,
			   int64_t *ret_others, Error *err)
{
	_cleanup_close_ int fd =
		openat(depot->releases_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	int64_t others = 0;

	if (!dir)
		return error_errno(err, -errno, "Listing releases");
	(void)steal_fd(&fd);
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name + strlen(ASSEMBLY_PREFIX);
		int64_t size = 0;
		int r = 0;

		if (!text_has_prefix(entry->d_name, ASSEMBLY_PREFIX) || strcmp(name, coming) == 0)
			continue;
		if (!plan->coming(name, &size, plan->data))
			r = assembly_discard(depot->releases_fd, name, err);
		if (r < 0)
			return r;
		others += size;
	}
	*ret_others = others;
	return 0;
}

static void releases_free(Release **releases, size_t n)
{
	for (size_t i = 0; releases && i < n; i++)
		release_free(releases[i]);
	free(releases);
}

static int releases_remove(Depot *depot, const CleanPlan *plan, Release *const *releases,
			   const CleanItem *items, size_t n, Error *err)
{
	for (size_t i = 0; i < n; i++) {
		int r = 0;

		if (!items[i].remove)
			continue;
		plan->removing(releases[i]->manifest, plan->data);
		r = depot_remove(depot, releases[i]->manifest->name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One that cannot be read is left alone: somebody has to look at it. */
int clean_depot(Depot *depot, const Manifest *coming, const CleanPlan *plan, Error *err)
{
	_cleanup_free_ CleanItem *items = NULL;
	Release **releases = NULL;
	char **names = NULL;
	size_t n = 0, n_readable = 0;
	int64_t others = 0;
	int r = depot_names(depot, &names, &n, err);

	if (r < 0)
		return r;
	items = calloc(n + 1, sizeof(*items));
	releases = calloc(n + 1, sizeof(Release *));
	if (!items || !releases)
		r = error_errno(err, -ENOMEM, "Looking for room");
	for (size_t i = 0; r == 0 && i < n; i++) {
		Release **release = &releases[n_readable];

		if (release_open(depot, names[i], release, NULL) < 0)
			continue;
		items[n_readable++] = (CleanItem){
			.size = manifest_size((*release)->manifest),
			.version = (*release)->manifest->version,
			.keep = is_kept(plan, names[i]),
		};
	}
	if (r == 0)
		r = partials_remove(depot, coming->name, plan, &others, err);
	if (r == 0)
		r = clean_decide(items, n_readable, manifest_size(coming) + others, plan->quota,
				 err);
	if (r == 0)
		r = releases_remove(depot, plan, releases, items, n_readable, err);
	releases_free(releases, n_readable);
	depot_names_free(names);
	return r;
}
