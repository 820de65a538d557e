/* SPDX-License-Identifier: Apache-2.0 */
#include "init/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/journal.h"
#include "swap/kexec.h"
#include "swap/pending.h"
#include "swap/quiesce.h"
#include "swap/tasks.h"

#define COLD_PARAMETER "segue.cold"

/* One that starts as early as this. */
static int units_require_down(json_object *units, Error *err)
{
	for (size_t i = 0; i < json_length(units); i++) {
		json_object *unit = json_object_array_get_idx(units, i);
		TaskList tasks = {0};
		size_t n;
		int r = tasks_read(json_opt_string(unit, "cgroup", "/nowhere"), &tasks, err);

		n = tasks.n;
		tasks_free(&tasks);
		if (r < 0)
			return r;
		if (n > 0)
			return error_set(err, -EBUSY, "%s has been started already",
					 json_opt_string(unit, "unit", "a unit"));
	}
	return 0;
}

static int way_back_permit(json_object *next, Journal *journal, Error *err)
{
	_cleanup_free_ char *boot_id = NULL, *cmdline = NULL;
	int r = file_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot_id, err);

	if (r == 0)
		r = file_read_line(AT_FDCWD, "/proc/cmdline", &cmdline, err);
	if (r == 0 && kexec_cmdline_has(cmdline, COLD_PARAMETER))
		r = error_set(err, -ECANCELED, COLD_PARAMETER " is on the kernel's command line");
	if (r == 0)
		r = pending_judge(next, journal_object(journal), boot_id, err);
	return r < 0 ? r
		     : units_require_down(json_opt_array(journal_object(journal), "units"), err);
}

/* The root filesystem is still as the kernel has mounted it for systemd, which most often is
 * read-only. */
static int root_open(bool *ret_opened, Error *err)
{
	struct statvfs vfs;

	*ret_opened = false;
	if (statvfs("/", &vfs) == 0 && !(vfs.f_flag & ST_RDONLY))
		return 0;
	if (mount(NULL, "/", NULL, MS_REMOUNT, NULL) < 0)
		return error_errno(err, -errno, "Remounting the root filesystem read-write");
	*ret_opened = true;
	return 0;
}

static int kernel_start(Error *err)
{
	_cleanup_(mounts_free) MountTable mounts = {0};
	int r = fault_point("boot-jump", err);

	if (r == 0)
		r = mounts_read(0, &mounts, err);
	if (r == 0)
		r = filesystems_freeze(&mounts, err);
	if (r < 0)
		return r;
	r = kexec_jump(err);
	filesystems_thaw(&mounts);
	return r;
}

/* One try only, and it is on the disk before it begins: whatever ends the machine in it, the boot
 * after that is an ordinary one. */
static int way_back_take(json_object *next, Journal *journal, Error *err)
{
	int permitted = way_back_permit(next, journal, err);
	int r = pending_mark(PENDING_FILE, PENDING_TRIED, permitted == 0 ? err : NULL);

	if (permitted < 0)
		return permitted;
	if (r == 0)
		r = kexec_load(json_opt_string(next, "image", ""),
			       json_opt_string(next, "initrd", ""),
			       json_opt_string(next, "cmdline", ""), err);
	if (r == 0)
		r = kernel_start(err);
	(void)kexec_unload(NULL);
	return r;
}

/* segued, later in this boot, reports why. */
static void refusal_write(Journal *journal, const char *why)
{
	json_put_string(journal_object(journal), "reason", why);
	(void)journal_save(journal, NULL);
}

int boot_restore(Error *err)
{
	_cleanup_json_ json_object *next = NULL;
	_cleanup_journal_ Journal *journal = NULL;
	bool opened = false;
	int r;

	if (pending_read(PENDING_FILE, &next) != PENDING_ARMED)
		return 0;
	r = journal_open(&journal, err);
	if (r == 0)
		r = root_open(&opened, err);
	if (r < 0)
		return r;
	r = way_back_take(next, journal, err);
	if (r < 0)
		refusal_write(journal, err->text);
	if (opened)
		(void)mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	return r;
}
