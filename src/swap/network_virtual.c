/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_virtual.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_vlan.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

/* ---- settings ---- */

static const struct nlattr *find_type(const struct nlattr *nest, uint16_t type)
{
	for (const struct nlattr *a = NULL; nest && (a = netlink_next_nested(nest, a));)
		if (netlink_type(a) == type)
			return a;
	return NULL;
}

/* A bridge's switches: a kernel refuses a mask with one that it does not know. */
static bool put_bridge_switches(NetlinkMessage *m, const struct nlattr *saved,
				const struct nlattr *present)
{
	struct br_boolopt_multi was, is;

	if (!present || netlink_size(saved) < sizeof(was) || netlink_size(present) < sizeof(is))
		return false;
	memcpy(&was, netlink_data(saved), sizeof(was));
	memcpy(&is, netlink_data(present), sizeof(is));
	was.optmask &= is.optmask;
	was.optval &= is.optmask;
	if (was.optval == (is.optval & was.optmask))
		return false;
	netlink_put(m, IFLA_BR_MULTI_BOOLOPT, &was, sizeof(was));
	return true;
}

/* The kernel shows no flags where all are off, though one is on by default, and shows them under a
 * mask that it does not take (vlan_fill_info(), vlan_dev_change_flags()). */
static void put_vlan_flags(NetlinkMessage *m, const struct nlattr *saved)
{
	struct ifla_vlan_flags flags = {.mask = VLAN_FLAG_REORDER_HDR | VLAN_FLAG_GVRP |
						VLAN_FLAG_LOOSE_BINDING | VLAN_FLAG_MVRP |
						VLAN_FLAG_BRIDGE_BINDING};

	flags.flags = netlink_u32(saved) & flags.mask; /* its first member */
	netlink_put(m, IFLA_VLAN_FLAGS, &flags, sizeof(flags));
}

static bool put_setting(NetlinkMessage *m, const Links *saved, const Link *link,
			const struct nlattr *setting, const struct nlattr *present)
{
	if (network_kind_points(link->kind, netlink_type(setting))) {
		uint32_t here = links_here(saved, netlink_u32(setting));

		if (here == netlink_u32(present))
			return false;
		netlink_put_u32(m, netlink_type(setting), here);
		return true;
	}
	if (present && netlink_equal(setting, present))
		return false;
	if (network_kind_is_flag(link->kind, netlink_type(setting))) {
		if (netlink_size(setting) > 0 && netlink_u8(setting) == 0)
			return false;
		netlink_put(m, netlink_type(setting), NULL, 0);
		return true;
	}
	if (strcmp(link->kind_name, "bridge") == 0 &&
	    netlink_type(setting) == IFLA_BR_MULTI_BOOLOPT)
		return put_bridge_switches(m, setting, present);
	netlink_put_attribute(m, setting);
	return true;
}

int virtual_put_settings(NetlinkMessage *message, const Links *saved, const Link *link,
			 NetworkSetting when, const Link *present)
{
	int n = 0;

	if (when == SETTING_AT_CREATION && strcmp(link->kind_name, "vlan") == 0)
		put_vlan_flags(message, find_type(link->data, IFLA_VLAN_FLAGS));
	for (const struct nlattr *a = NULL; link->data && (a = netlink_next_nested(link->data, a));)
		if (network_kind_setting(link->kind, netlink_type(a)) == when)
			n += put_setting(message, saved, link, a,
					 present ? find_type(present->data, netlink_type(a))
						 : NULL);
	return n;
}

/* ---- making ---- */

static bool is_veth(const Link *link)
{
	return strcmp(link->kind_name, "veth") == 0;
}

/* What any link is made with; also for the peer of a veth. */
static void put_link(NetlinkMessage *m, const Link *link)
{
	static const uint16_t copied[] = {IFLA_TXQLEN, IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES,
					  IFLA_GROUP};
	const struct nlattr *address = link_own_address(link);

	netlink_put_string(m, IFLA_IFNAME, link->name);
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		if (link->attributes[copied[i]])
			netlink_put_attribute(m, link->attributes[copied[i]]);
	/* A bridge takes its address from its ports, unless it is told one: see network_setting.c.
	 */
	if (address && strcmp(link->kind_name, "bridge") != 0 &&
	    strcmp(link->kind_name, "ipvlan") != 0)
		netlink_put(m, IFLA_ADDRESS, netlink_data(address), netlink_size(address));
}

static uint32_t free_index(uint32_t wanted)
{
	char name[IF_NAMESIZE];

	return if_indextoname(wanted, name) ? 0 : wanted;
}

static void put_peer(NetlinkMessage *m, const Link *peer)
{
	struct ifinfomsg info = {.ifi_index = (int)free_index(peer->index)};
	size_t nest = netlink_nest_begin(m, VETH_INFO_PEER);

	/* The header of a link's message, and attributes behind it. */
	netlink_put_raw(m, &info, sizeof(info));
	put_link(m, peer);
	netlink_nest_end(m, nest);
}

static int link_create(Netlink *netlink, const Links *saved, Link *link, Link *peer, Error *err)
{
	NETLINK_BUFFER(buffer, NETLINK_MESSAGE_MAX);
	uint32_t below = link_below(link);
	size_t info, data;
	NetlinkMessage m;
	int r;

	netlink_message_init(&m, buffer, sizeof(buffer));
	link_message_begin(&m, free_index(link->index), NLM_F_CREATE | NLM_F_EXCL);
	put_link(&m, link);
	if (below && !peer)
		netlink_put_u32(&m, IFLA_LINK, links_here(saved, below));
	info = netlink_nest_begin(&m, IFLA_LINKINFO);
	netlink_put_string(&m, IFLA_INFO_KIND, link->kind_name);
	data = netlink_nest_begin(&m, IFLA_INFO_DATA);
	if (peer)
		put_peer(&m, peer);
	else
		(void)virtual_put_settings(&m, saved, link, SETTING_AT_CREATION, NULL);
	netlink_nest_end(&m, data);
	netlink_nest_end(&m, info);
	r = netlink_call(netlink, &m, err);
	if (r < 0) {
		error_prefix(err, "Making %s %s", link->kind_name, link->name);
		return r;
	}
	link->here = if_nametoindex(link->name);
	if (peer)
		peer->here = if_nametoindex(peer->name);
	return 0;
}

/* All that it points at is there, as far as it is carried. */
static bool is_ready(const Links *saved, const Link *link)
{
	const Link *below = links_find(saved, link_below(link));

	if (below && below->carried && !below->here && !is_veth(link))
		return false;
	for (const struct nlattr *a = NULL;
	     link->data && (a = netlink_next_nested(link->data, a));) {
		const Link *other = NULL;

		if (network_kind_setting(link->kind, netlink_type(a)) == SETTING_AT_CREATION &&
		    network_kind_points(link->kind, netlink_type(a)))
			other = links_find(saved, netlink_u32(a));
		if (other && other->carried && !other->here)
			return false;
	}
	return true;
}

/* ---- what is there ---- */

static int link_delete(Netlink *netlink, uint32_t here)
{
	NETLINK_BUFFER(buffer, 64);
	struct ifinfomsg *info;
	NetlinkMessage m;

	netlink_message_init(&m, buffer, sizeof(buffer));
	info = netlink_message_begin(&m, RTM_DELLINK, 0, sizeof(*info));
	if (info)
		info->ifi_index = (int)here;
	return netlink_call(netlink, &m, NULL);
}

static void present_replace(Netlink *netlink, Link *link, const Links *present)
{
	const Link *there = links_find_name(present, link->name);

	if (!there || !there->kind_name || strcmp(there->kind_name, link->kind_name) != 0)
		return;
	(void)link_delete(netlink, there->index);
	link->here = if_nametoindex(link->name); /* 0 if it is gone now */
}

int virtual_create(Netlink *netlink, Links *saved, const Links *present, Error *err)
{
	const Link *waiting;
	bool progress;

	for (size_t i = 0; i < saved->n; i++)
		if (saved->links[i].kind && saved->links[i].carried)
			present_replace(netlink, &saved->links[i], present);
	do {
		progress = false;
		waiting = NULL;
		for (size_t i = 0; i < saved->n; i++) {
			Link *link = &saved->links[i];
			int r;

			if (!link->kind || !link->carried || link->here)
				continue;
			waiting = link;
			if (!is_ready(saved, link))
				continue;
			r = link_create(netlink, saved, link,
					is_veth(link) ? links_find(saved, link_below(link)) : NULL,
					err);
			if (r < 0)
				return r;
			progress = true;
		}
	} while (progress);
	if (waiting && !waiting->here)
		return error_set(err, -ENODEV, "Making %s %s: the link below it is not there",
				 waiting->kind_name, waiting->name);
	return 0;
}
