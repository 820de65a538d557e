/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/carry.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "swap/sockets.h"
#include "swap/tree.h"

/* What managers keep in /run about things that are still true after the jump. */
static const char *const system_paths[] = {
	"/run/network",                /* ifupdown: which interfaces are configured */
	"/run/systemd/netif",          /* systemd-networkd: leases and states */
	"/run/NetworkManager",         /* likewise */
	"/run/systemd/transient",      /* unit files of transient units */
	"/run/systemd/system.control", /* systemctl set-property --runtime */
	"/run/systemd/dynamic-uid",    /* DynamicUser=: which number is whose */
	"/run/systemd/inaccessible",   /* what InaccessiblePaths= mounts over things */
	"/run/resolvconf",
};

/* Filesystems where files in use need not be open: whatever belongs to the users of kept processes
 * is carried. */
static const char *const scratch_directories[] = {"/tmp", "/dev/shm", "/run"};

#define RUN "/run/"

/* In /run, what belongs to managers that make it anew, whoever has something open in there. */
static const char *const manager_directories[] = {"systemd", "udev", "user", "log", "segue"};

struct Carry {
	const MountTable *host;
	int dirfd;
	UnixSockets sockets;
	char **run_names; /* of what has been carried of /run, whole */
	size_t n_run_names;
	struct CarryMount {
		const Mount *mount;
		int from, to;
		char directory[32];
	} * mounts;
	size_t n;
};

int carry_new(const MountTable *host, int dirfd, Carry **ret, Error *err)
{
	Carry *carry = calloc(1, sizeof(*carry));
	int r;

	if (!carry)
		return error_errno(err, -ENOMEM, "Carrying files in memory");
	carry->host = host;
	carry->dirfd = dirfd;
	r = unix_sockets_read(&carry->sockets, err);
	if (r < 0) {
		free(carry);
		return r;
	}
	*ret = carry;
	return 0;
}

void carry_free(Carry *carry)
{
	for (size_t i = 0; carry && i < carry->n; i++) {
		(void)close(carry->mounts[i].from);
		(void)close(carry->mounts[i].to);
	}
	if (!carry)
		return;
	for (size_t i = 0; i < carry->n_run_names; i++)
		free(carry->run_names[i]);
	free(carry->run_names);
	unix_sockets_free(&carry->sockets);
	free(carry->mounts);
	free(carry);
}

static int carry_mount(Carry *carry, const Mount *mount, const struct CarryMount **ret, Error *err)
{
	struct CarryMount *more, *m;

	for (size_t i = 0; i < carry->n; i++) {
		if (carry->mounts[i].mount == mount) {
			*ret = &carry->mounts[i];
			return 0;
		}
	}
	more = realloc(carry->mounts, (carry->n + 1) * sizeof(*more));
	if (!more)
		return error_errno(err, -ENOMEM, "Carrying %s", mount->point);
	carry->mounts = more;
	m = &more[carry->n];
	*m = (struct CarryMount){.mount = mount};
	(void)snprintf(m->directory, sizeof(m->directory), "tmpfs-%zu", carry->n);
	if (mkdirat(carry->dirfd, m->directory, 0700) < 0)
		return error_errno(err, -errno, "Making directory %s", m->directory);
	m->from = path_open(mount->point, O_RDONLY | O_DIRECTORY, err);
	if (m->from < 0)
		return m->from;
	m->to = openat(carry->dirfd, m->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->to < 0) {
		(void)close(m->from);
		return error_errno(err, -errno, "Opening directory %s", m->directory);
	}
	carry->n++;
	*ret = m;
	return 0;
}

static int path_copy(Carry *carry, const char *path, int (*copy)(int, int, const char *, Error *),
		     Error *err)
{
	const Mount *mount = mounts_above(carry->host, path);
	const struct CarryMount *m;
	const char *relative;
	int r;

	if (!mount || !mount_is_memory(mount) || mount_is_left_out(mount))
		return 0;
	relative = path + strlen(mount->point);
	while (*relative == '/')
		relative++;
	if (!*relative)
		return 0;
	r = carry_mount(carry, mount, &m, err);
	if (r == 0)
		r = copy(m->from, m->to, relative, err);
	return r < 0 ? error_prefix(err, "Carrying %s", path) : 0;
}

int carry_path(Carry *carry, const char *path, Error *err)
{
	return path_copy(carry, path, tree_copy, err);
}

static bool run_name_is_left_out(const Carry *carry, const char *name)
{
	for (size_t i = 0; i < sizeof(manager_directories) / sizeof(manager_directories[0]); i++)
		if (!strcmp(name, manager_directories[i]))
			return true;
	for (size_t i = 0; i < carry->n_run_names; i++)
		if (!strcmp(name, carry->run_names[i]))
			return true;
	return false;
}

/* The directory of /run that a path is in, whole: what a program needs there, a file with its PID
 * for one, it need not have open. */
static int run_carry(Carry *carry, const char *path, Error *err)
{
	const char *name = text_has_prefix(path, RUN) ? path + strlen(RUN) : "";
	const char *end = strchr(name, '/');
	_cleanup_free_ char *whole = NULL;
	char **more, *copy;

	if (!end || end == name)
		return 0;
	copy = strndup(name, (size_t)(end - name));
	more = realloc(carry->run_names, (carry->n_run_names + 1) * sizeof(*more));
	if (more)
		carry->run_names = more;
	if (!copy || !more || run_name_is_left_out(carry, copy)) {
		bool is_left_out = copy && more;

		free(copy);
		return is_left_out ? 0 : error_errno(err, -ENOMEM, "Carrying %s", path);
	}
	carry->run_names[carry->n_run_names++] = copy;
	whole = text_format(RUN "%s", copy);
	return whole ? carry_path(carry, whole, err)
		     : error_errno(err, -ENOMEM, "Carrying %s", path);
}

/* A path as the process sees it is the host's path only if the same file is there. */
static int link_carry(Carry *carry, pid_t pid, const char *what, Error *err)
{
	_cleanup_free_ char *path = task_link(pid, what);
	char link[64];
	struct stat seen, host;
	int r;

	if (!path || path[0] != '/')
		return 0;
	(void)snprintf(link, sizeof(link), "/proc/%d/%s", (int)pid, what);
	if (stat(link, &seen) < 0 || lstat(path, &host) < 0 || seen.st_ino != host.st_ino ||
	    seen.st_dev != host.st_dev)
		return 0;
	r = run_carry(carry, path, err);
	return r < 0 ? r : path_copy(carry, path, tree_copy_entry, err);
}

static bool is_the_hosts(pid_t pid, const char *directory)
{
	_cleanup_free_ char *path = text_format("/proc/%d/root%s", (int)pid, directory);
	struct stat seen, host;

	return path && stat(path, &seen) == 0 && lstat(directory, &host) == 0 &&
	       seen.st_ino == host.st_ino && seen.st_dev == host.st_dev;
}

/* The directory of a bound socket; whoever binds it makes the socket.  As above, for the host's
 * paths only. */
static int socket_carry(Carry *carry, pid_t pid, int fd, Error *err)
{
	const UnixSocket *socket;
	char directory[sizeof(socket->name)], what[32], *slash;
	_cleanup_free_ char *link = NULL;
	uint32_t inode;
	int r;

	(void)snprintf(what, sizeof(what), "fd/%d", fd);
	link = task_link(pid, what);
	if (!link || sscanf(link, "socket:[%" SCNu32 "]", &inode) != 1)
		return 0;
	socket = unix_sockets_find(&carry->sockets, inode);
	if (!socket || socket->name[0] != '/')
		return 0;
	(void)snprintf(directory, sizeof(directory), "%s", socket->name);
	slash = strrchr(directory, '/');
	*slash = '\0';
	if (slash == directory || !is_the_hosts(pid, directory))
		return 0;
	r = run_carry(carry, socket->name, err);
	return r < 0 ? r : path_copy(carry, directory, tree_copy_entry, err);
}

static int fd_visit(pid_t pid, int fd, void *userdata, Error *err)
{
	char what[32];
	int r;

	(void)snprintf(what, sizeof(what), "fd/%d", fd);
	r = link_carry(userdata, pid, what, err);
	return r < 0 ? r : socket_carry(userdata, pid, fd, err);
}

static int maps_carry(Carry *carry, pid_t pid, Error *err)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;
	char path[64], what[96];

	(void)snprintf(path, sizeof(path), "/proc/%d/map_files", (int)pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		int r;

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(what, sizeof(what), "map_files/%.64s", entry->d_name);
		r = link_carry(carry, pid, what, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool uid_is_kept(const TaskList *tasks, uid_t uid)
{
	for (size_t i = 0; i < tasks->n; i++)
		if (tasks->tasks[i].uid == uid)
			return true;
	return false;
}

/* What users of kept processes own in a directory; in /run the superuser owns what is everybody's.
 */
static int owned_carry(Carry *carry, const TaskList *tasks, const char *directory, Error *err)
{
	bool with_root = strcmp(directory, "/run") != 0;
	_cleanup_closedir_ DIR *dir = opendir(directory);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *path = NULL;
		struct stat st;
		int r;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    text_has_prefix(entry->d_name, "systemd-private-") ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !uid_is_kept(tasks, st.st_uid) || (st.st_uid == 0 && !with_root))
			continue;
		path = text_format("%s/%s", directory, entry->d_name);
		r = path ? carry_path(carry, path, err) : error_errno(err, -ENOMEM, "Carrying");
		if (r < 0)
			return r;
	}
	return 0;
}

int carry_tasks(Carry *carry, const TaskList *tasks, Error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < tasks->n; i++) {
		pid_t pid = tasks->tasks[i].pid;

		r = task_each_fd(pid, fd_visit, carry, err);
		if (r == 0)
			r = link_carry(carry, pid, "cwd", err);
		if (r == 0)
			r = link_carry(carry, pid, "exe", err);
		if (r == 0)
			r = maps_carry(carry, pid, err);
	}
	for (size_t i = 0;
	     r == 0 && i < sizeof(scratch_directories) / sizeof(scratch_directories[0]); i++)
		r = owned_carry(carry, tasks, scratch_directories[i], err);
	return r;
}

int carry_system(Carry *carry, Error *err)
{
	for (size_t i = 0; i < sizeof(system_paths) / sizeof(system_paths[0]); i++) {
		int r = carry_path(carry, system_paths[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

json_object *carry_describe(const Carry *carry)
{
	json_object *list = json_object_new_array();

	for (size_t i = 0; i < carry->n; i++) {
		json_object *o = json_object_new_object();

		json_put_string(o, "point", carry->mounts[i].mount->point);
		json_put_string(o, "directory", carry->mounts[i].directory);
		(void)json_object_array_add(list, o);
	}
	return list;
}

int carry_restore(json_object *list, int dirfd, Error *err)
{
	for (size_t i = 0; i < json_length(list); i++) {
		json_object *o = json_object_array_get_idx(list, i);
		_cleanup_close_ int from = -1, to = -1;
		const char *point = "", *directory = "";
		struct stat st;
		int r = json_get_string(o, "point", &point, err);

		if (r == 0)
			r = json_get_string(o, "directory", &directory, err);
		if (r < 0)
			return r;
		from = openat(dirfd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		to = path_open(point, O_RDONLY | O_DIRECTORY, err);
		if (to < 0)
			return to;
		/* The copy's own top directory was made by us; the mount point keeps the owner and
		 * mode it has. */
		if (from < 0 || fstat(to, &st) < 0)
			return error_errno(err, -errno, "Opening %s for %s", directory, point);
		r = tree_copy(from, to, ".", err);
		if (r < 0)
			return error_prefix(err, "Bringing back %s", point);
		if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
			return error_errno(err, -errno, "Setting the mode of %s", point);
	}
	return 0;
}
