/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_link.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define SYSFS "/sys"

void links_free(Links *links)
{
	free(links->links);
	*links = (Links){0};
}

/* ---- listing ---- */

/* Where the device of a link is, without the part that names the link; NULL if there is none. */
static char *device_path(const char *sysfs, const char *name)
{
	_cleanup_free_ char *link = text_format("%s/class/net/%s/device", sysfs, name);
	_cleanup_free_ char *path = link ? realpath(link, NULL) : NULL;
	size_t n = strlen(sysfs);

	if (!path || strncmp(path, sysfs, n) != 0)
		return NULL;
	return text_format(SYSFS "%s", path + n);
}

/* Without what counts traffic, and with the device. */
static int link_append(NetworkFile *file, const struct nlmsghdr *header, const char *sysfs,
		       Error *err)
{
	NETLINK_BUFFER(buffer, NETLINK_MESSAGE_MAX);
	const struct nlattr *attributes[IFLA_MAX + 1];
	_cleanup_free_ char *device = NULL;
	NetlinkMessage m;
	void *info;

	if (netlink_parse_message(header, sizeof(struct ifinfomsg), attributes, IFLA_MAX) < 0 ||
	    !netlink_string(attributes[IFLA_IFNAME]))
		return error_errno(err, -EBADMSG, "Reading the kernel's list of links");
	netlink_message_init(&m, buffer, sizeof(buffer));
	info = netlink_message_begin(&m, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
	if (info)
		memcpy(info, header + 1, sizeof(struct ifinfomsg));
	for (size_t i = 1; i <= IFLA_MAX; i++)
		if (attributes[i] && i != IFLA_STATS && i != IFLA_STATS64 && i != IFLA_MAP)
			netlink_put_attribute(&m, attributes[i]);
	device = device_path(sysfs, netlink_string(attributes[IFLA_IFNAME]));
	if (device)
		netlink_put_string(&m, NETWORK_FILE_DEVICE, device);
	if (m.overflow)
		return error_errno(err, -EMSGSIZE, "Reading the kernel's list of links");
	return network_file_append(file, (const struct nlmsghdr *)(const void *)buffer, err);
}

int links_list(NetworkFile *file, const char *sysfs, Netlink *netlink, Error *err)
{
	NETLINK_BUFFER(buffer, 256);
	_cleanup_network_file_ NetworkFile all = {0};
	NetlinkMessage m;
	int r;

	netlink_message_init(&m, buffer, sizeof(buffer));
	(void)netlink_message_begin(&m, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
	netlink_put_u32(&m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	r = network_file_dump(&all, netlink, &m, err);
	if (r < 0)
		return error_prefix(err, "Listing links");
	for (const struct nlmsghdr *h = NULL; (h = network_file_next(&all, RTM_NEWLINK, h));) {
		r = link_append(file, h, sysfs ? sysfs : SYSFS, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int link_parse(const struct nlmsghdr *header, Link *ret)
{
	const struct nlattr *info[IFLA_INFO_MAX + 1];
	const char *base = (const char *)header;
	size_t skip = NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct ifinfomsg)));
	Link link = {.info = (const struct ifinfomsg *)(header + 1)};

	if (netlink_parse_message(header, sizeof(*link.info), link.attributes, IFLA_MAX) < 0 ||
	    netlink_parse_nested(link.attributes[IFLA_LINKINFO], info, IFLA_INFO_MAX) < 0)
		return -EBADMSG;
	for (const struct nlattr *a = NULL;
	     (a = netlink_next(base + skip, header->nlmsg_len - skip, a));)
		if (netlink_type(a) == NETWORK_FILE_DEVICE)
			link.device = netlink_string(a);
	link.index = (uint32_t)link.info->ifi_index;
	link.name = netlink_string(link.attributes[IFLA_IFNAME]);
	if (!link.name || strlen(link.name) >= IFNAMSIZ || link.index == 0)
		return -EBADMSG;
	link.kind_name = netlink_string(info[IFLA_INFO_KIND]);
	link.kind = network_kind_find(link.kind_name);
	link.data = info[IFLA_INFO_DATA];
	link.port_kind = netlink_string(info[IFLA_INFO_SLAVE_KIND]);
	link.port_data = info[IFLA_INFO_SLAVE_DATA];
	*ret = link;
	return 0;
}

static bool can_be_carried(const Link *link)
{
	if (link_is_loopback(link))
		return true;
	if (link->kind_name)
		return link->kind && !link_is_elsewhere(link);
	return link->device;
}

/* What rests on a link that is not carried cannot be, either. */
static void links_decide(Links *links)
{
	bool changed = true;

	for (size_t i = 0; i < links->n; i++)
		links->links[i].carried = can_be_carried(&links->links[i]);
	while (changed) {
		changed = false;
		for (size_t i = 0; i < links->n; i++) {
			Link *link = &links->links[i];
			const Link *below = links_find(links, link_below(link));

			if (link->kind && link->carried && below && !below->carried) {
				link->carried = false;
				changed = true;
			}
		}
	}
}

int links_parse(const NetworkFile *file, Links *ret, Error *err)
{
	_cleanup_links_ Links links = {0};
	size_t n = 0;

	for (const struct nlmsghdr *h = NULL; (h = network_file_next(file, RTM_NEWLINK, h));)
		n++;
	links.links = calloc(n + 1, sizeof(*links.links));
	if (!links.links)
		return error_errno(err, -ENOMEM, "Listing links");
	for (const struct nlmsghdr *h = NULL; (h = network_file_next(file, RTM_NEWLINK, h));) {
		/* The bridges' own view of their ports: see network_bridge.c. */
		if (((const struct ifinfomsg *)(h + 1))->ifi_family == AF_BRIDGE)
			continue;
		if (link_parse(h, &links.links[links.n++]) < 0)
			return error_errno(err, -EBADMSG, "Reading a saved link");
	}
	links_decide(&links);
	*ret = links;
	links = (Links){0};
	return 0;
}

/* ---- finding ---- */

Link *links_find(const Links *links, uint32_t index)
{
	for (size_t i = 0; index && i < links->n; i++)
		if (links->links[i].index == index)
			return &links->links[i];
	return NULL;
}

Link *links_find_name(const Links *links, const char *name)
{
	for (size_t i = 0; i < links->n; i++)
		if (strcmp(links->links[i].name, name) == 0)
			return &links->links[i];
	return NULL;
}

uint32_t links_here(const Links *links, uint32_t index)
{
	const Link *link = links_find(links, index);

	return link ? link->here : 0;
}

int links_each(Netlink *netlink, const Links *links, LinkStep step, const char *attempt, Error *err)
{
	_cleanup_free_ bool *done = calloc(links->n + 1, sizeof(*done));
	size_t left = links->n, before;

	if (!done)
		return error_errno(err, -ENOMEM, "%s", attempt);
	do {
		Link *failed = NULL;
		int code = 0;

		before = left;
		for (size_t i = 0; i < links->n; i++) {
			Link *link = &links->links[i];
			int r = done[i] || !link->here ? 0 : step(netlink, links, link, err);

			if (r >= 0 && !done[i]) {
				done[i] = true;
				left--;
			} else if (r < 0) {
				code = r;
				failed = link;
			}
		}
		if (failed && left == before) {
			error_prefix(err, "%s %s", attempt, failed->name);
			return code;
		}
	} while (left > 0);
	return 0;
}

/* ---- one link ---- */

void link_message_begin(NetlinkMessage *message, uint32_t here, uint16_t flags)
{
	struct ifinfomsg *info = netlink_message_begin(message, RTM_NEWLINK, flags, sizeof(*info));

	if (info)
		info->ifi_index = (int)here;
}

bool link_is_loopback(const Link *link)
{
	return link->info->ifi_type == ARPHRD_LOOPBACK;
}

bool link_is_up(const Link *link)
{
	return link->info->ifi_flags & IFF_UP;
}

bool link_is_elsewhere(const Link *link)
{
	return link->attributes[IFLA_LINK_NETNSID];
}

uint32_t link_below(const Link *link)
{
	uint32_t below = netlink_u32(link->attributes[IFLA_LINK]);

	/* Some drivers say that a link is below itself. */
	return link_is_elsewhere(link) || below == link->index ? 0 : below;
}

const struct nlattr *link_own_address(const Link *link)
{
	const struct nlattr *settings[IFLA_BOND_SLAVE_PERM_HWADDR + 1];

	/* A bond gives its ports its own address, and theirs back when they leave. */
	if (link->port_kind && strcmp(link->port_kind, "bond") == 0 &&
	    netlink_parse_nested(link->port_data, settings, IFLA_BOND_SLAVE_PERM_HWADDR) == 0 &&
	    settings[IFLA_BOND_SLAVE_PERM_HWADDR])
		return settings[IFLA_BOND_SLAVE_PERM_HWADDR];
	return link->attributes[IFLA_ADDRESS];
}

/* The number in virtioN only counts the order in which devices were found. */
static size_t place_length(const char *device)
{
	const char *last = strrchr(device, '/');

	if (last && text_has_prefix(last, "/virtio") && isdigit((unsigned char)last[7]))
		return (size_t)(last - device);
	return strlen(device);
}

int link_likeness(const Link *saved, const Link *present)
{
	const struct nlattr *a = saved->attributes[IFLA_PERM_ADDRESS];
	const struct nlattr *b = present->attributes[IFLA_PERM_ADDRESS];
	bool place, address;

	if (!saved->device || !present->device || saved->info->ifi_type != present->info->ifi_type)
		return 0;
	place = place_length(saved->device) == place_length(present->device) &&
		strncmp(saved->device, present->device, place_length(saved->device)) == 0;
	address = a && b && netlink_equal(a, b);
	return (place ? 1 : 0) + (address ? 2 : 0);
}
