/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "swap/network_nexthop.h"

/* rta_expires counts in these per second (USER_HZ, the same on all kernels). */
#define TICKS_PER_SECOND 100

/* Of the flags in headers a user sets these; the others tell the state. */
#define USER_FLAGS (RTNH_F_ONLINK | RTNH_F_PERVASIVE)

/* ---- listing ---- */

/* Seconds after which it expires; 0: never; -1: now. */
static long route_expiry(const struct nlattr *const attributes[])
{
	const struct nlattr *cache = attributes[RTA_CACHEINFO];
	struct rta_cacheinfo info;

	if (!cache || netlink_size(cache) < sizeof(info))
		return 0;
	memcpy(&info, netlink_data(cache), sizeof(info));
	if (info.rta_expires == 0)
		return 0;
	return info.rta_expires >= TICKS_PER_SECOND ? info.rta_expires / TICKS_PER_SECOND : -1;
}

static int route_filter(NetworkFile *file, const struct nlmsghdr *header, Error *err)
{
	const struct rtmsg *route = (const struct rtmsg *)(header + 1);
	const struct nlattr *attributes[RTA_MAX + 1];

	if (netlink_parse_message(header, sizeof(*route), attributes, RTA_MAX) < 0)
		return error_errno(err, -EBADMSG, "Reading the kernel's list of routes");
	if ((route->rtm_flags & RTM_F_CLONED) || route->rtm_protocol == RTPROT_REDIRECT)
		return 0;
	/* A router's announcement makes the route to a prefix that there need be no address of. */
	if (route->rtm_protocol == RTPROT_KERNEL)
		return route->rtm_family == AF_INET6 && route->rtm_type == RTN_UNICAST &&
		       route_expiry(attributes) > 0;
	return 1;
}

int routes_list(NetworkFile *file, Netlink *netlink, Error *err)
{
	int r = nexthops_list(file, netlink, err);

	if (r == 0)
		r = network_file_list(file, netlink, RTM_GETROUTE, AF_INET, sizeof(struct rtmsg),
				      route_filter, err);
	if (r == 0)
		r = network_file_list(file, netlink, RTM_GETROUTE, AF_INET6, sizeof(struct rtmsg),
				      route_filter, err);
	return r < 0 ? error_prefix(err, "Listing routes") : 0;
}

/* ---- restoring ---- */

/* The ways of a multipath route; returns how many are left, or -EBADMSG. */
static int put_ways(NetlinkMessage *m, const struct nlattr *ways, const Links *links)
{
	size_t nest = netlink_nest_begin(m, RTA_MULTIPATH);
	const char *data = netlink_data(ways);
	size_t left = netlink_size(ways);
	int n = 0;

	while (left >= sizeof(struct rtnexthop)) {
		struct rtnexthop way;
		size_t padded;
		uint32_t here;

		memcpy(&way, data, sizeof(way));
		padded = NLMSG_ALIGN((size_t)way.rtnh_len);
		if (way.rtnh_len < sizeof(way) || way.rtnh_len > left)
			return -EBADMSG;
		here = links_here(links, (uint32_t)way.rtnh_ifindex);
		if (here) {
			way.rtnh_ifindex = (int)here;
			way.rtnh_flags &= USER_FLAGS;
			netlink_put_raw(m, &way, sizeof(way));
			netlink_put_raw(m, data + sizeof(way), way.rtnh_len - sizeof(way));
			n++;
		}
		data += padded;
		left -= padded < left ? padded : left;
	}
	netlink_nest_end(m, nest);
	return n;
}

/* Where the route leads.  1, or 0 if that is not carried. */
static int put_target(NetlinkMessage *m, const struct nlattr *const attributes[],
		      const Links *links)
{
	static const uint16_t copied[] = {RTA_GATEWAY, RTA_VIA, RTA_FLOW, RTA_ENCAP_TYPE,
					  RTA_ENCAP};

	/* The kernel also shows what a shared next hop leads to, but takes only one of them. */
	if (attributes[RTA_NH_ID]) {
		netlink_put_attribute(m, attributes[RTA_NH_ID]);
		return 1;
	}
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		if (attributes[copied[i]])
			netlink_put_attribute(m, attributes[copied[i]]);
	if (attributes[RTA_OIF]) {
		uint32_t here = links_here(links, netlink_u32(attributes[RTA_OIF]));

		if (!here)
			return 0;
		netlink_put_u32(m, RTA_OIF, here);
	}
	return attributes[RTA_MULTIPATH] ? put_ways(m, attributes[RTA_MULTIPATH], links) : 1;
}

static void route_name(const struct rtmsg *route, const struct nlattr *const attributes[],
		       Error *err)
{
	char text[INET6_ADDRSTRLEN] = "default";
	const struct nlattr *to = attributes[RTA_DST];

	if (to && netlink_size(to) >= (route->rtm_family == AF_INET ? 4 : 16))
		(void)inet_ntop(route->rtm_family, netlink_data(to), text, sizeof(text));
	error_prefix(err, "Setting the route to %s/%u in table %u", text, route->rtm_dst_len,
		     attributes[RTA_TABLE] ? netlink_u32(attributes[RTA_TABLE]) : route->rtm_table);
}

static int route_restore(Netlink *netlink, const struct nlmsghdr *header, const Links *links,
			 Error *err)
{
	static const uint16_t copied[] = {RTA_DST,     RTA_SRC,   RTA_PRIORITY, RTA_PREFSRC,
					  RTA_METRICS, RTA_TABLE, RTA_PREF};
	const struct rtmsg *saved = (const struct rtmsg *)(header + 1);
	const struct nlattr *attributes[RTA_MAX + 1];
	NETLINK_BUFFER(buffer, NETLINK_MESSAGE_MAX);
	bool four = saved->rtm_family == AF_INET;
	struct rtmsg *route;
	NetlinkMessage m;
	long expiry;
	int r;

	if (netlink_parse_message(header, sizeof(*saved), attributes, RTA_MAX) < 0)
		return error_errno(err, -EBADMSG, "Reading a saved route");
	expiry = route_expiry(attributes);
	if (expiry < 0)
		return 0;
	netlink_message_init(&m, buffer, sizeof(buffer));
	/* IPv4 routes may differ in nothing but the way, and their order counts. */
	route = netlink_message_begin(&m, RTM_NEWROUTE, NLM_F_CREATE | (four ? NLM_F_APPEND : 0),
				      sizeof(*route));
	if (!route)
		return -EMSGSIZE;
	*route = *saved;
	route->rtm_flags &= USER_FLAGS;
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		if (attributes[copied[i]])
			netlink_put_attribute(&m, attributes[copied[i]]);
	if (expiry > 0 && !four)
		netlink_put_u32(&m, RTA_EXPIRES, (uint32_t)expiry);
	r = put_target(&m, attributes, links);
	if (r < 0)
		return error_errno(err, r, "Reading a saved route");
	if (r == 0)
		return 0;
	r = netlink_call(netlink, &m, err);
	/* One that came by itself is as good. */
	if (r < 0 && r != -EEXIST) {
		route_name(saved, attributes, err);
		return r;
	}
	return 0;
}

int routes_restore(const NetworkFile *file, Netlink *netlink, const Links *saved, Error *err)
{
	size_t n = 0, left, before;
	_cleanup_free_ bool *done = NULL;
	int code, r = nexthops_restore(file, netlink, saved, err);

	if (r < 0)
		return r;
	for (const struct nlmsghdr *h = NULL; (h = network_file_next(file, RTM_NEWROUTE, h));)
		n++;
	done = calloc(n + 1, sizeof(*done));
	if (!done)
		return error_errno(err, -ENOMEM, "Setting routes");
	left = n;
	do {
		size_t i = 0;

		before = left;
		code = 0;
		for (const struct nlmsghdr *h = NULL;
		     (h = network_file_next(file, RTM_NEWROUTE, h)); i++) {
			if (done[i])
				continue;
			r = route_restore(netlink, h, saved, err);
			if (r < 0) {
				code = r;
				continue;
			}
			done[i] = true;
			left--;
		}
	} while (left > 0 && left < before);
	return code;
}
