/* SPDX-License-Identifier: Apache-2.0 */
#include "init/beside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "init/root.h"
#include "swap/criu.h"

#define CRIU_ANSWERS   "/run/criu.kdat" /* KERNDAT_CACHE_FILE of criu/include/kerndat.h */
#define PROBE_LIMIT_MS 15000
#define DEPTH_MAX      4
#define AHEAD_MAX      ((off_t)64 << 20) /* larger ones are restored lazily */

static int modules_work(void *userdata, Error *err)
{
	return root_load_other_modules(userdata, err);
}

int beside_load_modules(Worker *worker, json_object *handover, Error *err)
{
	return worker_start(worker, modules_work, handover, err);
}

int beside_loopback_up(Error *err)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};

	return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0
		       ? 0
		       : error_errno(err, -errno, "Bringing up the loopback interface");
}

/* Of its features any will do: it finds out about all first. */
static int probe_work(void *userdata, Error *err)
{
	static const char *const argv[] = {"/usr/sbin/criu", "check", "--feature",
					   "mem_dirty_track", NULL};
	int r = beside_loopback_up(err);

	(void)userdata;
	(void)setenv("LD_PRELOAD", CRIU_SHIM, 1);
	(void)setenv("SEGUE_PROBE", "1", 1);
	return r < 0 ? r : process_run(argv, PROBE_LIMIT_MS, NULL, err);
}

int beside_probe(Worker *worker, Error *err)
{
	return worker_start(worker, probe_work, NULL, err);
}

void beside_probe_forget(void)
{
	(void)unlink(CRIU_ANSWERS);
}

/* ---- reading ahead ---- */

static void directory_ahead(int fd, int depth);

static void entry_ahead(int dirfd, const char *name, int depth)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && depth < DEPTH_MAX) {
		directory_ahead(fd, depth + 1);
		return;
	}
	if (S_ISREG(st.st_mode) && st.st_size <= AHEAD_MAX)
		(void)readahead(fd, 0, (size_t)st.st_size);
	(void)close(fd);
}

/* Closes `fd`. */
static void directory_ahead(int fd, int depth)
{
	_cleanup_closedir_ DIR *dir = fdopendir(fd);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			entry_ahead(fd, entry->d_name, depth);
}

static int ahead_work(void *userdata, Error *err)
{
	int fd = openat(*(const int *)userdata, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)err;
	if (fd >= 0)
		directory_ahead(fd, 0);
	return 0;
}

void beside_read_ahead(int store_fd)
{
	Worker worker;

	if (worker_start(&worker, ahead_work, &store_fd, NULL) == 0)
		(void)close(worker.answer);
}
