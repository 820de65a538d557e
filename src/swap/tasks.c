/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/tasks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

void tasks_free(TaskList *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->tasks[i].cgroup);
	free(list->tasks);
	*list = (TaskList){0};
}

const Task *tasks_find(const TaskList *list, pid_t pid)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->tasks[i].pid == pid)
			return &list->tasks[i];
	return NULL;
}

/* 0, or -ESRCH if the process is gone. */
static int task_read(pid_t pid, Task *ret)
{
	_cleanup_free_ char *stat_text = NULL;
	char path[64];
	struct stat st;
	char *after;
	int ppid, pgid, sid;
	char state;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read(AT_FDCWD, path, &stat_text, NULL, NULL) < 0 || stat(path, &st) < 0)
		return -ESRCH;
	/* The name in parentheses may hold anything. */
	after = strrchr(stat_text, ')');
	if (!after || sscanf(after, ") %c %d %d %d", &state, &ppid, &pgid, &sid) != 4)
		return -ESRCH;
	*ret = (Task){.pid = pid,
		      .ppid = ppid,
		      .pgid = pgid,
		      .sid = sid,
		      .uid = st.st_uid,
		      .state = state};
	return 0;
}

static int task_append(TaskList *list, pid_t pid, const char *cgroup, Error *err)
{
	Task *more, task;

	if (task_read(pid, &task) < 0)
		return 0;
	more = realloc(list->tasks, (list->n + 1) * sizeof(*more));
	if (!more)
		return error_errno(err, -ENOMEM, "Reading the processes of %s", cgroup);
	list->tasks = more;
	task.cgroup = strdup(cgroup);
	if (!task.cgroup)
		return error_errno(err, -ENOMEM, "Reading the processes of %s", cgroup);
	list->tasks[list->n++] = task;
	return 0;
}

static int group_read(const char *cgroup, TaskList *list, Error *err)
{
	_cleanup_free_ char *directory = text_format("/sys/fs/cgroup%s", cgroup);
	_cleanup_free_ char *path = text_format("/sys/fs/cgroup%s/cgroup.procs", cgroup);
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_free_ char *text = NULL;
	struct dirent *entry;
	char *rest, *line;
	int r;

	if (!directory || !path)
		return error_errno(err, -ENOMEM, "Reading %s", cgroup);
	if (!path_exists(AT_FDCWD, path))
		return 0;
	r = file_read(AT_FDCWD, path, &text, NULL, err);
	if (r < 0)
		return r;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		r = *line ? task_append(list, (pid_t)strtol(line, NULL, 10), cgroup, err) : 0;
		if (r < 0)
			return r;
	}
	dir = opendir(directory);
	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *below = NULL;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		below = text_format("%s/%s", cgroup, entry->d_name);
		r = below ? group_read(below, list, err) : -ENOMEM;
		if (r < 0)
			return r;
	}
	return 0;
}

int tasks_read(const char *cgroup, TaskList *ret, Error *err)
{
	_cleanup_(tasks_free) TaskList list = {0};
	int r = group_read(cgroup, &list, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < list.n; i++) {
		const Task *top = &list.tasks[i], *parent;

		while ((parent = tasks_find(&list, top->ppid)))
			top = parent;
		list.tasks[i].root = top->pid;
	}
	*ret = list;
	list = (TaskList){0};
	return 0;
}

int task_each_fd(pid_t pid, int (*visit)(pid_t pid, int fd, void *userdata, Error *err),
		 void *userdata, Error *err)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : error_errno(err, -errno, "Opening %s", path);
	while ((entry = readdir(dir))) {
		int r;

		if (entry->d_name[0] == '.')
			continue;
		r = visit(pid, (int)strtol(entry->d_name, NULL, 10), userdata, err);
		if (r < 0)
			return r;
	}
	return 0;
}

char *task_link(pid_t pid, const char *what)
{
	char path[64], target[4096];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return NULL;
	target[n] = '\0';
	return strdup(target);
}

char *task_field(pid_t pid, const char *file, const char *key)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	char *rest, *line;
	size_t n = strlen(key);

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	if (file_read(AT_FDCWD, path, &text, NULL, NULL) < 0)
		return NULL;
	rest = text;
	while ((line = strsep(&rest, "\n")))
		if (strncmp(line, key, n) == 0 && line[n] == ':')
			return strdup(line + n + 1 + strspn(line + n + 1, " \t"));
	return NULL;
}

bool task_has_mapping(pid_t pid, const char *prefix)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	char *rest, *line;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	if (file_read(AT_FDCWD, path, &text, NULL, NULL) < 0)
		return false;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		const char *name = strchr(line, '/');

		if (name && text_has_prefix(name, prefix))
			return true;
	}
	return false;
}
