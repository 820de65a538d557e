/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/hold.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmpv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "swap/netlink.h"

#define TABLE      "segue-hold"
#define BATCH_SIZE 8192

/* Before connection tracking and its defragmentation (NF_IP_PRI_CONNTRACK_DEFRAG, -400), so that
 * these never see what is dropped. */
#define PRIORITY (-450)

/* The loopback interface has this index in every network namespace (LOOPBACK_IFINDEX). */
#define LOOPBACK_INDEX 1

/* RFC 4861: router solicitation ... redirect. */
#define DISCOVERY_FIRST 133
#define DISCOVERY_LAST  137

const char *const hold_module_aliases[] = {"nf_tables", NULL};

/* Where it filters.  Prerouting comes before both input and forwarding; what is forwarded was
 * received, so it is dropped there, too. */
static const struct {
	const char *name;
	uint32_t hook;
	uint32_t interface; /* the meta key of the interface */
} chain_table[] = {
	{"in", NF_INET_PRE_ROUTING, NFT_META_IIF},
	{"out", NF_INET_LOCAL_OUT, NFT_META_OIF},
};

#define N_CHAINS_INPUT 1
#define N_CHAINS       (sizeof(chain_table) / sizeof(chain_table[0]))

/* ---- nf_tables' messages; all of its numbers are big-endian ---- */

static void message_begin(NetlinkMessage *m, uint16_t type, uint16_t flags, uint8_t family,
			  uint16_t resource)
{
	struct nfgenmsg *header = netlink_message_begin(m, type, flags, sizeof(*header));

	if (!header)
		return;
	header->nfgen_family = family;
	header->version = NFNETLINK_V0;
	header->res_id = htons(resource);
}

static void table_begin(NetlinkMessage *m, uint16_t type, uint16_t flags)
{
	message_begin(m, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8) | type, flags, NFPROTO_INET, 0);
}

static void put_be32(NetlinkMessage *m, uint16_t type, uint32_t value)
{
	netlink_put_u32(m, type, htonl(value));
}

static void put_chain(NetlinkMessage *m, const char *name, uint32_t hook)
{
	size_t nest;

	table_begin(m, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	netlink_put_string(m, NFTA_CHAIN_TABLE, TABLE);
	netlink_put_string(m, NFTA_CHAIN_NAME, name);
	nest = netlink_nest_begin(m, NFTA_CHAIN_HOOK);
	put_be32(m, NFTA_HOOK_HOOKNUM, hook);
	put_be32(m, NFTA_HOOK_PRIORITY, (uint32_t)PRIORITY);
	netlink_nest_end(m, nest);
	put_be32(m, NFTA_CHAIN_POLICY, NF_DROP);
	netlink_put_string(m, NFTA_CHAIN_TYPE, "filter");
}

/* ---- rules: expressions that work on register 1 ---- */

static size_t rule_begin(NetlinkMessage *m, const char *chain)
{
	table_begin(m, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	netlink_put_string(m, NFTA_RULE_TABLE, TABLE);
	netlink_put_string(m, NFTA_RULE_CHAIN, chain);
	return netlink_nest_begin(m, NFTA_RULE_EXPRESSIONS);
}

typedef struct Expression {
	size_t element, data;
} Expression;

static Expression expression_begin(NetlinkMessage *m, const char *name)
{
	Expression expression = {.element = netlink_nest_begin(m, NFTA_LIST_ELEM)};

	netlink_put_string(m, NFTA_EXPR_NAME, name);
	expression.data = netlink_nest_begin(m, NFTA_EXPR_DATA);
	return expression;
}

static void expression_end(NetlinkMessage *m, Expression expression)
{
	netlink_nest_end(m, expression.data);
	netlink_nest_end(m, expression.element);
}

static void put_meta(NetlinkMessage *m, uint32_t key)
{
	Expression expression = expression_begin(m, "meta");

	put_be32(m, NFTA_META_DREG, NFT_REG_1);
	put_be32(m, NFTA_META_KEY, key);
	expression_end(m, expression);
}

static void put_payload(NetlinkMessage *m, uint32_t base, uint32_t offset, uint32_t size)
{
	Expression expression = expression_begin(m, "payload");

	put_be32(m, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_be32(m, NFTA_PAYLOAD_BASE, base);
	put_be32(m, NFTA_PAYLOAD_OFFSET, offset);
	put_be32(m, NFTA_PAYLOAD_LEN, size);
	expression_end(m, expression);
}

/* `value` as it is in the register: meta in the host's byte order, payload in the network's. */
static void put_compare(NetlinkMessage *m, uint32_t operation, const void *value, size_t size)
{
	Expression expression = expression_begin(m, "cmp");
	size_t nest;

	put_be32(m, NFTA_CMP_SREG, NFT_REG_1);
	put_be32(m, NFTA_CMP_OP, operation);
	nest = netlink_nest_begin(m, NFTA_CMP_DATA);
	netlink_put(m, NFTA_DATA_VALUE, value, size);
	netlink_nest_end(m, nest);
	expression_end(m, expression);
}

static void put_compare_u8(NetlinkMessage *m, uint32_t operation, uint8_t value)
{
	put_compare(m, operation, &value, sizeof(value));
}

static void rule_end_accept(NetlinkMessage *m, size_t rule)
{
	Expression expression = expression_begin(m, "immediate");
	size_t data, verdict;

	put_be32(m, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = netlink_nest_begin(m, NFTA_IMMEDIATE_DATA);
	verdict = netlink_nest_begin(m, NFTA_DATA_VERDICT);
	put_be32(m, NFTA_VERDICT_CODE, NF_ACCEPT);
	netlink_nest_end(m, verdict);
	netlink_nest_end(m, data);
	expression_end(m, expression);
	netlink_nest_end(m, rule);
}

static void put_accept_loopback(NetlinkMessage *m, const char *chain, uint32_t interface)
{
	size_t rule = rule_begin(m, chain);
	uint32_t index = LOOPBACK_INDEX;

	put_meta(m, interface);
	put_compare(m, NFT_CMP_EQ, &index, sizeof(index));
	rule_end_accept(m, rule);
}

static void put_accept_discovery(NetlinkMessage *m, const char *chain)
{
	size_t rule = rule_begin(m, chain);

	put_meta(m, NFT_META_NFPROTO);
	put_compare_u8(m, NFT_CMP_EQ, NFPROTO_IPV6);
	put_meta(m, NFT_META_L4PROTO);
	put_compare_u8(m, NFT_CMP_EQ, IPPROTO_ICMPV6);
	put_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1); /* the type */
	put_compare_u8(m, NFT_CMP_GTE, DISCOVERY_FIRST);
	put_compare_u8(m, NFT_CMP_LTE, DISCOVERY_LAST);
	rule_end_accept(m, rule);
}

/* ---- the hold ---- */

static void batch_begin(NetlinkMessage *m, void *buffer, size_t room)
{
	netlink_message_init(m, buffer, room);
	message_begin(m, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

static void batch_end(NetlinkMessage *m)
{
	message_begin(m, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
}

static void put_table(NetlinkMessage *m, uint16_t type, uint16_t flags)
{
	table_begin(m, type, flags);
	netlink_put_string(m, NFTA_TABLE_NAME, TABLE);
}

/* With so many of the chains. */
static int table_raise(size_t n_chains, Error *err)
{
	NETLINK_BUFFER(buffer, BATCH_SIZE);
	_cleanup_netlink_ Netlink netlink = NETLINK_INIT;
	NetlinkMessage m;
	int r = netlink_open(NETLINK_NETFILTER, &netlink, err);

	if (r < 0)
		return error_prefix(err, "Raising the hold");
	batch_begin(&m, buffer, sizeof(buffer));
	/* Made if it is not there, so that it can be deleted if it is; then made anew. */
	put_table(&m, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	put_table(&m, NFT_MSG_DELTABLE, 0);
	put_table(&m, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	for (size_t i = 0; i < n_chains; i++) {
		put_chain(&m, chain_table[i].name, chain_table[i].hook);
		put_accept_loopback(&m, chain_table[i].name, chain_table[i].interface);
		put_accept_discovery(&m, chain_table[i].name);
	}
	batch_end(&m);
	if (netlink_call(&netlink, &m, err) < 0)
		return error_prefix(err, "Raising the hold (nf_tables)");
	return 0;
}

int hold_raise(Error *err)
{
	return table_raise(N_CHAINS, err);
}

int hold_raise_input(Error *err)
{
	return table_raise(N_CHAINS_INPUT, err);
}

int hold_lower(Error *err)
{
	NETLINK_BUFFER(buffer, BATCH_SIZE);
	_cleanup_netlink_ Netlink netlink = NETLINK_INIT;
	NetlinkMessage m;
	int r;

	if (!hold_is_raised())
		return 0;
	r = netlink_open(NETLINK_NETFILTER, &netlink, err);
	if (r < 0)
		return error_prefix(err, "Lowering the hold");
	batch_begin(&m, buffer, sizeof(buffer));
	put_table(&m, NFT_MSG_DELTABLE, 0);
	batch_end(&m);
	r = netlink_call(&netlink, &m, err);
	if (r < 0 && r != -ENOENT) /* not there: another was faster */
		return error_prefix(err, "Lowering the hold (nf_tables)");
	return 0;
}

bool hold_is_raised(void)
{
	NETLINK_BUFFER(buffer, BATCH_SIZE);
	_cleanup_netlink_ Netlink netlink = NETLINK_INIT;
	NetlinkMessage m;

	if (netlink_open(NETLINK_NETFILTER, &netlink, NULL) < 0)
		return false;
	netlink_message_init(&m, buffer, sizeof(buffer));
	put_table(&m, NFT_MSG_GETTABLE, 0);
	return netlink_call(&netlink, &m, NULL) == 0;
}

/* ---- connections that nobody has accepted yet ---- */

#define DRAIN_LIMIT_US  300000
#define DRAIN_PERIOD_NS 2000000L

/* Connections that wait in all listening sockets together: the receive queue of one that listens
 * (get_tcp4_sock() in the kernel's net/ipv4/tcp_ipv4.c). */
static unsigned waiting_count(const char *table)
{
	_cleanup_fclose_ FILE *f = fopen(table, "re");
	unsigned count = 0, state, queue;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%*x %*[0-9A-Fa-f]:%*x %x %*x:%x", &state,
			   &queue) == 2 &&
		    state == TCP_LISTEN)
			count += queue;
	return count;
}

void hold_drain(void)
{
	const struct timespec pause = {.tv_nsec = DRAIN_PERIOD_NS};
	int64_t deadline = clock_monotonic_us() + DRAIN_LIMIT_US;

	while (waiting_count("/proc/net/tcp") + waiting_count("/proc/net/tcp6") > 0 &&
	       clock_monotonic_us() < deadline)
		(void)nanosleep(&pause, NULL);
}
