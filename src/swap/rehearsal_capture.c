/* SPDX-License-Identifier: Apache-2.0 */
/* check --deep: a capture of each unit, as the swap makes it, into the store. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/findings.h"
#include "swap/hook.h"
#include "swap/paths.h"
#include "swap/rehearsal.h"
#include "swap/warm.h"

#define UNIT_RESERVE ((int64_t)32 << 20) /* for what is captured beside memory */
#define UNIT_LIMIT_S 300
#define MEMORY_PER_S ((int64_t)20 << 20)
#define BLOCK_BYTES  512 /* of st_blocks */

typedef struct Rehearsal {
	Plan *plan;
	json_object *record; /* what there is to be undone; see rehearsal.h */
	int dirfd;
} Rehearsal;

static int record_save(const Rehearsal *rehearsal, Error *err)
{
	return json_write(AT_FDCWD, REHEARSAL_RECORD, rehearsal->record, err);
}

/* ---- the store ---- */

static int store_take(Rehearsal *rehearsal, Error *err)
{
	const Plan *plan = rehearsal->plan;
	int r;

	(void)json_object_object_add(rehearsal->record, "store", json_object_get(plan->location));
	r = record_save(rehearsal, err);
	return r < 0 ? r : plan->store->reserve(plan->location, &rehearsal->dirfd, err);
}

/* As the swap does. */
static int store_reserve(Rehearsal *rehearsal, Error *err)
{
	Plan *plan = rehearsal->plan;
	Error why = {0};
	int r = store_take(rehearsal, &why);

	if (r == 0)
		return 0;
	if (plan->store == &store_disk || plan->config.store != CONFIG_STORE_AUTO)
		return error_set(err, r, "%s", why.text);
	r = plan_choose_disk(plan, why.text, err);
	return r < 0 ? r : store_take(rehearsal, err);
}

static int store_release(Rehearsal *rehearsal, Error *err)
{
	const Plan *plan = rehearsal->plan;
	int r;

	cleanup_close(&rehearsal->dirfd);
	rehearsal->dirfd = -1;
	r = plan->store->wipe(plan->location, err);
	if (r == 0)
		r = store_rest(&plan->config, err);
	json_object_object_del(rehearsal->record, "store");
	return r < 0 ? r : record_save(rehearsal, err);
}

static int64_t space_free(int dirfd)
{
	struct statvfs vfs;

	return fstatvfs(dirfd, &vfs) < 0 ? 0 : (int64_t)vfs.f_bavail * (int64_t)vfs.f_frsize;
}

/* What the files below a directory take on the medium.  Closes `fd`. */
static int64_t directory_bytes(int fd)
{
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	int64_t bytes = 0;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		bytes += (int64_t)st.st_blocks * BLOCK_BYTES;
		if (S_ISDIR(st.st_mode))
			bytes += directory_bytes(
				openat(fd, entry->d_name,
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	}
	return bytes;
}

/* ---- a unit ---- */

static int hook_begin(Rehearsal *rehearsal, const KeptUnit *unit, Error *err)
{
	int r;

	json_put_string(rehearsal->record, "unit", unit->name);
	json_put_string(rehearsal->record, "post_thaw", unit->post_thaw);
	r = record_save(rehearsal, err);
	return r < 0 ? r : hook_run(unit->name, "PreFreeze=", unit->pre_freeze, HOOK_LIMIT_MS, err);
}

/* Also of a hook that failed half way. */
static int hook_end(Rehearsal *rehearsal, const KeptUnit *unit, Error *err)
{
	int r = hook_run(unit->name, "PostThaw=", unit->post_thaw, HOOK_LIMIT_MS, err);

	json_object_object_del(rehearsal->record, "post_thaw");
	return record_save(rehearsal, r < 0 ? NULL : err) < 0 || r < 0 ? err->code : 0;
}

/* Of this unit: the first thing that it holds by now and that stands in the way. */
static int findings_require(json_object *findings, const KeptUnit *unit, Error *err)
{
	for (size_t i = 0; i < json_length(findings); i++) {
		json_object *f = json_object_array_get_idx(findings, i);

		if (strcmp(json_opt_string(f, "subject", ""), unit->name) == 0 &&
		    strcmp(json_opt_string(f, "severity", ""), "refusal") == 0)
			return error_set(err, -EAGAIN, "%s: %s", json_opt_string(f, "resource", ""),
					 json_opt_string(f, "message", ""));
	}
	return 0;
}

/* While it stands still: as the swap's capture does. */
static int frozen_capture(Rehearsal *rehearsal, KeptUnit *unit, Error *err)
{
	_cleanup_json_ json_object *late = json_object_new_array();
	Plan *plan = rehearsal->plan;
	const KeptUnits one = {.units = unit, .n = 1};
	size_t number = (size_t)(unit - plan->kept.units);
	int r = capture_describe_unit(&plan->kept, number, &plan->mounts, rehearsal->dirfd, late,
				      err);

	if (r == 0)
		r = findings_require(late, unit, err);
	if (r == 0)
		r = capture_queues(&one, rehearsal->dirfd, err);
	return r < 0 ? r : capture_dump(&one, rehearsal->dirfd, err);
}

static int frozen_run(Rehearsal *rehearsal, KeptUnit *unit, int64_t *ret_freeze_us, Error *err)
{
	KeptUnits one = {.units = unit, .n = 1};
	int64_t begun_us = clock_monotonic_us();
	int r = capture_freeze(&one, err);

	if (r < 0)
		return r;
	r = frozen_capture(rehearsal, unit, err);
	capture_thaw(&one);
	*ret_freeze_us = clock_monotonic_us() - begun_us;
	return r;
}

static void warm_tell(unsigned round, int64_t bytes, const char *why, void *userdata)
{
	const KeptUnit *unit = userdata;

	if (!why)
		rehearsal_tell("capturing %s: round %u, %lld MiB copied while it runs", unit->name,
			       round, (long long)(bytes >> 20));
}

static void warm_copy(const Rehearsal *rehearsal, KeptUnit *unit)
{
	const KeptUnits one = {.units = unit, .n = 1};
	Warm *warm;

	if (!rehearsal->plan->config.warm || warm_new(&one, rehearsal->dirfd, &warm, NULL) < 0)
		return;
	warm_run(warm, warm_tell, unit);
	warm_free(warm);
}

/* Hooks are run where both are there: what PreFreeze= does is to be undone. */
static int unit_capture(Rehearsal *rehearsal, KeptUnit *unit, int64_t *ret_freeze_us, Error *err)
{
	bool hooks = unit->pre_freeze && unit->post_thaw;
	Error hook = {0};
	int r = 0;

	warm_copy(rehearsal, unit);
	if (hooks)
		r = hook_begin(rehearsal, unit, err);
	if (r == 0)
		r = frozen_run(rehearsal, unit, ret_freeze_us, err);
	if (hooks && hook_end(rehearsal, unit, &hook) < 0 && r == 0)
		r = error_set(err, hook.code, "%s", hook.text);
	return r;
}

static void unit_measure(const Rehearsal *rehearsal, const KeptUnit *unit, int64_t freeze_us,
			 json_object *units)
{
	json_object *o = json_object_new_object();

	json_put_int(o, "capture_bytes",
		     directory_bytes(openat(rehearsal->dirfd,
					    json_opt_string(unit->description, "directory", ""),
					    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)));
	json_put_int(o, "freeze_us", freeze_us);
	(void)json_object_object_add(units, unit->name, o);
}

/* It is killed if it hangs, and what it was in the middle of is undone by another. */
static unsigned unit_limit_s(const KeptUnit *unit)
{
	return UNIT_LIMIT_S + (unsigned)(kept_unit_memory(unit) / MEMORY_PER_S);
}

static void unit_rehearse(Rehearsal *rehearsal, KeptUnit *unit, json_object *units)
{
	int64_t need = kept_unit_memory(unit) + UNIT_RESERVE, freeze_us = 0;
	Error why = {0};
	int r = 0;

	rehearsal_tell("capturing %s", unit->name);
	(void)alarm(unit_limit_s(unit));
	if (space_free(rehearsal->dirfd) < need)
		r = error_set(&why, -ENOSPC, "its capture needs about %lld MiB of the store",
			      (long long)(need >> 20));
	if (r == 0)
		r = unit_capture(rehearsal, unit, &freeze_us, &why);
	if (r == 0)
		unit_measure(rehearsal, unit, freeze_us, units);
	else
		findings_add(rehearsal->plan->findings, SEVERITY_REFUSAL, unit->name, "rehearsal",
			     "stop the unit, or: segue unkeep it", "%s", why.text);
	/* Each has all the room. */
	(void)directory_remove(rehearsal->dirfd,
			       json_opt_string(unit->description, "directory", "-"), NULL);
	(void)alarm(0);
}

static int units_rehearse(Rehearsal *rehearsal, json_object *units, Error *err)
{
	Plan *plan = rehearsal->plan;

	for (size_t i = 0; i < plan->kept.n; i++) {
		KeptUnit *unit = &plan->kept.units[i];

		if (!rehearsal_goes_on())
			return error_set(err, -EINTR, "The rehearsal was interrupted");
		if (plan_awaits_hook(plan, unit) && !unit->post_thaw)
			findings_add(plan->findings, SEVERITY_WARNING, unit->name, "rehearsal",
				     "give it a PostThaw= hook",
				     "it was not captured: its PreFreeze= hook is run in the swap "
				     "only, since there is no PostThaw= to undo it");
		else
			unit_rehearse(rehearsal, unit, units);
	}
	return 0;
}

/* Captures that the last swap has left are all there is of their programs. */
static bool store_is_free(Plan *plan)
{
	if (!plan->store->holds(plan->location))
		return true;
	findings_add(plan->findings, SEVERITY_WARNING, "store", "rehearsal",
		     "the next swap makes room, and gives them up",
		     "no unit was captured: the store holds captures of the last swap, whose "
		     "programs could not be restored");
	return false;
}

static int record_begin(Rehearsal *rehearsal, Error *err)
{
	_cleanup_free_ char *boot_id = NULL;
	int r = file_read_line(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &boot_id, err);

	if (r < 0)
		return r;
	rehearsal->record = json_object_new_object();
	json_put_string(rehearsal->record, "boot_id", boot_id);
	return 0;
}

int rehearsal_capture(Plan *plan, Error *err)
{
	Rehearsal rehearsal = {.plan = plan, .dirfd = -1};
	json_object *units = json_object_new_object();
	Error why = {0};
	int r;

	(void)json_object_object_add(plan->rehearsal, "units", units);
	if (plan->kept.n == 0 || !store_is_free(plan))
		return 0;
	r = record_begin(&rehearsal, err);
	if (r < 0)
		return r;
	if (store_reserve(&rehearsal, &why) < 0)
		findings_add(plan->findings, SEVERITY_REFUSAL, "store", "rehearsal", NULL, "%s",
			     why.text);
	else
		r = units_rehearse(&rehearsal, units, err);
	/* What failed first is what is told. */
	why = (Error){0};
	if (store_release(&rehearsal, &why) < 0 && r == 0)
		r = error_set(err, why.code, "%s", why.text);
	(void)json_object_put(rehearsal.record);
	return r;
}
