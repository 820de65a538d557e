/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_kind.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <stddef.h>
#include <string.h>

#define LIST(...) ((const uint16_t[]){__VA_ARGS__, 0})

/* The number 0 is no attribute that could be set, so a list of it alone is an empty one. */
#define NOTHING LIST(0)

/*
 * A bond refuses settings that do not go with its mode, even if they are at
 * their default (drivers/net/bonding/bond_options.c, unsuppmodes), and a bridge
 * shows its timers among its settings: those two are made bare, and then only
 * what differs is set.
 *
 * A VXLAN shows two switches of checksums that are off by default; but to say that they are off
 * makes the kernel count their bits as used, and refuse the rest (vxlan_nl2conf()).
 */
static const NetworkKind kind_table[] = {
	{"vlan", "rtnl-link-vlan", NULL, LIST(IFLA_VLAN_FLAGS /* see put_vlan_flags() */), NOTHING,
	 NOTHING},
	{"bond", "rtnl-link-bond", LIST(IFLA_BOND_MODE),
	 LIST(IFLA_BOND_ACTIVE_SLAVE, IFLA_BOND_AD_INFO), LIST(IFLA_BOND_PRIMARY), NOTHING},
	{"bridge", "rtnl-link-bridge", LIST(IFLA_BR_VLAN_PROTOCOL),
	 LIST(IFLA_BR_ROOT_ID, IFLA_BR_BRIDGE_ID, IFLA_BR_ROOT_PORT, IFLA_BR_ROOT_PATH_COST,
	      IFLA_BR_TOPOLOGY_CHANGE, IFLA_BR_TOPOLOGY_CHANGE_DETECTED, IFLA_BR_HELLO_TIMER,
	      IFLA_BR_TCN_TIMER, IFLA_BR_TOPOLOGY_CHANGE_TIMER, IFLA_BR_GC_TIMER, IFLA_BR_FDB_FLUSH,
	      IFLA_BR_PAD, IFLA_BR_MCAST_QUERIER_STATE, 48 /* IFLA_BR_FDB_N_LEARNED */),
	 NOTHING, NOTHING},
	{"dummy", "rtnl-link-dummy", NULL, NOTHING, NOTHING, NOTHING},
	{"ifb", "rtnl-link-ifb", NULL, NOTHING, NOTHING, NOTHING},
	{"veth", "rtnl-link-veth", NULL, NOTHING, NOTHING, NOTHING},
	{"vrf", "rtnl-link-vrf", NULL, NOTHING, NOTHING, NOTHING},
	{"macvlan", "rtnl-link-macvlan", NULL,
	 LIST(IFLA_MACVLAN_MACADDR_MODE, IFLA_MACVLAN_MACADDR, IFLA_MACVLAN_MACADDR_DATA,
	      IFLA_MACVLAN_MACADDR_COUNT, IFLA_MACVLAN_BC_QUEUE_LEN_USED),
	 NOTHING, NOTHING},
	{"ipvlan", "rtnl-link-ipvlan", NULL, NOTHING, NOTHING, NOTHING},
	{"vxlan", "rtnl-link-vxlan", NULL, LIST(IFLA_VXLAN_REMCSUM_TX, IFLA_VXLAN_REMCSUM_RX),
	 LIST(IFLA_VXLAN_LINK), LIST(IFLA_VXLAN_TTL_INHERIT)},
};

#define N_KINDS (sizeof(kind_table) / sizeof(kind_table[0]))

static const uint16_t *const bridge_port_settings =
	LIST(IFLA_BRPORT_PRIORITY, IFLA_BRPORT_COST, IFLA_BRPORT_MODE, IFLA_BRPORT_GUARD,
	     IFLA_BRPORT_PROTECT, IFLA_BRPORT_FAST_LEAVE, IFLA_BRPORT_LEARNING,
	     IFLA_BRPORT_UNICAST_FLOOD, IFLA_BRPORT_PROXYARP, IFLA_BRPORT_PROXYARP_WIFI,
	     IFLA_BRPORT_MULTICAST_ROUTER, IFLA_BRPORT_MCAST_FLOOD, IFLA_BRPORT_MCAST_TO_UCAST,
	     IFLA_BRPORT_VLAN_TUNNEL, IFLA_BRPORT_BCAST_FLOOD, IFLA_BRPORT_GROUP_FWD_MASK,
	     IFLA_BRPORT_NEIGH_SUPPRESS, IFLA_BRPORT_ISOLATED, IFLA_BRPORT_MCAST_EHT_HOSTS_LIMIT,
	     IFLA_BRPORT_LOCKED);
static const uint16_t *const bond_port_settings = LIST(IFLA_BOND_SLAVE_QUEUE_ID);

static const NetworkRefusal refusal_table[] = {
	{"wireguard", false, "its private key is not part of its configuration as a link",
	 "take it down before the swap, and up again afterwards"},
	{"macsec", false, "its keys cannot be read back",
	 "take it down before the swap, and up again afterwards"},
	{"openvswitch", false, "Open vSwitch keeps its flows in a database of its own",
	 "use a bridge of the kernel's"},
	{"team", false, "it is run by teamd", "use a bond"},
	{"tun", true, "it belongs to the program that opened it and comes back with that", NULL},
	{"macvtap", true, "it belongs to a virtual machine", NULL},
	{"ipvtap", true, "it belongs to a virtual machine", NULL},
	{"nlmon", true, "it only watches the machine's own messages", NULL},
	{"vsockmon", true, "it only watches traffic of virtual machines", NULL},
};

static const NetworkRefusal refusal_unknown = {
	NULL, false, "segue does not carry links of this kind",
	"take it down before the swap, and up again afterwards"};

static bool listed(const uint16_t *list, uint16_t attribute)
{
	for (; *list; list++)
		if (*list == attribute)
			return true;
	return false;
}

const NetworkKind *network_kind_find(const char *name)
{
	for (size_t i = 0; name && i < N_KINDS; i++)
		if (strcmp(kind_table[i].name, name) == 0)
			return &kind_table[i];
	return NULL;
}

NetworkSetting network_kind_setting(const NetworkKind *kind, uint16_t attribute)
{
	if (listed(kind->not_set, attribute))
		return SETTING_NONE;
	if (listed(kind->indexes, attribute) && kind->at_creation)
		return SETTING_INDEX;
	if (!kind->at_creation || listed(kind->at_creation, attribute))
		return SETTING_AT_CREATION;
	return SETTING_LATER;
}

bool network_kind_points(const NetworkKind *kind, uint16_t attribute)
{
	return listed(kind->indexes, attribute);
}

bool network_kind_is_flag(const NetworkKind *kind, uint16_t attribute)
{
	return listed(kind->flags, attribute);
}

bool network_kind_sets_port(const char *master_kind, uint16_t attribute)
{
	if (strcmp(master_kind, "bridge") == 0)
		return listed(bridge_port_settings, attribute);
	if (strcmp(master_kind, "bond") == 0)
		return listed(bond_port_settings, attribute);
	return false;
}

const NetworkRefusal *network_kind_refusal(const char *name)
{
	for (size_t i = 0; name && i < sizeof(refusal_table) / sizeof(refusal_table[0]); i++)
		if (strcmp(refusal_table[i].kind, name) == 0)
			return &refusal_table[i];
	return &refusal_unknown;
}
