/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/sockets.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"

#define STATE_LISTEN 10 /* TCP_LISTEN of net/tcp_states.h, which unix sockets use too */

void unix_sockets_free(UnixSockets *list)
{
	free(list->sockets);
	*list = (UnixSockets){0};
}

const UnixSocket *unix_sockets_find(const UnixSockets *list, uint32_t inode)
{
	for (size_t i = 0; inode && i < list->n; i++)
		if (list->sockets[i].inode == inode)
			return &list->sockets[i];
	return NULL;
}

static void name_copy(UnixSocket *socket, const struct rtattr *attribute)
{
	size_t n = RTA_PAYLOAD(attribute);
	const char *name = RTA_DATA(attribute);

	if (n > sizeof(socket->name) - 1)
		n = sizeof(socket->name) - 1;
	memcpy(socket->name, name, n);
	if (n > 0 && name[0] == '\0')
		socket->name[0] = '@';
}

static int socket_append(UnixSockets *list, const struct nlmsghdr *header)
{
	const struct unix_diag_msg *message = NLMSG_DATA(header);
	const struct rtattr *attribute = (const struct rtattr *)(message + 1);
	size_t left = NLMSG_PAYLOAD(header, sizeof(*message));
	UnixSocket *more = realloc(list->sockets, (list->n + 1) * sizeof(*more)), *socket;

	if (!more)
		return -ENOMEM;
	list->sockets = more;
	socket = &more[list->n++];
	*socket = (UnixSocket){.inode = message->udiag_ino,
			       .type = message->udiag_type,
			       .listening = message->udiag_state == STATE_LISTEN};
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		if (attribute->rta_type == UNIX_DIAG_PEER)
			memcpy(&socket->peer, RTA_DATA(attribute), sizeof(socket->peer));
		else if (attribute->rta_type == UNIX_DIAG_NAME)
			name_copy(socket, attribute);
		else if (attribute->rta_type == UNIX_DIAG_VFS)
			socket->file_inode =
				((const struct unix_diag_vfs *)RTA_DATA(attribute))->udiag_vfs_ino;
	}
	return 0;
}

/* 1 when the dump is complete. */
static int reply_read(int fd, UnixSockets *list)
{
	_Alignas(struct nlmsghdr) char buffer[32768];
	ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		int r;

		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
		r = socket_append(list, h);
		if (r < 0)
			return r;
	}
	return 0;
}

int unix_sockets_read(UnixSockets *ret, Error *err)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	_cleanup_(unix_sockets_free) UnixSockets list = {0};
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} message = {
		.header = {.nlmsg_len = sizeof(message),
			   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.request = {.sdiag_family = AF_UNIX,
			    .udiag_states = ~0U,
			    .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_VFS},
	};
	int r;

	if (fd < 0 || send(fd, &message, sizeof(message), 0) < 0)
		return error_errno(err, -errno, "Listing the unix sockets");
	while ((r = reply_read(fd, &list)) == 0)
		;
	if (r < 0) {
		(void)error_errno(err, r, "Listing the unix sockets");
		return r == -ENOENT ? error_hint(err, "load the module unix_diag") : r;
	}
	*ret = list;
	list = (UnixSockets){0};
	return 0;
}
