/* SPDX-License-Identifier: Apache-2.0 */
#include "init/device.h"

#include <blkid.h>
#include <dirent.h>
#include <errno.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"

static bool has_uuid(const char *path, const char *uuid)
{
	blkid_probe probe = blkid_new_probe_from_filename(path);
	const char *found = NULL;
	bool same = false;

	if (!probe)
		return false;
	(void)blkid_probe_enable_superblocks(probe, 1);
	(void)blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_UUID);
	if (blkid_do_safeprobe(probe) == 0 &&
	    blkid_probe_lookup_value(probe, "UUID", &found, NULL) == 0)
		same = strcmp(found, uuid) == 0;
	blkid_free_probe(probe);
	return same;
}

static char *device_scan(const char *likely, const char *uuid)
{
	_cleanup_closedir_ DIR *dir = NULL;
	struct dirent *entry;

	if (has_uuid(likely, uuid))
		return strdup(likely);
	dir = opendir("/sys/class/block");
	while (dir && (entry = readdir(dir))) {
		_cleanup_free_ char *path = text_format("/dev/%s", entry->d_name);

		if (entry->d_name[0] != '.' && path && has_uuid(path, uuid))
			return steal_ptr(&path);
	}
	return NULL;
}

/* A socket on which the kernel announces devices. */
static int uevents_open(void)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
					NETLINK_KOBJECT_UEVENT);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return steal_fd(&fd);
}

int device_find(const char *likely, const char *uuid, int limit_ms, char **ret_path, Error *err)
{
	/* Listening comes before looking, so that no device appears in between. */
	_cleanup_close_ int events = uevents_open();
	int64_t deadline = clock_monotonic_us() + (int64_t)limit_ms * 1000;
	char *path;

	if (events < 0)
		return error_errno(err, events, "Listening for devices");
	while (!(path = device_scan(likely, uuid))) {
		struct pollfd p = {.fd = events, .events = POLLIN};
		int64_t left = deadline - clock_monotonic_us();
		char text[8192];

		if (left <= 0)
			return error_set(err, -ETIMEDOUT,
					 "No device with the filesystem %s (it was %s) within %d s",
					 uuid, likely, limit_ms / 1000);
		(void)poll(&p, 1, (int)(left / 1000) + 1);
		while (recv(events, text, sizeof(text), 0) > 0)
			;
	}
	*ret_path = path;
	return 0;
}
