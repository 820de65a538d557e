/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_setting.h"

#include <errno.h>
#include <linux/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "swap/network_virtual.h"

#define ADDR_GEN_MODE_NONE 1 /* IN6_ADDR_GEN_MODE_NONE of linux/if_link.h */

/* What is the user's own of a link's flags: the kernel keeps these apart from what it needs itself
 * (dev_get_flags()). */
#define USER_FLAGS (IFF_NOARP | IFF_MULTICAST | IFF_ALLMULTI | IFF_PROMISC)

static const Link *master_of(const Links *saved, const Link *link)
{
	const Link *master = links_find(saved, netlink_u32(link->attributes[IFLA_MASTER]));

	/* Other links have masters, too, such as the virtual function below a netvsc: their driver
	 * sees to that. */
	return master && master->kind && master->here ? master : NULL;
}

static bool is_kind(const Link *link, const char *kind)
{
	return link->kind_name && strcmp(link->kind_name, kind) == 0;
}

/* ---- message parts: each puts what differs and returns whether it put anything ---- */

static int put_differing(NetlinkMessage *m, const Link *link, const Link *present, uint16_t type)
{
	const struct nlattr *saved = link->attributes[type];

	if (!saved || netlink_equal(saved, present->attributes[type]))
		return 0;
	netlink_put_attribute(m, saved);
	return 1;
}

static int put_address(NetlinkMessage *m, const Link *link, const Link *present)
{
	const struct nlattr *own = link_own_address(link);

	if (!own || link_is_loopback(link) || is_kind(link, "ipvlan") ||
	    netlink_equal(own, present->attributes[IFLA_ADDRESS]))
		return 0;
	netlink_put(m, IFLA_ADDRESS, netlink_data(own), netlink_size(own));
	return 1;
}

static int put_data(NetlinkMessage *m, const Links *saved, const Link *link, NetworkSetting when,
		    const Link *present)
{
	size_t before = m->size, info, data;
	int n;

	if (!link->kind || !link->data)
		return 0;
	info = netlink_nest_begin(m, IFLA_LINKINFO);
	netlink_put_string(m, IFLA_INFO_KIND, link->kind_name);
	data = netlink_nest_begin(m, IFLA_INFO_DATA);
	n = virtual_put_settings(m, saved, link, when, present);
	netlink_nest_end(m, data);
	netlink_nest_end(m, info);
	if (n == 0)
		netlink_message_cut(m, before);
	return n;
}

static int put_port_data(NetlinkMessage *m, const Link *link, const Link *present)
{
	const struct nlattr *settings[256];
	size_t before = m->size, info, data;
	int n = 0;

	if (!link->port_kind || !link->port_data || !present->port_data ||
	    netlink_parse_nested(present->port_data, settings, 255) < 0)
		return 0;
	info = netlink_nest_begin(m, IFLA_LINKINFO);
	netlink_put_string(m, IFLA_INFO_SLAVE_KIND, link->port_kind);
	data = netlink_nest_begin(m, IFLA_INFO_SLAVE_DATA);
	for (const struct nlattr *a = NULL; (a = netlink_next_nested(link->port_data, a));) {
		/* Settings that this kernel does not show it does not have. */
		if (netlink_type(a) > 255 || !settings[netlink_type(a)] ||
		    netlink_equal(a, settings[netlink_type(a)]) ||
		    !network_kind_sets_port(link->port_kind, netlink_type(a)))
			continue;
		netlink_put_attribute(m, a);
		n++;
	}
	netlink_nest_end(m, data);
	netlink_nest_end(m, info);
	if (n == 0)
		netlink_message_cut(m, before);
	return n;
}

static const struct nlattr *generation_mode(const Link *link)
{
	const struct nlattr *families[AF_INET6 + 1];
	const struct nlattr *settings[IFLA_INET6_MAX + 1];

	if (netlink_parse_nested(link->attributes[IFLA_AF_SPEC], families, AF_INET6) < 0 ||
	    netlink_parse_nested(families[AF_INET6], settings, IFLA_INET6_MAX) < 0)
		return NULL;
	return settings[IFLA_INET6_ADDR_GEN_MODE];
}

static void put_generation_mode(NetlinkMessage *m, uint8_t mode)
{
	size_t families = netlink_nest_begin(m, IFLA_AF_SPEC);
	size_t settings = netlink_nest_begin(m, AF_INET6);

	netlink_put_u8(m, IFLA_INET6_ADDR_GEN_MODE, mode);
	netlink_nest_end(m, settings);
	netlink_nest_end(m, families);
}

/* ---- steps ---- */

/* Names besides the first come back one by one: one that is there is no reason to go without the
 * others. */
static int names_add(Netlink *netlink, const Link *link, Error *err)
{
	const struct nlattr *names = link->attributes[IFLA_PROP_LIST];

	for (const struct nlattr *a = NULL; names && (a = netlink_next_nested(names, a));) {
		NETLINK_BUFFER(buffer, 512);
		struct ifinfomsg *info;
		NetlinkMessage m;
		size_t list;
		int r;

		if (netlink_type(a) != IFLA_ALT_IFNAME)
			continue;
		netlink_message_init(&m, buffer, sizeof(buffer));
		info = netlink_message_begin(&m, RTM_NEWLINKPROP,
					     NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND,
					     sizeof(*info));
		if (info)
			info->ifi_index = (int)link->here;
		list = netlink_nest_begin(&m, IFLA_PROP_LIST);
		netlink_put_attribute(&m, a);
		netlink_nest_end(&m, list);
		r = netlink_call(netlink, &m, err);
		if (r < 0 && r != -EEXIST)
			return r;
	}
	return 0;
}

static int link_apply(Netlink *netlink, const Links *saved, const Link *link, const Link *present,
		      Error *err)
{
	NETLINK_BUFFER(buffer, NETLINK_MESSAGE_MAX);
	const struct nlattr *mode = generation_mode(present);
	NetlinkMessage m;
	int n = 0, r;

	netlink_message_init(&m, buffer, sizeof(buffer));
	link_message_begin(&m, link->here, 0);
	n += put_differing(&m, link, present, IFLA_TXQLEN);
	n += put_differing(&m, link, present, IFLA_GROUP);
	n += put_differing(&m, link, present, IFLA_IFALIAS);
	if (!is_kind(link, "bridge"))
		n += put_address(&m, link, present);
	n += put_data(&m, saved, link, SETTING_LATER, present);
	if (mode && !link_is_loopback(link) && link_is_up(link) &&
	    netlink_u8(mode) != ADDR_GEN_MODE_NONE) {
		put_generation_mode(&m, ADDR_GEN_MODE_NONE);
		n++;
	}
	r = n ? netlink_call(netlink, &m, err) : 0;
	return r < 0 ? r : names_add(netlink, link, err);
}

static int link_enslave(Netlink *netlink, const Links *saved, Link *link, Error *err)
{
	NETLINK_BUFFER(buffer, 256);
	const Link *master = master_of(saved, link);
	NetlinkMessage m;

	if (!master)
		return 0;
	netlink_message_init(&m, buffer, sizeof(buffer));
	link_message_begin(&m, link->here, 0);
	netlink_put_u32(&m, IFLA_MASTER, master->here);
	return netlink_call(netlink, &m, err);
}

static int link_finish(Netlink *netlink, const Links *saved, const Link *link, const Link *present,
		       Error *err)
{
	NETLINK_BUFFER(buffer, NETLINK_MESSAGE_MAX);
	NetlinkMessage m;
	int n = 0;

	netlink_message_init(&m, buffer, sizeof(buffer));
	link_message_begin(&m, link->here, 0);
	n += put_differing(&m, link, present, IFLA_MTU);
	if (is_kind(link, "bridge"))
		n += put_address(&m, link, present);
	n += put_data(&m, saved, link, SETTING_INDEX, present);
	n += put_port_data(&m, link, present);
	return n ? netlink_call(netlink, &m, err) : 0;
}

static int link_raise(Netlink *netlink, const Links *saved, Link *link, Error *err)
{
	NETLINK_BUFFER(buffer, 256);
	struct ifinfomsg *info;
	NetlinkMessage m;

	netlink_message_init(&m, buffer, sizeof(buffer));
	info = netlink_message_begin(&m, RTM_NEWLINK, 0, sizeof(*info));
	if (!info)
		return -EMSGSIZE;
	info->ifi_index = (int)link->here;
	info->ifi_change = USER_FLAGS | IFF_UP;
	info->ifi_flags = link->info->ifi_flags & info->ifi_change;
	return netlink_call(netlink, &m, err);
}

static int link_generate(Netlink *netlink, const Links *saved, Link *link, Error *err)
{
	NETLINK_BUFFER(buffer, 256);
	const struct nlattr *mode = generation_mode(link);
	NetlinkMessage m;

	if (!mode || link_is_loopback(link) || !link_is_up(link))
		return 0;
	netlink_message_init(&m, buffer, sizeof(buffer));
	link_message_begin(&m, link->here, 0);
	put_generation_mode(&m, netlink_u8(mode));
	return netlink_call(netlink, &m, err);
}

/* ---- all links ---- */

typedef int (*CompareStep)(Netlink *netlink, const Links *saved, const Link *link,
			   const Link *present, Error *err);

/* As links_each(), for steps that compare; those do not rest on one another, but for the MTU of a
 * VLAN on the one below it: so again until none gets any further. */
static int compare_each(Netlink *netlink, const Links *saved, const Links *present,
			CompareStep step, const char *attempt, Error *err)
{
	size_t failed = saved->n + 1, before;
	int code;

	do {
		const Link *last = NULL;

		before = failed;
		failed = 0;
		code = 0;
		for (size_t i = 0; i < saved->n; i++) {
			const Link *link = &saved->links[i];
			const Link *is = links_find(present, link->here);
			int r = is ? step(netlink, saved, link, is, err) : 0;

			if (r < 0) {
				failed++;
				code = r;
				last = link;
			}
		}
		if (last && failed == before)
			error_prefix(err, "%s %s", attempt, last->name);
	} while (failed > 0 && failed < before);
	return code;
}

int settings_apply(Netlink *netlink, const Links *saved, const Links *present, Error *err)
{
	return compare_each(netlink, saved, present, link_apply, "Setting up link", err);
}

int settings_enslave(Netlink *netlink, const Links *saved, Error *err)
{
	return links_each(netlink, saved, link_enslave, "Setting the master of link", err);
}

int settings_finish(Netlink *netlink, const Links *saved, const Links *present, Error *err)
{
	return compare_each(netlink, saved, present, link_finish, "Setting up link", err);
}

int settings_raise(Netlink *netlink, const Links *saved, Error *err)
{
	return links_each(netlink, saved, link_raise, "Bringing up link", err);
}

int settings_generate(Netlink *netlink, const Links *saved, Error *err)
{
	return links_each(netlink, saved, link_generate,
			  "Setting how IPv6 addresses are generated on link", err);
}

/* ---- carrier ---- */

#define CARRIER (IFF_RUNNING | IFF_LOWER_UP)

typedef struct CarrierWait {
	const Links *saved;
	bool *done; /* by saved link */
} CarrierWait;

static int carrier_note(const struct nlmsghdr *header, void *context, Error *err)
{
	const CarrierWait *wait = context;
	const struct ifinfomsg *info = (const struct ifinfomsg *)(header + 1);

	if (header->nlmsg_type != RTM_NEWLINK || header->nlmsg_len < NLMSG_LENGTH(sizeof(*info)))
		return 0;
	for (size_t i = 0; i < wait->saved->n; i++) {
		const Link *link = &wait->saved->links[i];
		unsigned int had = link->info->ifi_flags & CARRIER;

		if (link->here == (uint32_t)info->ifi_index)
			wait->done[i] = (info->ifi_flags & had) == had;
	}
	return 0;
}

static const Link *carrier_missing(const CarrierWait *wait)
{
	for (size_t i = 0; i < wait->saved->n; i++)
		if (wait->saved->links[i].here && link_is_up(&wait->saved->links[i]) &&
		    !wait->done[i])
			return &wait->saved->links[i];
	return NULL;
}

static int carrier_list(Netlink *netlink, CarrierWait *wait, Error *err)
{
	NETLINK_BUFFER(buffer, 64);
	NetlinkMessage m;

	netlink_message_init(&m, buffer, sizeof(buffer));
	(void)netlink_message_begin(&m, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	return netlink_dump(netlink, &m, carrier_note, wait, err);
}

/* The kernel takes note of a carrier up to a second after the one before (linkwatch_schedule_work()
 * in net/core/link_watch.c), but at once for whom asks about just that link (rtnl_getlink(), since
 * 6.8).  virtio_net has two in short: none when it is found, one when the link is raised. */
static void carriers_ask(Netlink *netlink, const CarrierWait *wait)
{
	for (size_t i = 0; i < wait->saved->n; i++) {
		NETLINK_BUFFER(buffer, 64);
		struct ifinfomsg *asked;
		NetlinkMessage m;

		if (!wait->saved->links[i].here || wait->done[i])
			continue;
		netlink_message_init(&m, buffer, sizeof(buffer));
		asked = netlink_message_begin(&m, RTM_GETLINK, 0, sizeof(*asked));
		if (asked)
			asked->ifi_index = (int)wait->saved->links[i].here;
		(void)netlink_call(netlink, &m, NULL);
	}
}

int settings_wait_carrier(Netlink *netlink, const Links *saved, int limit_ms, Error *err)
{
	int64_t deadline = clock_monotonic_us() + limit_ms * 1000LL;
	_cleanup_free_ bool *done = calloc(saved->n + 1, sizeof(*done));
	_cleanup_netlink_ Netlink watch = NETLINK_INIT;
	CarrierWait wait = {.saved = saved, .done = done};
	int r;

	if (!done)
		return error_errno(err, -ENOMEM, "Waiting for carriers");
	r = netlink_open(NETLINK_ROUTE, &watch, err);
	if (r == 0)
		r = netlink_join(&watch, RTNLGRP_LINK, err);
	if (r == 0) {
		carriers_ask(netlink, &wait);
		r = carrier_list(netlink, &wait, err);
	}
	while ((r == 0 || r == -EINTR || r == -ENOBUFS) && carrier_missing(&wait)) {
		int64_t left_us = deadline - clock_monotonic_us();

		if (left_us <= 0)
			return error_set(err, -ETIMEDOUT,
					 "Link %s had a carrier and has none after %d s",
					 carrier_missing(&wait)->name, limit_ms / 1000);
		/* A list that changed, or news that were lost: read the list again. */
		r = r < 0 ? carrier_list(netlink, &wait, err)
			  : netlink_receive(&watch, (int)(left_us / 1000) + 1, carrier_note, &wait,
					    err);
		if (r == -ETIMEDOUT)
			r = 0;
	}
	return r == -EINTR || r == -ENOBUFS ? 0 : r;
}
