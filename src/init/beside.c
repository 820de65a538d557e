/* SPDX-License-Identifier: Apache-2.0 */
#include "init/beside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"
#include "init/root.h"

#define PROBE_LIMIT_MS 15000
#define DEPTH_MAX      4
#define AHEAD_MAX      ((off_t)64 << 20) /* larger ones are restored lazily */

static int probe_wait[2]; /* ends of a pipe on which nothing comes but its end */

/* The probe goes by itself when those are loaded that it needs, or will not be. */
static int probe_modules_work(void *userdata, Error *err)
{
	int r = root_load_modules(userdata, "modules_first", "modules_probe", err);

	(void)close(probe_wait[1]);
	return r;
}

static void probe_modules_wait(void)
{
	char none;

	(void)!read(probe_wait[0], &none, 1);
}

/* One may need another of those for the probe, whose symbols are not there yet. */
static int other_modules_work(void *userdata, Error *err)
{
	int r;

	(void)close(probe_wait[1]);
	r = root_load_modules(userdata, "modules_probe", NULL, err);
	if (r != -ENOENT)
		return r;
	probe_modules_wait();
	return root_load_modules(userdata, "modules_probe", NULL, err);
}

int beside_load_modules(ModuleWorkers *workers, json_object *handover, Error *err)
{
	int r;

	if (pipe2(probe_wait, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "Loading modules");
	r = worker_start(&workers->probe, probe_modules_work, handover, err);
	if (r == 0)
		r = worker_start(&workers->others, other_modules_work, handover, err);
	(void)close(probe_wait[1]);
	return r;
}

int beside_finish_modules(ModuleWorkers *workers, int limit_ms, Error *err)
{
	int r = worker_finish(&workers->probe, limit_ms, err);

	return r < 0 ? r : worker_finish(&workers->others, limit_ms, err);
}

/* criu tries TCP repair on a connection with itself, and would wait for ever where there is none.
 */
static int loopback_up(Error *err)
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
	int r = loopback_up(err);

	(void)userdata;
	probe_modules_wait();
	return r < 0 ? r : process_run(argv, PROBE_LIMIT_MS, NULL, err);
}

int beside_probe(Worker *worker, Error *err)
{
	int r = worker_start(worker, probe_work, NULL, err);

	(void)close(probe_wait[0]);
	return r;
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
