/* SPDX-License-Identifier: Apache-2.0 */
/* check: the places that a swap needs on the machine, for captures and for its own files. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/compress.h"
#include "swap/findings.h"
#include "swap/kept_units.h"
#include "swap/paths.h"
#include "swap/plan.h"

#define STORE_RESERVE (32LL << 20) /* for what is captured beside memory */
#define STATE_NEED    (16LL << 20) /* journal, trial, initramfs */
#define STORE_REMEDY                                                                               \
	"set StorePath= in segue.conf to a directory of the root filesystem, or of another that "  \
	"is mounted whole from a local disk"
#define STATE_REMEDY                                                                               \
	"move it to the root filesystem, or to another that is mounted whole from a local disk"

/* Refuses if a path that segue-init needs before it has made all the mounts again is not there by
 * then. */
static void place_check(Plan *plan, const char *subject, const char *path, const char *remedy)
{
	const Mount *mount = NULL;
	bool early = rootdev_path_is_early(&plan->mounts, path, &mount);
	bool part = mount && strcmp(mount->root, "/") != 0;

	if (early)
		return;
	if (!mount)
		findings_add(plan->findings, SEVERITY_REFUSAL, subject, "filesystem", remedy,
			     "the filesystem that %s is on is not known", path);
	else
		findings_add(plan->findings, SEVERITY_REFUSAL, subject, "filesystem", remedy,
			     "%s is on %s (%s%s%s), which %s", path, mount->point, mount->fstype,
			     part ? ", a part of it: " : "", part ? mount->root : "",
			     mount_is_memory(mount)
				     ? "is lost in the jump"
				     : "is not mounted yet when segue-init needs it");
}

static int64_t compressed(int64_t bytes, unsigned percent)
{
	return bytes * percent / 100;
}

/* What a sample does not tell: that memory changes, and what the file system itself takes. */
static int64_t with_margin(int64_t bytes)
{
	return bytes + bytes / 4 + STORE_RESERVE;
}

/* Whether captures that do not fit into memory as they are fit when they are compressed, to so many
 * percent; `ret_why`: why not. */
static bool store_can_compress(const Plan *plan, int64_t free_bytes, unsigned *ret_percent,
			       Error *ret_why)
{
	int r = 0;

	if (!plan->config.compress_ram)
		r = error_set(ret_why, -EPERM, "CompressRam=no");
	else if (!compress_is_possible(&plan->from) || !compress_is_possible(&plan->to))
		r = error_set(ret_why, -EOPNOTSUPP, "a kernel has no btrfs to compress them");
	else if (!path_exists(AT_FDCWD, STORE_RAM_MKFS))
		r = error_set(ret_why, -ENOENT, "btrfs-progs, to compress them, is not installed");
	else
		r = compress_estimate(&plan->kept, ret_percent, ret_why);
	if (r == 0 && with_margin(compressed(plan->store_need, *ret_percent)) > free_bytes)
		r = error_set(ret_why, -ENOSPC, "compressed they have about %lld MiB",
			      (long long)(compressed(plan->store_need, *ret_percent) >> 20));
	return r == 0;
}

static bool store_compress(const Plan *plan, Error *ret_why)
{
	unsigned percent;

	if (!store_can_compress(plan, plan->store_free, &percent, ret_why))
		return false;
	findings_add(plan->findings, SEVERITY_NOTE, "store", "ram", NULL,
		     "captures need about %lld MiB and the region takes %lld MiB: they are "
		     "compressed, to about %u %%",
		     (long long)(plan->store_need >> 20), (long long)(plan->store_free >> 20),
		     percent);
	json_put_bool(plan->location, STORE_RAM_COMPRESS, true);
	return true;
}

/* Makes `store` that of the plan, and tells what is wrong with it. */
static void store_use(Plan *plan, const Store *store)
{
	Error why = {0};

	plan->store = store;
	(void)json_object_put(plan->location);
	plan->location = NULL;
	if (store->locate(plan->config.store_path, &plan->location, &plan->store_free, &why) < 0) {
		findings_add(plan->findings, SEVERITY_REFUSAL, "store", store->name, NULL, "%s",
			     why.text);
		return;
	}
	if (store == &store_disk)
		place_check(plan, "store", json_opt_string(plan->location, "path", "/"),
			    STORE_REMEDY);
	if (store == &store_ram && plan->store_free < plan->store_need &&
	    store_compress(plan, &why))
		return;
	if (plan->store_free < plan->store_need)
		findings_add(plan->findings, SEVERITY_REFUSAL, "store", store->name,
			     store == &store_disk
				     ? "free space there, or set StorePath= in segue.conf"
				     : "boot with a larger memmap= (segue.conf(5)), or set "
				       "Store=auto or Store=disk",
			     "captures need about %lld MiB and %lld MiB are free%s%s",
			     (long long)(plan->store_need >> 20),
			     (long long)(plan->store_free >> 20), *why.text ? "; " : "", why.text);
}

int plan_choose_disk(Plan *plan, const char *why, Error *err)
{
	_cleanup_free_ char *summary = NULL;

	findings_add(plan->findings, SEVERITY_WARNING, "store", "ram", NULL,
		     "%s: this swap goes through the disk", why);
	store_use(plan, &store_disk);
	if (!findings_refuse(plan->findings))
		return 0;
	summary = findings_summary(plan->findings);
	return error_set(err, -ECANCELED, "%s", summary ? summary : "refused");
}

/* Why memory is not what an automatic choice takes, though there is a region; "" if it is, or there
 * is none. */
static void ram_judge(const Plan *plan, Error *ret_why)
{
	_cleanup_json_ json_object *location = NULL;
	Error why = {0};
	unsigned percent;
	int64_t free_bytes;
	int r = store_ram.locate(NULL, &location, &free_bytes, ret_why);

	if (r == -ENODEV)
		*ret_why = (Error){0};
	if (r == 0 && free_bytes < plan->store_need &&
	    !store_can_compress(plan, free_bytes, &percent, &why))
		(void)error_set(ret_why, -ENOSPC,
				"Captures need about %lld MiB and the region takes %lld MiB; %s",
				(long long)(plan->store_need >> 20), (long long)(free_bytes >> 20),
				why.text);
}

int plan_check_store(Plan *plan, Error *err)
{
	const Store *store = store_by_name(config_store_name(plan->config.store));
	Error why = {0};

	if (!store)
		return error_set(err, -EINVAL, "Unknown store %s",
				 config_store_name(plan->config.store));
	for (size_t i = 0; i < plan->kept.n; i++)
		plan->store_need += kept_unit_memory(&plan->kept.units[i]);
	plan->store_need += STORE_RESERVE;
	if (plan->config.store == CONFIG_STORE_AUTO)
		ram_judge(plan, &why);
	/* What stands in the way is a finding by then. */
	if (*why.text)
		(void)plan_choose_disk(plan, why.text, NULL);
	else
		store_use(plan, store);
	return 0;
}

/* What restores after a panic or a power cut runs before any boot has mounted more (/usr comes with
 * the root filesystem). */
static void next_boot_check(Plan *plan, const char *path)
{
	const Mount *mount = mounts_of_path(&plan->mounts, path);

	if (plan->store != &store_disk || !mount || strcmp(mount->point, "/") == 0 ||
	    strcmp(mount->point, "/usr") == 0)
		return;
	findings_add(plan->findings, SEVERITY_NOTE, "next boot", path,
		     "move it to the root filesystem",
		     "%s is on %s, which a boot mounts too late to restore the programs from the "
		     "disk: a panic or a power cut in the swap starts them afresh",
		     path, mount->point);
}

int plan_check_state(Plan *plan, Error *err)
{
	struct statvfs vfs;
	int64_t free_bytes;

	if (statvfs(SEGUE_STATE_DIR, &vfs) < 0)
		return error_errno(err, -errno, "Looking at the filesystem of " SEGUE_STATE_DIR);
	free_bytes = (int64_t)vfs.f_bavail * (int64_t)vfs.f_frsize;
	if (free_bytes < STATE_NEED)
		findings_add(plan->findings, SEVERITY_REFUSAL, SEGUE_STATE_DIR, "space",
			     "free space there",
			     "the swap's own files need about %lld MiB and %lld MiB are free",
			     STATE_NEED >> 20, (long long)(free_bytes >> 20));
	/* Journal, initramfs and kernel of the way back are read before the other mounts are there.
	 */
	place_check(plan, SEGUE_STATE_DIR, SEGUE_SWAP_DIR, STATE_REMEDY);
	next_boot_check(plan, SEGUE_SWAP_DIR);
	if (plan->from.image) {
		place_check(plan, plan->from.version, plan->from.image, STATE_REMEDY);
		next_boot_check(plan, plan->from.image);
	}
	return 0;
}
