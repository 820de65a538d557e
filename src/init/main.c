/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segue-init: PID 1 of the swap initramfs.  Lands, restores, hands over to the real init; if it
 * cannot, jumps back to the kernel that the machine came from, with the same captures.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/watch.h"
#include "base/worker.h"
#include "init/beside.h"
#include "init/boot.h"
#include "init/rehearse.h"
#include "init/root.h"
#include "init/say.h"
#include "store/store.h"
#include "swap/handover.h"
#include "swap/hold.h"
#include "swap/hurry.h"
#include "swap/journal.h"
#include "swap/kexec.h"
#include "swap/lazy.h"
#include "swap/openfiles.h"
#include "swap/pending.h"
#include "swap/quiesce.h"
#include "swap/restore.h"
#include "swap/streams.h"

/* PID_MAX_LIMIT of a 64-bit kernel.  What systemd sets too (50-pid-max.conf). */
#define PID_MAX_TEXT "4194304"

#define MODULES_LIMIT_MS 60000
#define PROBE_LIMIT_MS   20000

typedef struct Landing {
	json_object *handover;
	Journal *journal; /* NULL before the root filesystem is there */
	Restore *restore;
	int store_fd, initramfs;
	bool after_reset;      /* a boot has come here, instead of the kernel that captured */
	Worker modules, probe; /* beside what is done here, see beside.h */
	Watch watch;           /* for a step that hangs */
	int proc_fd;           /* for who watches: "/proc" moves */
} Landing;

static WatchAct hang_end;

#define HUGE_PAGES "/sys/kernel/mm/transparent_hugepage/enabled"
#define OVERCOMMIT "/proc/sys/vm/overcommit_memory"

/* How the kernel was set, as is read from it; NULL: not known. */
typedef struct KernelManner {
	char *huge_pages; /* "[always] madvise never" */
	char *overcommit;
} KernelManner;

static void cleanup_kernel_manner(KernelManner *manner)
{
	free(manner->huge_pages);
	free(manner->overcommit);
}

/* A program whose few pages are spread over its memory is not to have a huge page cleared for each.
 *
 * criu makes each mapping writable while it fills it (premap_private_vma() in criu/mem.c), and so a
 * mapping that only reserves addresses, as MariaDB's of 8 TiB does, would count as memory that the
 * machine has not got. */
static void kernel_hurry(KernelManner *ret_before)
{
	(void)file_read_line(AT_FDCWD, HUGE_PAGES, &ret_before->huge_pages, NULL);
	(void)file_read_line(AT_FDCWD, OVERCOMMIT, &ret_before->overcommit, NULL);
	(void)hurry(true);
	(void)file_write_value(AT_FDCWD, HUGE_PAGES, "never", NULL);
	(void)file_write_value(AT_FDCWD, OVERCOMMIT, "1", NULL);
}

static void kernel_calm(const KernelManner *before)
{
	char *chosen = before->huge_pages ? strchr(before->huge_pages, '[') : NULL;

	(void)hurry(false);
	if (before->overcommit)
		(void)file_write_value(AT_FDCWD, OVERCOMMIT, before->overcommit, NULL);
	if (!chosen)
		return;
	chosen[strcspn(chosen, "]")] = '\0';
	(void)file_write_value(AT_FDCWD, HUGE_PAGES, chosen + 1, NULL);
}

/* ---- the steps, in order ---- */

static bool is_forward(const Landing *landing)
{
	return strcmp(json_opt_string(landing->handover, "direction", "forward"), "forward") == 0;
}

static int handover_take(Landing *landing, Error *err)
{
	int r = handover_read(AT_FDCWD, HANDOVER_PATH, &landing->handover, err);

	if (r == 0 && rehearse_is_asked(landing->handover))
		rehearse(landing->handover);
	landing->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Without it only a watchdog ends a hang. */
	if (r == 0)
		(void)watch_start(&landing->watch, hang_end, landing, NULL);
	return r;
}

/* Kept programs get their PIDs again, so nobody else may: what is started from now on is numbered
 * from far above. */
static int pids_reserve(Landing *landing, Error *err)
{
	int r = file_write_value(AT_FDCWD, "/proc/sys/kernel/pid_max", PID_MAX_TEXT, err);
	char last[16];

	(void)snprintf(last, sizeof(last), "%lld",
		       (long long)json_opt_int(landing->handover, "pid_last", 100000));
	return r < 0 ? r : file_write_value(AT_FDCWD, "/proc/sys/kernel/ns_last_pid", last, err);
}

static int modules_load(Landing *landing, Error *err)
{
	int r = root_load_modules(landing->handover, err);

	return r < 0 ? r : beside_load_modules(&landing->modules, landing->handover, err);
}

static int root_enter(Landing *landing, Error *err)
{
	int r = root_switch(landing->handover, &landing->initramfs, err);

	return r < 0 ? r : beside_probe(&landing->probe, err);
}

static int filesystems_enter(Landing *landing, Error *err)
{
	return root_mount_others(landing->handover, err);
}

/* The way back is the same one; only who has begun it tells. */
static void pending_take(Landing *landing)
{
	static const char reason[] = "the machine went down in the middle of it (a panic, a reset, "
				     "or a power cut), and the next boot restored the programs";
	_cleanup_json_ json_object *next = NULL;
	json_object *journal = journal_object(landing->journal);

	if (!is_forward(landing) && pending_read(PENDING_FILE, &next) == PENDING_TRIED &&
	    strcmp(json_opt_string(next, "id", ""),
		   json_opt_string(landing->handover, "id", "-")) == 0)
		landing->after_reset = true;
	/* What the other kernel found wrong says more. */
	if (landing->after_reset && !json_opt_string(journal, "reason", NULL))
		json_put_string(journal, "reason", reason);
}

/* Back in the old kernel there is no further way out: what cannot be written down is done all the
 * same. */
static int journal_tell(Landing *landing, SwapState state, Error *err)
{
	Error why = {0};
	int r = journal_enter(landing->journal, state, &why);

	if (r == 0)
		return 0;
	if (is_forward(landing))
		return error_set(err, r, "%s", why.text);
	say("%s", why.text);
	journal_warn(landing->journal, why.text);
	return 0;
}

static int journal_continue(Landing *landing, Error *err)
{
	_cleanup_free_ char *boot_id = NULL;
	int r = journal_open(&landing->journal, err);

	/* No reason not to land: what else it says the captures do too. */
	if (r == -EBADMSG)
		r = journal_replace(json_opt_string(landing->handover, "id", "unknown"),
				    &landing->journal, err);
	if (r == 0)
		r = journal_to_memory(landing->journal, err);
	if (r < 0)
		return r;
	json_put_string(journal_object(landing->journal), "direction",
			json_opt_string(landing->handover, "direction", "forward"));
	(void)file_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot_id, NULL);
	json_put_string(journal_object(landing->journal), "landed_boot_id", boot_id);
	pending_take(landing);
	return journal_tell(landing, SWAP_LAND, err);
}

static int modules_wait(Landing *landing, Error *err)
{
	int r = worker_finish(&landing->modules, MODULES_LIMIT_MS, err);

	root_empty_initramfs(landing->initramfs);
	return r;
}

static int store_open(Landing *landing, Error *err)
{
	json_object *location;
	const Store *store;
	int r = json_get_object(landing->handover, "store", &location, err);

	if (r < 0)
		return r;
	store = store_by_name(json_opt_string(location, "kind", ""));
	if (!store)
		return error_set(err, -EBADMSG, "The handover names an unknown store");
	r = store->find(location, &landing->store_fd, err);
	if (r == 0)
		beside_read_ahead(landing->store_fd);
	if (r == 0)
		r = restore_new(landing->store_fd, &landing->restore, err);
	if (r < 0 || !landing->after_reset)
		return r;
	restore_after_reset(landing->restore);
	return openfiles_check_all(restore_capture(landing->restore), err);
}

static int64_t clock_offset_us(void)
{
	return clock_realtime_us() - clock_monotonic_us();
}

/* It also sets the clock, which this kernel has from one that counts seconds: the jump may seem to
 * have ended before it began. */
static int machine_restore(Landing *landing, Error *err)
{
	int64_t offset = clock_offset_us();
	int r = restore_machine(landing->restore, err);

	journal_steps_moved(json_opt_array(journal_object(landing->journal), "steps"),
			    clock_offset_us() - offset);
	return r;
}

/* Of one that had to be begun anew. */
static void journal_complete(const Landing *landing)
{
	json_object *journal = journal_object(landing->journal);
	json_object *capture = restore_capture(landing->restore), *store;

	if (json_length(json_opt_array(journal, "units")) > 0 ||
	    json_get_object(landing->handover, "store", &store, NULL) < 0)
		return;
	json_put_string(journal, "from", json_opt_string(capture, "from", ""));
	json_put_string(journal, "to", json_opt_string(capture, "to", ""));
	(void)json_object_object_add(journal, "store", json_object_get(store));
	(void)json_object_object_add(journal, "units",
				     json_object_get(json_opt_array(capture, "units")));
}

static int units_restore(Landing *landing, Error *err)
{
	int r;

	journal_complete(landing);
	r = journal_tell(landing, SWAP_RESTORE, err);

	/* If it cannot tell, criu finds out by itself. */
	(void)worker_finish(&landing->probe, PROBE_LIMIT_MS, NULL);
	if (r == 0)
		r = restore_units(landing->restore, err);
	beside_probe_forget();
	return r;
}

static int units_adopt(Landing *landing, Error *err)
{
	return restore_adopt(landing->restore, err);
}

/* What programs do from now on the captures do not know of.  With a ram store there is nothing to
 * be written. */
static void pending_end(Landing *landing)
{
	Error why = {0};
	int r = pending_mark(PENDING_FILE, PENDING_ENDED, &why);

	if (r < 0 && r != -ENOENT)
		journal_warn(landing->journal, why.text);
}

static int units_thaw(Landing *landing, Error *err)
{
	int64_t lazy_bytes;
	int r;

	pending_end(landing);
	r = restore_thaw(landing->restore, err);
	(void)lazy_arrives(&lazy_bytes);
	json_put_int(journal_object(landing->journal), "lazy_bytes", lazy_bytes);

	json_put_int(journal_object(landing->journal), "blackout_us",
		     restore_elapsed_us(landing->restore));
	return r < 0 ? r : journal_enter(landing->journal, SWAP_ADOPT, err);
}

/* What a failed step leaves as a way out. */
typedef enum WayOut {
	REBOOT, /* nothing of the machine is at hand yet: its boot loader's default kernel, cold */
	BACK,   /* the other kernel, same captures */
	STAY,   /* programs run already */
} WayOut;

static const struct Step {
	const char *name, *fault; /* fault: its fault point */
	int (*run)(Landing *landing, Error *err);
	WayOut otherwise;
	int limit_s; /* a step that takes longer hangs; see step_watch() */
} steps[] = {
	{"reading the handover", "land-handover", handover_take, REBOOT, 0},
	{"reserving PIDs", "land-pids", pids_reserve, REBOOT, 60},
	{"loading modules", "land-modules", modules_load, REBOOT, 120},
	{"mounting the root filesystem", "land-root", root_enter, REBOOT, 120},
	{"mounting the other filesystems", "land-filesystems", filesystems_enter, BACK, 180},
	{"continuing the journal", "land-journal", journal_continue, BACK, 60},
	{"loading the other modules", "land-other-modules", modules_wait, BACK, 120},
	{"opening the store", "land-store", store_open, BACK, 180},
	{"restoring the machine", "restore-machine", machine_restore, BACK, 120},
	{"restoring the programs", "restore-units", units_restore, BACK, 60},
	{"preparing systemd", "restore-adopt", units_adopt, BACK, 60},
	{"letting the programs run", "restore-thaw", units_thaw, STAY, 0},
};

/* Once programs run, there is nobody to go back for. */
static void step_watch(Landing *landing, const struct Step *step)
{
	int64_t more_s = landing->restore ? restore_limit_s(landing->restore) : 0;

	if (step->limit_s > 0)
		watch_step(&landing->watch, (int)(step - steps), step->limit_s + (int)more_s);
	else
		watch_end(&landing->watch);
}

/* Ordered failures are for the way forward; the way back is what is tested with them. */
static int step_run(Landing *landing, const struct Step *step, Error *err)
{
	int r;

	step_watch(landing, step);
	r = is_forward(landing) ? fault_point(step->fault, err) : 0;
	return r < 0 ? r : step->run(landing, err);
}

/* ---- the ways out ---- */

static int back_jump(Landing *landing, Error *err)
{
	_cleanup_(mounts_free) MountTable mounts = {0};
	const char *image, *initrd, *cmdline;
	json_object *back;
	int r = json_get_object(landing->handover, "back", &back, err);

	if (r == 0)
		r = json_get_string(back, "image", &image, err);
	if (r == 0)
		r = json_get_string(back, "initrd", &initrd, err);
	if (r == 0)
		r = json_get_string(back, "cmdline", &cmdline, err);
	if (r == 0)
		r = fault_point("return-kernel", err);
	if (r == 0)
		r = kexec_load(image, initrd, cmdline, err);
	if (r == 0)
		r = mounts_read(0, &mounts, err);
	if (r == 0)
		r = filesystems_freeze(&mounts, err);
	if (r == 0)
		r = kexec_jump(err);
	filesystems_thaw(&mounts);
	return r;
}

static void fail_back(Landing *landing, const Error *why)
{
	Error error = {0};

	if (landing->restore)
		restore_kill(landing->restore);
	if (landing->journal) {
		json_put_string(journal_object(landing->journal), "reason", why->text);
		journal_to_disk(landing->journal);
		(void)journal_enter(landing->journal, SWAP_JUMP, NULL);
	}
	say("going back to the old kernel");
	(void)back_jump(landing, &error);
	say("cannot go back: %s", error.text);
	if (is_forward(landing) && pending_read(PENDING_FILE, NULL) == PENDING_ARMED) {
		say("rebooting: the next boot restores the programs");
		sync();
		(void)reboot(RB_AUTOBOOT);
	}
	/* The captures stay where they are; the boot goes on and units start afresh, for which they
	 * need the network.  segued reports it. */
	(void)pending_mark(PENDING_FILE, PENDING_ENDED, NULL);
	(void)hold_lower(NULL);
}

static void fail(Landing *landing, WayOut way_out, const Error *why)
{
	say("%s", why->text);
	switch (way_out) {
	case REBOOT:
		say("rebooting into the machine's default kernel");
		sync();
		(void)reboot(RB_AUTOBOOT);
		return;
	case BACK:
		fail_back(landing, why);
		return;
	case STAY:
		if (landing->journal)
			journal_warn(landing->journal, why->text);
	}
}

#define REBOOT_LIMIT_S 180

/* Whatever hangs here too: a disk may take nothing any more. */
static void reboot_after_all(void)
{
	if (fork() != 0)
		return;
	(void)sleep(REBOOT_LIMIT_S);
	(void)reboot(RB_AUTOBOOT);
	_exit(1);
}

/* In the process that watches this one, which stands still for ever: as if the step had failed. */
static void hang_end(int step, int limit_s, void *userdata)
{
	Landing *landing = userdata;
	_cleanup_close_ int root =
		openat(landing->proc_fd, "1/root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	WayOut way_out = steps[step].otherwise;
	Error why = {0};

	reboot_after_all();
	(void)error_set(&why, -ETIMEDOUT, "%s: it took longer than %d s", steps[step].name,
			limit_s);
	/* Where it has gone by now. */
	if (root < 0 || fchdir(root) < 0 || chroot(".") < 0)
		way_out = REBOOT;
	if (way_out == BACK && journal_open(&landing->journal, NULL) < 0)
		landing->journal = NULL;
	fail(landing, way_out, &why);
	(void)reboot(RB_AUTOBOOT);
}

/* Until here the console showed little, so that nothing waited for it. */
static void console_continue(const Landing *landing)
{
	int64_t level = json_opt_int(landing->handover, "console_level", 0);
	char text[16];

	(void)snprintf(text, sizeof(text), "%lld", (long long)level);
	if (level > 0)
		(void)file_write_value(AT_FDCWD, "/proc/sys/kernel/printk", text, NULL);
}

static int land(void)
{
	Landing landing = {.store_fd = -1, .initramfs = -1, .proc_fd = -1};
	_cleanup_(cleanup_kernel_manner) KernelManner manner = {0};
	Error error = {0};
	const char *init;

	if (root_prepare(&error) < 0)
		fail(&landing, REBOOT, &error);
	kernel_hurry(&manner);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int64_t start = clock_monotonic_us();

		if (step_run(&landing, &steps[i], &error) < 0) {
			watch_end(&landing.watch);
			(void)error_prefix(&error, "%s", steps[i].name);
			fail(&landing, steps[i].otherwise, &error);
			break;
		}
		say("%s: %lld ms", steps[i].name, (long long)(clock_monotonic_us() - start) / 1000);
	}
	kernel_calm(&manner);
	console_continue(&landing);
	init = json_opt_string(landing.handover, "init", "/sbin/init");
	(void)execl(init, init, (char *)NULL);
	say("executing %s: %s", init, strerror(errno));
	return 1;
}

/* The exit status. */
static int told(int r, const Error *error)
{
	if (r < 0)
		(void)fprintf(stderr, "segue-init: %s\n", error->text);
	return r < 0 ? 1 : 0;
}

int main(int argc, char *argv[])
{
	Error error = {0};

	if (argc == 2 && strcmp(argv[1], "streams") == 0)
		return told(streams_give(&error), &error);
	if (argc == 2 && strcmp(argv[1], "boot") == 0)
		return told(boot_restore(&error), &error);
	if (getpid() != 1) {
		(void)fprintf(stderr, "segue-init: runs as PID 1 of a swap; see segue(8)\n");
		return 2;
	}
	return land();
}
