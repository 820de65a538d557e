/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_nexthop.h"

#include <errno.h>
#include <linux/nexthop.h>
#include <sys/socket.h>

/* Only those with this protocol are the kernel's own. */
static int nexthop_filter(NetworkFile *file, const struct nlmsghdr *header, Error *err)
{
	return ((const struct nhmsg *)(header + 1))->nh_protocol != RTPROT_KERNEL;
}

int nexthops_list(NetworkFile *file, Netlink *netlink, Error *err)
{
	static const uint8_t families[] = {AF_INET, AF_INET6, AF_UNSPEC /* groups */};

	for (size_t i = 0; i < sizeof(families); i++) {
		int r = network_file_list(file, netlink, RTM_GETNEXTHOP, families[i],
					  sizeof(struct nhmsg), nexthop_filter, err);

		if (r < 0)
			return error_prefix(err, "Listing next hops");
	}
	return 0;
}

static void put_resilience(NetlinkMessage *m, const struct nlattr *saved)
{
	size_t nest = netlink_nest_begin(m, NHA_RES_GROUP);

	/* The others are state, and refused. */
	for (const struct nlattr *a = NULL; (a = netlink_next_nested(saved, a));)
		if (netlink_type(a) == NHA_RES_GROUP_BUCKETS ||
		    netlink_type(a) == NHA_RES_GROUP_IDLE_TIMER ||
		    netlink_type(a) == NHA_RES_GROUP_UNBALANCED_TIMER)
			netlink_put_attribute(m, a);
	netlink_nest_end(m, nest);
}

static int nexthop_restore(Netlink *netlink, const struct nlmsghdr *header, const Links *links,
			   Error *err)
{
	static const uint16_t copied[] = {NHA_ID,        NHA_GROUP,   NHA_GROUP_TYPE,
					  NHA_BLACKHOLE, NHA_GATEWAY, NHA_ENCAP_TYPE,
					  NHA_ENCAP,     NHA_FDB};
	const struct nhmsg *saved = (const struct nhmsg *)(header + 1);
	const struct nlattr *attributes[NHA_MAX + 1];
	NETLINK_BUFFER(buffer, NETLINK_MESSAGE_MAX);
	struct nhmsg *nexthop;
	NetlinkMessage m;
	int r;

	if (netlink_parse_message(header, sizeof(*saved), attributes, NHA_MAX) < 0)
		return error_errno(err, -EBADMSG, "Reading a saved next hop");
	netlink_message_init(&m, buffer, sizeof(buffer));
	nexthop = netlink_message_begin(&m, RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_REPLACE,
					sizeof(*nexthop));
	if (!nexthop)
		return -EMSGSIZE;
	*nexthop = (struct nhmsg){.nh_family = saved->nh_family,
				  .nh_protocol = saved->nh_protocol,
				  .nh_flags = saved->nh_flags & RTNH_F_ONLINK};
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		if (attributes[copied[i]])
			netlink_put_attribute(&m, attributes[copied[i]]);
	if (attributes[NHA_RES_GROUP])
		put_resilience(&m, attributes[NHA_RES_GROUP]);
	/* The kernel shows the loopback interface for a black hole, but does not take it. */
	if (attributes[NHA_OIF] && !attributes[NHA_BLACKHOLE]) {
		uint32_t here = links_here(links, netlink_u32(attributes[NHA_OIF]));

		if (!here)
			return 0;
		netlink_put_u32(&m, NHA_OIF, here);
	}
	r = netlink_call(netlink, &m, err);
	if (r < 0)
		error_prefix(err, "Setting next hop %u", netlink_u32(attributes[NHA_ID]));
	return r;
}

int nexthops_restore(const NetworkFile *file, Netlink *netlink, const Links *saved, Error *err)
{
	for (const struct nlmsghdr *h = NULL; (h = network_file_next(file, RTM_NEWNEXTHOP, h));) {
		int r = nexthop_restore(netlink, h, saved, err);

		if (r < 0)
			return r;
	}
	return 0;
}
