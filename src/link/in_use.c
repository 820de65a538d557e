/* SPDX-License-Identifier: Apache-2.0 */
#include "link/in_use.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "link/machine.h"
#include "link/paths.h"
#include "relay/order.h"
#include "release/depot.h"

typedef struct Kernels {
	struct utsname running;
	char from[ORDER_TEXT_MAX + 1], to[ORDER_TEXT_MAX + 1];
} Kernels;

static bool is_used(const Depot *depot, const char *name, const Kernels *kernels)
{
	_cleanup_release_ Release *release = NULL;
	const char *kernel;

	if (release_open(depot, name, &release, NULL) < 0)
		return false;
	kernel = release->manifest->kernel;
	return !strcmp(kernel, kernels->running.release) || !strcmp(kernel, kernels->from) ||
	       !strcmp(kernel, kernels->to);
}

json_object *releases_in_use(const char *directory, const char *socket)
{
	_cleanup_free_ char *path = text_format("%s/" LINK_DEPOT, directory);
	json_object *used = json_object_new_array();
	_cleanup_depot_ Depot *depot = NULL;
	Kernels kernels = {0};
	char **names = NULL;
	size_t n = 0;

	(void)uname(&kernels.running);
	(void)machine_last_kernels(socket, kernels.from, kernels.to, NULL);
	if (!path || depot_open(path, false, &depot, NULL) < 0 ||
	    depot_names(depot, &names, &n, NULL) < 0)
		return used;
	for (size_t i = 0; i < n && json_object_array_length(used) < ORDER_KEEP_MAX; i++)
		if (is_used(depot, names[i], &kernels))
			(void)json_object_array_add(used, json_object_new_string(names[i]));
	depot_names_free(names);
	return used;
}
