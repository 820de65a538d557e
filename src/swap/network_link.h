/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links: the lists of them, saved and present, and the way from one kernel's
 * to the next one's.
 *
 * A link of a device is known again by the device's place in sysfs and its
 * permanent address; a virtual one is made anew.  Everything else of a
 * configuration points at links by index, so it is translated by links_here().
 */
#pragma once

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "swap/netlink.h"
#include "swap/network_file.h"
#include "swap/network_kind.h"

/* One link as its message says; everything points into that.  Carried are the loopback interface,
 * links of devices, and virtual ones of the kinds of the table, unless they are bound to a link
 * that is not carried or in another network namespace. */
typedef struct Link {
	const struct ifinfomsg *info;
	const struct nlattr *attributes[IFLA_MAX + 1];
	uint32_t index; /* where the message comes from */
	uint32_t here;  /* in this kernel; 0: not (yet) there */
	bool carried;
	const char *name;
	const char *device;    /* "/sys/devices/..." of a link that a device is behind, else NULL */
	const char *kind_name; /* of a virtual one, else NULL */
	const NetworkKind *kind;   /* how it is carried; NULL: not virtual, or not carried */
	const struct nlattr *data; /* IFLA_INFO_DATA */
	const char *port_kind;     /* kind of its master, as far as that calls it a port of its */
	const struct nlattr *port_data; /* IFLA_INFO_SLAVE_DATA */
} Link;

typedef struct Links {
	Link *links;
	size_t n;
} Links;

void links_free(Links *links);
#define _cleanup_links_ _cleanup_(links_free)

/* Begins an RTM_NEWLINK message that changes the link with that index here. */
void link_message_begin(NetlinkMessage *message, uint32_t here, uint16_t flags);

/* Appends the links of this network namespace to a file.  `sysfs`: NULL for /sys. */
int links_list(NetworkFile *file, const char *sysfs, Netlink *netlink, Error *err);

/* The links in a file, which must outlive the list. */
int links_parse(const NetworkFile *file, Links *ret, Error *err);

Link *links_find(const Links *links, uint32_t index);
Link *links_find_name(const Links *links, const char *name);

/* The index here of the link that had `index`; 0 if it was not carried. */
uint32_t links_here(const Links *links, uint32_t index);

/*
 * Does a step for each link that is here.  One that fails is tried again after
 * the others, since it may rest on them (a VLAN goes up after its link), until
 * all are done or none gets any further; the error is of one that was left.
 */
typedef int (*LinkStep)(Netlink *netlink, const Links *links, Link *link, Error *err);
int links_each(Netlink *netlink, const Links *links, LinkStep step, const char *attempt,
	       Error *err);

bool link_is_loopback(const Link *link);
bool link_is_up(const Link *link);
/* The index of the link below it (of a veth: its peer), in this namespace; else 0. */
uint32_t link_below(const Link *link);
/* Its address of the link layer, apart from any that its master gives it; NULL if it has none. */
const struct nlattr *link_own_address(const Link *link);
bool link_is_elsewhere(const Link *link); /* the link below it is in another namespace */

/*
 * How sure it is that two links of devices, under two kernels, are the same:
 * 3: same place and permanent address; 2: same address; 1: same place and an
 * unknown or changed address; 0: they are not.
 */
int link_likeness(const Link *saved, const Link *present);
