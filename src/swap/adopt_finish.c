/* SPDX-License-Identifier: Apache-2.0 */
/* The half of adopt.h that is linked into segued. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/worker.h"
#include "swap/adopt.h"
#include "swap/bus.h"
#include "swap/descriptors.h"
#include "swap/mounts.h"
#include "swap/scope.h"
#include "swap/unit.h"

#define SOCKET_LIMIT_MS 10000 /* of mounting it */

static int unit_verify(json_object *u, const char *name, bool scope, Error *err)
{
	_cleanup_unit_ Unit unit = {0};
	pid_t main_pid = scope ? 0 : (pid_t)json_opt_int(u, "main_pid", 0);
	int r = unit_query(name, &unit, err);

	if (r < 0)
		return r;
	if (strcmp(unit.active_state, "active") != 0)
		return error_set(err, -EPROTO, "%s is %s after the swap; see: journalctl -u %s",
				 name, unit.active_state, name);
	if (main_pid > 0 && unit.main_pid != main_pid)
		return error_set(err, -EPROTO, "%s runs as process %d, not as %d as before", name,
				 (int)unit.main_pid, (int)main_pid);
	return 0;
}

static bool is_unix_datagram(int fd)
{
	int domain = 0, type = 0;
	socklen_t size = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_DGRAM;
}

/* A datagram socket that was connected to one of the system's, whose server is a new one now; once
 * the program has tried to send, the kernel has taken the dead one away from it.  The program may
 * also have connected it anew by itself, or closed it. */
static void datagram_connect(json_object *external)
{
	const char *path = json_opt_string(external, "path", "");
	_cleanup_close_ int fd = descriptor_take((pid_t)json_opt_int(external, "pid", 0),
						 (int)json_opt_int(external, "fd", -1));
	struct sockaddr_un address = {.sun_family = AF_UNIX}, peer = {0};
	socklen_t size = sizeof(peer);

	if (fd < 0 || !is_unix_datagram(fd) || strlen(path) >= sizeof(address.sun_path))
		return;
	if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0
		    ? strncmp(peer.sun_path, path, sizeof(peer.sun_path)) != 0
		    : errno != ENOTCONN)
		return;
	memcpy(address.sun_path, path, strlen(path));
	(void)connect(fd, (struct sockaddr *)&address, sizeof(address));
}

static void datagrams_connect(json_object *units)
{
	for (size_t i = 0; i < json_length(units); i++) {
		json_object *list =
			json_opt_array(json_object_array_get_idx(units, i), "datagrams");

		for (size_t j = 0; j < json_length(list); j++)
			datagram_connect(json_object_array_get_idx(list, j));
	}
}

/* Mounts a socket of the system's where one that is gone, or what stood in for it, is mounted in
 * the sandbox of a process. */
static int socket_mount(void *userdata, Error *err)
{
	json_object *o = userdata;
	const char *from = json_opt_string(o, "from", ""), *point = json_opt_string(o, "point", "");
	_cleanup_close_ int tree = -1, namespace = -1;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%lld/ns/mnt",
		       (long long)json_opt_int(o, "pid", 0));
	namespace = open(path, O_RDONLY | O_CLOEXEC);
	tree = open_tree(AT_FDCWD, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
	if (namespace < 0 || tree < 0)
		return error_errno(err, -errno, "Opening %s", from);
	if (setns(namespace, CLONE_NEWNS) < 0 || umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ||
	    move_mount(tree, "", AT_FDCWD, point, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno(err, -errno, "Mounting %s on %s", from, point);
	return mount_set_flags(o, point, err);
}

static void sockets_mount(json_object *units)
{
	for (size_t i = 0; i < json_length(units); i++) {
		json_object *unit = json_object_array_get_idx(units, i);
		json_object *list = json_opt_array(unit, "sockets");

		for (size_t j = 0; j < json_length(list); j++) {
			Worker worker;
			Error err = {0};
			int r = worker_start(&worker, socket_mount,
					     json_object_array_get_idx(list, j), &err);

			if (r == 0)
				r = worker_finish(&worker, SOCKET_LIMIT_MS, &err);
			if (r < 0)
				(void)fprintf(stderr, SD_WARNING "%s: %s\n",
					      json_opt_string(unit, "unit", ""), err.text);
		}
	}
}

static void dropin_remove(const char *unit)
{
	_cleanup_free_ char *file = text_format("/run/systemd/system/%s.d/" ADOPT_DROPIN, unit);
	_cleanup_free_ char *directory = text_format("/run/systemd/system/%s.d", unit);

	if (file)
		(void)unlink(file);
	if (directory)
		(void)rmdir(directory);
}

static int unit_scope_start(sd_bus *bus, json_object *u, const char *name, Error *err)
{
	json_object *properties;
	int r = json_get_object(u, "properties", &properties, err);

	return r < 0 ? r : scope_start(bus, name, properties, json_opt_array(u, "tasks"), err);
}

int adopt_finish(json_object *units, Error *err)
{
	_cleanup_bus_ sd_bus *bus = NULL;
	int r = bus_open(&bus, err), failed = 0;

	if (r < 0)
		return r;
	sockets_mount(units);
	datagrams_connect(units);
	for (size_t i = 0; i < json_length(units); i++) {
		json_object *u = json_object_array_get_idx(units, i);
		const char *name = json_opt_string(u, "unit", "");
		bool scope = strcmp(json_opt_string(u, "kind", ""), "scope") == 0;
		Error why = {0};

		r = fault_point("adopt-unit", &why);
		if (r == 0)
			r = scope ? unit_scope_start(bus, u, name, &why)
				  : bus_unit_start(bus, name, "replace", &why);
		if (r == 0)
			r = unit_verify(u, name, scope, &why);
		json_put_string(u, "outcome", r == 0 ? "carried" : "failed");
		if (r < 0 && failed == 0)
			failed = error_set(err, -EPROTO, "%s", why.text);
	}
	for (size_t i = 0; i < json_length(units); i++)
		dropin_remove(json_opt_string(json_object_array_get_idx(units, i), "unit", ""));
	(void)unlink("/run/systemd/system/systemd-journald.service.d/50-segue.conf");
	(void)rmdir("/run/systemd/system/systemd-journald.service.d");
	r = bus_daemon_reload(bus, failed < 0 ? NULL : err);
	return failed < 0 ? failed : r;
}
