/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/faults.h"

#include <string.h>

#include "base/json.h"

enum {
	ERROR = 1U << FAULT_ERROR,
	IO = 1U << FAULT_IO,
	FULL = 1U << FAULT_FULL,
	MEMORY = 1U << FAULT_NO_MEMORY,
	CRASH = 1U << FAULT_CRASH,
	DAEMON = 1U << FAULT_DAEMON,
	HANG = 1U << FAULT_HANG,
	PANIC = 1U << FAULT_PANIC,
	POWER = 1U << FAULT_POWER,
	TRUNCATE = 1U << FAULT_TRUNCATE,
	FLIP = 1U << FAULT_FLIP,
};

#define STEP   "swap/swap.c", "step_run"
#define LAND   "init/main.c", "steps"
#define RECORD "swap/journal.c", "transition_visit"

const FaultPoint fault_points[] = {
	{"check", SWAP_CHECK, STEP, ERROR | MEMORY | CRASH | HANG, END_REFUSED},
	{"check-trial", SWAP_CHECK, "swap/check.c", "trial_capture", ERROR | FULL | CRASH | HANG,
	 END_REFUSED},

	{"stage", SWAP_STAGE, STEP, ERROR | MEMORY | CRASH | DAEMON | HANG, END_CALLED_OFF},
	{"store-reserve", SWAP_STAGE, "store/disk.c", "disk_reserve", IO | FULL, END_CALLED_OFF},
	{"stage-initramfs", SWAP_STAGE, "swap/stage.c", "initrd_build", IO | FULL, END_CALLED_OFF},
	{"stage-kernel", SWAP_STAGE, "swap/stage.c", "stage_build", ERROR | MEMORY | CRASH,
	 END_CALLED_OFF},

	{"journal-warm", SWAP_WARM, RECORD, IO | FULL, END_CALLED_OFF},
	{"warm", SWAP_WARM, STEP, ERROR | MEMORY | CRASH | DAEMON | HANG, END_CALLED_OFF},
	{"warm-round", SWAP_WARM, "swap/warm.c", "tree_round", IO | FULL | MEMORY, END_GOES_ON},
	{"warm-criu", SWAP_WARM, "swap/criu.c", "faults_visit", CRASH, END_GOES_ON},

	{"settle", SWAP_SETTLE, STEP, ERROR | CRASH | DAEMON | HANG | POWER, END_CALLED_OFF},
	{"settle-isolate", SWAP_SETTLE, "swap/settle.c", "settle_run", ERROR | CRASH,
	 END_CALLED_OFF},

	{"journal-freeze", SWAP_FREEZE, RECORD, IO | FULL | TRUNCATE | FLIP, END_CALLED_OFF},
	{"freeze", SWAP_FREEZE, STEP, ERROR | MEMORY | CRASH | DAEMON | HANG, END_CALLED_OFF},
	{"freeze-hold", SWAP_FREEZE, "swap/swap.c", "step_freeze", ERROR, END_CALLED_OFF},
	{"freeze-units", SWAP_FREEZE, "swap/swap.c", "step_freeze", ERROR | CRASH | HANG | PANIC,
	 END_CALLED_OFF},

	{"journal-capture", SWAP_CAPTURE, RECORD, IO | FULL | TRUNCATE | FLIP, END_CALLED_OFF},
	{"capture", SWAP_CAPTURE, STEP, ERROR | MEMORY | CRASH | DAEMON | HANG | POWER,
	 END_CALLED_OFF},
	{"capture-queues", SWAP_CAPTURE, "swap/dump.c", "capture_queues", ERROR, END_CALLED_OFF},
	{"capture-criu", SWAP_CAPTURE, "swap/criu.c", "faults_visit", CRASH | HANG, END_CALLED_OFF},
	{"capture-images", SWAP_CAPTURE, "swap/dump.c", "tree_dump", IO | FULL | CRASH,
	 END_CALLED_OFF},
	{"capture-network", SWAP_CAPTURE, "swap/swap.c", "network_capture", ERROR | FULL,
	 END_CALLED_OFF},
	{"capture-finish", SWAP_CAPTURE, "swap/capture.c", "capture_finish", ERROR | FULL | MEMORY,
	 END_CALLED_OFF},
	{"capture-sealed", SWAP_CAPTURE, "swap/swap.c", "step_capture", TRUNCATE | FLIP,
	 END_AFRESH},
	{"store-seal", SWAP_CAPTURE, "store/disk.c", "disk_seal", IO | FULL | HANG, END_CALLED_OFF},

	{"journal-jump", SWAP_JUMP, RECORD, IO | FULL | TRUNCATE | FLIP, END_CALLED_OFF},
	{"jump", SWAP_JUMP, STEP, ERROR | CRASH | DAEMON | HANG | POWER, END_CALLED_OFF},
	{"jump-filesystems", SWAP_JUMP, "swap/swap.c", "step_jump", ERROR | CRASH, END_CALLED_OFF},
	{"jump-kernel", SWAP_JUMP, "swap/swap.c", "step_jump", ERROR | CRASH | HANG,
	 END_CALLED_OFF},

	{"land-handover", SWAP_LAND, LAND, ERROR | PANIC, END_RETURNED},
	{"land-pids", SWAP_LAND, LAND, ERROR, END_RETURNED},
	{"land-modules", SWAP_LAND, LAND, ERROR | POWER, END_RETURNED},
	{"land-root", SWAP_LAND, LAND, IO | HANG, END_RETURNED},
	{"land-filesystems", SWAP_LAND, LAND, IO, END_RETURNED},
	{"land-journal", SWAP_LAND, LAND, ERROR | CRASH | PANIC, END_RETURNED},
	{"journal-land", SWAP_LAND, RECORD, FULL, END_RETURNED},
	{"land-other-modules", SWAP_LAND, LAND, ERROR, END_RETURNED},
	{"land-store", SWAP_LAND, LAND, IO | HANG, END_RETURNED},
	{"store-find", SWAP_LAND, "store/disk.c", "disk_find", IO, END_RETURNED},

	{"restore-machine", SWAP_RESTORE, LAND, ERROR | HANG | POWER, END_RETURNED},
	{"restore-network", SWAP_RESTORE, "swap/restore.c", "network_work", ERROR | CRASH | HANG,
	 END_RETURNED},
	{"restore-units", SWAP_RESTORE, LAND, ERROR | MEMORY | CRASH | HANG | PANIC | POWER,
	 END_RETURNED},
	{"restore-criu", SWAP_RESTORE, "swap/criu.c", "faults_visit", CRASH | HANG, END_RETURNED},
	{"restore-adopt", SWAP_RESTORE, LAND, ERROR | FULL, END_RETURNED},
	{"return-kernel", SWAP_RESTORE, "init/main.c", "back_jump", ERROR, END_RETURNED},
	{"restore-thaw", SWAP_RESTORE, LAND, PANIC | POWER, END_RETURNED},
	{"boot-jump", SWAP_RESTORE, "init/boot.c", "kernel_start", ERROR | POWER, END_AFRESH},

	{"adopt", SWAP_ADOPT, "swap/finish.c", "landed_finish", CRASH | DAEMON | HANG | POWER,
	 END_GOES_ON},
	{"adopt-unit", SWAP_ADOPT, "swap/adopt_finish.c", "adopt_finish", ERROR, END_STAYED},

	{"journal-confirm", SWAP_CONFIRM, RECORD, IO | FULL | TRUNCATE, END_STAYED},
	{"confirm", SWAP_CONFIRM, "swap/finish.c", "landed_finish",
	 ERROR | CRASH | DAEMON | PANIC | POWER, END_STAYED},
	{"store-wipe", SWAP_CONFIRM, "store/disk.c", "disk_wipe", IO, END_GOES_ON},

	{"undo", SWAP_CALLED_OFF, "swap/swap.c", "swap_undo", CRASH | HANG, END_CALLED_OFF},
	{"undo-abandoned", SWAP_CALLED_OFF, "swap/finish.c", "abandoned_undo", CRASH,
	 END_CALLED_OFF},
};

const size_t fault_points_n = sizeof(fault_points) / sizeof(fault_points[0]);

const char *const fault_ends[FAULT_ENDS] = {
	[END_REFUSED] = "refused",   [END_CALLED_OFF] = "called-off", [END_GOES_ON] = "goes on",
	[END_RETURNED] = "returned", [END_STAYED] = "stayed",         [END_AFRESH] = "afresh",
};

static bool ends_machine(const FaultPoint *point, FaultKind kind)
{
	return kind == FAULT_PANIC || kind == FAULT_POWER ||
	       (kind == FAULT_CRASH && strcmp(point->file, "init/main.c") == 0);
}

/* From the jump until the programs run again the next boot restores them. */
FaultEnd fault_end(const FaultPoint *point, FaultKind kind)
{
	if (!ends_machine(point, kind) || point->end == END_AFRESH)
		return point->end;
	return point->step >= SWAP_JUMP && point->step <= SWAP_RESTORE ? END_RETURNED : END_AFRESH;
}

json_object *faults_describe(void)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < fault_points_n; i++)
		for (int kind = 0; kind < FAULT_KINDS; kind++) {
			json_object *o;

			if (!(fault_points[i].kinds & 1U << kind))
				continue;
			o = json_object_new_object();
			json_put_string(o, "name", fault_points[i].name);
			json_put_string(o, "step", swap_states[fault_points[i].step].name);
			json_put_string(o, "kind", fault_kinds[kind]);
			json_put_string(o, "end",
					fault_ends[fault_end(&fault_points[i], (FaultKind)kind)]);
			(void)json_object_array_add(list, o);
		}
	return list;
}
