/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"
#include "swap/findings.h"
#include "swap/paths.h"

#define JOURNAL_STREAM "/run/systemd/journal/stdout"

typedef struct Examination {
	const char *unit;
	const TaskList *tasks;
	pid_t root;
	const Holders *holders;
	const UnixSockets *sockets;
	MountTable mounts; /* of the tree's mount namespace */
	json_object *externals, *findings;
} Examination;

int descriptor_take(pid_t pid, int fd)
{
	_cleanup_close_ int process = (int)syscall(SYS_pidfd_open, pid, 0);
	int taken;

	if (process < 0)
		return -errno;
	taken = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
	return taken < 0 ? -errno : taken;
}

/* ---- who holds what ---- */

void holders_free(Holders *holders)
{
	free(holders->holders);
	*holders = (Holders){0};
}

typedef struct HolderVisit {
	Holders *holders;
	pid_t root;
} HolderVisit;

static bool holder_parse(pid_t pid, int fd, const char *link, Holder *ret)
{
	unsigned long inode;
	char path[64];
	struct stat st;

	if (sscanf(link, "socket:[%lu]", &inode) == 1) {
		*ret = (Holder){.kind = 's', .inode = inode};
	} else if (sscanf(link, "pipe:[%lu]", &inode) == 1) {
		*ret = (Holder){.kind = 'p', .inode = inode};
	} else if (text_has_prefix(link, "/memfd:")) {
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		if (stat(path, &st) < 0)
			return false;
		*ret = (Holder){.kind = 'm', .inode = st.st_ino};
	} else {
		return false;
	}
	return true;
}

static int holder_visit(pid_t pid, int fd, void *userdata, Error *err)
{
	HolderVisit *visit = userdata;
	Holder holder, *more;
	_cleanup_free_ char *link = NULL;
	char what[32];

	(void)snprintf(what, sizeof(what), "fd/%d", fd);
	link = task_link(pid, what);
	if (!link || !holder_parse(pid, fd, link, &holder))
		return 0;
	holder.root = visit->root;
	holder.pid = pid;
	holder.fd = fd;
	more = realloc(visit->holders->holders, (visit->holders->n + 1) * sizeof(*more));
	if (!more)
		return error_errno(err, -ENOMEM, "Reading descriptors");
	visit->holders->holders = more;
	more[visit->holders->n++] = holder;
	return 0;
}

int holders_add(Holders *holders, const TaskList *tasks, Error *err)
{
	for (size_t i = 0; i < tasks->n; i++) {
		HolderVisit visit = {holders, tasks->tasks[i].root};
		int r = task_each_fd(tasks->tasks[i].pid, holder_visit, &visit, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static const Holder *holder_find(const Holders *holders, char kind, uint64_t inode)
{
	for (size_t i = 0; i < holders->n; i++)
		if (holders->holders[i].kind == kind && holders->holders[i].inode == inode)
			return &holders->holders[i];
	return NULL;
}

static const Holder *holder_elsewhere(const Examination *x, char kind, uint64_t inode)
{
	for (size_t i = 0; i < x->holders->n; i++) {
		const Holder *h = &x->holders->holders[i];

		if (h->kind == kind && h->inode == inode && h->root != x->root)
			return h;
	}
	return NULL;
}

/* ---- externals ---- */

static bool external_known(const Examination *x, const char *member, int64_t value, const char *key)
{
	for (size_t i = 0; i < json_length(x->externals); i++) {
		json_object *e = json_object_array_get_idx(x->externals, i);

		if (member && json_opt_int(e, member, -1) == value)
			return true;
		if (key && strcmp(json_opt_string(e, "key", ""), key) == 0)
			return true;
	}
	return false;
}

static long fdinfo_number(pid_t pid, int fd, const char *key, int base)
{
	_cleanup_free_ char *value = NULL;
	char file[32];

	(void)snprintf(file, sizeof(file), "fdinfo/%d", fd);
	value = task_field(pid, file, key);
	return value ? strtol(value, NULL, base) : -1;
}

static json_object *external_add(Examination *x, const char *kind, pid_t pid, int fd)
{
	json_object *e = json_object_new_object();

	json_put_string(e, "kind", kind);
	json_put_int(e, "flags", fdinfo_number(pid, fd, "flags", 8));
	(void)json_object_array_add(x->externals, e);
	return e;
}

/* ---- sockets ---- */

/* journald's own note about a stream, in a file named DEVICE:INODE of its end (journald-stream.c):
 * identifier, unit, priority. */
static char *journal_stream_state(uint32_t inode)
{
	_cleanup_closedir_ DIR *dir = opendir("/run/systemd/journal/streams");
	_cleanup_free_ char *suffix = text_format(":%u", inode);
	struct dirent *entry;
	char *text = NULL;

	while (dir && suffix && (entry = readdir(dir)))
		if (text_has_suffix(entry->d_name, suffix) &&
		    file_read(dirfd(dir), entry->d_name, &text, NULL, NULL) == 0)
			return text;
	return NULL;
}

/* The directory, without links, in which the file of this socket is; NULL if its path leads to
 * another one here, as that of a socket in another mount namespace does.  The caller frees. */
static char *socket_directory(const UnixSocket *socket)
{
	const char *slash = strrchr(socket->name, '/');
	_cleanup_free_ char *above =
		slash ? strndup(socket->name, (size_t)(slash - socket->name) + 1) : NULL;
	_cleanup_close_ int fd =
		above && *above == '/' ? open(above, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	char what[32];
	struct stat st;

	if (fd < 0 || fstatat(fd, slash + 1, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISSOCK(st.st_mode) || socket->file_inode != (uint32_t)st.st_ino)
		return NULL;
	(void)snprintf(what, sizeof(what), "fd/%d", fd);
	return task_link(getpid(), what);
}

static void unix_connected(Examination *x, pid_t pid, int fd, const UnixSocket *own,
			   const UnixSocket *peer)
{
	const Holder *other = holder_elsewhere(x, 's', peer->inode);
	_cleanup_free_ char *directory = own->type == SOCK_DGRAM ? socket_directory(peer) : NULL;
	json_object *e;

	if (strcmp(peer->name, JOURNAL_STREAM) == 0) {
		_cleanup_free_ char *state = journal_stream_state(peer->inode);

		e = external_add(x, "journal", pid, fd);
		json_put_string(e, "stream", state);
	} else if (directory && !other) {
		e = external_add(x, "datagram", pid, fd);
		json_put_string(e, "path", peer->name);
		json_put_string(e, "directory", directory);
		json_put_int(e, "pid", pid);
		json_put_int(e, "fd", fd);
	} else if (other) {
		e = external_add(x, "pair", pid, fd);
		json_put_int(e, "peer", peer->inode);
		json_put_int(e, "pid", pid);
		json_put_int(e, "fd", fd);
		json_put_int(e, "peer_root", other->root);
		if (own->type != SOCK_STREAM)
			findings_add(x->findings, SEVERITY_REFUSAL, x->unit, "unix socket",
				     "stop one of the two units before the swap",
				     "its process %d has a datagram or packet socket connected to "
				     "another kept unit, process %d",
				     (int)pid, (int)other->pid);
	} else {
		e = external_add(x, "closed", pid, fd);
		/* criu would wait for the other end for ever: see restore_external.c. */
		if (own->type == SOCK_DGRAM)
			findings_add(x->findings, SEVERITY_REFUSAL, x->unit, "unix socket",
				     "keep the unit at the other end too, or close the socket",
				     "its process %d has a datagram socket connected to %s, "
				     "which is not kept",
				     (int)pid, peer->name[0] ? peer->name : "another process");
		else if (peer->name[0] && strcmp(peer->name, SEGUE_SOCKET) != 0)
			findings_add(x->findings, SEVERITY_REFUSAL, x->unit, "unix socket",
				     "keep the unit that serves it too, or close the connection",
				     "its process %d is connected to %s, whose server is not kept",
				     (int)pid, peer->name);
		else if (own->name[0])
			findings_add(x->findings, SEVERITY_NOTE, x->unit, "unix socket", NULL,
				     "a client of %s is not kept and will be disconnected",
				     own->name);
	}
	json_put_int(e, "inode", own->inode);
	json_put_int(e, "type", own->type);
}

/* The name that a socket has now in the directory where it was bound; NULL if it is the same or
 * gone.  The caller frees it. */
static char *socket_new_name(pid_t pid, const UnixSocket *socket)
{
	_cleanup_free_ char *path = text_format("/proc/%d/root%s", (int)pid, socket->name);
	_cleanup_closedir_ DIR *dir = NULL;
	_cleanup_free_ char *found = NULL;
	const struct dirent *entry;
	char *slash = path ? strrchr(path, '/') : NULL;

	if (!slash)
		return NULL;
	*slash = '\0';
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		struct stat st;

		if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISSOCK(st.st_mode) || (uint32_t)st.st_ino != socket->file_inode)
			continue;
		if (strcmp(entry->d_name, slash + 1) == 0)
			return NULL;
		free(found);
		found = strdup(entry->d_name);
	}
	return steal_ptr(&found);
}

/* criu binds it by the name that the kernel remembers. */
static void renamed_examine(Examination *x, pid_t pid, const UnixSocket *socket)
{
	_cleanup_free_ char *name = NULL;

	if (!socket->listening || socket->name[0] != '/')
		return;
	name = socket_new_name(pid, socket);
	if (name)
		findings_add(x->findings, SEVERITY_REFUSAL, x->unit, "renamed socket",
			     "do without it in the program's configuration",
			     "its process %d has renamed its socket %s to %s, a name that it "
			     "would lose",
			     (int)pid, socket->name, name);
}

static void unix_examine(Examination *x, pid_t pid, int fd, uint32_t inode)
{
	const UnixSocket *own = unix_sockets_find(x->sockets, inode);
	const UnixSocket *peer = own ? unix_sockets_find(x->sockets, own->peer) : NULL;
	const Holder *holder = peer ? holder_find(x->holders, 's', peer->inode) : NULL;

	if (own)
		renamed_examine(x, pid, own);
	/* A pair inside the tree is CRIU's business; so is a socket that is not connected. */
	if (!peer || (holder && !holder_elsewhere(x, 's', peer->inode)))
		return;
	if (!external_known(x, "inode", inode, NULL))
		unix_connected(x, pid, fd, own, peer);
}

static void inet_examine(Examination *x, pid_t pid, int sock, int type, int protocol)
{
	char ulp[16] = "";
	socklen_t size = sizeof(ulp) - 1;

	if (protocol == IPPROTO_TCP) {
		if (getsockopt(sock, IPPROTO_TCP, TCP_ULP, ulp, &size) == 0 && size > 0 && ulp[0])
			findings_add(x->findings, SEVERITY_REFUSAL, x->unit, "socket",
				     "switch the offload off in the program's configuration",
				     "its process %d has a TCP connection with %s in the kernel",
				     (int)pid, ulp);
		return;
	}
	if (protocol != IPPROTO_UDP && protocol != IPPROTO_UDPLITE && type != SOCK_RAW)
		findings_add(x->findings, SEVERITY_REFUSAL, x->unit, "socket",
			     "stop the unit, or unkeep it",
			     "its process %d has a socket of protocol %d, which cannot be carried",
			     (int)pid, protocol);
}

static int socket_option(int sock, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(sock, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

static void socket_examine(Examination *x, pid_t pid, int fd, uint32_t inode)
{
	_cleanup_close_ int sock = descriptor_take(pid, fd);
	int domain;

	if (sock < 0)
		return;
	domain = socket_option(sock, SO_DOMAIN);
	switch (domain) {
	case AF_UNIX:
		unix_examine(x, pid, fd, inode);
		return;
	case AF_INET:
	case AF_INET6:
		inet_examine(x, pid, sock, socket_option(sock, SO_TYPE),
			     socket_option(sock, SO_PROTOCOL));
		return;
	case AF_NETLINK:
	case AF_PACKET:
		return;
	default:
		findings_add(x->findings, SEVERITY_REFUSAL, x->unit, "socket",
			     "stop the unit, or unkeep it",
			     "its process %d has a socket of address family %d, which cannot be "
			     "carried (descriptor %d)",
			     (int)pid, domain, fd);
	}
}

/* ---- devices, anonymous files, files ---- */

static bool tty_master_in_tree(const Examination *x, long index)
{
	for (size_t i = 0; i < x->tasks->n; i++) {
		_cleanup_closedir_ DIR *dir = NULL;
		struct dirent *entry;
		char path[64];

		if (x->tasks->tasks[i].root != x->root)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)x->tasks->tasks[i].pid);
		dir = opendir(path);
		while (dir && (entry = readdir(dir)))
			if (entry->d_name[0] != '.' &&
			    fdinfo_number(x->tasks->tasks[i].pid, atoi(entry->d_name), "tty-index",
					  10) == index)
				return true;
	}
	return false;
}

static void device_examine(Examination *x, pid_t pid, const char *link, const struct stat *st)
{
	unsigned ma = major(st->st_rdev), mi = minor(st->st_rdev);
	bool memory = ma == 1 && (mi == 3 || mi == 5 || mi == 7 || mi == 8 || mi == 9 || mi == 11);

	if (S_ISCHR(st->st_mode) && (memory || (ma == 5 && (mi == 0 || mi == 2))))
		return;
	if (S_ISCHR(st->st_mode) && ma >= 136 && ma <= 143) {
		long index = (long)(ma - 136) * 256 + mi;

		if (!tty_master_in_tree(x, index))
			findings_add(
				x->findings, SEVERITY_REFUSAL, x->unit, "terminal",
				"start it inside tmux that segue runs: segue run --forking -- "
				"tmux new-session -d",
				"its process %d uses %s, a terminal that somebody outside the unit "
				"provides",
				(int)pid, link);
		return;
	}
	if (text_has_prefix(link, "/dev/infiniband/")) {
		findings_add(x->findings, SEVERITY_REFUSAL, x->unit, "RDMA",
			     "stop the unit, or let it fall back to TCP",
			     "its process %d uses RDMA (%s), whose state is in the adapter",
			     (int)pid, link);
		return;
	}
	findings_add(x->findings, SEVERITY_REFUSAL, x->unit, "device",
		     "make the program close it (a PreFreeze= hook can), or unkeep the unit",
		     "its process %d holds the device %s, whose state cannot be carried", (int)pid,
		     link);
}

static void anonymous_examine(Examination *x, pid_t pid, const char *link)
{
	static const char *const carried[] = {"[eventfd]",  "[eventpoll]", "[timerfd]",
					      "[signalfd]", "inotify",     "[inotify]",
					      "[fanotify]", "[pidfd]"};
	const char *name = link + strlen("anon_inode:");

	for (size_t i = 0; i < sizeof(carried) / sizeof(carried[0]); i++)
		if (strcmp(name, carried[i]) == 0)
			return;
	findings_add(x->findings, SEVERITY_REFUSAL, x->unit, "descriptor",
		     strcmp(name, "[io_uring]") == 0
			     ? "configure the program to use epoll instead, or set "
			       "SystemCallFilter=~io_uring_setup:ENOSYS in the unit"
			     : "stop the unit, or unkeep it",
		     "its process %d holds %s, which cannot be carried", (int)pid, name);
}

/* Who runs in a mount namespace of their own can call any file by any name: it is opened again only
 * if it is the host's file of that name. */
static bool is_host_file(const char *path, const struct stat *st)
{
	_cleanup_close_ int fd = path_open(path, O_PATH | O_NOFOLLOW, NULL);
	struct stat host;

	return fd >= 0 && fstat(fd, &host) == 0 && host.st_dev == st->st_dev &&
	       host.st_ino == st->st_ino && (host.st_mode & S_IFMT) == (st->st_mode & S_IFMT);
}

static void file_examine(Examination *x, pid_t pid, int fd, const char *link, const struct stat *st)
{
	long mount_id = fdinfo_number(pid, fd, "mnt_id", 10);
	char key[64];
	json_object *e;

	if (mount_id < 0 || mounts_by_id(&x->mounts, (unsigned)mount_id))
		return;
	(void)snprintf(key, sizeof(key), "file[%lx:%lx]", (unsigned long)mount_id,
		       (unsigned long)st->st_ino);
	if (external_known(x, NULL, 0, key))
		return;
	if (!is_host_file(link, st)) {
		findings_add(x->findings, SEVERITY_REFUSAL, x->unit, "file",
			     "stop the unit, or unkeep it",
			     "its process %d has %s open, which is not the file of that name here",
			     (int)pid, link);
		return;
	}
	e = external_add(x, "file", pid, fd);
	json_put_int(e, "inode", (int64_t)st->st_ino);
	json_put_int(e, "type", st->st_mode & S_IFMT);
	json_put_int(e, "owner", st->st_uid);
	json_put_int(e, "device", (int64_t)st->st_rdev);
	json_put_string(e, "key", key);
	json_put_string(e, "path", link);
}

static int descriptor_visit(pid_t pid, int fd, void *userdata, Error *err)
{
	Examination *x = userdata;
	_cleanup_free_ char *link = NULL;
	char what[32], path[64];
	unsigned long inode;
	struct stat st;

	(void)err;
	(void)snprintf(what, sizeof(what), "fd/%d", fd);
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	link = task_link(pid, what);
	if (!link || stat(path, &st) < 0)
		return 0;
	if (sscanf(link, "socket:[%lu]", &inode) == 1) {
		socket_examine(x, pid, fd, (uint32_t)inode);
	} else if (sscanf(link, "pipe:[%lu]", &inode) == 1 || text_has_prefix(link, "/memfd:")) {
		const Holder *other =
			holder_elsewhere(x, text_has_prefix(link, "pipe") ? 'p' : 'm', st.st_ino);

		if (other)
			findings_add(x->findings, SEVERITY_REFUSAL, x->unit, "shared descriptor",
				     "start both programs in one unit, from one parent",
				     "its process %d shares %s with process %d of another process "
				     "tree",
				     (int)pid, link, (int)other->pid);
	} else if (text_has_prefix(link, "anon_inode:")) {
		anonymous_examine(x, pid, link);
	} else if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
		device_examine(x, pid, link, &st);
		file_examine(x, pid, fd, link, &st);
	} else if (link[0] == '/') {
		file_examine(x, pid, fd, link, &st);
	}
	return 0;
}

/* ---- mappings ---- */

static void mapping_examine(Examination *x, pid_t pid, const char *name)
{
	if (text_has_prefix(name, "/dev/") && !text_has_prefix(name, "/dev/zero") &&
	    !text_has_prefix(name, "/dev/shm/"))
		findings_add(
			x->findings, SEVERITY_REFUSAL, x->unit, "device",
			"make the program release it (a PreFreeze= hook can), or unkeep the unit",
			"its process %d has the device %s mapped", (int)pid, name);
	else if (text_has_prefix(name, "anon_inode:"))
		anonymous_examine(x, pid, name);
}

static void mappings_examine(Examination *x, pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	char path[64];
	char *rest, *line;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	if (file_read(AT_FDCWD, path, &text, NULL, NULL) < 0)
		return;
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		const char *name = strpbrk(line, "/");
		const char *anonymous = strstr(line, "anon_inode:");

		if (anonymous || name)
			mapping_examine(x, pid, anonymous ? anonymous : name);
	}
}

int descriptors_describe(const char *unit, const TaskList *tasks, pid_t root,
			 const Holders *holders, const UnixSockets *sockets, json_object *externals,
			 json_object *findings, Error *err)
{
	Examination x = {.unit = unit,
			 .tasks = tasks,
			 .root = root,
			 .holders = holders,
			 .sockets = sockets,
			 .externals = externals,
			 .findings = findings};
	int r = mounts_read(root, &x.mounts, err);

	for (size_t i = 0; r == 0 && i < tasks->n; i++) {
		if (tasks->tasks[i].root != root)
			continue;
		r = task_each_fd(tasks->tasks[i].pid, descriptor_visit, &x, err);
		mappings_examine(&x, tasks->tasks[i].pid);
	}
	mounts_free(&x.mounts);
	return r;
}
