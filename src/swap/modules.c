/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/modules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libkmod.h>
#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

typedef struct Module {
	char *name, *path, *options;
} Module;

struct ModuleSet {
	struct kmod_ctx *kmod;
	char *modules_dir;
	char *sysfs; /* resolved */
	/* Names of the modules that are in already or on their way in: a circle of soft
	 * dependencies ends there. */
	char **seen;
	size_t n_seen;
	Module *modules;
	size_t n;
};

static void cleanup_kmod_list(struct kmod_list **list)
{
	(void)kmod_module_unref_list(*list);
}
#define _cleanup_kmod_list_ _cleanup_(cleanup_kmod_list)

static void module_free(Module *m)
{
	free(m->name);
	free(m->path);
	free(m->options);
}

int modules_new(const char *modules_dir, const char *sysfs, ModuleSet **ret, Error *err)
{
	ModuleSet *set = calloc(1, sizeof(*set));
	int r;

	if (!set)
		return error_errno(err, -ENOMEM, "Reading modules of %s", modules_dir);
	set->modules_dir = strdup(modules_dir);
	set->sysfs = realpath(sysfs ? sysfs : "/sys", NULL);
	/* With the configuration of modprobe.d(5): options given there hold during a swap too. */
	set->kmod = kmod_new(modules_dir, NULL);
	if (!set->modules_dir || !set->sysfs || !set->kmod) {
		modules_free(set);
		return error_errno(err, -ENOMEM, "Reading modules of %s", modules_dir);
	}
	/* A missing module is this file's to report, not the library's to log. */
	kmod_set_log_priority(set->kmod, 0);
	r = kmod_load_resources(set->kmod);
	if (r < 0) {
		modules_free(set);
		error_errno(err, r, "Reading the module indexes in %s", modules_dir);
		(void)error_hint(err, "run depmod for that kernel");
		return r;
	}
	*ret = set;
	return 0;
}

void modules_free(ModuleSet *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++)
		module_free(&set->modules[i]);
	for (size_t i = 0; i < set->n_seen; i++)
		free(set->seen[i]);
	free(set->modules);
	free(set->seen);
	free(set->modules_dir);
	free(set->sysfs);
	if (set->kmod)
		(void)kmod_unref(set->kmod);
	free(set);
}

size_t modules_count(const ModuleSet *set)
{
	return set->n;
}

const char *modules_path(const ModuleSet *set, size_t index)
{
	return set->modules[index].path;
}

const char *modules_name(const ModuleSet *set, size_t index)
{
	return set->modules[index].name;
}

const char *modules_options(const ModuleSet *set, size_t index)
{
	return set->modules[index].options;
}

/* ---- one module with all it depends on ---- */

/* 1: marked now; 0: was before. */
static int mark_seen(ModuleSet *set, const char *name)
{
	char **more;

	for (size_t i = 0; i < set->n_seen; i++)
		if (strcmp(set->seen[i], name) == 0)
			return 0;
	more = realloc(set->seen, (set->n_seen + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	set->seen = more;
	more[set->n_seen] = strdup(name);
	if (!more[set->n_seen])
		return -ENOMEM;
	set->n_seen++;
	return 1;
}

static int append(ModuleSet *set, const struct kmod_module *module)
{
	const char *options = kmod_module_get_options(module);
	Module m = {.name = strdup(kmod_module_get_name(module)),
		    .path = strdup(kmod_module_get_path(module)),
		    .options = strdup(options ? options : "")};
	Module *more = realloc(set->modules, (set->n + 1) * sizeof(*more));

	if (more)
		set->modules = more;
	if (!more || !m.name || !m.path || !m.options) {
		module_free(&m);
		return -ENOMEM;
	}
	more[set->n++] = m;
	return 0;
}

static int add_module(ModuleSet *set, struct kmod_module *module, Error *err);

static int add_list(ModuleSet *set, struct kmod_list *list, Error *err)
{
	struct kmod_list *item;

	kmod_list_foreach(item, list)
	{
		struct kmod_module *module = kmod_module_get_module(item);
		int r = add_module(set, module, err);

		(void)kmod_module_unref(module);
		if (r < 0)
			return r;
	}
	return 0;
}

static int add_module(ModuleSet *set, struct kmod_module *module, Error *err)
{
	_cleanup_kmod_list_ struct kmod_list *pre = NULL, *post = NULL, *needed = NULL;
	const char *name = kmod_module_get_name(module), *path = kmod_module_get_path(module);
	int r;

	/* Built in, or (of a soft dependency, which may be missing) not there. */
	if (!path)
		return 0;
	r = mark_seen(set, name);
	if (r == 0)
		return 0;
	if (r < 0)
		return error_errno(err, r, "Adding module %s", name);
	if (!path_exists(AT_FDCWD, path))
		return error_set(err, -ENOENT,
				 "Module %s is in the index but not at %s; install that kernel's "
				 "package again",
				 name, path);
	(void)kmod_module_get_softdeps(module, &pre, &post);
	needed = kmod_module_get_dependencies(module);
	if ((r = add_list(set, pre, err)) < 0 || (r = add_list(set, needed, err)) < 0)
		return r;
	r = append(set, module);
	if (r < 0)
		return error_errno(err, r, "Adding module %s", name);
	return add_list(set, post, err);
}

/* ---- by alias ---- */

static bool is_builtin(struct kmod_module *module)
{
	/* libkmod looks into the index of the directory first.  Its other answers are about the
	 * running kernel. */
	return kmod_module_get_initstate(module) == KMOD_MODULE_BUILTIN;
}

/* What an alias stands for; drops what the kernel neither has as a file nor built in.  NULL if
 * nothing remains. */
static int lookup(ModuleSet *set, const char *alias, struct kmod_list **ret, Error *err)
{
	struct kmod_list *item;
	int r = kmod_module_new_from_lookup(set->kmod, alias, ret);

	if (r < 0 && r != -ENOENT && r != -ENOSYS && r != -EINVAL)
		return error_errno(err, r, "Looking up module alias %s in %s", alias,
				   set->modules_dir);
	kmod_list_foreach(item, *ret)
	{
		struct kmod_module *module = kmod_module_get_module(item);
		bool there = kmod_module_get_path(module) || is_builtin(module);

		(void)kmod_module_unref(module);
		if (there)
			return 0;
	}
	(void)kmod_module_unref_list(*ret);
	*ret = NULL;
	return 0;
}

int modules_add_optional(ModuleSet *set, const char *alias, Error *err)
{
	_cleanup_kmod_list_ struct kmod_list *list = NULL;
	int r = lookup(set, alias, &list, err);

	return r < 0 ? r : add_list(set, list, err);
}

int modules_add(ModuleSet *set, const char *alias, Error *err)
{
	_cleanup_kmod_list_ struct kmod_list *list = NULL;
	int r = lookup(set, alias, &list, err);

	if (r < 0)
		return r;
	if (!list)
		return error_set(err, -ENOENT,
				 "The kernel has no module \"%s\" (in %s); install its complete "
				 "modules package or choose another kernel",
				 alias, set->modules_dir);
	return add_list(set, list, err);
}

static int add_each(ModuleSet *set, const char *const aliases[], bool optional, Error *err)
{
	for (size_t i = 0; aliases[i]; i++) {
		int r = optional ? modules_add_optional(set, aliases[i], err)
				 : modules_add(set, aliases[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* vfat converts file names with tables that are modules, and asks for them by modprobe, which there
 * is none of in segue-init. */
static int add_character_sets(ModuleSet *set, const char *options, Error *err)
{
	_cleanup_free_ char *copy = strdup(options);
	char *rest = copy;

	if (!copy)
		return error_errno(err, -ENOMEM, "Reading the options %s", options);
	for (char *option; (option = strsep(&rest, ","));) {
		_cleanup_free_ char *name = NULL;
		int r;

		if (text_has_prefix(option, "codepage="))
			name = text_format("nls_cp%s", option + strlen("codepage="));
		else if (text_has_prefix(option, "iocharset="))
			name = text_format("nls_%s", option + strlen("iocharset="));
		else
			continue;
		r = name ? modules_add_optional(set, name, err) : -ENOMEM;
		if (r < 0)
			return r;
		/* "iso8859-1" is in nls_iso8859-1, but "utf8" in nls_utf8 or nowhere. */
	}
	return 0;
}

int modules_add_filesystem(ModuleSet *set, const char *fstype, const char *options, Error *err)
{
	/* A checksum that some filesystems look up by name; built in, or a library, in newer
	 * kernels. */
	static const char *const checksums[] = {"crypto-crc32c", "crc32c", NULL};
	_cleanup_free_ char *alias = text_format("fs-%s", fstype);
	int r;

	if (!alias)
		return error_errno(err, -ENOMEM, "Adding filesystem %s", fstype);
	r = modules_add(set, alias, NULL);
	/* Not all that is built in lists its aliases. */
	if (r == -ENOENT)
		r = modules_add(set, fstype, NULL);
	if (r == -ENOENT)
		return error_set(err, r,
				 "The kernel has no filesystem %s (in %s); choose another kernel",
				 fstype, set->modules_dir);
	if (r < 0)
		return error_errno(err, r, "Adding filesystem %s", fstype);
	if (strcmp(fstype, "vfat") == 0)
		return options ? add_character_sets(set, options, err) : 0;
	/* After it, since they are asked for when it is mounted. */
	return add_each(set, checksums, true, err);
}

int modules_add_restore(ModuleSet *set, Error *err)
{
	return modules_add(set, "nf_tables", err);
}

int modules_add_pmem(ModuleSet *set, Error *err)
{
	/* The e820 device, the region on it, and the block device on that (drivers/nvdimm).  A
	 * label on the region may have it be btt, pfn or dax, which nd_pmem brings along. */
	static const char *const required[] = {"platform:e820_pmem", "nd_pmem", NULL};

	return add_each(set, required, false, err);
}

/* ---- by device ---- */

/* Last component of where a link leads; NULL if there is no such link. */
static char *link_name(const char *dir, const char *link)
{
	_cleanup_free_ char *path = text_format("%s/%s", dir, link);
	_cleanup_free_ char *target = path ? realpath(path, NULL) : NULL;

	return target ? strdup(strrchr(target, '/') + 1) : NULL;
}

static bool lists(struct kmod_list *list, const char *name)
{
	struct kmod_list *item;

	kmod_list_foreach(item, list)
	{
		struct kmod_module *module = kmod_module_get_module(item);
		bool same = strcmp(kmod_module_get_name(module), name) == 0;

		(void)kmod_module_unref(module);
		if (same)
			return true;
	}
	return false;
}

/* Whether a module of the running kernel was loaded from a file, rather than built in. */
static bool is_loaded(const ModuleSet *set, const char *name)
{
	_cleanup_free_ char *path = text_format("%s/module/%s/initstate", set->sysfs, name);

	return path && path_exists(AT_FDCWD, path);
}

/* Adds the driver of one device that has one; `leaf` if none was found yet further out. */
static int add_driver(ModuleSet *set, const char *device, bool leaf, Error *err)
{
	_cleanup_kmod_list_ struct kmod_list *list = NULL, *named = NULL;
	_cleanup_free_ char *path = text_format("%s/modalias", device);
	_cleanup_free_ char *modalias = NULL;
	_cleanup_free_ char *driver = link_name(device, "driver");
	_cleanup_free_ char *module = link_name(device, "driver/module");
	const char *name = module ? module : driver;
	int r = 0;

	if (!path || !driver)
		return error_errno(err, -ENOMEM, "Finding the driver of %s", device);
	/* A driver that is built in does not always say which module it would be.  Most are named
	 * as that. */
	if (!module && strcmp(driver, "sd") == 0)
		name = "sd_mod";
	(void)file_read_line(AT_FDCWD, path, &modalias, NULL);
	if (modalias)
		r = lookup(set, modalias, &list, err);
	if (r >= 0)
		r = lookup(set, name, &named, err);
	if (r < 0)
		return r;
	/* Of several that would do (ahci, ata_generic, ...) the one that does now. */
	if (named && (!list || lists(list, name)))
		return add_list(set, named, err);
	if (list)
		return add_list(set, list, err);
	/* Bridges and the like have drivers that are never modules, and so are in no index. */
	if (!(module && is_loaded(set, module)) && !leaf)
		return 0;
	return error_set(
		err, -ENODEV,
		"The kernel has no driver for %s, which %s%s drives now (%s; searched %s); "
		"choose another kernel, or install its complete modules package",
		device, module ? "module " : "driver ", name, modalias ? modalias : "no modalias",
		set->modules_dir);
}

static int add_chain(ModuleSet *set, char *device, Error *err)
{
	_cleanup_free_ char *top = text_format("%s/devices", set->sysfs);
	bool leaf = true;

	if (!top)
		return error_errno(err, -ENOMEM, "Finding the driver of %s", device);
	for (; strlen(device) > strlen(top); *strrchr(device, '/') = '\0') {
		_cleanup_free_ char *driver = text_format("%s/driver", device);
		int r;

		if (!driver)
			return error_errno(err, -ENOMEM, "Finding the driver of %s", device);
		if (!path_exists(AT_FDCWD, driver))
			continue;
		r = add_driver(set, device, leaf, err);
		if (r < 0)
			return r;
		leaf = false;
	}
	return 0;
}

/* A namespace of an NVMe disk hangs on a subsystem that is virtual and has links to its
 * controllers: drivers/nvme/host/multipath.c. */
static int add_nvme_controllers(ModuleSet *set, const char *device, const char *subsystem,
				Error *err)
{
	const char *end = strchr(subsystem + 1, '/');
	_cleanup_free_ char *path = strndup(device, end ? (size_t)(end - device) : strlen(device));
	_cleanup_closedir_ DIR *dir = path ? opendir(path) : NULL;
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return error_errno(err, path ? -errno : -ENOMEM, "Opening %s", device);
	while (r >= 0 && (entry = readdir(dir))) {
		_cleanup_free_ char *link = NULL, *controller = NULL;

		if (entry->d_type != DT_LNK || !text_has_prefix(entry->d_name, "nvme"))
			continue;
		link = text_format("%s/%s", path, entry->d_name);
		controller = link ? realpath(link, NULL) : NULL;
		if (!controller)
			return error_errno(err, -errno, "Following %s/%s", path, entry->d_name);
		r = add_chain(set, controller, err);
	}
	return r;
}

int modules_add_device(ModuleSet *set, const char *device, Error *err)
{
	static const char subsystems[] = "/devices/virtual/nvme-subsystem";
	_cleanup_free_ char *resolved = realpath(device, NULL);
	const char *rest;

	if (!resolved)
		return error_errno(err, -errno, "Finding device %s", device);
	if (!text_has_prefix(resolved, set->sysfs))
		return error_set(err, -EINVAL, "Device %s is not below %s", device, set->sysfs);
	rest = resolved + strlen(set->sysfs);
	if (text_has_prefix(rest, subsystems)) {
		int r = modules_add_optional(set, "nvme_core", err);

		return r < 0 ? r
			     : add_nvme_controllers(set, resolved, rest + strlen(subsystems), err);
	}
	return add_chain(set, resolved, err);
}
