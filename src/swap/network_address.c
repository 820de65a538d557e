/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_FLAGS                                                                                 \
	(IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)

static int address_filter(NetworkFile *file, const struct nlmsghdr *header, Error *err)
{
	const struct nlattr *attributes[IFA_MAX + 1];

	if (netlink_parse_message(header, sizeof(struct ifaddrmsg), attributes, IFA_MAX) < 0)
		return error_errno(err, -EBADMSG, "Reading the kernel's list of addresses");
	return !(netlink_u32(attributes[IFA_FLAGS]) & IFA_F_DADFAILED);
}

int addresses_list(NetworkFile *file, Netlink *netlink, Error *err)
{
	int r = network_file_list(file, netlink, RTM_GETADDR, AF_INET, sizeof(struct ifaddrmsg),
				  address_filter, err);

	if (r == 0)
		r = network_file_list(file, netlink, RTM_GETADDR, AF_INET6,
				      sizeof(struct ifaddrmsg), address_filter, err);
	return r < 0 ? error_prefix(err, "Listing addresses") : 0;
}

static int address_error(const struct ifaddrmsg *saved, const struct nlattr *address,
			 const Link *link, int code, Error *err)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (address && netlink_size(address) >= (saved->ifa_family == AF_INET ? 4 : 16))
		(void)inet_ntop(saved->ifa_family, netlink_data(address), text, sizeof(text));
	error_prefix(err, "Setting address %s/%u of link %s", text, saved->ifa_prefixlen,
		     link->name);
	return code;
}

static int address_restore(Netlink *netlink, const struct nlmsghdr *header, const Links *links,
			   Error *err)
{
	static const uint16_t copied[] = {IFA_LOCAL,     IFA_ADDRESS,     IFA_BROADCAST, IFA_LABEL,
					  IFA_CACHEINFO, IFA_RT_PRIORITY, IFA_PROTO};
	const struct ifaddrmsg *saved = (const struct ifaddrmsg *)(header + 1);
	const struct nlattr *attributes[IFA_MAX + 1];
	const Link *link = links_find(links, saved->ifa_index);
	struct ifa_cacheinfo lifetimes;
	NETLINK_BUFFER(buffer, 1024);
	struct ifaddrmsg *address;
	NetlinkMessage m;
	uint32_t flags;
	int r;

	if (!link || !link->here)
		return 0;
	if (netlink_parse_message(header, sizeof(*saved), attributes, IFA_MAX) < 0)
		return error_errno(err, -EBADMSG, "Reading a saved address");
	if (attributes[IFA_CACHEINFO] &&
	    netlink_size(attributes[IFA_CACHEINFO]) >= sizeof(lifetimes)) {
		memcpy(&lifetimes, netlink_data(attributes[IFA_CACHEINFO]), sizeof(lifetimes));
		if (lifetimes.ifa_valid == 0)
			return 0; /* it was about to go */
	}
	netlink_message_init(&m, buffer, sizeof(buffer));
	address =
		netlink_message_begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*address));
	if (!address)
		return -EMSGSIZE;
	*address = *saved;
	address->ifa_index = link->here;
	address->ifa_flags = 0;
	flags = netlink_u32(attributes[IFA_FLAGS]) & KEPT_FLAGS;
	if (saved->ifa_family == AF_INET6)
		flags |= IFA_F_NODAD;
	netlink_put_u32(&m, IFA_FLAGS, flags);
	for (size_t i = 0; i < sizeof(copied) / sizeof(copied[0]); i++)
		if (attributes[copied[i]])
			netlink_put_attribute(&m, attributes[copied[i]]);
	r = netlink_call(netlink, &m, err);
	/* The kernel gives the loopback interface its addresses. */
	if (r < 0 && r != -EEXIST)
		return address_error(saved, attributes[IFA_ADDRESS], link, r, err);
	return 0;
}

/* The kernel puts an IPv4 address behind those of a link, an IPv6 one before them. */
int addresses_restore(const NetworkFile *file, Netlink *netlink, const Links *saved, Error *err)
{
	_cleanup_free_ const struct nlmsghdr **six = NULL;
	size_t n = 0;
	int r = 0;

	for (const struct nlmsghdr *h = NULL; (h = network_file_next(file, RTM_NEWADDR, h));)
		n++;
	six = calloc(n + 1, sizeof(const struct nlmsghdr *));
	if (!six)
		return error_errno(err, -ENOMEM, "Setting addresses");
	n = 0;
	for (const struct nlmsghdr *h = NULL;
	     r == 0 && (h = network_file_next(file, RTM_NEWADDR, h));) {
		if (((const struct ifaddrmsg *)(h + 1))->ifa_family == AF_INET6)
			six[n++] = h;
		else
			r = address_restore(netlink, h, saved, err);
	}
	while (r == 0 && n > 0)
		r = address_restore(netlink, six[--n], saved, err);
	return r;
}
