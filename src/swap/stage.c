/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/handover.h"
#include "swap/initramfs.h"
#include "swap/kexec.h"
#include "swap/modules.h"
#include "swap/network.h"
#include "swap/paths.h"
#include "swap/pending.h"

#define FORWARD_INITRD SEGUE_SWAP_DIR "/forward.cpio"
#define BACK_INITRD    SEGUE_SWAP_DIR "/back.cpio"
#define PID_ROOM       1000 /* numbers left free above the kept programs' */

static inline void cleanup_modules(ModuleSet **set)
{
	if (*set)
		modules_free(*set);
}

typedef struct LinkVisit {
	ModuleSet *set;
	int r;
	Error *err;
} LinkVisit;

static void link_add(const char *name, const char *sysfs, void *userdata)
{
	LinkVisit *visit = userdata;

	if (visit->r == 0)
		visit->r = modules_add_device(visit->set, sysfs, visit->err);
	if (visit->r < 0)
		(void)error_prefix(visit->err, "Network link %s", name);
}

static void alias_add(const char *alias, void *userdata)
{
	LinkVisit *visit = userdata;

	if (visit->r == 0)
		visit->r = modules_add_optional(visit->set, alias, visit->err);
}

static int filesystem_add(ModuleSet *set, const RootDevice *device, Error *err)
{
	int r = modules_add_device(set, device->sysfs, err);

	if (r == 0)
		r = modules_add_filesystem(set, device->fstype, device->options, err);
	return r < 0 ? error_prefix(err, "Filesystem %s", device->point) : 0;
}

static int ram_add(ModuleSet *set, json_object *location, Error *err)
{
	bool compress = json_opt_bool(location, STORE_RAM_COMPRESS, false);
	int r = modules_add_pmem(set, err);

	return r < 0 ? r : modules_add_filesystem(set, compress ? "btrfs" : "ext4", NULL, err);
}

/* *ret_first: how many of them the root filesystem takes. */
static int modules_collect(const Plan *plan, const Kernel *kernel, ModuleSet **ret,
			   size_t *ret_first, Error *err)
{
	_cleanup_(cleanup_modules) ModuleSet *set = NULL;
	LinkVisit visit = {.err = err};
	int r = modules_new(kernel->modules_dir, NULL, &set, err);

	if (r == 0)
		r = filesystem_add(set, &plan->root, err);
	for (size_t i = 0; r == 0 && i < plan->n_devices; i++)
		r = filesystem_add(set, &plan->devices[i], err);
	*ret_first = modules_count(set);
	if (r == 0 && plan->store == &store_ram)
		r = ram_add(set, plan->location, err);
	if (r == 0)
		r = modules_add_restore(set, err);
	if (r < 0)
		return error_prefix(err, "Kernel %s", kernel->version);
	visit.set = set;
	r = network_links_in_use(link_add, &visit, err);
	if (r == 0)
		r = network_link_modules(alias_add, &visit, err);
	if (r == 0)
		r = visit.r;
	if (r < 0)
		return error_prefix(err, "Kernel %s", kernel->version);
	*ret = steal_ptr(&set);
	return 0;
}

static json_object *device_describe(const RootDevice *device)
{
	json_object *o = json_object_new_object();

	json_put_string(o, "point", device->point);
	json_put_string(o, "source", device->source);
	json_put_string(o, "uuid", device->uuid);
	json_put_string(o, "fstype", device->fstype);
	json_put_string(o, "options", device->options);
	return o;
}

static json_object *modules_list(const ModuleSet *set)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < modules_count(set); i++) {
		_cleanup_free_ char *path = initramfs_module_path(set, i);
		json_object *o = json_object_new_object();

		json_put_string(o, "path", path);
		json_put_string(o, "options", modules_options(set, i));
		(void)json_object_array_add(list, o);
	}
	return list;
}

static int64_t pid_last(const Plan *plan)
{
	pid_t last = 30000;

	for (size_t i = 0; i < plan->kept.n; i++)
		for (size_t j = 0; j < plan->kept.units[i].tasks.n; j++)
			if (plan->kept.units[i].tasks.tasks[j].pid > last)
				last = plan->kept.units[i].tasks.tasks[j].pid;
	return last + PID_ROOM;
}

/* The kernel's level of the console's messages, as it is now. */
static json_object *console_level(void)
{
	_cleanup_free_ char *printk = NULL;

	if (file_read_line(AT_FDCWD, "/proc/sys/kernel/printk", &printk, NULL) < 0)
		return NULL;
	return json_object_new_int((int)strtol(printk, NULL, 10));
}

static json_object *handover_make(const Plan *plan, const char *id, const char *direction,
				  const ModuleSet *set, size_t first)
{
	json_object *o = json_object_new_object(), *mounts = json_object_new_array();

	json_put_int(o, "version", HANDOVER_VERSION);
	json_put_string(o, "id", id);
	json_put_string(o, "direction", direction);
	json_put_string(o, "init", "/sbin/init");
	json_put_int(o, "pid_last", pid_last(plan));
	(void)json_object_object_add(o, "modules", modules_list(set));
	json_put_int(o, "modules_first", (int64_t)first);
	(void)json_object_object_add(o, "console_level", console_level());
	(void)json_object_object_add(o, "root", device_describe(&plan->root));
	for (size_t i = 0; i < plan->n_devices; i++)
		if (plan->devices[i].early)
			(void)json_object_array_add(mounts, device_describe(&plan->devices[i]));
	(void)json_object_object_add(o, "mounts", mounts);
	(void)json_object_object_add(o, "store", json_object_get(plan->location));
	return o;
}

/* The purgatory of kexec_file_load() sums up all of it, at some 8 MB/s where this was measured (an
 * emulated machine): more than what unpacking a third of the size takes. */
static Initramfs initrd_describe(const Kernel *kernel, const ModuleSet *set, json_object *handover)
{
	return (Initramfs){
		.init = SEGUE_LIBEXECDIR "/segue-init",
		.handover =
			json_object_to_json_string_ext(handover, JSON_C_TO_STRING_NOSLASHESCAPE),
		.modules = set,
		.zstd = kernel_has_config(kernel, "CONFIG_RD_ZSTD") == KERNEL_CONFIG_BUILTIN,
	};
}

static int initrd_build(const char *path, const Kernel *kernel, const ModuleSet *set,
			json_object *handover, Error *err)
{
	Initramfs initramfs = initrd_describe(kernel, set, handover);
	uint64_t size;
	int r = fault_point("stage-initramfs", err);

	return r < 0 ? r : initramfs_write(path, &initramfs, &size, err);
}

static int back_build(const Plan *plan, const char *id, const char *cmdline, json_object **ret,
		      Error *err)
{
	_cleanup_(cleanup_modules) ModuleSet *set = NULL;
	_cleanup_json_ json_object *handover = NULL;
	_cleanup_free_ char *back_cmdline = NULL;
	size_t first;
	int r = modules_collect(plan, &plan->from, &set, &first, err);

	/* Without segue.fault=: failures are ordered for the way forward. */
	if (r == 0)
		r = kexec_cmdline(cmdline, NULL, &back_cmdline, err);
	if (r < 0)
		return r;
	handover = handover_make(plan, id, "return", set, first);
	r = initrd_build(BACK_INITRD, &plan->from, set, handover, err);
	if (r < 0)
		return r;
	*ret = json_object_new_object();
	json_put_string(*ret, "image", plan->from.image);
	json_put_string(*ret, "initrd", BACK_INITRD);
	json_put_string(*ret, "cmdline", back_cmdline);
	return 0;
}

/* Captures on a disk outlive this boot and the next: whatever ends them, the boot after it goes the
 * same way back. */
static int pending_build(const Plan *plan, const char *id, json_object *back, Error *err)
{
	_cleanup_json_ json_object *next = json_object_new_object();

	if (plan->store != &store_disk)
		return 0;
	json_put_string(next, "id", id);
	json_put_string(next, "image", json_opt_string(back, "image", ""));
	json_put_string(next, "initrd", json_opt_string(back, "initrd", ""));
	json_put_string(next, "cmdline", json_opt_string(back, "cmdline", ""));
	return pending_stage(PENDING_FILE, next, err);
}

static bool is_chosen(const char *key, const char *base, const char *append)
{
	return kexec_cmdline_has(base, key) || kexec_cmdline_has(append, key);
}

/* A kernel that panics on the way starts the machine anew, which then is as after a power cut,
 * instead of standing still for ever.  And it does not wait for a serial line to take hundreds of
 * informational messages; they are in its log, and segue-init gives the console its level back. */
static int next_cmdline(const char *base, const char *append, char **ret, Error *err)
{
	bool quiet = is_chosen("loglevel", base, append) || is_chosen("quiet", base, append);
	_cleanup_free_ char *extra =
		text_format("%s%s%s", is_chosen("panic", base, append) ? "" : "panic=10 ",
			    quiet ? "" : "loglevel=6 ", append);

	return extra ? kexec_cmdline(base, extra, ret, err)
		     : error_errno(err, -ENOMEM, "Making the command line");
}

/* What the release that the kernel came in adds; KexecAppend= comes later, and so prevails. */
static int added_cmdline(const Plan *plan, char **ret, Error *err)
{
	_cleanup_free_ char *path = text_format(SEGUE_KERNELS_DIR "/%s.cmdline", plan->to.version);
	_cleanup_free_ char *of_release = NULL;
	const char *append = plan->config.kexec_append;
	int r;

	if (path && !path_exists(AT_FDCWD, path)) {
		*ret = strdup(append);
		return *ret ? 0 : error_errno(err, -ENOMEM, "Making the command line");
	}
	r = path ? file_read_line(AT_FDCWD, path, &of_release, err)
		 : error_errno(err, -ENOMEM, "Making the command line");
	return r < 0 ? r : kexec_cmdline(of_release, append, ret, err);
}

static int forward_cmdline(const Plan *plan, char **ret, Error *err)
{
	_cleanup_free_ char *base = NULL, *added = NULL;
	int r = file_read_line(AT_FDCWD, "/proc/cmdline", &base, err);

	if (r == 0)
		r = added_cmdline(plan, &added, err);
	return r < 0 ? r
		     : next_cmdline(plan->placed_cmdline ? plan->placed_cmdline : base, added, ret,
				    err);
}

int stage_build(const Plan *plan, const char *id, Error *err)
{
	_cleanup_(cleanup_modules) ModuleSet *set = NULL;
	_cleanup_free_ char *cmdline = NULL;
	_cleanup_json_ json_object *handover = NULL;
	json_object *back = NULL;
	size_t first;
	int r = forward_cmdline(plan, &cmdline, err);

	if (r == 0)
		r = back_build(plan, id, cmdline, &back, err);
	if (r == 0)
		r = pending_build(plan, id, back, err);
	if (r < 0) {
		(void)json_object_put(back);
		return error_prefix(err, "Preparing the way back");
	}
	r = modules_collect(plan, &plan->to, &set, &first, err);
	if (r < 0) {
		(void)json_object_put(back);
		return r;
	}
	handover = handover_make(plan, id, "forward", set, first);
	(void)json_object_object_add(handover, "back", back);
	r = initrd_build(FORWARD_INITRD, &plan->to, set, handover, err);
	if (r == 0)
		r = fault_point("stage-kernel", err);
	if (r == 0)
		r = kexec_load(plan->to.image, FORWARD_INITRD, cmdline, err);
	return r;
}

/* criu asks the kernel about sockets with these, which on a machine are loaded when it does. */
static int modules_add_check(ModuleSet *set, Error *err)
{
	static const char *const names[] = {"af_packet",   "inet_diag", "netlink_diag",
					    "packet_diag", "raw_diag",  "tcp_diag",
					    "tun",         "udp_diag",  "unix_diag"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(names[0]); i++)
		r = modules_add_optional(set, names[i], err);
	return r;
}

int stage_build_rehearsal(const Plan *plan, const char *path, const InitramfsFile *files,
			  size_t n_files, char **ret_cmdline, Error *err)
{
	_cleanup_(cleanup_modules) ModuleSet *set = NULL;
	_cleanup_json_ json_object *handover = NULL;
	Initramfs initramfs;
	size_t first;
	int r = modules_collect(plan, &plan->to, &set, &first, err);

	if (r == 0)
		r = modules_add_check(set, err);
	if (r < 0)
		return r;
	handover = handover_make(plan, "rehearsal", HANDOVER_REHEARSE, set, first);
	initramfs = initrd_describe(&plan->to, set, handover);
	initramfs.files = files;
	initramfs.n_files = n_files;
	r = initramfs_write(path, &initramfs, NULL, err);
	return r < 0 ? r : forward_cmdline(plan, ret_cmdline, err);
}

void stage_undo(void)
{
	(void)kexec_unload(NULL);
	(void)unlink(FORWARD_INITRD);
	(void)unlink(BACK_INITRD);
	(void)unlink(PENDING_FILE);
}
