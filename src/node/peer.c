/* SPDX-License-Identifier: Apache-2.0 */
#include "node/peer.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "base/cleanup.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

#define PEER_GROUPS_MAX 65536

void permits_release(Permits *permits)
{
	free(permits->list);
	*permits = (Permits){0};
}

static int permit_add(Permits *permits, gid_t group, unsigned verbs, Error *err)
{
	Permit *more;

	for (size_t i = 0; i < permits->n; i++) {
		if (permits->list[i].group == group) {
			permits->list[i].verbs |= verbs;
			return 0;
		}
	}
	more = reallocarray(permits->list, permits->n + 1, sizeof(*more));
	if (!more)
		return error_errno(err, -ENOMEM, "Looking up groups");
	permits->list = more;
	more[permits->n++] = (Permit){group, verbs};
	return 0;
}

static int group_permit(Permits *permits, const char *key, const char *name, unsigned verbs,
			Error *err)
{
	struct group entry, *found = NULL;
	char buffer[16384];

	if (getgrnam_r(name, &entry, buffer, sizeof(buffer), &found) == 0 && found)
		return permit_add(permits, found->gr_gid, verbs, err);
	(void)fprintf(stderr, SD_WARNING "%s=%s: there is no such group\n", key, name);
	return 0;
}

static uid_t link_user(void)
{
	struct passwd entry, *found = NULL;
	char buffer[16384];

	if (getpwnam_r(PEER_LINK_USER, &entry, buffer, sizeof(buffer), &found) == 0 && found)
		return found->pw_uid;
	return 0;
}

int permits_load(const Config *config, Permits *ret, Error *err)
{
	_cleanup_permits_ Permits permits = {0};
	int r = 0;

	if (config->group)
		r = group_permit(&permits, "Group", config->group, CONFIG_VERBS_READ, err);
	for (size_t i = 0; r == 0 && i < config->n_allow; i++)
		r = group_permit(&permits, "Allow", config->allow[i].group, config->allow[i].verbs,
				 err);
	if (r < 0)
		return r;
	permits.link = link_user();
	*ret = permits;
	permits = (Permits){0};
	return 0;
}

static unsigned group_verbs(const Permits *permits, gid_t group)
{
	for (size_t i = 0; i < permits->n; i++)
		if (permits->list[i].group == group)
			return permits->list[i].verbs;
	return 0;
}

int peer_verbs(int fd, const Permits *permits, unsigned *ret_verbs, Error *err)
{
	_cleanup_free_ gid_t *groups = NULL;
	struct ucred peer = {0};
	socklen_t size = sizeof(peer), groups_size = PEER_GROUPS_MAX * sizeof(gid_t);
	unsigned verbs;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return error_errno(err, -errno, "Asking who the client is");
	if (peer.uid == 0) {
		*ret_verbs = ~0U;
		return 0;
	}
	groups = calloc(PEER_GROUPS_MAX, sizeof(gid_t));
	if (!groups)
		return error_errno(err, -ENOMEM, "Asking who the client is");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &groups_size) < 0)
		return error_errno(err, -errno, "Asking for the client's groups");
	verbs = group_verbs(permits, peer.gid) | (peer.uid == permits->link ? PEER_LINK_VERBS : 0);
	for (size_t i = 0; i < groups_size / sizeof(gid_t); i++)
		verbs |= group_verbs(permits, groups[i]);
	*ret_verbs = verbs;
	return 0;
}
