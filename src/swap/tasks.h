/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a control group and the trees that they form: CRIU captures a tree at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

typedef struct Task {
	pid_t pid, ppid, pgid, sid;
	uid_t uid;
	char state;   /* as in proc_pid_stat(5) */
	pid_t root;   /* the process at the top of its tree */
	char *cgroup; /* as in /proc/PID/cgroup: "/system.slice/redis-server.service" */
} Task;

typedef struct TaskList {
	Task *tasks;
	size_t n;
} TaskList;

/* All processes in a control group ("/system.slice/...") and below it.  A group that does not exist
 * has none. */
int tasks_read(const char *cgroup, TaskList *ret, Error *err);
void tasks_free(TaskList *list);

const Task *tasks_find(const TaskList *list, pid_t pid);

/* Calls `visit` with the number of each open descriptor of a process; stops at a negative return,
 * which it returns. */
int task_each_fd(pid_t pid, int (*visit)(pid_t pid, int fd, void *userdata, Error *err),
		 void *userdata, Error *err);

/* readlink() of /proc/PID/`what` ("fd/3", "cwd"), freed by the caller; NULL if it is gone. */
char *task_link(pid_t pid, const char *what);

/* Value of a line "KEY:\tVALUE" of /proc/PID/`file`, freed by the caller; NULL if there is none. */
char *task_field(pid_t pid, const char *file, const char *key);

/* What the names of mappings of System V shared memory begin with. */
#define SYSV_MEMORY "/SYSV"

/* True if the process has something mapped of which the name in proc_pid_maps(5) begins with
 * `prefix`, which begins with a slash. */
bool task_has_mapping(pid_t pid, const char *prefix);
