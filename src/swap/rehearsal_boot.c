/* SPDX-License-Identifier: Apache-2.0 */
/* check --deep: the kernel to go to, with the swap's initramfs and command line, in a guest. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "store/region.h"
#include "swap/findings.h"
#include "swap/guest.h"
#include "swap/libraries.h"
#include "swap/paths.h"
#include "swap/rehearsal.h"
#include "swap/stage.h"

#define RESOURCE      "rehearsal"
#define INITRD        SEGUE_TRIAL_DIR "/rehearsal.cpio"
#define CRIU          "/usr/sbin/criu"
#define MEMORY_NEED   (2 * GUEST_MEMORY)
#define SPACE_NEED    ((int64_t)256 << 20) /* with all that a machine may drive, unpacked */
#define TELL_EVERY_US 2000000

/* In this order; the next is for where the one before does not work.  An emulated processor may
 * fail once. */
static const struct Accelerator {
	const char *name, *qemu, *device;
	int limit_s;
} accelerators[] = {
	{"kvm", GUEST_KVM, "/dev/kvm", 120},
	{"tcg", GUEST_TCG, NULL, 1200},
	{"tcg", GUEST_TCG, NULL, 1200},
};

typedef struct Boot {
	Plan *plan;
	Guest guest;
	GuestConsole console;
	const struct Accelerator *accelerator;
	int64_t begun_us, told_us;
} Boot;

static void not_done(Plan *plan, const char *remedy, const char *why)
{
	findings_add(plan->findings, SEVERITY_WARNING, plan->to.version, RESOURCE, remedy,
		     "it was not booted in a guest: %s", why);
}

/* Whether this machine can have a guest beside all else. */
static bool is_possible(Plan *plan)
{
	struct statvfs vfs;

	if (access(GUEST_PROGRAM, X_OK) < 0) {
		not_done(plan, "install qemu-system-x86 to have that done",
			 GUEST_PROGRAM " is not installed");
		return false;
	}
	if ((int64_t)memory_available() < MEMORY_NEED) {
		not_done(plan, "free memory, or do it at a quieter time",
			 "less than 1 GiB of memory is available");
		return false;
	}
	if (statvfs(SEGUE_TRIAL_DIR, &vfs) < 0 ||
	    (int64_t)vfs.f_bavail * (int64_t)vfs.f_frsize < SPACE_NEED) {
		not_done(plan, "free space there",
			 "less than 256 MiB are free in " SEGUE_STATE_DIR);
		return false;
	}
	return true;
}

/* criu is on the root filesystem, which the guest has not. */
static int initrd_make(const Plan *plan, char **ret_cmdline, Error *err)
{
	_cleanup_(libraries_free) Libraries libraries = {0};
	_cleanup_free_ InitramfsFile *files = NULL;
	int r = libraries_find(CRIU, &libraries, err);

	if (r < 0)
		return r;
	files = calloc(libraries.n + 1, sizeof(*files));
	if (!files)
		return error_errno(err, -ENOMEM, "Building the initramfs");
	files[0] = (InitramfsFile){CRIU, CRIU, 0755};
	for (size_t i = 0; i < libraries.n; i++)
		files[i + 1] = (InitramfsFile){libraries.paths[i], libraries.paths[i], 0755};
	return stage_build_rehearsal(plan, INITRD, files, libraries.n + 1, ret_cmdline, err);
}

static bool boot_goes_on(void *userdata)
{
	Boot *boot = userdata;
	int64_t now_us = clock_monotonic_us();

	if (now_us - boot->told_us > TELL_EVERY_US) {
		boot->told_us = now_us;
		rehearsal_tell("%s in a guest (%s): %s, %lld s", boot->plan->to.version,
			       boot->accelerator->name,
			       boot->console.begun ? "segue-init looks at it" : "booting",
			       (long long)((now_us - boot->begun_us) / 1000000));
	}
	return rehearsal_goes_on();
}

/* The steps that segue-init took there.  A driver may miss its hardware, which says nothing about
 * the machine. */
static void steps_judge(Boot *boot)
{
	for (size_t i = 0; i < json_length(boot->console.steps); i++) {
		json_object *step = json_object_array_get_idx(boot->console.steps, i);
		const char *name = json_opt_string(step, "step", "");
		bool unclear = strcmp(name, GUEST_STEP_MODULES) == 0;

		if (!json_opt_bool(step, "ok", false))
			findings_add(boot->plan->findings,
				     unclear ? SEVERITY_WARNING : SEVERITY_REFUSAL,
				     boot->plan->to.version, RESOURCE,
				     "choose another kernel: segue check --kernel VERSION",
				     "in a guest, %s failed: %s", name,
				     json_opt_string(step, "message", ""));
	}
}

static void boot_judge(Boot *boot, int r, const Error *why)
{
	const GuestConsole *console = &boot->console;
	Plan *plan = boot->plan;

	steps_judge(boot);
	if (console->ended)
		return;
	if (r == -EPROTO)
		not_done(plan, NULL, why->text);
	else if (r == -ETIMEDOUT && !console->begun)
		findings_add(plan->findings, SEVERITY_WARNING, plan->to.version, RESOURCE, NULL,
			     "in a guest (%s) segue-init did not begin within %d s; the last line "
			     "on its console: %s",
			     boot->accelerator->name, boot->accelerator->limit_s, console->last);
	else
		findings_add(plan->findings, SEVERITY_REFUSAL, plan->to.version, RESOURCE,
			     "choose another kernel: segue check --kernel VERSION",
			     "in a guest, %s%s",
			     *console->panic ? "it panicked: " : "it ended early: ",
			     *console->panic ? console->panic : console->last);
}

static json_object *boot_describe(const Boot *boot)
{
	json_object *o = json_object_new_object();
	json_object *steps = boot->console.steps;

	json_put_bool(o, "done", boot->console.begun);
	json_put_string(o, "accelerator", boot->accelerator->name);
	json_put_int(o, "duration_us", clock_monotonic_us() - boot->begun_us);
	(void)json_object_object_add(o, "steps",
				     steps ? json_object_get(steps) : json_object_new_array());
	return o;
}

/* Until segue-init begins, what fails may be the accelerator. */
static int boot_run(Boot *boot, Error *err)
{
	size_t n = sizeof(accelerators) / sizeof(accelerators[0]);
	Error why = {0};
	int r = 0;

	for (size_t i = 0; i < n && !boot->console.begun; i++) {
		boot->accelerator = &accelerators[i];
		if (boot->accelerator->device && access(boot->accelerator->device, R_OK | W_OK) < 0)
			continue;
		guest_console_free(&boot->console);
		why = (Error){0};
		boot->guest.accelerator = boot->accelerator->qemu;
		boot->guest.limit_s = boot->accelerator->limit_s;
		boot->begun_us = clock_monotonic_us();
		r = guest_run(&boot->guest, &boot->console, &why);
		if (r == -EINTR)
			return error_set(err, r, "%s", why.text);
		if (r == -ETIMEDOUT && !boot->accelerator->device)
			break;
	}
	boot_judge(boot, r, &why);
	(void)json_object_object_add(boot->plan->rehearsal, "boot", boot_describe(boot));
	return 0;
}

int rehearsal_boot(Plan *plan, Error *err)
{
	Boot boot = {.plan = plan};
	_cleanup_free_ char *next = NULL, *cmdline = NULL;
	Error why = {0};
	int r;

	if (!is_possible(plan))
		return 0;
	rehearsal_tell("%s in a guest: building its initramfs", plan->to.version);
	r = initrd_make(plan, &next, &why);
	if (r == 0)
		r = guest_cmdline(next, &cmdline, &why);
	if (r < 0) {
		findings_add(plan->findings, SEVERITY_REFUSAL, plan->to.version, RESOURCE, NULL,
			     "%s", why.text);
		return 0;
	}
	boot.guest = (Guest){.image = plan->to.image,
			     .initrd = INITRD,
			     .cmdline = cmdline,
			     .go_on = boot_goes_on,
			     .userdata = &boot};
	r = boot_run(&boot, err);
	guest_console_free(&boot.console);
	(void)unlink(INITRD);
	return r;
}
