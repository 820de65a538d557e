/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_rule.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* Of the flags in the header these are the user's; the others tell the state. */
#define USER_FLAGS (FIB_RULE_INVERT | FIB_RULE_PERMANENT)

int rules_list(NetworkFile *file, Netlink *netlink, Error *err)
{
	int r = network_file_list(file, netlink, RTM_GETRULE, AF_INET, sizeof(struct fib_rule_hdr),
				  NULL, err);

	if (r == 0)
		r = network_file_list(file, netlink, RTM_GETRULE, AF_INET6,
				      sizeof(struct fib_rule_hdr), NULL, err);
	return r < 0 ? error_prefix(err, "Listing rules") : 0;
}

static bool same_attributes(const struct nlattr *const a[], const struct nlattr *const b[])
{
	for (size_t i = 1; i <= FRA_MAX; i++)
		if (i != FRA_PAD && !netlink_equal(a[i], b[i]))
			return false;
	return true;
}

static bool rule_equal(const struct nlmsghdr *a, const struct nlmsghdr *b)
{
	const struct nlattr *of_a[FRA_MAX + 1], *of_b[FRA_MAX + 1];
	struct fib_rule_hdr header_a, header_b;

	memcpy(&header_a, a + 1, sizeof(header_a));
	memcpy(&header_b, b + 1, sizeof(header_b));
	header_a.flags &= USER_FLAGS;
	header_b.flags &= USER_FLAGS;
	return memcmp(&header_a, &header_b, sizeof(header_a)) == 0 &&
	       netlink_parse_message(a, sizeof(header_a), of_a, FRA_MAX) == 0 &&
	       netlink_parse_message(b, sizeof(header_b), of_b, FRA_MAX) == 0 &&
	       same_attributes(of_a, of_b);
}

static bool rule_is_in(const NetworkFile *file, const struct nlmsghdr *rule)
{
	for (const struct nlmsghdr *h = NULL; (h = network_file_next(file, RTM_NEWRULE, h));)
		if (rule_equal(h, rule))
			return true;
	return false;
}

static int rule_send(Netlink *netlink, uint16_t type, uint16_t flags, const struct nlmsghdr *saved,
		     Error *err)
{
	const struct nlattr *attributes[FRA_MAX + 1];
	NETLINK_BUFFER(buffer, 4096);
	struct fib_rule_hdr *header;
	NetlinkMessage m;
	int r;

	if (netlink_parse_message(saved, sizeof(*header), attributes, FRA_MAX) < 0)
		return error_errno(err, -EBADMSG, "Reading a saved rule");
	netlink_message_init(&m, buffer, sizeof(buffer));
	header = netlink_message_begin(&m, type, flags, sizeof(*header));
	if (header) {
		memcpy(header, saved + 1, sizeof(*header));
		header->flags &= USER_FLAGS;
	}
	for (size_t i = 1; i <= FRA_MAX; i++)
		if (attributes[i] && i != FRA_PAD)
			netlink_put_attribute(&m, attributes[i]);
	r = netlink_call(netlink, &m, err);
	if (r < 0)
		error_prefix(err, "%s the rule of priority %u",
			     type == RTM_NEWRULE ? "Adding" : "Deleting",
			     netlink_u32(attributes[FRA_PRIORITY]));
	return r;
}

int rules_restore(const NetworkFile *file, Netlink *netlink, Error *err)
{
	_cleanup_network_file_ NetworkFile present = {0};
	int r = rules_list(&present, netlink, err);

	if (r < 0)
		return r;
	for (const struct nlmsghdr *h = NULL; (h = network_file_next(file, RTM_NEWRULE, h));) {
		if (rule_is_in(&present, h))
			continue;
		r = rule_send(netlink, RTM_NEWRULE, NLM_F_CREATE, h, err);
		if (r < 0 && r != -EEXIST)
			return r;
	}
	for (const struct nlmsghdr *h = NULL; (h = network_file_next(&present, RTM_NEWRULE, h));) {
		if (rule_is_in(file, h))
			continue;
		r = rule_send(netlink, RTM_DELRULE, 0, h, err);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}
