/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/namespaces.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "swap/tasks.h"
#include "swap/tree.h"

#define STAGE "/run/segue/stage" /* where a mount namespace is put together */

/* In the order in which they are entered: the mount namespace last, since /proc may look otherwise
 * there. */
static const struct NamespaceKind {
	const char *name;
	int flag;
} kinds[] = {
	{"uts", CLONE_NEWUTS},       {"ipc", CLONE_NEWIPC},   {"net", CLONE_NEWNET},
	{"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME}, {"mnt", CLONE_NEWNS},
};
#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

static int namespace_stat(pid_t pid, const char *name, struct stat *st)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	return stat(path, st);
}

bool namespace_differs(pid_t pid, pid_t other, const char *name)
{
	struct stat a, b;

	return namespace_stat(pid, name, &a) == 0 && namespace_stat(other, name, &b) == 0 &&
	       (a.st_ino != b.st_ino || a.st_dev != b.st_dev);
}

/* ---- before the jump ---- */

/* Opens the root of a mount as the process sees it, and nothing else: by its name something may be
 * found that was put there since. */
static int mount_open(pid_t pid, const Mount *mount, Error *err)
{
	_cleanup_free_ char *root = text_format("/proc/%d/root", (int)pid);
	_cleanup_close_ int top = root ? open(root, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1, fd = -1;
	const char *below = mount->point + strspn(mount->point, "/");
	struct statx stx;

	if (top < 0)
		return error_errno(err, root ? -errno : -ENOMEM, "Opening %s", mount->point);
	fd = path_open_below(top, *below ? below : ".", O_RDONLY | O_DIRECTORY, err);
	if (fd < 0)
		return error_prefix(err, "Saving %s of process %d", mount->point, (int)pid);
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 || stx.stx_mnt_id != mount->id)
		return error_set(err, -ESTALE, "Saving %s of process %d: it is mounted anew",
				 mount->point, (int)pid);
	return steal_fd(&fd);
}

static int content_copy(pid_t pid, const Mount *mount, int content_fd, const char *name, Error *err)
{
	_cleanup_close_ int from = mount_open(pid, mount, err), to = -1;

	if (from < 0)
		return from;
	if (mkdirat(content_fd, name, 0700) < 0)
		return error_errno(err, -errno, "Making directory %s", name);
	to = openat(content_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (to < 0)
		return error_errno(err, -errno, "Opening directory %s", name);
	return tree_copy(from, to, ".", err);
}

static bool is_socket(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static int mounts_describe(pid_t pid, const MountTable *host, int content_fd, json_object **ret,
			   Error *err)
{
	_cleanup_json_ json_object *list = json_object_new_array();
	_cleanup_(mounts_free) MountTable table = {0};
	int r = mounts_read(pid, &table, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < table.n; i++) {
		const Mount *m = &table.mounts[i];
		_cleanup_free_ char *from = NULL, *inside = NULL;
		json_object *o;

		if (mount_is_left_out(m))
			continue;
		from = mount_find_source(host, m);
		o = mount_describe(m);
		(void)json_object_array_add(list, o);
		inside = from ? NULL : mount_find_inside(&table, i);
		if (from) {
			json_put_string(o, "from", from);
			json_put_bool(o, "socket", is_socket(from));
		} else if (inside) {
			json_put_string(o, "inside", inside);
		} else if (mount_is_memory(m) && content_fd >= 0) {
			char name[32];

			(void)snprintf(name, sizeof(name), "mount-%zu", i);
			json_put_string(o, "content", name);
			r = content_copy(pid, m, content_fd, name, err);
			if (r < 0)
				return r;
		}
	}
	*ret = steal_ptr(&list);
	return 0;
}

/* Host name of another UTS namespace.  setns(2) acts on the calling thread only, but segue's worker
 * has one thread and needs its own namespace again: a child looks. */
static int hostname_read(pid_t pid, char *name, size_t size, Error *err)
{
	_cleanup_close_ int fd = -1;
	char path[64];
	int pipe_fds[2], status = 0;
	pid_t child;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/uts", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "Opening %s", path);
	child = fork();
	if (child == 0) {
		char text[65] = "";

		if (setns(fd, CLONE_NEWUTS) < 0 || gethostname(text, sizeof(text) - 1) < 0 ||
		    write(pipe_fds[1], text, strlen(text)) < 0)
			_exit(1);
		_exit(0);
	}
	(void)close(pipe_fds[1]);
	n = child < 0 ? -1 : read(pipe_fds[0], name, size - 1);
	(void)close(pipe_fds[0]);
	if (child > 0)
		(void)waitpid(child, &status, 0);
	if (n < 0 || status != 0)
		return error_set(err, -EIO, "Reading the host name of process %d", (int)pid);
	name[n] = '\0';
	return 0;
}

/* What the clocks of a process show: the machine's plus the offsets of its time namespace
 * (time_namespaces(7)). */
static int clocks_describe(pid_t pid, json_object *o, Error *err)
{
	_cleanup_free_ char *text = NULL;
	int64_t monotonic = clock_monotonic_us(), boottime = clock_boottime_us();
	char path[64];
	char *rest, *line;
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/timens_offsets", (int)pid);
	r = file_read(AT_FDCWD, path, &text, NULL, err);
	if (r < 0)
		return r;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		char clock[16];
		long long s, ns;

		if (sscanf(line, "%15s %lld %lld", clock, &s, &ns) != 3)
			continue;
		if (strcmp(clock, "monotonic") == 0)
			monotonic += s * 1000000 + ns / 1000;
		else if (strcmp(clock, "boottime") == 0)
			boottime += s * 1000000 + ns / 1000;
	}
	json_put_int(o, "monotonic_us", monotonic);
	json_put_int(o, "boottime_us", boottime);
	return 0;
}

int namespaces_describe(pid_t pid, const MountTable *host, int content_fd, json_object **ret,
			Error *err)
{
	_cleanup_json_ json_object *o = json_object_new_object();
	static const char *const plain[] = {"ipc", "net", "cgroup"};
	json_object *mounts = NULL;
	char hostname[65];
	int r;

	if (namespace_differs(pid, 1, "mnt")) {
		r = mounts_describe(pid, host, content_fd, &mounts, err);
		if (r < 0)
			return r;
		(void)json_object_object_add(o, "mnt", mounts);
	}
	if (namespace_differs(pid, 1, "uts")) {
		r = hostname_read(pid, hostname, sizeof(hostname), err);
		if (r < 0)
			return r;
		json_put_string(o, "uts", hostname);
	}
	for (size_t i = 0; i < 3; i++)
		if (namespace_differs(pid, 1, plain[i]))
			json_put_bool(o, plain[i], true);
	r = clocks_describe(pid, o, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&o);
	return 0;
}

static int namespace_take(pid_t pid, const char *name, CriuJob *job, Error *err)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, -errno, "Opening %s", path);
	job->namespaces[job->n_namespaces++] = fd;
	return 0;
}

int namespaces_open(pid_t pid, CriuJob *job, Error *err)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		int r;

		if (!namespace_differs(pid, getpid(), kinds[i].name))
			continue;
		/* What is in an IPC namespace is captured only by a criu that is outside. */
		if (kinds[i].flag == CLONE_NEWIPC && task_has_mapping(pid, SYSV_MEMORY))
			continue;
		r = namespace_take(pid, kinds[i].name, job, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void namespaces_close(CriuJob *job)
{
	for (size_t i = 0; i < job->n_namespaces; i++)
		(void)close(job->namespaces[i]);
	job->n_namespaces = 0;
}

/* ---- after the jump ---- */

static int content_fill(json_object *mount, int content_fd, const char *target, Error *err)
{
	const char *name = json_opt_string(mount, "content", NULL);
	_cleanup_close_ int from = -1, to = -1;

	if (!name)
		return 0;
	from = openat(content_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0)
		return error_errno(err, -errno, "Opening %s for %s", name, target);
	to = path_open(target, O_RDONLY | O_DIRECTORY, err);
	if (to < 0)
		return to;
	return tree_copy(from, to, ".", err);
}

/* Filesystems of the kernel's own whose module is not loaded yet (configfs, fusectl ...): when
 * systemd mounts them, they appear here too. */
static bool mount_can_be_missing(json_object *mount)
{
	static const char *const types[] = {"configfs",   "fusectl",  "debugfs", "tracefs",
					    "securityfs", "efivarfs", "pstore",  "bpf",
					    "mqueue",     "hugetlbfs"};
	const char *fstype = json_opt_string(mount, "fstype", "");

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i], fstype) == 0)
			return true;
	return false;
}

/* A socket of the system's that is mounted into a sandbox, /dev/log for one, is not there yet.
 * Something takes its place until adoption mounts the new one: see adopt_finish.c. */
static int socket_stand_in(const char *path, Error *err)
{
	_cleanup_close_ int above = directory_reach_above(path, 0755, err);

	if (above < 0)
		return above;
	if (mknodat(above, strrchr(path, '/') + 1, S_IFSOCK, 0) < 0 && errno != EEXIST)
		return error_errno(err, -errno, "Making %s", path);
	return 0;
}

/* What is a bind mount of another mount of the same namespace is made from where that stands for
 * now. */
static int stage_mount(json_object *m, const char *target, Error *err)
{
	const char *inside = json_opt_string(m, "inside", NULL);
	_cleanup_free_ char *from = NULL;

	if (json_opt_bool(m, "socket", false)) {
		int r = socket_stand_in(json_opt_string(m, "from", "/"), err);

		if (r < 0)
			return error_prefix(err, "Mounting %s", target);
	}
	if (inside) {
		from = text_format(STAGE "%s", inside);
		if (!from)
			return error_errno(err, -ENOMEM, "Mounting %s", target);
		json_put_string(m, "from", from);
	}
	return mount_make(m, target, err);
}

static int mount_namespace_fill(json_object *mounts, int content_fd, Error *err)
{
	char target[4200];
	int r;

	/* What the host mounts later is to be seen here, nothing the other way round: as systemd
	 * sets it up. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return error_errno(err, -errno, "Making the mounts slaves of the host's");
	r = directory_make(AT_FDCWD, STAGE, 0700, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < json_length(mounts); i++) {
		json_object *m = json_object_array_get_idx(mounts, i);
		const char *point = json_opt_string(m, "point", "/");

		(void)snprintf(target, sizeof(target), STAGE "%s", strcmp(point, "/") ? point : "");
		r = stage_mount(m, target, err);
		if (r == -ENOENT && mount_can_be_missing(m)) {
			json_put_bool(m, "missing", true);
			continue;
		}
		if (r == 0)
			r = content_fill(m, content_fd, target, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < json_length(mounts); i++) {
		json_object *m = json_object_array_get_idx(mounts, i);
		const char *point = json_opt_string(m, "point", "/");

		(void)snprintf(target, sizeof(target), STAGE "%s", strcmp(point, "/") ? point : "");
		r = json_opt_bool(m, "missing", false) ? 0 : mount_set_flags(m, target, err);
		if (r < 0)
			return r;
	}
	/* pivot_root(".", "."): the old root ends up below the new one, and is let go
	 * (pivot_root(2)). */
	if (chdir(STAGE) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return error_errno(err, -errno, "Changing to the new root");
	return 0;
}

static int loopback_up(Error *err)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return error_errno(err, -errno, "Bringing up lo in a network namespace");
	return 0;
}

static int clock_offsets_write(json_object *description, int64_t elapsed_us, Error *err)
{
	int64_t monotonic =
		json_opt_int(description, "monotonic_us", 0) + elapsed_us - clock_monotonic_us();
	int64_t boottime =
		json_opt_int(description, "boottime_us", 0) + elapsed_us - clock_boottime_us();
	char text[128];

	/* Whole microseconds upwards, so that no clock goes back by a fraction of one.  The kernel
	 * wants 0 <= ns < 10^9 and refuses clocks that would be negative. */
	monotonic += 1;
	boottime += 1;
	(void)snprintf(text, sizeof(text), "monotonic %lld %lld\nboottime %lld %lld\n",
		       (long long)(monotonic - ((monotonic % 1000000) + 1000000) % 1000000) /
			       1000000,
		       (long long)(((monotonic % 1000000) + 1000000) % 1000000) * 1000,
		       (long long)(boottime - ((boottime % 1000000) + 1000000) % 1000000) / 1000000,
		       (long long)(((boottime % 1000000) + 1000000) % 1000000) * 1000);
	return file_write_value(AT_FDCWD, "/proc/self/timens_offsets", text, err);
}

static int description_flags(json_object *description)
{
	int flags = CLONE_NEWTIME;

	for (size_t i = 0; i < N_KINDS; i++)
		if (json_object_object_get_ex(description, kinds[i].name, NULL))
			flags |= kinds[i].flag;
	return flags;
}

static int child_make(json_object *description, int content_fd, int cgroup_fd, int64_t elapsed_us,
		      Error *err)
{
	int flags = description_flags(description), r = 0;
	const char *hostname = json_opt_string(description, "uts", NULL);

	if (flags & CLONE_NEWCGROUP && cgroup_fd >= 0)
		r = file_write_value(cgroup_fd, "cgroup.procs", "0", err);
	if (r < 0)
		return r;
	if (unshare(flags) < 0)
		return error_errno(err, -errno, "Making namespaces");
	if (hostname && sethostname(hostname, strlen(hostname)) < 0)
		return error_errno(err, -errno, "Setting the host name");
	if (flags & CLONE_NEWNET)
		r = loopback_up(err);
	if (r == 0)
		r = clock_offsets_write(description, elapsed_us, err);
	if (r == 0 && flags & CLONE_NEWNS)
		r = mount_namespace_fill(json_opt_array(description, "mnt"), content_fd, err);
	return r;
}

static int namespaces_take(pid_t pid, int flags, CriuJob *job, Error *err)
{
	for (size_t i = 0; i < N_KINDS; i++) {
		bool time = kinds[i].flag == CLONE_NEWTIME;
		int r;

		if (!(flags & kinds[i].flag))
			continue;
		/* unshare(CLONE_NEWTIME) takes effect for children only. */
		r = namespace_take(pid, time ? "time_for_children" : kinds[i].name, job, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int namespaces_make(json_object *description, int content_fd, int cgroup_fd, int64_t elapsed_us,
		    CriuJob *job, Error *err)
{
	Error answer = {0};
	int sockets[2], r = 0;
	pid_t child;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return error_errno(err, -errno, "Making namespaces");
	child = fork();
	if (child == 0) {
		(void)close(
			sockets[0]); /* else its own end would keep it from seeing the other's */
		answer.code = child_make(description, content_fd, cgroup_fd, elapsed_us, &answer);
		/* Stays until its namespaces are opened. */
		_exit(write(sockets[1], &answer, sizeof(answer)) < 0 ||
		      read(sockets[1], &answer, 1) < 0);
	}
	(void)close(sockets[1]);
	n = child < 0 ? -1 : read(sockets[0], &answer, sizeof(answer));
	if (n != (ssize_t)sizeof(answer))
		r = error_set(err, -EIO, "Making namespaces: the helper died");
	else if (answer.code < 0)
		r = error_set(err, answer.code, "%s", answer.text);
	else
		r = namespaces_take(child, description_flags(description), job, err);
	(void)close(sockets[0]);
	if (child > 0)
		(void)waitpid(child, NULL, 0);
	return r;
}
