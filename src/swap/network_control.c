/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network_control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define CONTROLS  "/proc/sys/net"
#define VALUE_MAX 4096

/* Of the machine: what a socket takes when it is made, or looks up while it lives. */
static const char *const machine_table[] = {
	"core/default_qdisc",
	"core/optmem_max",
	"core/rmem_default",
	"core/rmem_max",
	"core/somaxconn",
	"core/wmem_default",
	"core/wmem_max",
	"core/xfrm_acq_expires",
	"ipv4/fib_multipath_hash_fields",
	"ipv4/fib_multipath_hash_policy",
	"ipv4/fib_multipath_use_neigh",
	"ipv4/fwmark_reflect",
	"ipv4/icmp_echo_ignore_all",
	"ipv4/icmp_echo_ignore_broadcasts",
	"ipv4/igmp_max_memberships",
	"ipv4/igmp_max_msf",
	"ipv4/ip_autobind_reuse",
	"ipv4/ip_default_ttl",
	"ipv4/ip_dynaddr",
	"ipv4/ip_early_demux",
	"ipv4/ip_forward_update_priority",
	"ipv4/ip_local_port_range",
	"ipv4/ip_local_reserved_ports",
	"ipv4/ip_no_pmtu_disc",
	"ipv4/ip_nonlocal_bind",
	"ipv4/ip_unprivileged_port_start",
	"ipv4/ping_group_range",
	"ipv4/tcp_abort_on_overflow",
	"ipv4/tcp_adv_win_scale",
	"ipv4/tcp_allowed_congestion_control",
	"ipv4/tcp_app_win",
	"ipv4/tcp_autocorking",
	"ipv4/tcp_base_mss",
	"ipv4/tcp_challenge_ack_limit",
	"ipv4/tcp_congestion_control",
	"ipv4/tcp_dsack",
	"ipv4/tcp_early_demux",
	"ipv4/tcp_early_retrans",
	"ipv4/tcp_ecn",
	"ipv4/tcp_ecn_fallback",
	"ipv4/tcp_fack",
	"ipv4/tcp_fastopen",
	"ipv4/tcp_fastopen_key",
	"ipv4/tcp_fin_timeout",
	"ipv4/tcp_frto",
	"ipv4/tcp_fwmark_accept",
	"ipv4/tcp_invalid_ratelimit",
	"ipv4/tcp_keepalive_intvl",
	"ipv4/tcp_keepalive_probes",
	"ipv4/tcp_keepalive_time",
	"ipv4/tcp_l3mdev_accept",
	"ipv4/tcp_limit_output_bytes",
	"ipv4/tcp_max_orphans",
	"ipv4/tcp_max_reordering",
	"ipv4/tcp_max_syn_backlog",
	"ipv4/tcp_max_tw_buckets",
	"ipv4/tcp_migrate_req",
	"ipv4/tcp_min_rtt_wlen",
	"ipv4/tcp_min_snd_mss",
	"ipv4/tcp_min_tso_segs",
	"ipv4/tcp_moderate_rcvbuf",
	"ipv4/tcp_mtu_probing",
	"ipv4/tcp_no_metrics_save",
	"ipv4/tcp_notsent_lowat",
	"ipv4/tcp_orphan_retries",
	"ipv4/tcp_pacing_ca_ratio",
	"ipv4/tcp_pacing_ss_ratio",
	"ipv4/tcp_recovery",
	"ipv4/tcp_reordering",
	"ipv4/tcp_retrans_collapse",
	"ipv4/tcp_retries1",
	"ipv4/tcp_retries2",
	"ipv4/tcp_rfc1337",
	"ipv4/tcp_rmem",
	"ipv4/tcp_rto_max_ms",
	"ipv4/tcp_rto_min_us",
	"ipv4/tcp_sack",
	"ipv4/tcp_slow_start_after_idle",
	"ipv4/tcp_stdurg",
	"ipv4/tcp_syn_linear_timeouts",
	"ipv4/tcp_syn_retries",
	"ipv4/tcp_synack_retries",
	"ipv4/tcp_syncookies",
	"ipv4/tcp_thin_linear_timeouts",
	"ipv4/tcp_timestamps",
	"ipv4/tcp_tso_win_divisor",
	"ipv4/tcp_tw_reuse",
	"ipv4/tcp_window_scaling",
	"ipv4/tcp_wmem",
	"ipv4/tcp_workaround_signed_windows",
	"ipv4/udp_early_demux",
	"ipv4/udp_l3mdev_accept",
	"ipv4/udp_rmem_min",
	"ipv4/udp_wmem_min",
	"ipv4/route/min_adv_mss",
	"ipv4/route/min_pmtu",
	"ipv4/route/mtu_expires",
	"ipv6/anycast_src_echo_reply",
	"ipv6/auto_flowlabels",
	"ipv6/bindv6only",
	"ipv6/fib_multipath_hash_fields",
	"ipv6/fib_multipath_hash_policy",
	"ipv6/flowlabel_consistency",
	"ipv6/flowlabel_reflect",
	"ipv6/flowlabel_state_ranges",
	"ipv6/fwmark_reflect",
	"ipv6/idgen_delay",
	"ipv6/idgen_retries",
	"ipv6/ip_nonlocal_bind",
	"ipv6/route/max_size",
	"ipv6/route/min_adv_mss",
	"ipv6/route/mtu_expires",
	"ipv6/route/skip_notify_on_dev_down",
};

/*
 * Of each link, and "all" and "default".  IPv6's own MTU follows from that of
 * the link and from routers' announcements, and how addresses are generated is
 * a setting of the link (network_setting.h).
 */
static const char *const link_table[] = {"ipv4/conf", "ipv6/conf", "ipv4/neigh", "ipv6/neigh"};
static const char *const left_out[] = {"mtu", "addr_gen_mode", "retrans_time",
				       "base_reachable_time"};

/* ---- listing ---- */

/* Opens a control that can be read and written, and reads it; few calls, since there are many
 * controls and the programs stand still.  -1: there is none, or it has no value until it is given
 * one. */
static int control_open(int dirfd, const char *path, char value[VALUE_MAX])
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, value, VALUE_MAX);

	if (n < 0 || n == VALUE_MAX)
		return -1;
	while (n > 0 && value[n - 1] == '\n')
		n--;
	value[n] = '\0';
	return steal_fd(&fd);
}

static int control_append(NetworkFile *file, int dirfd, const char *path, Error *err)
{
	NETLINK_BUFFER(buffer, 2 * VALUE_MAX);
	_cleanup_close_ int fd = -1;
	char value[VALUE_MAX];
	NetlinkMessage m;

	fd = control_open(dirfd, path, value);
	if (fd < 0)
		return 0;
	netlink_message_init(&m, buffer, sizeof(buffer));
	(void)netlink_message_begin(&m, NETWORK_FILE_CONTROL, 0, 0);
	netlink_put_string(&m, NETWORK_FILE_PATH, path);
	netlink_put_string(&m, NETWORK_FILE_VALUE, value);
	if (m.overflow)
		return 0;
	return network_file_append(file, (const struct nlmsghdr *)(const void *)buffer, err);
}

static bool is_left_out(const char *name)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (strcmp(left_out[i], name) == 0)
			return true;
	return false;
}

/* The controls in a directory. */
static int directory_append(NetworkFile *file, int dirfd, const char *path, Error *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return 0; /* a link that is gone */
	}
	for (const struct dirent *entry; r == 0 && (entry = readdir(dir));) {
		_cleanup_free_ char *control = NULL;

		if (entry->d_name[0] == '.' || is_left_out(entry->d_name))
			continue;
		control = text_format("%s/%s", path, entry->d_name);
		if (!control)
			return error_errno(err, -ENOMEM, "Listing " CONTROLS);
		r = control_append(file, dirfd, control, err);
	}
	return r;
}

/* "all" (1), "default" (2) or of one link (3): in this order they are restored. */
static int rank(const char *name)
{
	return strcmp(name, "all") == 0 ? 1 : strcmp(name, "default") == 0 ? 2 : 3;
}

static int links_append(NetworkFile *file, int dirfd, const char *path, int wanted, Error *err)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		if (fd >= 0)
			(void)close(fd);
		return 0; /* IPv6 is switched off */
	}
	for (const struct dirent *entry; r == 0 && (entry = readdir(dir));) {
		_cleanup_free_ char *below = NULL;

		if (entry->d_name[0] == '.' || rank(entry->d_name) != wanted)
			continue;
		below = text_format("%s/%s", path, entry->d_name);
		r = below ? directory_append(file, dirfd, below, err)
			  : error_errno(err, -ENOMEM, "Listing " CONTROLS);
	}
	return r;
}

int controls_list(NetworkFile *file, Error *err)
{
	_cleanup_close_ int dirfd = open(CONTROLS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (dirfd < 0)
		return error_errno(err, -errno, "Opening " CONTROLS);
	for (size_t i = 0; r == 0 && i < sizeof(machine_table) / sizeof(machine_table[0]); i++)
		r = control_append(file, dirfd, machine_table[i], err);
	for (int wanted = 1; wanted <= 3; wanted++)
		for (size_t i = 0; r == 0 && i < sizeof(link_table) / sizeof(link_table[0]); i++)
			r = links_append(file, dirfd, link_table[i], wanted, err);
	return r;
}

/* ---- restoring ---- */

static bool path_is_safe(const char *path)
{
	return path && path[0] != '/' && path[0] != '.' && !strstr(path, "/.");
}

static void control_restore(int dirfd, const char *path, const char *value)
{
	_cleanup_close_ int fd = -1;
	char now[VALUE_MAX];

	fd = control_open(dirfd, path, now);
	/* One that has no value yet can be written nevertheless. */
	if (fd < 0 || strcmp(now, value) != 0)
		(void)file_write_value(dirfd, path, value, NULL);
}

int controls_restore(const NetworkFile *file, Error *err)
{
	_cleanup_close_ int dirfd = open(CONTROLS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		return error_errno(err, -errno, "Opening " CONTROLS);
	for (const struct nlmsghdr *h = NULL;
	     (h = network_file_next(file, NETWORK_FILE_CONTROL, h));) {
		const struct nlattr *attributes[NETWORK_FILE_VALUE + 1];
		const char *path, *value;

		if (netlink_parse_message(h, 0, attributes, NETWORK_FILE_VALUE) < 0)
			return error_errno(err, -EBADMSG, "Reading a saved control");
		path = netlink_string(attributes[NETWORK_FILE_PATH]);
		value = netlink_string(attributes[NETWORK_FILE_VALUE]);
		if (!path_is_safe(path) || !value)
			return error_errno(err, -EBADMSG, "Reading a saved control");
		control_restore(dirfd, path, value);
	}
	return 0;
}
