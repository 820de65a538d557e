/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_bridge.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <string.h>
#include <sys/socket.h>

int bridge_vlans_list(NetworkFile *file, Netlink *netlink, Error *err)
{
	NETLINK_BUFFER(buffer, 64);
	struct ifinfomsg *request;
	NetlinkMessage m;
	int r;

	netlink_message_init(&m, buffer, sizeof(buffer));
	request = netlink_message_begin(&m, RTM_GETLINK, 0, sizeof(*request));
	if (request)
		request->ifi_family = AF_BRIDGE;
	netlink_put_u32(&m, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN);
	r = network_file_dump(file, netlink, &m, err);
	/* A kernel without bridges. */
	if (r == -EOPNOTSUPP || r == -EAFNOSUPPORT)
		return 0;
	return r < 0 ? error_prefix(err, "Listing VLANs of bridges") : 0;
}

/* The VLANs in a message of a bridge; NULL if it is none. */
static const struct nlattr *vlans_of(const struct nlmsghdr *header)
{
	const struct nlattr *attributes[IFLA_MAX + 1];

	if (((const struct ifinfomsg *)(header + 1))->ifi_family != AF_BRIDGE ||
	    netlink_parse_message(header, sizeof(struct ifinfomsg), attributes, IFLA_MAX) < 0)
		return NULL;
	return attributes[IFLA_AF_SPEC];
}

static const struct nlattr *vlan_next(const struct nlattr *vlans, const struct nlattr *previous)
{
	const struct nlattr *a = previous;

	while ((a = netlink_next_nested(vlans, a)))
		if (netlink_type(a) == IFLA_BRIDGE_VLAN_INFO &&
		    netlink_size(a) >= sizeof(struct bridge_vlan_info))
			return a;
	return NULL;
}

static bool vlan_is_in(const struct nlattr *vlans, const struct nlattr *vlan)
{
	for (const struct nlattr *a = NULL; (a = vlan_next(vlans, a));)
		if (netlink_equal(a, vlan))
			return true;
	return false;
}

static int vlan_send(Netlink *netlink, uint16_t type, const Link *link, const struct nlattr *vlan,
		     Error *err)
{
	NETLINK_BUFFER(buffer, 256);
	struct bridge_vlan_info info;
	struct ifinfomsg *header;
	NetlinkMessage m;
	size_t nest;
	int r;

	memcpy(&info, netlink_data(vlan), sizeof(info));
	netlink_message_init(&m, buffer, sizeof(buffer));
	header = netlink_message_begin(&m, type, 0, sizeof(*header));
	if (header) {
		header->ifi_family = AF_BRIDGE;
		header->ifi_index = (int)link->here;
	}
	nest = netlink_nest_begin(&m, IFLA_AF_SPEC);
	/* A message about a port goes to its bridge, one about a bridge to itself. */
	if (link->kind && strcmp(link->kind_name, "bridge") == 0) {
		netlink_put_u16(&m, IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF);
		info.flags |= BRIDGE_VLAN_INFO_BRENTRY;
	}
	netlink_put(&m, IFLA_BRIDGE_VLAN_INFO, &info, sizeof(info));
	netlink_nest_end(&m, nest);
	r = netlink_call(netlink, &m, err);
	/* A kernel without CONFIG_BRIDGE_VLAN_FILTERING has bridges that take no notice of VLANs.
	 */
	if (r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		error_prefix(err, "Setting VLAN %u of link %s", info.vid, link->name);
	return r;
}

static const struct nlattr *vlans_here(const NetworkFile *present, uint32_t here)
{
	for (const struct nlmsghdr *h = NULL; (h = network_file_next(present, RTM_NEWLINK, h));)
		if ((uint32_t)((const struct ifinfomsg *)(h + 1))->ifi_index == here && vlans_of(h))
			return vlans_of(h);
	return NULL;
}

static int vlans_set(Netlink *netlink, const Link *link, const struct nlattr *saved,
		     const struct nlattr *present, Error *err)
{
	int r = 0;

	for (const struct nlattr *a = NULL; present && r == 0 && (a = vlan_next(present, a));)
		if (!vlan_is_in(saved, a))
			r = vlan_send(netlink, RTM_DELLINK, link, a, err);
	for (const struct nlattr *a = NULL; r == 0 && (a = vlan_next(saved, a));)
		if (!present || !vlan_is_in(present, a))
			r = vlan_send(netlink, RTM_SETLINK, link, a, err);
	return r;
}

int bridge_vlans_restore(const NetworkFile *file, Netlink *netlink, const Links *saved, Error *err)
{
	_cleanup_network_file_ NetworkFile present = {0};
	int r = bridge_vlans_list(&present, netlink, err);

	for (const struct nlmsghdr *h = NULL;
	     r == 0 && (h = network_file_next(file, RTM_NEWLINK, h));) {
		const struct ifinfomsg *info = (const struct ifinfomsg *)(h + 1);
		const Link *link = links_find(saved, (uint32_t)info->ifi_index);

		if (vlans_of(h) && link && link->here)
			r = vlans_set(netlink, link, vlans_of(h), vlans_here(&present, link->here),
				      err);
	}
	return r;
}
