/* SPDX-License-Identifier: Apache-2.0 */
/* A swap from check to jump. What comes after the jump is in src/init/main.c and finish.c. */
#include "swap/swap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/worker.h"
#include "swap/findings.h"
#include "swap/hold.h"
#include "swap/hook.h"
#include "swap/hurry.h"
#include "swap/journal.h"
#include "swap/kexec.h"
#include "swap/network.h"
#include "swap/openfiles.h"
#include "swap/pending.h"
#include "swap/plan.h"
#include "swap/quiesce.h"
#include "swap/report.h"
#include "swap/rest.h"
#include "swap/seal.h"
#include "swap/settle.h"
#include "swap/stage.h"
#include "swap/warm.h"

typedef struct Swap {
	const SwapRequest *request;
	Journal *journal;
	Plan plan;
	ClockMark begun, frozen;
	int capture_fd;       /* directory of the captures, -1 before stage */
	Warm *warm;           /* what was copied in advance */
	json_object *running; /* units before settle */
	size_t n_told;        /* findings that are warnings of the journal */
	size_t n_hooked;      /* units whose PreFreeze= was run */
	bool was_in_hurry;
} Swap;

/* ---- the steps ---- */

/* Whatever is not told yet. */
static void findings_warn(Swap *swap)
{
	for (; swap->n_told < json_length(swap->plan.findings); swap->n_told++) {
		json_object *f = json_object_array_get_idx(swap->plan.findings, swap->n_told);
		_cleanup_free_ char *line = text_format("%s: %s", json_opt_string(f, "subject", ""),
							json_opt_string(f, "message", ""));

		if (line && strcmp(json_opt_string(f, "severity", ""), "refusal") != 0)
			journal_warn(swap->journal, line);
	}
}

static int step_check(Swap *swap, Error *err)
{
	_cleanup_free_ char *summary = NULL;
	int r = plan_make(swap->request, &swap->plan, err);

	if (r < 0)
		return r;
	json_put_string(journal_object(swap->journal), "to", swap->plan.to.version);
	json_put_int(journal_object(swap->journal), "health_timeout_s",
		     swap->plan.config.health_timeout_s);
	findings_warn(swap);
	if (!findings_refuse(swap->plan.findings))
		return 0;
	summary = findings_summary(swap->plan.findings);
	return error_set(err, -ECANCELED, "%s", summary ? summary : "refused");
}

/* Whoever undoes the swap has to know of it from the first thing that is done to it. */
static int store_take(Swap *swap, Error *err)
{
	int r;

	(void)json_object_object_add(journal_object(swap->journal), "store",
				     json_object_get(swap->plan.location));
	r = journal_save(swap->journal, err);
	return r < 0 ? r : swap->plan.store->reserve(swap->plan.location, &swap->capture_fd, err);
}

/* What is lent to the system may not be had back, though check thought so. */
static int store_reserve(Swap *swap, Error *err)
{
	Plan *plan = &swap->plan;
	Error why = {0};
	int r = store_take(swap, &why);

	if (r == 0)
		return 0;
	if (plan->store == &store_disk || plan->config.store != CONFIG_STORE_AUTO)
		return error_set(err, r, "%s", why.text);
	r = plan_choose_disk(plan, why.text, err);
	if (r < 0)
		return r;
	findings_warn(swap);
	return store_take(swap, err);
}

/* The store comes first: the next kernel is told where it is, and having memory back may leave too
 * little for a kernel. */
static int step_stage(Swap *swap, Error *err)
{
	int r = store_reserve(swap, err);

	return r < 0 ? r
		     : stage_build(&swap->plan,
				   json_opt_string(journal_object(swap->journal), "id", ""), err);
}

static void warm_tell(unsigned round, int64_t bytes, const char *why, void *userdata)
{
	Swap *swap = userdata;
	_cleanup_free_ char *text =
		why ? text_format("Copying memory in advance: %s", why)
		    : text_format("round %u: %lld MiB copied while the programs run", round,
				  (long long)(bytes >> 20));

	if (why && text)
		journal_warn(swap->journal, text);
	else if (text)
		journal_progress(swap->journal, text);
	if (!why)
		(void)json_object_array_add(
			json_opt_array(journal_object(swap->journal), "warm_bytes"),
			json_object_new_int64(bytes));
}

static int step_warm(Swap *swap, Error *err)
{
	json_object *journal = journal_object(swap->journal), *findings = json_object_new_array();
	int r;

	(void)json_object_object_add(journal, "warm_bytes", json_object_new_array());
	r = capture_describe(&swap->plan.kept, &swap->plan.mounts, -1, findings, err);
	(void)json_object_put(findings);
	if (r == 0)
		r = warm_new(&swap->plan.kept, swap->capture_fd, &swap->warm, err);
	if (r == 0 && swap->plan.config.warm)
		warm_run(swap->warm, warm_tell, swap);
	return r;
}

/* Other machines are to jump at that time, too.  Programs go on meanwhile. */
static void others_await(const Swap *swap)
{
	int64_t left_us;

	while ((left_us = swap->request->jump_at_s * 1000000 - clock_realtime_us()) > 0) {
		const struct timespec pause = {.tv_sec = left_us / 1000000,
					       .tv_nsec = left_us % 1000000 * 1000};

		(void)nanosleep(&pause, NULL);
	}
}

static int step_settle(Swap *swap, Error *err)
{
	int r = settle_list(&swap->running, err);

	if (r < 0)
		return r;
	/* On the disk before the first is stopped, for whoever finds this swap abandoned. */
	(void)json_object_object_add(journal_object(swap->journal), "stopped",
				     json_object_get(swap->running));
	r = journal_save(swap->journal, err);
	if (r == 0)
		r = settle_run(&swap->plan.kept, swap->running, err);
	if (r == 0)
		others_await(swap);
	return r;
}

static int hooks_run(Swap *swap, Error *err)
{
	const KeptUnits *kept = &swap->plan.kept;
	int r = 0;

	for (; r == 0 && swap->n_hooked < kept->n; swap->n_hooked++) {
		const KeptUnit *unit = &kept->units[swap->n_hooked];

		r = hook_run(unit->name, "PreFreeze=", unit->pre_freeze, HOOK_LIMIT_MS, err);
	}
	return r;
}

static int step_freeze(Swap *swap, Error *err)
{
	int r = hooks_run(swap, err);

	if (r < 0)
		return r;
	/* What is on its way to the disk now has not to be waited for when the programs stand
	 * still. */
	sync();
	/* Settling took its time. */
	if (swap->plan.config.warm)
		warm_again(swap->warm, warm_tell, swap);
	r = fault_point("freeze-hold", err);
	if (r < 0)
		return r;
	swap->was_in_hurry = hurry(true);
	swap->frozen = clock_mark();
	json_put_int(journal_object(swap->journal), "frozen_us", swap->frozen.realtime_us);
	r = hold_raise_input(err);
	if (r < 0)
		return r;
	/* criu leaves out a connection that waits to be accepted. */
	hold_drain();
	r = capture_freeze(&swap->plan.kept, err);
	if (r == 0)
		r = hold_raise(err);
	return r < 0 ? r : fault_point("freeze-units", err);
}

static int network_capture(int capture_fd, Error *err)
{
	_cleanup_close_ int fd = -1;
	int r = fault_point("capture-network", err);

	if (r < 0)
		return r;
	if (mkdirat(capture_fd, "network", 0700) < 0)
		return error_errno(err, -errno, "Making directory network");
	fd = openat(capture_fd, "network", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? error_errno(err, -errno, "Opening directory network")
		      : network_save(fd, err);
}

static int network_work(void *userdata, Error *err)
{
	const Swap *swap = userdata;

	return network_capture(swap->capture_fd, err);
}

/* The network is captured by another process, on another processor if there is one. */
static int capture_all(Swap *swap, Error *err)
{
	Worker network;
	int r = worker_start(&network, network_work, swap, err);

	if (r < 0)
		return r;
	r = capture_dump(&swap->plan.kept, swap->capture_fd, err);
	return worker_join(&network, r, -1, err);
}

static int header_make(const Swap *swap, json_object **ret, Error *err)
{
	json_object *o;
	int64_t private;

	if (getrandom(&private, sizeof(private), 0) != sizeof(private))
		return error_errno(err, -EIO, "Asking for a random number");
	o = json_object_new_object();
	json_put_int(o, "private", private);
	json_put_string(o, "id", json_opt_string(journal_object(swap->journal), "id", ""));
	json_put_string(o, "from", swap->plan.from.version);
	json_put_string(o, "to", swap->plan.to.version);
	json_put_int(o, "frozen_us", swap->frozen.realtime_us);
	json_put_int(o, "frozen_tsc", swap->frozen.tsc);
	json_put_int(o, "tsc_hz", clock_tsc_hz(swap->begun, swap->frozen));
	*ret = o;
	return 0;
}

/* For a boot that comes in between: only captures on a disk outlive it. */
static int openfiles_note_all(const Swap *swap, json_object *header, Error *err)
{
	const KeptUnits *kept = &swap->plan.kept;
	json_object *files;
	int r;

	if (swap->plan.store != &store_disk)
		return 0;
	r = openfiles_note_boot(&swap->plan.mounts, &files, err);
	if (r == 0)
		(void)json_object_object_add(header, "openfiles", files);
	for (size_t i = 0; r == 0 && i < kept->n; i++) {
		r = openfiles_note(&kept->units[i].tasks, &swap->plan.mounts, &files, err);
		if (r < 0)
			return error_prefix(err, "%s", kept->units[i].name);
		(void)json_object_object_add(kept->units[i].description, "openfiles", files);
	}
	return r;
}

/* From here on the next boot restores them, whatever ends this one. */
static int pending_arm(const Swap *swap, Error *err)
{
	return swap->plan.store == &store_disk ? pending_mark(PENDING_FILE, PENDING_ARMED, err) : 0;
}

static int step_capture(Swap *swap, Error *err)
{
	_cleanup_json_ json_object *header = NULL, *late = json_object_new_array();
	KeptUnits *kept = &swap->plan.kept;
	int r = header_make(swap, &header, err);

	if (r == 0)
		r = capture_describe(kept, &swap->plan.mounts, swap->capture_fd, late, err);
	/* Something may have come up since check; better to call off than to lose it. */
	if (r == 0 && findings_refuse(late)) {
		_cleanup_free_ char *summary = findings_summary(late);

		r = error_set(err, -EAGAIN, "%s", summary ? summary : "refused");
	}
	if (r == 0 && swap->plan.config.lazy)
		capture_choose_lazy(kept);
	if (r == 0)
		r = capture_queues(kept, swap->capture_fd, err);
	if (r == 0)
		r = capture_all(swap, err);
	if (r == 0)
		r = openfiles_note_all(swap, header, err);
	if (r == 0)
		r = capture_finish(kept, &swap->plan.mounts, swap->capture_fd, header, err);
	if (r == 0)
		r = seal_write(swap->capture_fd, err);
	if (r == 0)
		r = swap->plan.store->seal(swap->plan.location, swap->capture_fd, err);
	fault_file("capture-sealed", swap->capture_fd, CAPTURE_FILE);
	return r < 0 ? r : pending_arm(swap, err);
}

/* What adoption needs to know in the next boot. */
static json_object *units_for_journal(const KeptUnits *kept)
{
	static const char *const members[] = {"unit",      "kind",      "cgroup",  "main_pid",
					      "tasks",     "datagrams", "sockets", "health_check",
					      "post_thaw", "properties"};
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < kept->n; i++) {
		json_object *unit = json_object_new_object();

		for (size_t j = 0; j < sizeof(members) / sizeof(members[0]); j++) {
			json_object *value;

			if (json_object_object_get_ex(kept->units[i].description, members[j],
						      &value))
				(void)json_object_object_add(unit, members[j],
							     json_object_get(value));
		}
		(void)json_object_array_add(list, unit);
	}
	return list;
}

static int step_jump(Swap *swap, Error *err)
{
	_cleanup_(mounts_free) MountTable mounts = {0};
	int r = mounts_read(0, &mounts, err);

	if (r == 0)
		r = fault_point("jump-filesystems", err);
	/* From here on nothing may have to be read from a filesystem or written to one. */
	if (r == 0)
		r = filesystems_freeze(&mounts, err);
	if (r < 0)
		return r;
	r = fault_point("jump-kernel", err);
	if (r == 0)
		r = kexec_jump(err);
	filesystems_thaw(&mounts);
	return r;
}

/* `limit_s`: a step that takes longer hangs.  Then this process is killed, and what it was in the
 * middle of is undone by another (swap_finish()).  Hooks and memory take their time on top. */
static const struct Step {
	SwapState state;
	unsigned limit_s;
	int (*run)(Swap *swap, Error *err);
} steps[] = {
	{SWAP_CHECK, 900, step_check},   {SWAP_STAGE, 600, step_stage},
	{SWAP_WARM, 3600, step_warm},    {SWAP_SETTLE, 900, step_settle},
	{SWAP_FREEZE, 120, step_freeze}, {SWAP_CAPTURE, 120, step_capture},
	{SWAP_JUMP, 60, step_jump},
};

#define UNDO_LIMIT_S 300
#define MEMORY_PER_S ((int64_t)20 << 20)

static unsigned step_limit_s(const Swap *swap, const struct Step *step)
{
	unsigned limit = step->limit_s;

	for (size_t i = 0; i < swap->plan.kept.n; i++) {
		limit += (unsigned)(kept_unit_memory(&swap->plan.kept.units[i]) / MEMORY_PER_S);
		if (swap->plan.kept.units[i].pre_freeze)
			limit += HOOK_LIMIT_MS / 1000;
	}
	return limit;
}

/* ---- calling off ---- */

/* What PreFreeze= has done, or begun, is undone by PostThaw=, on whatever kernel. */
static void hooks_undo(Swap *swap)
{
	for (size_t i = 0; i < swap->n_hooked; i++) {
		const KeptUnit *unit = &swap->plan.kept.units[i];
		Error why = {0};

		if (hook_run(unit->name, "PostThaw=", unit->post_thaw, HOOK_LIMIT_MS, &why) < 0)
			journal_warn(swap->journal, why.text);
	}
}

/* Programs that stood still for nothing stood still all the same. */
static void blackout_tell(const Swap *swap)
{
	int64_t tsc_hz = clock_tsc_hz(swap->begun, swap->frozen);

	if (swap->frozen.realtime_us > 0)
		json_put_int(journal_object(swap->journal), "blackout_us",
			     clock_since_mark_us(swap->frozen, tsc_hz));
}

/* Undoes every step up to `reached`, the latest first. */
static void swap_undo(Swap *swap, SwapState reached)
{
	(void)alarm(UNDO_LIMIT_S);
	(void)fault_point("undo", NULL);
	/* Before any program runs on. */
	if (reached >= SWAP_CAPTURE)
		(void)pending_mark(PENDING_FILE, PENDING_ENDED, NULL);
	if (reached >= SWAP_FREEZE) {
		capture_thaw(&swap->plan.kept);
		(void)hold_lower(NULL);
		(void)hurry(swap->was_in_hurry);
		blackout_tell(swap);
		hooks_undo(swap);
	}
	if (reached >= SWAP_SETTLE)
		settle_undo(swap->running);
	if (swap->plan.store &&
	    json_object_object_get_ex(journal_object(swap->journal), "store", NULL)) {
		cleanup_close(&swap->capture_fd);
		swap->capture_fd = -1;
		(void)swap->plan.store->wipe(swap->plan.location, NULL);
		captures_rest(swap->journal);
	}
	if (reached >= SWAP_STAGE)
		stage_undo();
}

static int step_run(Swap *swap, const struct Step *step, Error *err)
{
	int r = 0;

	(void)alarm(step_limit_s(swap, step));
	if (step->state != SWAP_CHECK) {
		json_object *journal = journal_object(swap->journal);

		/* Before the first unit is frozen it is on the disk which are to be thawed; before
		 * the jump, as they were captured. */
		if (step->state == SWAP_FREEZE || step->state == SWAP_JUMP)
			(void)json_object_object_add(journal, "units",
						     units_for_journal(&swap->plan.kept));
		r = journal_enter(swap->journal, step->state, err);
	}
	if (r == 0)
		r = fault_point(swap_states[step->state].name, err);
	return r < 0 ? r : step->run(swap, err);
}

int swap_run(const SwapRequest *request, Error *err)
{
	_cleanup_journal_ Journal *journal = NULL;
	_cleanup_free_ char *running = NULL;
	Swap swap = {.request = request, .capture_fd = -1, .begun = clock_mark()};
	Error why = {0};
	int r = kernel_running(&running);

	if (r < 0)
		return error_errno(err, r, "Asking for the running kernel");
	r = journal_begin(running, request->kernel ? request->kernel : "", &journal, err);
	if (r < 0)
		return r;
	swap.journal = journal;
	json_put_int(journal_object(journal), "worker_pid", getpid());
	/* The frozen part must not wait for a page of this program or for memory. */
	(void)mlockall(MCL_CURRENT);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		r = step_run(&swap, &steps[i], &why);
		if (r == 0)
			continue;
		swap_undo(&swap, steps[i].state);
		(void)journal_end(journal,
				  steps[i].state == SWAP_CHECK ? SWAP_REFUSED : SWAP_CALLED_OFF,
				  &why, NULL);
		(void)report_write(journal_object(journal), NULL);
		break;
	}
	warm_free(swap.warm);
	plan_free(&swap.plan);
	(void)json_object_put(swap.running);
	return error_set(err, r, "%s", why.text);
}
