/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/restore_external.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

typedef struct PairEnd {
	int64_t inode;
	int fd; /* -1 once given away */
} PairEnd;

struct Externals {
	Streams *streams;
	PairEnd *ends;
	size_t n;
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

typedef int (*ExternalVisit)(Externals *externals, json_object *external, int tree_fd, Error *err);

static int pair_visit(Externals *externals, json_object *external, int tree_fd, Error *err)
{
	(void)tree_fd;
	return pair_make(externals, external, err);
}

static int queue_visit(Externals *externals, json_object *external, int tree_fd, Error *err)
{
	return queue_fill(externals, external, tree_fd, err);
}

static int pairs_visit(Externals *externals, json_object *units, int dirfd, ExternalVisit visit,
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

			for (size_t k = 0; r == 0 && k < json_length(list); k++) {
				json_object *e = json_object_array_get_idx(list, k);

				if (strcmp(json_opt_string(e, "kind", ""), "pair") == 0)
					r = visit(externals, e, fd, err);
			}
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
	r = pairs_visit(externals, units, dirfd, pair_visit, err);
	if (r == 0)
		r = pairs_visit(externals, units, dirfd, queue_visit, err);
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
	if (externals)
		free(externals->ends);
	free(externals);
}

/* ---- one kind, one function: each returns a descriptor or -errno ---- */

static int file_open(Externals *externals, json_object *external, Error *err)
{
	const char *path = json_opt_string(external, "path", "");
	int flags = (int)json_opt_int(external, "flags", O_RDONLY);
	int fd = open(path, (flags & (O_ACCMODE | O_APPEND | O_NONBLOCK)) | O_NOCTTY | O_CLOEXEC);

	(void)externals;
	return fd < 0 ? error_errno(err, -errno, "Opening %s", path) : fd;
}

static int journal_open(Externals *externals, json_object *external, Error *err)
{
	int fd, r = streams_connect(externals->streams, external, &fd, err);

	return r < 0 ? r : fd;
}

/* If nobody is there yet the program will connect again, as the clients of syslog and the journal
 * do. */
static int datagram_open(Externals *externals, json_object *external, Error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)externals;
	if (fd < 0)
		return error_errno(err, -errno, "Making a datagram socket");
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		       json_opt_string(external, "path", ""));
	(void)connect(fd, (struct sockaddr *)&address, sizeof(address));
	return fd;
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
	{"file", file_open}, {"journal", journal_open}, {"datagram", datagram_open},
	{"pair", pair_open}, {"closed", closed_open},
};

static int external_give(Externals *externals, json_object *external, CriuJob *job, Error *err)
{
	const char *kind = json_opt_string(external, "kind", "");
	const char *key = json_opt_string(external, "key", NULL);
	char socket_key[48];

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
