/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_device.h"

#include <errno.h>
#include <linux/if.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static bool taken(const Links *saved, uint32_t here)
{
	for (size_t i = 0; i < saved->n; i++)
		if (saved->links[i].here == here)
			return true;
	return false;
}

void devices_match(Links *saved, const Links *present)
{
	for (size_t i = 0; i < saved->n; i++) {
		saved->links[i].here = 0;
		for (size_t j = 0; j < present->n && link_is_loopback(&saved->links[i]); j++)
			if (link_is_loopback(&present->links[j]))
				saved->links[i].here = present->links[j].index;
	}
	for (int likeness = 3; likeness > 0; likeness--)
		for (size_t i = 0; i < saved->n; i++)
			for (size_t j = 0; j < present->n && !saved->links[i].here; j++)
				if (link_likeness(&saved->links[i], &present->links[j]) ==
					    likeness &&
				    !taken(saved, present->links[j].index))
					saved->links[i].here = present->links[j].index;
}

static int missing_error(const Link *link, Error *err)
{
	const struct nlattr *address = link->attributes[IFLA_PERM_ADDRESS];
	const unsigned char *bytes = address ? netlink_data(address) : NULL;
	char text[3 * 32 + 1] = "unknown";

	for (size_t i = 0; address && i < netlink_size(address) && i < 32; i++)
		(void)snprintf(text + 3 * i, 4, "%02x%s", bytes[i],
			       i + 1 < netlink_size(address) ? ":" : "");
	return error_set(err, -ENODEV,
			 "Link %s (%s, address %s) is not there under this kernel; look whether it "
			 "has the driver",
			 link->name, link->device, text);
}

static const Link *first_missing(const Links *saved)
{
	for (size_t i = 0; i < saved->n; i++)
		if (saved->links[i].device && !saved->links[i].kind_name &&
		    link_is_up(&saved->links[i]) && !saved->links[i].here)
			return &saved->links[i];
	return NULL;
}

static int nothing(const struct nlmsghdr *header, void *context, Error *err)
{
	return 0;
}

int devices_find(Netlink *netlink, Links *saved, const char *sysfs, int limit_ms, Error *err)
{
	int64_t deadline = clock_monotonic_us() + limit_ms * 1000LL;
	_cleanup_netlink_ Netlink watch = NETLINK_INIT;
	int r = netlink_open(NETLINK_ROUTE, &watch, err);

	if (r == 0)
		r = netlink_join(&watch, RTNLGRP_LINK, err);
	while (r == 0) {
		_cleanup_network_file_ NetworkFile file = {0};
		_cleanup_links_ Links present = {0};
		int64_t left_us = deadline - clock_monotonic_us();

		r = links_list(&file, sysfs, netlink, err);
		if (r == 0)
			r = links_parse(&file, &present, err);
		if (r < 0)
			return r;
		devices_match(saved, &present);
		if (!first_missing(saved))
			return 0;
		if (left_us <= 0)
			return missing_error(first_missing(saved), err);
		r = netlink_receive(&watch, (int)(left_us / 1000) + 1, nothing, NULL, err);
		/* Too much news, or none: look again. */
		if (r == -ENOBUFS || r == -ETIMEDOUT)
			r = 0;
	}
	return r;
}

/* ---- names ---- */

static int link_rename(Netlink *netlink, uint32_t here, const char *name, Error *err)
{
	NETLINK_BUFFER(buffer, 256);
	NetlinkMessage m;

	netlink_message_init(&m, buffer, sizeof(buffer));
	link_message_begin(&m, here, 0);
	netlink_put_string(&m, IFLA_IFNAME, name);
	if (netlink_call(netlink, &m, err) < 0)
		return error_prefix(err, "Naming link %u %s", here, name);
	return 0;
}

static const Link *find_here(const Links *saved, uint32_t here)
{
	for (size_t i = 0; i < saved->n; i++)
		if (saved->links[i].here == here)
			return &saved->links[i];
	return NULL;
}

/* Another link has to have this one's name. */
static bool name_is_wanted(const Links *saved, const Link *present)
{
	const Link *owner = links_find_name(saved, present->name);

	return owner && owner->carried && owner->here != present->index &&
	       !(owner->kind_name && present->kind_name &&
		 strcmp(owner->kind_name, present->kind_name) == 0);
}

int devices_rename(Netlink *netlink, const Links *saved, const Links *present, Error *err)
{
	for (size_t i = 0; i < present->n; i++) {
		const Link *link = &present->links[i];
		const Link *was = find_here(saved, link->index);
		char name[IFNAMSIZ];
		int r;

		if (was ? strcmp(was->name, link->name) == 0 : !name_is_wanted(saved, link))
			continue;
		(void)snprintf(name, sizeof(name), "seg%u", link->index);
		r = link_rename(netlink, link->index, name, err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < present->n; i++) {
		const Link *link = &present->links[i];
		const Link *was = find_here(saved, link->index);
		int r = 0;

		if (was && strcmp(was->name, link->name) != 0)
			r = link_rename(netlink, link->index, was->name, err);
		if (r < 0)
			return r;
	}
	return 0;
}
