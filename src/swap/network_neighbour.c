/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_neighbour.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/socket.h>

#define USABLE (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT)

/* NTF_OFFLOADED and the like tell the state. */
#define USER_FLAGS (NTF_SELF | NTF_MASTER | NTF_PROXY | NTF_EXT_LEARNED | NTF_ROUTER)

static int neighbour_filter(NetworkFile *file, const struct nlmsghdr *header, Error *err)
{
	const struct ndmsg *neighbour = (const struct ndmsg *)(header + 1);

	return (neighbour->ndm_state & USABLE) || (neighbour->ndm_flags & NTF_PROXY);
}

/* What was learned is learned again. */
static int forwarding_filter(NetworkFile *file, const struct nlmsghdr *header, Error *err)
{
	const struct ndmsg *entry = (const struct ndmsg *)(header + 1);

	return entry->ndm_state & (NUD_PERMANENT | NUD_NOARP);
}

static int proxies_list(NetworkFile *file, Netlink *netlink, Error *err)
{
	NETLINK_BUFFER(buffer, 64);
	struct ndmsg *request;
	NetlinkMessage m;

	netlink_message_init(&m, buffer, sizeof(buffer));
	request = netlink_message_begin(&m, RTM_GETNEIGH, 0, sizeof(*request));
	if (request)
		request->ndm_flags = NTF_PROXY;
	return network_file_dump(file, netlink, &m, err);
}

int neighbours_list(NetworkFile *file, Netlink *netlink, Error *err)
{
	static const struct {
		uint8_t family;
		NetworkFileFilter filter;
	} lists[] = {
		{AF_INET, neighbour_filter},
		{AF_INET6, neighbour_filter},
		{AF_BRIDGE, forwarding_filter},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(lists) / sizeof(lists[0]); i++)
		r = network_file_list(file, netlink, RTM_GETNEIGH, lists[i].family,
				      sizeof(struct ndmsg), lists[i].filter, err);
	if (r == 0)
		r = proxies_list(file, netlink, err);
	return r < 0 ? error_prefix(err, "Listing neighbours") : 0;
}

static uint16_t state_now(const struct ndmsg *saved)
{
	if (saved->ndm_family == AF_BRIDGE || (saved->ndm_state & NUD_PERMANENT))
		return saved->ndm_state;
	return saved->ndm_state & NUD_REACHABLE ? NUD_REACHABLE : NUD_STALE;
}

/* Entries of a bridge's or VXLAN's table that the kernel makes itself: for the links' own
 * addresses, and for what a link receives by itself. */
static bool is_made(const struct ndmsg *saved, const struct nlattr *address, const Link *link)
{
	if (saved->ndm_family != AF_BRIDGE)
		return false;
	if (saved->ndm_flags & NTF_SELF)
		return !link->kind || strcmp(link->kind_name, "vxlan") != 0;
	return netlink_equal(address, link->attributes[IFLA_ADDRESS]);
}

static int neighbour_restore(Netlink *netlink, const struct nlmsghdr *header, const Links *links,
			     Error *err)
{
	static const uint16_t copied[] = {NDA_DST,      NDA_LLADDR,    NDA_VLAN,
					  NDA_PORT,     NDA_VNI,       NDA_SRC_VNI,
					  NDA_PROTOCOL, NDA_FLAGS_EXT, NDA_NH_ID};
	const struct ndmsg *saved = (const struct ndmsg *)(header + 1);
	const struct nlattr *attributes[NDA_MAX + 1];
	const Link *link = links_find(links, (uint32_t)saved->ndm_ifindex);
	NETLINK_BUFFER(buffer, 1024);
	struct ndmsg *neighbour;
	NetlinkMessage m;
	int r;

	if (!link || !link->here || !link_is_up(link))
		return 0;
	if (netlink_parse_message(header, sizeof(*saved), attributes, NDA_MAX) < 0)
		return error_errno(err, -EBADMSG, "Reading a saved neighbour");
	if (is_made(saved, attributes[NDA_LLADDR], link))
		return 0;
	netlink_message_init(&m, buffer, sizeof(buffer));
	/* A VXLAN may lead to several machines for one address. */
	neighbour = netlink_message_begin(
		&m, RTM_NEWNEIGH,
		NLM_F_CREATE | (saved->ndm_family == AF_BRIDGE ? NLM_F_APPEND : NLM_F_REPLACE),
		sizeof(*neighbour));
	if (!neighbour)
		return -EMSGSIZE;
	*neighbour = (struct ndmsg){.ndm_family = saved->ndm_family,
				    .ndm_ifindex = (int)link->here,
				    .ndm_state = state_now(saved),
				    .ndm_flags = saved->ndm_flags & USER_FLAGS};
	if (attributes[NDA_MASTER] && !(saved->ndm_flags & NTF_SELF))
		neighbour->ndm_flags |= NTF_MASTER;
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		if (attributes[copied[i]])
			netlink_put_attribute(&m, attributes[copied[i]]);
	if (attributes[NDA_IFINDEX])
		netlink_put_u32(&m, NDA_IFINDEX,
				links_here(links, netlink_u32(attributes[NDA_IFINDEX])));
	r = netlink_call(netlink, &m, err);
	if (r == -EMSGSIZE || r == -ENOMEM || r == -ETIMEDOUT)
		return error_prefix(err, "Setting neighbours of link %s", link->name);
	/* One that is refused is found by asking, as any other. */
	return 0;
}

int neighbours_restore(const NetworkFile *file, Netlink *netlink, const Links *saved, Error *err)
{
	for (const struct nlmsghdr *h = NULL; (h = network_file_next(file, RTM_NEWNEIGH, h));) {
		int r = neighbour_restore(netlink, h, saved, err);

		if (r < 0)
			return r;
	}
	return 0;
}
