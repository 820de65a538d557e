/* SPDX-License-Identifier: Apache-2.0 */
/* check: everything that would stand in the way is found here, while nothing is touched. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/bus.h"
#include "swap/criu.h"
#include "swap/findings.h"
#include "swap/kept_units.h"
#include "swap/modules.h"
#include "swap/network.h"
#include "swap/paths.h"
#include "swap/plan.h"
#include "swap/rehearsal.h"

#define DISCARDED_MORE 16 /* files of pages besides one a process: shared memory */
#define SYSTEMD_OLDEST 257
#define CRIU_REMEDY    "install criu 4.2 or later (segue(8), REQUIREMENTS) or say --allow-one-way"

void plan_free(Plan *plan)
{
	config_release(&plan->config);
	kernel_free(&plan->from);
	kernel_free(&plan->to);
	rootdev_free(&plan->root);
	rootdev_list_free(plan->devices, plan->n_devices);
	mounts_free(&plan->mounts);
	kept_units_free(&plan->kept);
	(void)json_object_put(plan->location);
	free(plan->placed_cmdline);
	(void)json_object_put(plan->findings);
	(void)json_object_put(plan->rehearsal);
	*plan = (Plan){0};
}

/* ---- kernels ---- */

static void feature_missing(const KernelFeature *feature, void *userdata)
{
	Plan *plan = userdata;

	findings_add(plan->findings, feature->required ? SEVERITY_REFUSAL : SEVERITY_WARNING,
		     plan->to.version, feature->config,
		     feature->required ? "choose another kernel: segue swap --kernel VERSION"
				       : NULL,
		     "it lacks %s, which is needed to %s", feature->config, feature->why);
}

static int criu_check(const SwapRequest *request, Plan *plan, Error *err)
{
	int version, r = criu_version(&version, err);

	if (r < 0)
		return r;
	if (!kernel_criu_can_leave(plan->from.version, version))
		findings_add(plan->findings, SEVERITY_REFUSAL, "criu", "version",
			     "install criu 4.2 or later (segue(8), REQUIREMENTS)",
			     "version %d.%d cannot capture programs on this kernel, %s",
			     version / 10000, version / 100 % 100, plan->from.version);
	else if (!kernel_criu_can_leave(plan->to.version, version))
		findings_add(
			plan->findings,
			request->allow_one_way ? SEVERITY_WARNING : SEVERITY_REFUSAL, "criu",
			"version", CRIU_REMEDY,
			"version %d.%d could not leave %s again: the next swap would be impossible",
			version / 10000, version / 100 % 100, plan->to.version);
	return 0;
}

/* Adoption has been shown to work with the version of Debian 13 and those after it. */
static int systemd_check(Plan *plan, Error *err)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	_cleanup_free_ char *version = NULL;
	int r = bus_open(&bus, err);

	if (r == 0)
		r = bus_systemd_version(bus, &version, err);
	if (r < 0)
		return r;
	if (!version || strtol(version, NULL, 10) < SYSTEMD_OLDEST)
		findings_add(plan->findings, SEVERITY_REFUSAL, "systemd", "version",
			     "upgrade to Debian 13",
			     "version %s cannot take over the programs; %d or later is needed",
			     version ? version : "unknown", SYSTEMD_OLDEST);
	return 0;
}

/* Finds a kernel that the swap needs; why it cannot be used, installed or not, is a finding.
 * `version` NULL: the newest. */
static int kernel_take(Plan *plan, const char *version, const char *role, Kernel *ret, Error *err)
{
	Error why = {0};
	int r = kernel_find(NULL, version, ret, &why);

	if (r == 0)
		return 0;
	if (r == -EINVAL || r == -ENOMEM)
		return error_set(err, r, "%s", why.text);
	findings_add(plan->findings, SEVERITY_REFUSAL, version ? version : "kernel", role, NULL,
		     "%s", why.text);
	ret->version = strdup(version ? version : "unknown");
	return ret->version ? -ECANCELED : error_errno(err, -ENOMEM, "Looking for kernels");
}

static int target_check(Plan *plan, Error *err)
{
	int r;

	if (strcmp(plan->from.version, plan->to.version) == 0)
		findings_add(plan->findings, SEVERITY_REFUSAL, plan->to.version, "kernel",
			     "install a newer one, or name another: segue swap --kernel VERSION",
			     "this kernel is running already");
	r = kernel_check_features(&plan->to, feature_missing, plan, err);
	if (r == -ENODATA)
		findings_add(plan->findings, SEVERITY_WARNING, plan->to.version, "configuration",
			     NULL,
			     "its configuration is not installed, so its features are not known");
	return r == -ENODATA ? 0 : r;
}

static int kernels_check(const SwapRequest *request, Plan *plan, Error *err)
{
	_cleanup_free_ char *running = NULL;
	int target, r = kernel_running(&running);

	if (r < 0)
		return error_errno(err, r, "Asking for the running kernel");
	target = kernel_take(plan, request->kernel, "kernel", &plan->to, err);
	if (target < 0 && target != -ECANCELED)
		return target;
	r = kernel_take(plan, running, "way back", &plan->from, err);
	if (r == 0 && target == 0)
		r = target_check(plan, err);
	if (r == 0 && target == 0)
		r = criu_check(request, plan, err);
	return r == -ECANCELED ? 0 : r;
}

/* ---- root filesystem and drivers ---- */

static int devices_check(Plan *plan, Error *err)
{
	int r = mounts_read(0, &plan->mounts, err);

	if (r < 0)
		return r;
	r = rootdev_find(NULL, &plan->mounts, &plan->root, err);
	if (r == -EOPNOTSUPP) {
		findings_add(plan->findings, SEVERITY_REFUSAL, "/", "root filesystem", NULL, "%s",
			     err ? err->text : "it cannot be mounted by segue-init");
		return 0;
	}
	if (r == 0)
		r = rootdev_list(NULL, &plan->mounts, &plan->devices, &plan->n_devices, err);
	for (size_t i = 0; r == 0 && i < plan->n_devices; i++)
		if (plan->devices[i].refusal)
			findings_add(plan->findings, SEVERITY_REFUSAL, plan->devices[i].point,
				     "filesystem", "unmount it before the swap", "%s",
				     plan->devices[i].refusal);
	return r;
}

/* ---- units ---- */

/* The next device that a unit holds, of the findings from `*i` on; NULL if there is none. */
static json_object *device_finding(const Plan *plan, const KeptUnit *unit, size_t *i)
{
	while (*i < json_length(plan->findings)) {
		json_object *f = json_object_array_get_idx(plan->findings, (*i)++);

		if (strcmp(json_opt_string(f, "subject", ""), unit->name) == 0 &&
		    strcmp(json_opt_string(f, "resource", ""), "device") == 0)
			return f;
	}
	return NULL;
}

bool plan_awaits_hook(const Plan *plan, const KeptUnit *unit)
{
	size_t i = 0;

	return unit->pre_freeze && device_finding(plan, unit, &i);
}

void plan_trust_hooks(Plan *plan)
{
	for (size_t i = 0; i < plan->kept.n; i++) {
		const KeptUnit *unit = &plan->kept.units[i];
		json_object *finding;
		size_t at = 0;

		while (unit->pre_freeze && (finding = device_finding(plan, unit, &at))) {
			json_put_string(finding, "severity", "warning");
			json_put_string(finding, "remedy",
					"its PreFreeze= hook has to close it, or the swap is "
					"called off; of checks only --deep tries it, if there is a "
					"PostThaw= hook too");
		}
	}
}

/* A trial is not to stand still for the time that its memory takes to write: criu's files of pages
 * (open_pages_image_at() in criu/image.c counts them) lead nowhere. */
static int pages_discard(const KeptUnit *unit, int dirfd, Error *err)
{
	json_object *trees = json_opt_array(unit->description, "trees");

	for (size_t i = 0; i < json_length(trees); i++) {
		_cleanup_free_ char *path = text_format(
			"%s/%s", json_opt_string(unit->description, "directory", ""),
			json_opt_string(json_object_array_get_idx(trees, i), "directory", ""));
		_cleanup_close_ int fd =
			path ? openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

		if (fd < 0)
			return error_errno(err, -errno, "Opening the directory of a trial");
		for (size_t n = 1; n <= unit->tasks.n + DISCARDED_MORE; n++) {
			char name[32];

			(void)snprintf(name, sizeof(name), "pages-%zu.img", n);
			if (symlinkat("/dev/null", fd, name) < 0)
				return error_errno(err, -errno, "Making %s of a trial", name);
		}
	}
	return 0;
}

/* Described while it stands still, too: a connection that is made after the description is one that
 * criu is not told of. */
static int frozen_try(Plan *plan, size_t number, int dirfd, Error *err)
{
	const KeptUnits one = {.units = &plan->kept.units[number], .n = 1};
	int r = capture_describe_unit(&plan->kept, number, &plan->mounts, dirfd, plan->findings,
				      err);

	if (r == 0)
		r = pages_discard(one.units, dirfd, err);
	return r < 0 ? r : capture_dump(&one, dirfd, err);
}

static int trial_capture(Plan *plan, size_t number, int dirfd, Error *err)
{
	KeptUnits one = {.units = &plan->kept.units[number], .n = 1};
	int r = capture_freeze(&one, err);

	if (r < 0)
		return r;
	r = fault_point("check-trial", err);
	if (r == 0)
		r = frozen_try(plan, number, dirfd, err);
	capture_thaw(&one);
	return r;
}

static int trials_capture(Plan *plan, Error *err)
{
	_cleanup_close_ int fd = open(SEGUE_TRIAL_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, -errno, "Opening " SEGUE_TRIAL_DIR);
	for (size_t i = 0; i < plan->kept.n; i++) {
		Error why = {0};

		if (!plan_awaits_hook(plan, &plan->kept.units[i]) &&
		    trial_capture(plan, i, fd, &why) < 0)
			findings_add(plan->findings, SEVERITY_REFUSAL, plan->kept.units[i].name,
				     "trial capture", "stop the unit, or: segue unkeep it", "%s",
				     why.text);
	}
	plan_trust_hooks(plan);
	return 0;
}

/* Captures each unit for real, lets it run on, and throws the result away. */
static int trials_run(Plan *plan, Error *err)
{
	int r = directory_make(AT_FDCWD, SEGUE_TRIAL_DIR, 0700, err);
	if (r == 0)
		r = trials_capture(plan, err);
	if (r == 0)
		return directory_remove(AT_FDCWD, SEGUE_TRIAL_DIR, err);
	/* What failed first is what is told. */
	(void)directory_remove(AT_FDCWD, SEGUE_TRIAL_DIR, NULL);
	return r;
}

static int units_check(const SwapRequest *request, Plan *plan, Error *err)
{
	int r = kept_units_load(&plan->kept, plan->findings, err);

	if (r < 0)
		return r;
	if (plan->kept.n == 0)
		findings_add(plan->findings, SEVERITY_WARNING, "units", "kept units",
			     "mark those to be carried: segue keep UNIT",
			     "no unit is kept: the swap would be an ordinary fast reboot");
	r = capture_describe(&plan->kept, &plan->mounts, -1, plan->findings, err);
	plan_trust_hooks(plan);
	return r;
}

/* ---- network ---- */

static void network_finding(const char *link, const char *why, bool refusal, void *userdata)
{
	Plan *plan = userdata;

	findings_add(plan->findings, refusal ? SEVERITY_REFUSAL : SEVERITY_WARNING, link, "network",
		     NULL, "%s", why);
}

int plan_make(const SwapRequest *request, Plan *ret, Error *err)
{
	_cleanup_(plan_free) Plan plan = {.findings = json_object_new_array()};
	int r = config_read(CONFIG_PATH, &plan.config, err);

	rehearsal_undo();
	if (r == 0)
		r = kernels_check(request, &plan, err);
	if (r == 0)
		r = systemd_check(&plan, err);
	if (r == 0)
		r = devices_check(&plan, err);
	if (r == 0)
		r = units_check(request, &plan, err);
	if (r == 0)
		r = plan_check_store(&plan, err);
	if (r == 0)
		r = plan_check_region(&plan, err);
	if (r == 0)
		r = plan_check_state(&plan, err);
	if (r == 0)
		r = network_check(network_finding, &plan, err);
	/* What /proc shows already to stand in the way needs no trial, and would only fail it less
	 * clearly. */
	if (r == 0 && !request->no_trial && !findings_refuse(plan.findings))
		r = request->deep ? rehearsal_run(&plan, err) : trials_run(&plan, err);
	if (r < 0)
		return r;
	*ret = plan;
	plan = (Plan){0};
	return 0;
}

/* What the rehearsal measured of a unit. */
static void unit_put_measured(const Plan *plan, const char *unit, json_object *o)
{
	json_object *units = NULL, *measured = NULL;

	if (!json_object_object_get_ex(plan->rehearsal, "units", &units) ||
	    !json_object_object_get_ex(units, unit, &measured))
		return;
	json_put_int(o, "capture_bytes", json_opt_int(measured, "capture_bytes", 0));
	json_put_int(o, "freeze_us", json_opt_int(measured, "freeze_us", 0));
}

static bool unit_is_refused(const Plan *plan, const char *unit)
{
	for (size_t i = 0; i < json_length(plan->findings); i++) {
		json_object *f = json_object_array_get_idx(plan->findings, i);

		if (strcmp(json_opt_string(f, "subject", ""), unit) == 0 &&
		    strcmp(json_opt_string(f, "severity", ""), "refusal") == 0)
			return true;
	}
	return false;
}

json_object *plan_describe(const Plan *plan)
{
	json_object *o = json_object_new_object(), *store = json_object_new_object();
	json_object *units = json_object_new_array(), *boot = NULL;

	json_put_bool(o, "ok", !findings_refuse(plan->findings));
	json_put_string(o, "from", plan->from.version);
	json_put_string(o, "to", plan->to.version);
	json_put_string(store, "kind", plan->store->name);
	json_put_int(store, "need_bytes", plan->store_need);
	json_put_int(store, "free_bytes", plan->store_free);
	(void)json_object_object_add(o, "store", store);
	for (size_t i = 0; i < plan->kept.n; i++) {
		const KeptUnit *unit = &plan->kept.units[i];
		json_object *u = json_object_new_object();

		json_put_string(u, "unit", unit->name);
		json_put_bool(u, "carried", !unit_is_refused(plan, unit->name));
		json_put_int(u, "pids", (int64_t)unit->tasks.n);
		json_put_int(u, "memory_bytes", kept_unit_memory(unit));
		unit_put_measured(plan, unit->name, u);
		(void)json_object_array_add(units, u);
	}
	(void)json_object_object_add(o, "units", units);
	if (json_object_object_get_ex(plan->rehearsal, "boot", &boot))
		(void)json_object_object_add(o, "boot", json_object_get(boot));
	(void)json_object_object_add(o, "findings", json_object_get(plan->findings));
	return o;
}

int swap_check(const SwapRequest *request, json_object **ret_result, Error *err)
{
	_cleanup_(plan_free) Plan plan = {0};
	int r = plan_make(request, &plan, err);

	if (r < 0)
		return r;
	*ret_result = plan_describe(&plan);
	return 0;
}
