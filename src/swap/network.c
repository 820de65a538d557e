/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/network.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "swap/network_address.h"
#include "swap/network_bridge.h"
#include "swap/network_control.h"
#include "swap/network_device.h"
#include "swap/network_link.h"
#include "swap/network_neighbour.h"
#include "swap/network_route.h"
#include "swap/network_rule.h"
#include "swap/network_setting.h"
#include "swap/network_virtual.h"

#define DEVICE_LIMIT_MS 10000
#define CONGESTION      "/proc/sys/net/ipv4/tcp_available_congestion_control"

/* A list of links and the file that it points into. */
typedef struct LinkList {
	NetworkFile file;
	Links links;
} LinkList;

static void link_list_free(LinkList *list)
{
	links_free(&list->links);
	network_file_free(&list->file);
}
#define _cleanup_link_list_ _cleanup_(link_list_free)

static int link_list_read(LinkList *list, Netlink *netlink, Error *err)
{
	int r;

	link_list_free(list);
	r = links_list(&list->file, NULL, netlink, err);
	return r < 0 ? r : links_parse(&list->file, &list->links, err);
}

/* ---- saving ---- */

int network_save(int dirfd, Error *err)
{
	static int (*const lists[])(NetworkFile *, Netlink *, Error *) = {
		bridge_vlans_list, addresses_list, routes_list, rules_list, neighbours_list,
	};
	_cleanup_network_file_ NetworkFile file = {0};
	_cleanup_netlink_ Netlink netlink = NETLINK_INIT;
	int r = netlink_open(NETLINK_ROUTE, &netlink, err);

	if (r == 0)
		r = links_list(&file, NULL, &netlink, err);
	for (size_t i = 0; r == 0 && i < sizeof(lists) / sizeof(lists[0]); i++)
		r = lists[i](&file, &netlink, err);
	if (r == 0)
		r = controls_list(&file, err);
	if (r == 0)
		r = network_file_write(&file, dirfd, err);
	if (r < 0)
		error_prefix(err, "Saving the network's configuration");
	return r;
}

/* ---- restoring ---- */

static int links_restore(const NetworkFile *file, Netlink *netlink, Links *saved, Error *err)
{
	_cleanup_link_list_ LinkList present = {0};
	int r = devices_find(netlink, saved, NULL, DEVICE_LIMIT_MS, err);

	if (r == 0)
		r = link_list_read(&present, netlink, err);
	if (r == 0)
		r = devices_rename(netlink, saved, &present.links, err);
	if (r == 0)
		r = virtual_create(netlink, saved, &present.links, err);
	if (r == 0)
		r = link_list_read(&present, netlink, err);
	if (r == 0)
		r = settings_apply(netlink, saved, &present.links, err);
	if (r == 0)
		r = settings_enslave(netlink, saved, err);
	if (r == 0)
		r = link_list_read(&present, netlink, err);
	if (r == 0)
		r = settings_finish(netlink, saved, &present.links, err);
	if (r == 0)
		r = bridge_vlans_restore(file, netlink, saved, err);
	if (r == 0)
		r = controls_restore(file, err);
	return r < 0 ? r : settings_raise(netlink, saved, err);
}

int network_configure(int dirfd, Error *err)
{
	_cleanup_network_file_ NetworkFile file = {0};
	_cleanup_links_ Links saved = {0};
	_cleanup_netlink_ Netlink netlink = NETLINK_INIT;
	int r = network_file_read(dirfd, &file, err);

	if (r == 0)
		r = links_parse(&file, &saved, err);
	if (r == 0)
		r = netlink_open(NETLINK_ROUTE, &netlink, err);
	if (r == 0)
		r = links_restore(&file, &netlink, &saved, err);
	if (r == 0)
		r = addresses_restore(&file, &netlink, &saved, err);
	if (r == 0)
		r = settings_generate(&netlink, &saved, err);
	if (r == 0)
		r = routes_restore(&file, &netlink, &saved, err);
	if (r == 0)
		r = rules_restore(&file, &netlink, err);
	if (r < 0)
		error_prefix(err, "Restoring the network's configuration");
	else if (err)
		*err = (Error){0}; /* of what was there already */
	return r;
}

/* By the names that network_configure() has given. */
static void links_match_names(Links *saved, const Links *present)
{
	for (size_t i = 0; i < saved->n; i++) {
		const Link *link = links_find_name(present, saved->links[i].name);

		saved->links[i].here = link && saved->links[i].carried ? link->index : 0;
	}
}

int network_settle(int dirfd, int limit_ms, Error *err)
{
	_cleanup_network_file_ NetworkFile file = {0};
	_cleanup_links_ Links saved = {0};
	_cleanup_link_list_ LinkList present = {0};
	_cleanup_netlink_ Netlink netlink = NETLINK_INIT;
	Error missing = {0};
	int waited, r = network_file_read(dirfd, &file, err);

	if (r == 0)
		r = links_parse(&file, &saved, err);
	if (r == 0)
		r = netlink_open(NETLINK_ROUTE, &netlink, err);
	if (r == 0)
		r = link_list_read(&present, &netlink, err);
	if (r < 0)
		return r;
	links_match_names(&saved, &present.links);
	waited = settings_wait_carrier(&netlink, &saved, limit_ms, &missing);
	if (waited == 0 || waited == -ETIMEDOUT)
		r = neighbours_restore(&file, &netlink, &saved, err);
	if (r < 0)
		return r;
	if (err)
		*err = missing; /* not of neighbours that were refused */
	return waited;
}

/* ---- looking ---- */

static int links_now(LinkList *list, Error *err)
{
	_cleanup_netlink_ Netlink netlink = NETLINK_INIT;
	int r = netlink_open(NETLINK_ROUTE, &netlink, err);

	return r < 0 ? r : link_list_read(list, &netlink, err);
}

static void finding_tell(const Link *link, NetworkFindingFn fn, void *userdata)
{
	const NetworkRefusal *refusal = network_kind_refusal(link->kind_name);
	const char *kind = link->kind_name ? link->kind_name : "special";
	char why[256];

	/* Of a kind that would be carried, but for what is below it. */
	if (link->kind) {
		(void)snprintf(
			why, sizeof(why),
			"this %s link is bound to one in another network namespace, and will "
			"not be there after the swap",
			kind);
		fn(link->name, why, false, userdata);
		return;
	}
	(void)snprintf(why, sizeof(why), "this %s link is not carried: %s%s%s", kind,
		       refusal->reason, refusal->remedy ? "; " : "",
		       refusal->remedy ? refusal->remedy : "");
	fn(link->name, why, !refusal->warning && link_is_up(link), userdata);
}

int network_check(NetworkFindingFn fn, void *userdata, Error *err)
{
	_cleanup_link_list_ LinkList list = {0};
	int r = links_now(&list, err);

	for (size_t i = 0; r == 0 && i < list.links.n; i++)
		if (!list.links.links[i].carried)
			finding_tell(&list.links.links[i], fn, userdata);
	return r;
}

int network_links_in_use(void (*fn)(const char *name, const char *sysfs, void *userdata),
			 void *userdata, Error *err)
{
	_cleanup_link_list_ LinkList list = {0};
	int r = links_now(&list, err);

	for (size_t i = 0; r == 0 && i < list.links.n; i++) {
		const Link *link = &list.links.links[i];
		char sysfs[64];

		if (!link->device || link->kind_name || !link_is_up(link))
			continue;
		(void)snprintf(sysfs, sizeof(sysfs), "/sys/class/net/%s", link->name);
		fn(link->name, sysfs, userdata);
	}
	return r;
}

/* Each congestion control is a module of its name; reno is part of TCP. */
static int congestion_tell(void (*fn)(const char *alias, void *userdata), void *userdata,
			   Error *err)
{
	_cleanup_free_ char *names = NULL;
	char *rest = NULL;
	int r = file_read_line(AT_FDCWD, CONGESTION, &names, err);

	if (r < 0)
		return r;
	for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
		char alias[64];

		if (strcmp(name, "reno") == 0)
			continue;
		(void)snprintf(alias, sizeof(alias), "tcp_%s", name);
		fn(alias, userdata);
	}
	return 0;
}

int network_link_modules(void (*fn)(const char *alias, void *userdata), void *userdata, Error *err)
{
	_cleanup_link_list_ LinkList list = {0};
	int r = links_now(&list, err);

	for (size_t i = 0; r == 0 && i < list.links.n; i++)
		if (list.links.links[i].kind && list.links.links[i].carried)
			fn(list.links.links[i].kind->alias, userdata);
	return r < 0 ? r : congestion_tell(fn, userdata, err);
}
