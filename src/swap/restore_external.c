/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/restore_external.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"

typedef struct PairEnd {
	int64_t inode;
	int fd; /* -1 once given away */
} PairEnd;

/* Datagram sockets that programs have connected to the system's (syslog, sd_notify) are restored by
 * criu, with what waits in them.  It cannot be given them: for a datagram socket that nobody is
 * connected to it makes a second end to refill the queue with, and takes that from its own way of
 * making the first (open_unixsk_standalone() in criu/sk-unix.c), so that with an inherited one it
 * waits for ever.  criu connects them, so something must be bound to that path for the moment: a
 * stand-in.  adopt_finish() connects them to the real one. */
typedef struct StandIn {
	char *path;
	int fd;
} StandIn;

struct Externals {
	Streams *streams;
	PairEnd *ends;
	size_t n;
	StandIn *stand_ins;
	size_t n_stand_ins;
};

static PairEnd *end_find(const Externals *externals, int64_t inode)
{
	for (size_t i = 0; i < externals->n; i++)
		if (externals->ends[i].inode == inode)
			return &externals->ends[i];
	return NULL;
}

static int pair_make(Externals *externals, json_object *external, Error *err)
{
	int64_t inode = json_opt_int(external, "inode", 0);
	PairEnd *more;
	int fds[2];

	if (end_find(externals, inode))
		return 0;
	more = realloc(externals->ends, (externals->n + 2) * sizeof(*more));
	if (!more)
		return error_errno(err, -ENOMEM, "Making a socket pair");
	externals->ends = more;
	if (socketpair(AF_UNIX, (int)json_opt_int(external, "type", SOCK_STREAM) | SOCK_CLOEXEC, 0,
		       fds) < 0)
		return error_errno(err, -errno, "Making a socket pair");
	more[externals->n++] = (PairEnd){inode, fds[0]};
	more[externals->n++] = (PairEnd){json_opt_int(external, "peer", 0), fds[1]};
	return 0;
}

/* What was waiting to be read from this end goes in again through the other. */
static int queue_fill(const Externals *externals, json_object *external, int tree_fd, Error *err)
{
	const char *name = json_opt_string(external, "queue", NULL);
	const PairEnd *peer = end_find(externals, json_opt_int(external, "peer", 0));
	_cleanup_free_ char *data = NULL;
	size_t size;
	int r;

	if (!name || !peer)
		return 0;
	r = file_read(tree_fd, name, &data, &size, err);
	if (r == 0 && send(peer->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size)
		r = error_errno(err, errno ? -errno : -EIO, "Filling a unix socket again");
	return r;
}

static const StandIn *stand_in_find(const Externals *externals, const char *path)
{
	for (size_t i = 0; i < externals->n_stand_ins; i++)
		if (strcmp(externals->stand_ins[i].path, path) == 0)
			return &externals->stand_ins[i];
	return NULL;
}

static int stand_in_bind(int fd, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = strlen(path);
	struct stat st;

	if (size >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, size);
	/* A socket that is there was carried with the files in memory, or lies on a disk; nobody
	 * serves it before systemd. */
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	return bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

/* The path may be anything that a program has bound to, also through links; it must still lead into
 * the directory where the socket was. */
static int stand_in_reach(json_object *external, const char *path, Error *err)
{
	const char *directory, *slash = strrchr(path, '/');
	_cleanup_free_ char *above = slash ? strndup(path, (size_t)(slash - path) + 1) : NULL;
	_cleanup_close_ int wanted = -1;
	struct stat a, b;
	int r = json_get_string(external, "directory", &directory, err);

	if (r < 0)
		return r;
	wanted = directory_reach(directory, 0755, err);
	if (wanted < 0)
		return error_prefix(err, "Making the socket %s", path);
	if (!above || stat(above, &a) < 0 || fstat(wanted, &b) < 0 || a.st_dev != b.st_dev ||
	    a.st_ino != b.st_ino)
		return error_set(err, -ESTALE, "Making the socket %s: it is not in %s any more",
				 path, directory);
	return 0;
}

static int stand_in_make(Externals *externals, json_object *external, Error *err)
{
	const char *path = json_opt_string(external, "path", "");
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	StandIn *more;
	int r;

	if (stand_in_find(externals, path))
		return 0;
	more = realloc(externals->stand_ins, (externals->n_stand_ins + 1) * sizeof(*more));
	if (!more)
		return error_errno(err, -ENOMEM, "Making a socket");
	externals->stand_ins = more;
	if (fd < 0)
		return error_errno(err, -errno, "Making the socket %s", path);
	r = stand_in_reach(external, path, err);
	if (r < 0)
		return r;
	r = stand_in_bind(fd, path);
	if (r < 0)
		return error_errno(err, r, "Making the socket %s", path);
	more[externals->n_stand_ins] = (StandIn){strdup(path), steal_fd(&fd)};
	if (!more[externals->n_stand_ins].path)
		return error_errno(err, -ENOMEM, "Making a socket");
	externals->n_stand_ins++;
	return 0;
}

static void stand_ins_free(Externals *externals)
{
	for (size_t i = 0; i < externals->n_stand_ins; i++) {
		(void)unlink(externals->stand_ins[i].path);
		cleanup_close(&externals->stand_ins[i].fd);
		free(externals->stand_ins[i].path);
	}
	free(externals->stand_ins);
}

typedef int (*ExternalVisit)(Externals *externals, json_object *external, int tree_fd, Error *err);

static int make_visit(Externals *externals, json_object *external, int tree_fd, Error *err)
{
	const char *kind = json_opt_string(external, "kind", "");

	(void)tree_fd;
	if (strcmp(kind, "pair") == 0)
		return pair_make(externals, external, err);
	return strcmp(kind, "datagram") == 0 ? stand_in_make(externals, external, err) : 0;
}

static int queue_visit(Externals *externals, json_object *external, int tree_fd, Error *err)
{
	return strcmp(json_opt_string(external, "kind", ""), "pair") == 0
		       ? queue_fill(externals, external, tree_fd, err)
		       : 0;
}

static int externals_visit(Externals *externals, json_object *units, int dirfd, ExternalVisit visit,
			   Error *err)
{
	int r = 0;

	for (size_t i = 0; i < json_length(units); i++) {
		json_object *unit = json_object_array_get_idx(units, i);
		json_object *trees = json_opt_array(unit, "trees");

		for (size_t j = 0; j < json_length(trees); j++) {
			json_object *tree = json_object_array_get_idx(trees, j);
			json_object *list = json_opt_array(tree, "externals");
			_cleanup_free_ char *path =
				text_format("%s/%s", json_opt_string(unit, "directory", ""),
					    json_opt_string(tree, "directory", ""));
			_cleanup_close_ int fd =
				path ? openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

			for (size_t k = 0; r == 0 && k < json_length(list); k++)
				r = visit(externals, json_object_array_get_idx(list, k), fd, err);
		}
	}
	return r;
}

int externals_new(Streams *streams, json_object *units, int dirfd, Externals **ret, Error *err)
{
	Externals *externals = calloc(1, sizeof(*externals));
	int r;

	if (!externals)
		return error_errno(err, -ENOMEM, "Restoring");
	externals->streams = streams;
	r = externals_visit(externals, units, dirfd, make_visit, err);
	if (r == 0)
		r = externals_visit(externals, units, dirfd, queue_visit, err);
	if (r < 0) {
		externals_free(externals);
		return r;
	}
	*ret = externals;
	return 0;
}

void externals_free(Externals *externals)
{
	for (size_t i = 0; externals && i < externals->n; i++)
		cleanup_close(&externals->ends[i].fd);
	if (externals) {
		free(externals->ends);
		stand_ins_free(externals);
	}
	free(externals);
}

/* ---- one kind, one function: each returns a descriptor or -errno ---- */

/* Where a file is, and so what of it is still the same after the jump. */
typedef enum Place {
	PLACE_DISK,
	PLACE_MEMORY, /* another inode */
	PLACE_KERNEL, /* and another owner: control groups are made anew */
} Place;

static Place file_place(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return PLACE_DISK;
	switch (fs.f_type) {
	case TMPFS_MAGIC:
		return PLACE_MEMORY;
	case PROC_SUPER_MAGIC:
	case SYSFS_MAGIC:
	case CGROUP2_SUPER_MAGIC:
		return PLACE_KERNEL;
	default:
		return PLACE_DISK;
	}
}

/* Root opens this for a program that could not open just anything by itself. */
static bool is_same_file(json_object *external, const struct stat *st, Place place)
{
	return json_opt_int(external, "type", -1) == (st->st_mode & S_IFMT) &&
	       json_opt_int(external, "device", -1) == (int64_t)st->st_rdev &&
	       (place == PLACE_KERNEL || json_opt_int(external, "owner", -1) == st->st_uid) &&
	       (place != PLACE_DISK || !S_ISREG(st->st_mode) ||
		json_opt_int(external, "inode", -1) == (int64_t)st->st_ino);
}

static int file_open(Externals *externals, json_object *external, Error *err)
{
	const char *path = json_opt_string(external, "path", "");
	int flags = (int)json_opt_int(external, "flags", O_RDONLY), fd;
	_cleanup_close_ int found = path_open(path, O_PATH | O_NOFOLLOW, err);
	struct stat st;

	(void)externals;
	if (found < 0)
		return found;
	if (fstat(found, &st) < 0)
		return error_errno(err, -errno, "Opening %s", path);
	if (!is_same_file(external, &st, file_place(found)))
		return error_set(err, -ESTALE, "%s is another file than before", path);
	fd = open(fd_path(found).text,
		  (flags & (O_ACCMODE | O_APPEND | O_NONBLOCK)) | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? error_errno(err, -errno, "Opening %s", path) : fd;
}

static int journal_open(Externals *externals, json_object *external, Error *err)
{
	int fd, r = streams_connect(externals->streams, external, &fd, err);

	return r < 0 ? r : fd;
}

static int pair_open(Externals *externals, json_object *external, Error *err)
{
	PairEnd *end = end_find(externals, json_opt_int(external, "inode", 0));

	if (!end || end->fd < 0)
		return error_set(err, -EBADMSG, "capture.json has half a pair of sockets");
	return steal_fd(&end->fd);
}

static int closed_open(Externals *externals, json_object *external, Error *err)
{
	int fds[2];

	(void)externals;
	if (socketpair(AF_UNIX, (int)json_opt_int(external, "type", SOCK_STREAM) | SOCK_CLOEXEC, 0,
		       fds) < 0)
		return error_errno(err, -errno, "Making a socket pair");
	(void)close(fds[1]);
	return fds[0];
}

static const struct ExternalKind {
	const char *kind;
	int (*open)(Externals *externals, json_object *external, Error *err);
} kinds[] = {
	{"file", file_open},
	{"journal", journal_open},
	{"pair", pair_open},
	{"closed", closed_open},
};

static int external_give(Externals *externals, json_object *external, CriuJob *job, Error *err)
{
	const char *kind = json_opt_string(external, "kind", "");
	const char *key = json_opt_string(external, "key", NULL);
	char socket_key[48];

	if (strcmp(kind, "datagram") == 0)
		return criu_job_add(job, err, "--ext-unix-sk");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int fd;

		if (strcmp(kind, kinds[i].kind) != 0)
			continue;
		fd = kinds[i].open(externals, external, err);
		if (fd < 0)
			return fd;
		/* criu leaves the flags of what it is given as they are. */
		if (json_opt_int(external, "flags", 0) & O_NONBLOCK)
			(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		(void)snprintf(socket_key, sizeof(socket_key), "socket:[%lld]",
			       (long long)json_opt_int(external, "inode", 0));
		return criu_job_inherit(job, fd, key ? key : socket_key, err);
	}
	return error_set(err, -EBADMSG, "capture.json has an external of unknown kind \"%s\"",
			 kind);
}

int externals_give(Externals *externals, json_object *tree, CriuJob *job, Error *err)
{
	json_object *list = json_opt_array(tree, "externals");

	for (size_t i = 0; i < json_length(list); i++) {
		int r = external_give(externals, json_object_array_get_idx(list, i), job, err);

		if (r < 0)
			return r;
	}
	return 0;
}
