/* SPDX-License-Identifier: Apache-2.0 */
#include "node/peer.h"

#include <errno.h>
#include <grp.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

#define PEER_GROUPS_MAX 65536

static int peer_is_member(int fd, gid_t gid, Error *err)
{
	_cleanup_free_ gid_t *groups = calloc(PEER_GROUPS_MAX, sizeof(gid_t));
	socklen_t size = PEER_GROUPS_MAX * sizeof(gid_t);

	if (!groups)
		return error_errno(err, -ENOMEM, "Asking who the client is");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
		return error_errno(err, -errno, "Asking for the client's groups");
	for (size_t i = 0; i < size / sizeof(gid_t); i++) {
		if (groups[i] == gid)
			return 1;
	}
	return 0;
}

int peer_access(int fd, const char *group, Access *ret_access, Error *err)
{
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);
	struct group *entry;
	int member;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return error_errno(err, -errno, "Asking who the client is");
	if (peer.uid == 0) {
		*ret_access = ACCESS_FULL;
		return 0;
	}
	*ret_access = ACCESS_NONE;
	/* segued is single-threaded. */
	entry = group ? getgrnam(group) : NULL; /* NOLINT(concurrency-mt-unsafe) */
	if (!entry)
		return 0;
	member = peer.gid == entry->gr_gid ? 1 : peer_is_member(fd, entry->gr_gid, err);
	if (member < 0)
		return member;
	if (member)
		*ret_access = ACCESS_READ;
	return 0;
}
