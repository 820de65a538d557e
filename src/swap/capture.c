/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/carry.h"
#include "swap/cgroup.h"
#include "swap/descriptors.h"
#include "swap/findings.h"
#include "swap/inspect.h"
#include "swap/lazy.h"
#include "swap/namespaces.h"

#define FREEZE_LIMIT_MS 20000

static void texts_free(char **texts)
{
	for (char **t = texts; t && *t; t++)
		free(*t);
	free(texts);
}

void kept_units_free(KeptUnits *kept)
{
	for (size_t i = 0; i < kept->n; i++) {
		KeptUnit *unit = &kept->units[i];

		free(unit->name);
		free(unit->cgroup);
		free(unit->kind);
		texts_free(unit->runtime_directories);
		texts_free(unit->unit_files);
		(void)json_object_put(unit->scope);
		free(unit->status);
		free(unit->health_check);
		free(unit->pre_freeze);
		free(unit->post_thaw);
		cleanup_close(&unit->cgroup_fd);
		tasks_free(&unit->tasks);
		(void)json_object_put(unit->description);
	}
	free(kept->units);
	*kept = (KeptUnits){0};
}

int64_t kept_unit_memory(const KeptUnit *unit)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < unit->tasks.n; i++) {
		_cleanup_free_ char *rss = task_field(unit->tasks.tasks[i].pid, "status", "VmRSS");
		_cleanup_free_ char *swap =
			task_field(unit->tasks.tasks[i].pid, "status", "VmSwap");

		bytes += rss ? strtoll(rss, NULL, 10) * 1024 : 0;
		bytes += swap ? strtoll(swap, NULL, 10) * 1024 : 0;
	}
	return bytes;
}

/* ---- freeze and thaw ---- */

void capture_thaw(KeptUnits *kept)
{
	for (size_t i = 0; i < kept->n; i++) {
		KeptUnit *unit = &kept->units[i];

		if (unit->cgroup_fd < 0)
			continue;
		(void)cgroup_thaw(unit->cgroup_fd, unit->cgroup, NULL);
		cleanup_close(&unit->cgroup_fd);
		unit->cgroup_fd = -1;
	}
}

int capture_freeze(KeptUnits *kept, Error *err)
{
	for (size_t i = 0; i < kept->n; i++) {
		KeptUnit *unit = &kept->units[i];
		int r = cgroup_open(unit->cgroup, false, &unit->cgroup_fd, err);

		if (r == 0)
			r = cgroup_freeze(unit->cgroup_fd, unit->cgroup, FREEZE_LIMIT_MS, err);
		if (r < 0) {
			capture_thaw(kept);
			return r;
		}
	}
	return 0;
}

/* ---- describe ---- */

typedef struct Surroundings {
	const MountTable *host;
	Holders holders;
	UnixSockets sockets;
} Surroundings;

static int tree_describe(const KeptUnit *unit, const Task *root, const Surroundings *around,
			 int unit_fd, json_object *findings, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *o = json_object_new_object();
	json_object *externals = json_object_new_array(), *namespaces = NULL;
	_cleanup_close_ int fd = -1;
	char name[32];
	int r;

	(void)json_object_object_add(o, "externals", externals);
	(void)snprintf(name, sizeof(name), "tree-%d", (int)root->pid);
	if (unit_fd >= 0) {
		if (mkdirat(unit_fd, name, 0700) < 0 && errno != EEXIST)
			return error_errno(err, -errno, "Making directory %s", name);
		fd = openat(unit_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return error_errno(err, -errno, "Opening directory %s", name);
	}
	r = descriptors_describe(unit->name, &unit->tasks, root->pid, &around->holders,
				 &around->sockets, externals, findings, err);
	if (r == 0)
		r = namespaces_describe(root->pid, around->host, fd, &namespaces, err);
	if (r < 0)
		return r;
	(void)json_object_object_add(o, "namespaces", namespaces);
	json_put_string(o, "directory", name);
	json_put_int(o, "pid", root->pid);
	json_put_int(o, "sid", root->sid);
	json_put_int(o, "pgid", root->pgid);
	json_put_bool(o, "ignore_userns", inspect_has_userns(root->pid));
	*ret = steal_ptr(&o);
	return 0;
}

static json_object *tasks_describe(const TaskList *tasks)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < tasks->n; i++) {
		json_object *o = json_object_new_object();

		json_put_int(o, "pid", tasks->tasks[i].pid);
		json_put_string(o, "cgroup", tasks->tasks[i].cgroup);
		(void)json_object_array_add(list, o);
	}
	return list;
}

/* The externals that adoption has work with: see adopt_finish.c. */
static json_object *datagrams_describe(json_object *trees)
{
	json_object *found = json_object_new_array();

	for (size_t i = 0; i < json_length(trees); i++) {
		json_object *list =
			json_opt_array(json_object_array_get_idx(trees, i), "externals");

		for (size_t j = 0; j < json_length(list); j++) {
			json_object *e = json_object_array_get_idx(list, j);

			if (strcmp(json_opt_string(e, "kind", ""), "datagram") == 0)
				(void)json_object_array_add(found, json_object_get(e));
		}
	}
	return found;
}

static void tree_mounted_sockets(json_object *tree, json_object *found)
{
	json_object *namespaces = NULL, *mounts;

	(void)json_object_object_get_ex(tree, "namespaces", &namespaces);
	mounts = json_opt_array(namespaces, "mnt");
	for (size_t i = 0; i < json_length(mounts); i++) {
		json_object *m = json_object_array_get_idx(mounts, i), *o;

		if (!json_opt_bool(m, "socket", false))
			continue;
		o = json_object_new_object();
		json_put_int(o, "pid", json_opt_int(tree, "pid", 0));
		json_put_string(o, "from", json_opt_string(m, "from", ""));
		json_put_string(o, "point", json_opt_string(m, "point", ""));
		json_put_string(o, "options", json_opt_string(m, "options", "rw"));
		(void)json_object_array_add(found, o);
	}
}

/* Sockets of the system's in the units' sandboxes: likewise. */
static json_object *mounted_sockets_describe(json_object *trees)
{
	json_object *found = json_object_new_array();

	for (size_t i = 0; i < json_length(trees); i++)
		tree_mounted_sockets(json_object_array_get_idx(trees, i), found);
	return found;
}

static int unit_describe(KeptUnit *unit, size_t number, const Surroundings *around, int dirfd,
			 json_object *findings, Error *err)
{
	_cleanup_json_ json_object *o = json_object_new_object();
	json_object *trees = json_object_new_array();
	_cleanup_close_ int fd = -1;
	char name[32];
	int r;

	(void)json_object_object_add(o, "trees", trees);
	(void)snprintf(name, sizeof(name), "unit-%zu", number);
	if (dirfd >= 0) {
		if (mkdirat(dirfd, name, 0700) < 0 && errno != EEXIST)
			return error_errno(err, -errno, "Making directory %s", name);
		fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return error_errno(err, -errno, "Opening directory %s", name);
	}
	inspect_tasks(unit->name, &unit->tasks, findings);
	for (size_t i = 0; i < unit->tasks.n; i++) {
		const Task *task = &unit->tasks.tasks[i];
		json_object *tree = NULL;

		if (task->pid != task->root || task->state == 'Z')
			continue;
		r = tree_describe(unit, task, around, fd, findings, &tree, err);
		if (r < 0)
			return error_prefix(err, "%s", unit->name);
		(void)json_object_array_add(trees, tree);
	}
	json_put_string(o, "unit", unit->name);
	json_put_string(o, "kind", unit->kind);
	json_put_string(o, "cgroup", unit->cgroup);
	json_put_string(o, "directory", name);
	/* A service of Type=forking need not have a main process; any of it will do to adopt it by.
	 */
	json_put_int(o, "main_pid",
		     unit->main_pid > 0 || unit->tasks.n == 0 ? unit->main_pid
							      : unit->tasks.tasks[0].root);
	json_put_string(o, "status", unit->status);
	json_put_string(o, "health_check", unit->health_check);
	json_put_string(o, "post_thaw", unit->post_thaw);
	if (unit->scope)
		(void)json_object_object_add(o, "properties", json_object_get(unit->scope));
	(void)json_object_object_add(o, "tasks", tasks_describe(&unit->tasks));
	(void)json_object_object_add(o, "datagrams", datagrams_describe(trees));
	(void)json_object_object_add(o, "sockets", mounted_sockets_describe(trees));
	(void)json_object_put(unit->description);
	unit->description = steal_ptr(&o);
	return 0;
}

static int surroundings_read(KeptUnits *kept, Surroundings *around, Error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < kept->n; i++) {
		KeptUnit *unit = &kept->units[i];

		tasks_free(&unit->tasks);
		r = tasks_read(unit->cgroup, &unit->tasks, err);
		if (r == 0)
			r = holders_add(&around->holders, &unit->tasks, err);
	}
	return r < 0 ? r : unix_sockets_read(&around->sockets, err);
}

static void surroundings_free(Surroundings *around)
{
	holders_free(&around->holders);
	unix_sockets_free(&around->sockets);
}

int capture_describe(KeptUnits *kept, const MountTable *host, int dirfd, json_object *findings,
		     Error *err)
{
	Surroundings around = {.host = host};
	int r = surroundings_read(kept, &around, err);

	for (size_t i = 0; r == 0 && i < kept->n; i++)
		r = unit_describe(&kept->units[i], i, &around, dirfd, findings, err);
	surroundings_free(&around);
	return r;
}

int capture_describe_unit(KeptUnits *kept, size_t number, const MountTable *host, int dirfd,
			  json_object *findings, Error *err)
{
	Surroundings around = {.host = host};
	int r = surroundings_read(kept, &around, err);

	if (r == 0)
		r = unit_describe(&kept->units[number], number, &around, dirfd, findings, err);
	surroundings_free(&around);
	return r;
}

void capture_choose_lazy(const KeptUnits *kept)
{
	for (size_t i = 0; i < kept->n; i++) {
		json_object *trees = json_opt_array(kept->units[i].description, "trees");

		for (size_t j = 0; j < json_length(trees); j++)
			json_put_bool(json_object_array_get_idx(trees, j), "lazy",
				      kept_unit_memory(&kept->units[i]) >= LAZY_LEAST_BYTES);
	}
}

/* ---- the rest ---- */

/* What is mounted into a sandbox from a memory filesystem of the host. */
static int sandbox_carry(Carry *carry, json_object *trees, Error *err)
{
	for (size_t i = 0; i < json_length(trees); i++) {
		json_object *namespaces = NULL, *mounts;

		(void)json_object_object_get_ex(json_object_array_get_idx(trees, i), "namespaces",
						&namespaces);
		mounts = json_opt_array(namespaces, "mnt");
		for (size_t j = 0; j < json_length(mounts); j++) {
			json_object *m = json_object_array_get_idx(mounts, j);
			const char *from = json_opt_string(m, "from", NULL);
			int r;

			if (!from || strcmp(json_opt_string(m, "root", "/"), "/") == 0)
				continue;
			r = carry_path(carry, from, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int unit_carry(Carry *carry, const KeptUnit *unit, Error *err)
{
	int r = carry_tasks(carry, &unit->tasks, err);

	if (r == 0)
		r = sandbox_carry(carry, json_opt_array(unit->description, "trees"), err);
	for (char **f = unit->unit_files; r == 0 && f && *f; f++)
		r = carry_path(carry, *f, err);
	for (char **d = unit->runtime_directories; r == 0 && d && *d; d++) {
		_cleanup_free_ char *path = text_format("/run/%s", *d);

		r = path ? carry_path(carry, path, err)
			 : error_errno(err, -ENOMEM, "Carrying %s", *d);
	}
	return r;
}

static json_object *mounts_describe_host(const MountTable *host)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < host->n; i++) {
		const Mount *m = &host->mounts[i];
		json_object *o;

		if (mount_is_left_out(m) || strcmp(m->point, "/") == 0)
			continue;
		o = mount_describe(m);
		/* A bind mount of something that is mounted as a whole before it. */
		for (size_t j = 0; j < i && strcmp(m->root, "/") != 0; j++) {
			const Mount *whole = &host->mounts[j];

			if (whole->major != m->major || whole->minor != m->minor ||
			    strcmp(whole->root, "/") != 0)
				continue;
			_cleanup_free_ char *from = text_format(
				"%s%s", strcmp(whole->point, "/") ? whole->point : "", m->root);

			json_put_string(o, "from", from);
			break;
		}
		(void)json_object_array_add(list, o);
	}
	return list;
}

/* Limits of the system that systemd raises when it starts: programs may have more than a fresh
 * kernel allows. */
static json_object *limits_describe(void)
{
	static const char *const names[] = {"fs/nr_open", "fs/file-max"};
	json_object *o = json_object_new_object();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_free_ char *path = text_format("/proc/sys/%s", names[i]);
		_cleanup_free_ char *value = NULL;

		if (path && file_read_line(AT_FDCWD, path, &value, NULL) == 0)
			json_put_string(o, names[i], value);
	}
	return o;
}

int capture_finish(const KeptUnits *kept, const MountTable *host, int dirfd, json_object *header,
		   Error *err)
{
	_cleanup_(cleanup_carry) Carry *carry = NULL;
	json_object *units = json_object_new_array();
	char hostname[65] = "";
	int64_t memory = 0;
	int r = carry_new(host, dirfd, &carry, err);

	(void)json_object_object_add(header, "units", units);
	for (size_t i = 0; r == 0 && i < kept->n; i++) {
		r = unit_carry(carry, &kept->units[i], err);
		memory += kept_unit_memory(&kept->units[i]);
		(void)json_object_array_add(units, json_object_get(kept->units[i].description));
	}
	if (r == 0)
		r = carry_system(carry, err);
	if (r == 0)
		r = fault_point("capture-finish", err);
	if (r < 0)
		return r;
	(void)gethostname(hostname, sizeof(hostname) - 1);
	(void)json_object_object_add(header, "sysctl", limits_describe());
	json_put_int(header, "version", CAPTURE_VERSION);
	json_put_int(header, "memory_bytes", memory);
	json_put_string(header, "hostname", hostname);
	json_put_int(header, "realtime_us", clock_realtime_us());
	(void)json_object_object_add(header, "mounts", mounts_describe_host(host));
	(void)json_object_object_add(header, "carried", carry_describe(carry));
	return json_write(dirfd, CAPTURE_FILE, header, err);
}
