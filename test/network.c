/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration is made in one network namespace, saved, and restored in
 * another: what ip(8) and bridge(8) print of both has to be the same.  The
 * namespaces have no devices, so finding these again is tested on lists.
 */
#include "swap/network.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "swap/network_device.h"
#include "swap/network_file.h"
#include "test.h"

#define LIMIT_MS 60000

#define CARRIER_LIMIT_MS 10000

static char directory[] = "/tmp/test-network-XXXXXX";
static int directory_fd = -1;

static int setup(void **state)
{
	assert_non_null(mkdtemp(directory));
	directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(directory_fd >= 0);
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(close(directory_fd), 0);
	return directory_remove(AT_FDCWD, directory, NULL);
}

static char *shell(const char *script)
{
	const char *argv[] = {"/bin/sh", "-ec", script, NULL};
	char *output = NULL;
	Error err = {0};

	if (process_run(argv, LIMIT_MS, &output, &err) < 0)
		fail_msg("%s: %s\n%s", err.text, output ? output : "", script);
	return output;
}

static void run(const char *script)
{
	free(shell(script));
}

/* Takes every `word` out of a text. */
static void without(char *text, const char *word)
{
	for (char *p = text; (p = strstr(p, word));)
		memmove(p, p + strlen(word), strlen(p + strlen(word)) + 1);
}

/* What is compared: without counters, timers and what depends on the moment, and sorted where the
 * order is that in which links were made. */
static const char picture_script[] =
	"timers='(hello|tcn|topology_change|gc|hold|message_age|forward_delay)_timer'\n"
	"ip -d link | sed -E \"s/$timers +[0-9.]+//g; s/mcast_querier_state.*//\n"
	"s/(promiscuity|allmulti|minmtu|maxmtu) [0-9]+//g; s/NO-CARRIER,//; s/ state [A-Z]+//\"\n"
	"ip -d address | sed -E 's/[0-9]+sec/Nsec/g' | grep -E 'inet|valid'\n"
	"echo; echo IPv4; ip -4 -d route show table all\n"
	"echo; echo IPv6\n"
	"ip -6 -d route show table all | sed -E 's/expires [0-9]+sec/expires Nsec/' | sort\n"
	"echo; echo rules; ip rule; ip -6 rule; ip nexthop 2>/dev/null\n"
	"echo; echo neighbours\n"
	"ip neighbour | sed -E 's/ (REACHABLE|STALE|DELAY|PROBE)/ USABLE/' | sort\n"
	"ip neighbour show proxy; ip -6 neighbour show proxy\n"
	"echo; echo VLANs\n"
	"for l in $(ls /proc/sys/net/ipv4/conf); do bridge vlan show dev $l 2>/dev/null; done\n"
	"bridge fdb | grep static | sort\n"
	"echo; echo controls; cd /proc/sys/net; grep . ipv4/tcp_keepalive_time \\\n"
	"ipv4/ip_local_port_range ipv4/conf/*/rp_filter ipv4/conf/*/forwarding \\\n"
	"ipv4/conf/*/arp_ignore ipv4/neigh/*/gc_stale_time ipv6/conf/*/accept_ra \\\n"
	"ipv6/conf/*/disable_ipv6 ipv6/conf/*/forwarding ipv6/conf/*/accept_dad\n";

static char *picture_once(void)
{
	const char *argv[] = {"/bin/sh", "-c", picture_script, NULL};
	char *text = NULL;
	Error err = {0};

	if (process_run(argv, LIMIT_MS, &text, &err) < 0)
		fail_msg("%s", err.text);
	/* Addresses that are set back were not generated, and were not looked for. */
	without(text, " nodad");
	without(text, " proto kernel_ll");
	return text;
}

/* When nothing changes any more: the kernel finishes setting links and IPv6 addresses up behind
 * one's back. */
static char *picture(void)
{
	char *last = picture_once();

	for (;;) {
		char *next = picture_once();
		bool settled = strcmp(last, next) == 0 && !strstr(next, "tentative");

		free(last);
		last = next;
		if (settled)
			return last;
	}
}

/* The first lines in which two pictures differ. */
static void compare(const char *before, const char *after)
{
	size_t line = 0;

	if (strcmp(before, after) == 0)
		return;
	for (size_t i = 0; before[i] == after[i]; i++)
		if (before[i] == '\n')
			line = i + 1;
	fail_msg("saved: %.*s; restored: %.*s", (int)strcspn(before + line, "\n"), before + line,
		 (int)strcspn(after + line, "\n"), after + line);
}

static void namespace_new(void)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
}

static void save(void)
{
	Error err = {0};

	if (network_save(directory_fd, &err) < 0)
		fail_msg("%s", err.text);
}

static int configure_and_settle(Error *err)
{
	int r = network_configure(directory_fd, err);

	if (r == 0)
		r = network_settle(directory_fd, CARRIER_LIMIT_MS, err);
	return r == -ETIMEDOUT ? 0 : r;
}

static void restore(void)
{
	Error err = {0};

	if (configure_and_settle(&err) < 0)
		fail_msg("%s", err.text);
}

/* Saves what a script makes in a new namespace, restores it in another, and compares. */
static void carry(const char *script)
{
	_cleanup_free_ char *before = NULL;
	_cleanup_free_ char *after = NULL;

	namespace_new();
	run(script);
	before = picture();
	save();
	namespace_new();
	restore();
	after = picture();
	compare(before, after);
}

#define VETH                                                                                       \
	"ip link set lo up\n"                                                                      \
	"ip link add ve0 address 02:00:00:00:00:10 index 10 type veth peer ve1 address "           \
	"02:00:00:00:00:11 index 21\n"

/* ---- whole configurations ---- */

static void test_empty(void **state)
{
	carry("");
	carry("ip link set lo up; ip address add 192.0.2.9/32 dev lo; ip address add "
	      "2001:db8::9/128 "
	      "dev lo");
}

static void test_addresses(void **state)
{
	carry(VETH "ip link set ve0 mtu 1400 txqueuelen 77 alias 'a b' group 3\n"
		   "ip link property add dev ve0 altname second altname third\n"
		   "ip address add 192.0.2.1/24 broadcast + dev ve0 label ve0:one\n"
		   "ip address add 192.0.2.2/24 dev ve0\n"
		   "ip address add 192.0.2.3/24 dev ve0 valid_lft 900 preferred_lft 400\n"
		   "ip address add 198.51.100.1 peer 198.51.100.2/32 dev ve0 metric 50\n"
		   "ip address add 203.0.113.1/24 dev ve0 noprefixroute scope link\n"
		   "ip address add 2001:db8::1/64 dev ve0 nodad\n"
		   "ip address add 2001:db8::2/64 dev ve0 nodad valid_lft 900 preferred_lft 400\n"
		   "ip address add 2001:db8:1::1/64 dev ve0 nodad noprefixroute\n"
		   "ip address add fe80::1234/64 dev ve1 nodad\n"
		   "ip link set ve0 addrgenmode none; ip link set ve1 addrgenmode none\n"
		   "ip link set ve0 up; ip link set ve1 up\n");
}

/* The address that the kernel generates is there at once, not after looking for duplicates. */
static void test_generated(void **state)
{
	_cleanup_free_ char *at_once = NULL;
	_cleanup_free_ char *before = NULL;
	_cleanup_free_ char *after = NULL;

	namespace_new();
	run(VETH "for l in ve0 ve1; do echo 0 > /proc/sys/net/ipv6/conf/$l/accept_dad; ip link set "
		 "$l up; done\n"
		 "for l in ve0 ve1; do echo 1 > /proc/sys/net/ipv6/conf/$l/accept_dad; done\n");
	before = picture();
	assert_non_null(strstr(before, "fe80::ff:fe00:10/64"));
	save();
	namespace_new();
	restore();
	at_once = shell("ip address show tentative");
	assert_string_equal(at_once, "");
	after = picture();
	compare(before, after);
}

static void test_routes(void **state)
{
	carry(VETH
	      "ip address add 192.0.2.1/24 dev ve0; ip address add 2001:db8::1/64 dev ve0 nodad\n"
	      "ip address add 192.0.2.7/24 dev ve0\n"
	      "ip link set ve0 addrgenmode none; ip link set ve1 addrgenmode none\n"
	      "ip link set ve0 up; ip link set ve1 up\n"
	      /* Shown first, but resting on what is shown later. */
	      "ip route add 198.51.100.0/24 dev ve0 scope link\n"
	      "ip route add 10.0.0.0/8 via 198.51.100.9\n"
	      "ip route add default via 192.0.2.254 proto dhcp metric 100 src 192.0.2.7\n"
	      "ip route add default via 192.0.2.253 metric 200 mtu lock 1300 advmss 1200 initcwnd "
	      "20\n"
	      "ip route add 172.16.0.0/12 via 10.1.1.1 onlink dev ve0 table 77\n"
	      "ip route add 203.0.113.0/24 nexthop via 192.0.2.3 weight 3 nexthop via 192.0.2.4\n"
	      "ip route add blackhole 198.18.0.0/15; ip route add unreachable 198.18.0.0/16\n"
	      "ip route add local 203.0.113.77/32 dev lo table local\n"
	      "ip route add 192.0.2.128/25 via inet6 2001:db8::5\n"
	      "ip -6 route add default via 2001:db8::fe metric 100\n"
	      "ip -6 route add 2001:db8:5::/48 via fe80::5 dev ve0 expires 900 mtu 1300\n"
	      "ip -6 route add 2001:db8:6::/48 nexthop via 2001:db8::6 weight 2 nexthop via "
	      "2001:db8::7\n"
	      "ip -6 route add unreachable 2001:db8:7::/48; ip -6 route add 2001:db8:8::/48 dev "
	      "ve0 "
	      "table 88 pref high\n"
	      "ip -6 route add local 2001:db8:9::/64 dev lo\n"
	      "ip rule add from 192.0.2.0/24 table 77 priority 100\n"
	      "ip rule add fwmark 0x5/0xff not to 10.0.0.0/8 lookup 77 priority 90\n"
	      "ip rule add iif ve0 uidrange 5-10 ipproto tcp dport 80 goto 100 priority 80\n"
	      "ip rule add table main suppress_prefixlength 0 priority 70\n"
	      "ip rule delete table default\n"
	      "ip -6 rule add to 2001:db8:8::/48 lookup 88 priority 60\n");
}

static void test_nexthops(void **state)
{
	carry(VETH
	      "ip address add 192.0.2.1/24 dev ve0; ip address add 2001:db8::1/64 dev ve0 nodad\n"
	      "ip link set ve0 addrgenmode none; ip link set ve1 addrgenmode none\n"
	      "ip link set ve0 up; ip link set ve1 up\n"
	      "ip nexthop add id 5 via 192.0.2.3 dev ve0\n"
	      "ip nexthop add id 6 via 192.0.2.4 dev ve0 onlink\n"
	      "ip nexthop add id 3 group 5,2/6; ip nexthop add id 8 blackhole\n"
	      "ip nexthop add id 9 via 2001:db8::9 dev ve0\n"
	      "ip nexthop add id 4 group 5/6 type resilient buckets 8\n"
	      "ip route add 198.51.100.0/24 nhid 3; ip route add 203.0.113.0/24 nhid 5\n"
	      "ip route add 203.0.114.0/24 nhid 8; ip route add 203.0.115.0/24 nhid 4\n"
	      "ip -6 route add 2001:db8:7::/48 nhid 9\n");
}

static void test_neighbours(void **state)
{
	carry(VETH
	      "ip address add 192.0.2.1/24 dev ve0; ip address add 2001:db8::1/64 dev ve0 nodad\n"
	      "ip link set ve0 addrgenmode none; ip link set ve1 addrgenmode none\n"
	      "ip link set ve0 up; ip link set ve1 up\n"
	      "ip neighbour add 192.0.2.3 lladdr 02:00:00:00:00:03 dev ve0 nud permanent\n"
	      "ip neighbour add 192.0.2.4 lladdr 02:00:00:00:00:04 dev ve0 nud reachable\n"
	      "ip neighbour add 192.0.2.5 lladdr 02:00:00:00:00:05 dev ve0 nud stale\n"
	      "ip neighbour add 2001:db8::5 lladdr 02:00:00:00:00:05 dev ve0 nud stale\n"
	      "ip neighbour add 2001:db8::6 lladdr 02:00:00:00:00:06 dev ve0 nud reachable router\n"
	      "ip neighbour add proxy 192.0.2.77 dev ve0\n"
	      "ip neighbour add proxy 2001:db8::77 dev ve0\n");
}

static void test_controls(void **state)
{
	carry(VETH
	      "cd /proc/sys/net\n"
	      "echo 1 > ipv4/conf/all/forwarding; echo 0 > ipv4/conf/ve0/forwarding\n"
	      "echo 2 > ipv4/conf/ve0/rp_filter; echo 1 > ipv4/conf/ve1/arp_ignore\n"
	      "echo 600 > ipv4/tcp_keepalive_time; echo 20000 30000 > ipv4/ip_local_port_range\n"
	      "echo 0 > ipv6/conf/ve0/accept_ra; echo 1 > ipv6/conf/ve1/disable_ipv6\n"
	      "echo 1 > ipv6/conf/all/forwarding; echo 99 > ipv4/neigh/ve0/gc_stale_time\n"
	      "ip link set ve0 addrgenmode none\n"
	      "ip link set ve0 up; ip link set ve1 up\n");
}

static void test_bridge(void **state)
{
	carry(VETH
	      "ip link add br0 type bridge forward_delay 400 ageing_time 9000 mcast_snooping 0\n"
	      "ip link add br1 address 02:00:00:00:00:99 type bridge\n"
	      "for l in ve0 ve1 br0 br1; do ip link set $l addrgenmode none; done\n"
	      "ip link set ve0 master br0; bridge link set dev ve0 hairpin on learning off\n"
	      "bridge fdb add 02:00:00:00:00:55 dev ve0 master static\n"
	      "ip address add 192.0.2.1/24 dev br0\n"
	      "for l in ve0 ve1 br0 br1; do ip link set $l up; done\n"
	      "ip route add default via 192.0.2.254\n");
}

static void test_bridge_vlans(void **state)
{
	carry(VETH "ip link add br0 type bridge vlan_filtering 1\n"
		   "for l in ve0 ve1 br0; do ip link set $l addrgenmode none; done\n"
		   "ip link set ve0 master br0; ip link set ve1 master br0\n"
		   "bridge vlan add dev ve0 vid 7 pvid untagged; bridge vlan add dev ve0 vid 8\n"
		   "bridge vlan delete dev ve0 vid 1; bridge vlan add dev br0 vid 7 self\n"
		   "bridge fdb add 02:00:00:00:00:55 dev ve0 master static vlan 7\n"
		   "for l in ve0 ve1 br0; do ip link set $l up; done\n");
}

static void test_macvlan(void **state)
{
	carry(VETH
	      "ip link add mv0 link ve0 address 02:00:00:00:00:77 type macvlan mode bridge\n"
	      "for l in ve0 ve1 mv0; do ip link set $l addrgenmode none; ip link set $l up; done\n"
	      "ip address add 192.0.2.1/24 dev mv0\n");
}

static void test_vxlan(void **state)
{
	namespace_new();
	carry(VETH "ip address add 192.0.2.1/24 dev ve0\n"
		   "for l in ve0 ve1; do ip link set $l addrgenmode none; ip link set $l up; done\n"
		   "ip link add vx0 address 02:00:00:00:00:88 type vxlan id 77 dev ve0 local "
		   "192.0.2.1 remote 192.0.2.2 dstport 4789 learning ttl 9\n"
		   "ip link set vx0 addrgenmode none; ip link set vx0 up\n"
		   "ip address add 198.51.100.1/24 dev vx0\n");
}

static void test_vlan(void **state)
{
	carry(VETH
	      "ip link set ve0 mtu 1600; ip link set ve1 mtu 1600\n"
	      /* Made, and so shown, after a link that is on it; with a lower index. */
	      "ip link add vl5 link ve0 index 7 type vlan id 5 reorder_hdr off\n"
	      "ip link add vl6 link vl5 index 6 type vlan proto 802.1ad id 6 egress-qos-map 1:2 "
	      "ingress-qos-map 3:4\n"
	      "ip link set vl5 mtu 1550\n"
	      "for l in ve0 ve1 vl5 vl6; do ip link set $l addrgenmode none; ip link set $l up; "
	      "done\n"
	      "ip address add 192.0.2.1/24 dev vl6\n");
}

static void test_bond(void **state)
{
	carry(VETH
	      "ip link add ve2 address 02:00:00:00:00:12 type veth peer ve3 address "
	      "02:00:00:00:00:13\n"
	      "ip link add bo0 address 02:00:00:00:00:66 type bond mode active-backup miimon 50 "
	      "updelay 100\n"
	      "ip link add bo1 address 02:00:00:00:00:67 type bond mode 802.3ad lacp_rate fast "
	      "xmit_hash_policy layer3+4\n"
	      "for l in ve0 ve1 ve2 ve3 bo0 bo1; do ip link set $l addrgenmode none; done\n"
	      "ip link set ve0 master bo0; ip link set ve2 master bo0\n"
	      "ip link set bo0 type bond primary ve0\n"
	      "for l in ve1 ve3 bo0 bo1; do ip link set $l up; done\n"
	      "ip address add 192.0.2.1/24 dev bo0\n"
	      /* The port that the bond uses is chosen when the link has been up for a while. */
	      "timeout 20 sh -c 'until grep -q \"^Currently Active Slave: ve0\" "
	      "/proc/net/bonding/bo0; do ip monitor link & m=$!; read -t 1 x < /dev/null; kill $m; "
	      "done'\n");
}

static void test_dummy(void **state)
{
	carry("ip link set lo up; ip link add d0 address 02:00:00:00:00:01 type dummy\n"
	      "ip link set d0 addrgenmode none; ip link set d0 up; ip address add 192.0.2.1/32 dev "
	      "d0\n");
}

/* ---- files ---- */

static void test_damaged(void **state)
{
	_cleanup_free_ char *good = NULL;
	Error err = {0};
	size_t size;

	namespace_new();
	run(VETH);
	save();
	assert_int_equal(file_read(directory_fd, NETWORK_FILE_NAME, &good, &size, NULL), 0);
	namespace_new();
	for (size_t n = 0; n < size; n += n < 64 ? 1 : size / 97) {
		assert_int_equal(
			file_write_atomic(directory_fd, NETWORK_FILE_NAME, good, n, 0600, NULL), 0);
		assert_int_equal(configure_and_settle(&err), -EBADMSG);
		assert_non_null(strstr(err.text, "configuration"));
	}
	for (size_t at = 0; at < size; at += at < 64 ? 1 : size / 97) {
		good[at] ^= 0x10;
		assert_int_equal(
			file_write_atomic(directory_fd, NETWORK_FILE_NAME, good, size, 0600, NULL),
			0);
		assert_int_equal(configure_and_settle(&err), -EBADMSG);
		good[at] ^= 0x10;
	}
	assert_int_equal(unlinkat(directory_fd, NETWORK_FILE_NAME, 0), 0);
	assert_int_equal(configure_and_settle(&err), -ENOENT);
}

/* Messages with a right checksum, but wrong in themselves: refused or passed over, never overrun
 * (which the address sanitizer would see). */
static void test_malformed(void **state)
{
	_cleanup_network_file_ NetworkFile good = {0};
	Error err = {0};

	namespace_new();
	run(VETH "ip address add 192.0.2.1/24 dev ve0; ip link set ve0 up\n"
		 "ip route add 203.0.113.0/24 nexthop via 192.0.2.3 nexthop via 192.0.2.4");
	save();
	assert_int_equal(network_file_read(directory_fd, &good, &err), 0);
	for (size_t seed = 1; seed <= 40; seed++) {
		_cleanup_network_file_ NetworkFile bad = {0};
		uint32_t random = (uint32_t)seed * 2654435761U;
		size_t range;

		for (const struct nlmsghdr *h = NULL; (h = network_file_next(&good, 0, h));)
			assert_int_equal(network_file_append(&bad, h, &err), 0);
		/* In the first half, without most of the controls, or only in the first links. */
		range = bad.size / (seed % 2 ? 2 : 20) + 1;
		for (int i = 0; bad.body && i < 50; i++) {
			random = random * 1664525U + 1013904223U;
			bad.body[random % range] = (char)(random >> 24 & 0x7f);
		}
		assert_int_equal(network_file_write(&bad, directory_fd, &err), 0);
		namespace_new();
		/* It may wait for carriers of links with wrong flags: only until it is set up. */
		(void)network_configure(directory_fd, &err);
	}
}

/* ---- links of devices ---- */

static void device_add(NetworkFile *file, uint32_t index, const char *name, const char *device,
		       uint8_t address)
{
	NETLINK_BUFFER(buffer, 1024);
	uint8_t permanent[6] = {2, 0, 0, 0, 0, address};
	struct ifinfomsg *info;
	NetlinkMessage m;

	netlink_message_init(&m, buffer, sizeof(buffer));
	info = netlink_message_begin(&m, RTM_NEWLINK, 0, sizeof(*info));
	info->ifi_index = (int)index;
	info->ifi_type = 1;
	netlink_put_string(&m, IFLA_IFNAME, name);
	if (address)
		netlink_put(&m, IFLA_PERM_ADDRESS, permanent, sizeof(permanent));
	netlink_put_string(&m, NETWORK_FILE_DEVICE, device);
	assert_int_equal(network_file_append(file, (struct nlmsghdr *)(void *)buffer, NULL), 0);
}

static void test_devices(void **state)
{
	_cleanup_network_file_ NetworkFile before = {0};
	_cleanup_network_file_ NetworkFile after = {0};
	_cleanup_links_ Links saved = {0};
	_cleanup_links_ Links present = {0};

	device_add(&before, 2, "ens3", "/sys/devices/pci0000:00/0000:00:03.0/virtio0", 3);
	device_add(&before, 3, "ens4", "/sys/devices/pci0000:00/0000:00:04.0/virtio1", 4);
	device_add(&before, 4, "moved", "/sys/devices/pci0000:00/0000:00:05.0", 5);
	device_add(&before, 5, "renewed", "/sys/devices/pci0000:00/0000:00:06.0", 6);
	device_add(&before, 6, "nameless", "/sys/devices/pci0000:00/0000:00:07.0", 0);
	device_add(&before, 7, "two0", "/sys/devices/pci0000:00/0000:00:08.0", 8);
	device_add(&before, 8, "two1", "/sys/devices/pci0000:00/0000:00:08.0", 9);
	device_add(&before, 9, "gone", "/sys/devices/pci0000:00/0000:00:09.0", 10);
	/* Found in another order, and one of them where another was before. */
	device_add(&after, 2, "eth0", "/sys/devices/pci0000:00/0000:00:04.0/virtio0", 4);
	device_add(&after, 3, "eth1", "/sys/devices/pci0000:00/0000:00:03.0/virtio1", 3);
	device_add(&after, 4, "eth2", "/sys/devices/pci0000:00/0000:00:06.0", 7);
	device_add(&after, 5, "eth3", "/sys/devices/pci0000:00/0000:00:15.0", 5);
	device_add(&after, 6, "eth4", "/sys/devices/pci0000:00/0000:00:07.0", 0);
	device_add(&after, 7, "eth5", "/sys/devices/pci0000:00/0000:00:08.0", 9);
	device_add(&after, 8, "eth6", "/sys/devices/pci0000:00/0000:00:08.0", 8);
	assert_int_equal(links_parse(&before, &saved, NULL), 0);
	assert_int_equal(links_parse(&after, &present, NULL), 0);

	devices_match(&saved, &present);
	assert_int_equal(links_here(&saved, 2), 3);
	assert_int_equal(links_here(&saved, 3), 2);
	assert_int_equal(links_here(&saved, 4), 5);
	assert_int_equal(links_here(&saved, 5), 4);
	assert_int_equal(links_here(&saved, 6), 6);
	assert_int_equal(links_here(&saved, 7), 8);
	assert_int_equal(links_here(&saved, 8), 7);
	assert_int_equal(links_here(&saved, 9), 0);
}

/* ---- what check and stage ask ---- */

static void finding_count(const char *link, const char *why, bool refusal, void *userdata)
{
	assert_string_equal(link, "ve0");
	assert_non_null(strstr(why, "another network namespace"));
	assert_false(refusal);
	++*(int *)userdata;
}

static void alias_note(const char *alias, void *userdata)
{
	if (strcmp(alias, "rtnl-link-bridge") == 0 || strcmp(alias, "rtnl-link-veth") == 0)
		++*(int *)userdata;
}

static void test_check(void **state)
{
	int findings = 0, aliases = 0;
	Error err = {0};

	namespace_new();
	run(VETH "ip link add br0 type bridge");
	assert_int_equal(network_check(finding_count, &findings, &err), 0);
	assert_int_equal(findings, 0);
	assert_int_equal(network_link_modules(alias_note, &aliases, &err), 0);
	assert_int_equal(aliases, 3);
	/* A container's: its other end goes away with that, here with the process that holds it. */
	run("unshare -n sh -c 'echo $$; exec tail -f /dev/null' > /dev/null 2>&1 & p=$!\n"
	    "until [ \"$(readlink /proc/$p/ns/net)\" != \"$(readlink /proc/self/ns/net)\" ]; do :; "
	    "done\n"
	    "ip link set ve1 netns $p; echo $p > /tmp/test-network.pid");
	assert_int_equal(network_check(finding_count, &findings, &err), 0);
	run("kill $(cat /tmp/test-network.pid); rm /tmp/test-network.pid");
	assert_int_equal(findings, 1);
}

static bool has_kind(const char *kind)
{
	_cleanup_free_ char *script = text_format("ip link add probe1 type veth 2>/dev/null; ip "
						  "link add probe0 %s 2>/dev/null && echo yes || :",
						  kind);
	_cleanup_free_ char *output = NULL;

	namespace_new();
	output = shell(script);
	return strstr(output, "yes");
}

/* Each test with the kind of links that the kernel has to have for it. */
static const struct {
	struct CMUnitTest test;
	const char *kind; /* as ip link add has it */
} test_table[] = {
	{cmocka_unit_test(test_empty), NULL},
	{cmocka_unit_test(test_addresses), "type veth"},
	{cmocka_unit_test(test_generated), "type veth"},
	{cmocka_unit_test(test_routes), "type veth"},
	{cmocka_unit_test(test_nexthops), "type veth"},
	{cmocka_unit_test(test_neighbours), "type veth"},
	{cmocka_unit_test(test_controls), "type veth"},
	{cmocka_unit_test(test_bridge), "type bridge"},
	{cmocka_unit_test(test_bridge_vlans), "type bridge vlan_filtering 1"},
	{cmocka_unit_test(test_macvlan), "type veth"},
	{cmocka_unit_test(test_vxlan), "type vxlan id 1 dstport 4789"},
	{cmocka_unit_test(test_vlan), "link probe1 type vlan id 9"},
	{cmocka_unit_test(test_bond), "type bond"},
	{cmocka_unit_test(test_dummy), "type dummy"},
	{cmocka_unit_test(test_damaged), "type veth"},
	{cmocka_unit_test(test_malformed), "type veth"},
	{cmocka_unit_test(test_devices), NULL},
	{cmocka_unit_test(test_check), "type bridge"},
};

#define N_TESTS (sizeof(test_table) / sizeof(test_table[0]))

int main(void)
{
	struct CMUnitTest tests[N_TESTS];
	size_t n = 0;

	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		print_message("1..0 # SKIP needs root and network namespaces\n");
		return 0;
	}
	for (size_t i = 0; i < N_TESTS; i++) {
		if (!test_table[i].kind || has_kind(test_table[i].kind))
			tests[n++] = test_table[i].test;
		else
			print_message("# left out, since this kernel refuses \"%s\": %s\n",
				      test_table[i].kind, test_table[i].test.name);
	}
	return _cmocka_run_group_tests("network", tests, n, setup, teardown);
}
