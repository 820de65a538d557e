/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/kept_units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/cgroup.h"
#include "swap/kept.h"
#include "swap/scope.h"
#include "swap/unit.h"

/* A copy of a list that ends with NULL, `first` put before it; NULL without memory. */
static char **texts_copy(const char *first, char *const *list)
{
	size_t n = 0, used = 0;
	char **copy;

	while (list && list[n])
		n++;
	copy = calloc(n + 2, sizeof(*copy));
	if (copy && first)
		copy[used++] = strdup(first);
	for (size_t i = 0; copy && i < n; i++)
		copy[used++] = strdup(list[i]);
	return copy;
}

static int unit_take(const Unit *unit, KeptUnit *ret, Error *err)
{
	static char *const none[] = {NULL};
	bool is_scope = text_has_suffix(unit->id, ".scope");
	KeptUnit kept = {.cgroup_fd = -1, .main_pid = unit->main_pid};
	int r = is_scope ? scope_describe(unit, &kept.scope, err) : 0;

	kept.name = strdup(unit->id);
	kept.cgroup = strdup(unit->control_group);
	kept.kind = strdup(is_scope ? "scope" : "service");
	(void)unit_get_property_string(unit, "StatusText", &kept.status, NULL);
	kept.runtime_directories = texts_copy(NULL, unit->runtime_directory);
	/* A scope that has files cannot be made. */
	kept.unit_files = is_scope ? texts_copy(NULL, none)
				   : texts_copy(unit->fragment_path, unit->drop_in_paths);
	kept.description = json_object_new_object();
	if (unit->options.health_check)
		kept.health_check = strdup(unit->options.health_check);
	if (unit->options.pre_freeze)
		kept.pre_freeze = strdup(unit->options.pre_freeze);
	if (unit->options.post_thaw)
		kept.post_thaw = strdup(unit->options.post_thaw);
	*ret = kept;
	if (r < 0)
		return r;
	return kept.name && kept.cgroup && kept.kind && kept.runtime_directories && kept.unit_files
		       ? 0
		       : error_errno(err, -ENOMEM, "Looking at %s", unit->id);
}

static int unit_add(KeptUnits *kept, const char *name, json_object *findings, Error *err)
{
	_cleanup_unit_ Unit unit = {0};
	KeptUnit *more;
	Error why = {0};
	int r = unit_query(name, &unit, &why);

	if (r == 0)
		r = unit_require_running(&unit, &why);
	if (r == -ENOENT || r == -ESRCH) {
		findings_add(findings, SEVERITY_WARNING, name, "unit", NULL,
			     "it is not running and will be started as at any boot");
		return 0;
	}
	if (r == 0 && unit_require_keepable(&unit, &why) < 0) {
		findings_add(findings, SEVERITY_REFUSAL, name, "unit", "segue unkeep it", "%s",
			     why.text);
		return 0;
	}
	if (r < 0)
		return error_set(err, r, "%s", why.text);
	more = realloc(kept->units, (kept->n + 1) * sizeof(*more));
	if (!more)
		return error_errno(err, -ENOMEM, "Looking at %s", name);
	kept->units = more;
	kept->n++;
	return unit_take(&unit, &more[kept->n - 1], err);
}

int kept_units_load(KeptUnits *ret, json_object *findings, Error *err)
{
	_cleanup_kept_list_ char **names = NULL;
	_cleanup_(kept_units_free) KeptUnits kept = {0};
	int r = kept_list(&names, err);

	for (size_t i = 0; r == 0 && names[i]; i++)
		r = unit_add(&kept, names[i], findings, err);
	if (r < 0)
		return r;
	*ret = kept;
	kept = (KeptUnits){0};
	return 0;
}

void kept_units_thaw(void)
{
	_cleanup_json_ json_object *findings = json_object_new_array();
	KeptUnits kept = {0};

	if (kept_units_load(&kept, findings, NULL) == 0)
		for (size_t i = 0; i < kept.n; i++) {
			_cleanup_close_ int fd = -1;

			if (cgroup_open(kept.units[i].cgroup, false, &fd, NULL) == 0)
				(void)cgroup_thaw(fd, kept.units[i].cgroup, NULL);
		}
	kept_units_free(&kept);
}
