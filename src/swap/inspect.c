/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/inspect.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "swap/findings.h"
#include "swap/namespaces.h"

bool inspect_has_userns(pid_t pid)
{
	return namespace_differs(pid, 1, "user");
}

static uint64_t capability_set(pid_t pid, const char *name)
{
	_cleanup_free_ char *value = task_field(pid, "status", name);

	return value ? strtoull(value, NULL, 16) : ~0ULL;
}

static bool ids_are_identity(pid_t pid, const char *file)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	char *rest, *line;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	if (file_read(AT_FDCWD, path, &text, NULL, NULL) < 0)
		return false;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		unsigned inside, outside, n;

		if (sscanf(line, "%u %u %u", &inside, &outside, &n) == 3 && inside != outside)
			return false;
	}
	return true;
}

/* In the host's user namespace the process would be able to do no more than in its own. */
static bool is_powerless(pid_t pid)
{
	_cleanup_free_ char *no_new_privs = task_field(pid, "status", "NoNewPrivs");
	bool cannot_gain =
		capability_set(pid, "CapBnd") == 0 || (no_new_privs && *no_new_privs == '1');

	return capability_set(pid, "CapEff") == 0 && capability_set(pid, "CapPrm") == 0 &&
	       capability_set(pid, "CapInh") == 0 && capability_set(pid, "CapAmb") == 0 &&
	       cannot_gain && ids_are_identity(pid, "uid_map") && ids_are_identity(pid, "gid_map");
}

static void userns_inspect(const char *unit, pid_t pid, json_object *findings)
{
	if (!inspect_has_userns(pid))
		return;
	if (is_powerless(pid))
		findings_add(
			findings, SEVERITY_NOTE, unit, "user namespace", NULL,
			"PrivateUsers= is not carried: until its next restart the unit runs in the "
			"host's user namespace, where it has no capability and can gain none");
	else
		findings_add(findings, SEVERITY_REFUSAL, unit, "user namespace",
			     "run: segue keep --adapt UNIT, which sets PrivateUsers=no for it",
			     "its process %d has capabilities in a user namespace of its own "
			     "(PrivateUsers=), which cannot be carried",
			     (int)pid);
}

/* CRIU carries it with the IPC namespace that it is in, which is then part of one tree's images. */
static void shared_memory_inspect(const char *unit, const TaskList *tasks, const Task *task,
				  json_object *findings)
{
	if (!task_has_mapping(task->pid, SYSV_MEMORY))
		return;
	if (!namespace_differs(task->pid, 1, "ipc"))
		findings_add(findings, SEVERITY_REFUSAL, unit, "System V shared memory",
			     "run: segue keep --adapt UNIT, which sets PrivateIPC=yes for it",
			     "its processes have System V shared memory of the host attached");
	for (size_t i = 0; i < tasks->n; i++)
		if (tasks->tasks[i].root != task->root)
			findings_add(findings, SEVERITY_REFUSAL, unit, "IPC namespace",
				     "start the unit's programs from one parent",
				     "it has System V shared memory attached, and more than one "
				     "tree of processes");
}

static void confinement_inspect(const char *unit, pid_t pid, json_object *findings)
{
	_cleanup_free_ char *profile = NULL;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/attr/apparmor/current", (int)pid);
	if (file_read_line(AT_FDCWD, path, &profile, NULL) < 0 || !*profile ||
	    strcmp(profile, "unconfined") == 0)
		return;
	findings_add(
		findings, SEVERITY_REFUSAL, unit, "AppArmor",
		"disable the profile (aa-disable) and restart the unit",
		"its process %d is confined by the AppArmor profile %s, which is not loaded yet "
		"when it is restored",
		(int)pid, profile);
}

static void task_inspect(const char *unit, const TaskList *tasks, const Task *task,
			 json_object *findings)
{
	_cleanup_free_ char *tracer = task_field(task->pid, "status", "TracerPid");

	if (tracer && strcmp(tracer, "0") != 0)
		findings_add(findings, SEVERITY_REFUSAL, unit, "ptrace",
			     "end the debugger or strace that is attached",
			     "its process %d is traced by process %s", (int)task->pid, tracer);
	if (namespace_differs(task->pid, 1, "pid"))
		findings_add(
			findings, SEVERITY_REFUSAL, unit, "PID namespace",
			"carry the container with its engine's own checkpoint, or unkeep the unit",
			"its process %d has a PID namespace of its own, as containers do",
			(int)task->pid);
	else if (task->pid < PID_FIRST_KEPT)
		findings_add(
			findings, SEVERITY_REFUSAL, unit, "PID", "restart the unit once",
			"its process has PID %d, and PIDs below %d belong to the next kernel's own "
			"threads",
			(int)task->pid, PID_FIRST_KEPT);
	if (task->pid != task->root && namespace_differs(task->pid, task->root, "mnt"))
		findings_add(findings, SEVERITY_REFUSAL, unit, "mount namespace",
			     "stop the unit, or unkeep it",
			     "its processes %d and %d have different mount namespaces",
			     (int)task->root, (int)task->pid);
	userns_inspect(unit, task->pid, findings);
	shared_memory_inspect(unit, tasks, task, findings);
	confinement_inspect(unit, task->pid, findings);
}

void inspect_tasks(const char *unit, const TaskList *tasks, json_object *findings)
{
	for (size_t i = 0; i < tasks->n; i++)
		if (tasks->tasks[i].state != 'Z')
			task_inspect(unit, tasks, &tasks->tasks[i], findings);
}
