/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/worker.h"
#include "swap/adopt.h"
#include "swap/capture.h"
#include "swap/carry.h"
#include "swap/cgroup.h"
#include "swap/criu.h"
#include "swap/hold.h"
#include "swap/lazy.h"
#include "swap/mounts.h"
#include "swap/namespaces.h"
#include "swap/network.h"
#include "swap/peers.h"
#include "swap/private.h"
#include "swap/restore_external.h"
#include "swap/seal.h"
#include "swap/streams.h"

/* After this a restore hangs: criu's own work, and memory from a slow disk. */
#define RESTORE_LIMIT_S     60
#define RESTORE_TREE_S      3
#define NETWORK_LIMIT_MS    60000
#define CARRIER_LIMIT_MS    10000
#define RESTORE_BYTES_PER_S (20LL << 20)

/* One tree being restored. */
typedef struct Tree {
	json_object *description;
	const char *unit, *cgroup;
	CriuJob job;
	int images_fd;
	pid_t criu;
	int ready, go; /* ends of the barrier's pipes, see criu.h */
	int lazy_go;   /* see lazy.h; -1: all of its memory is restored first */
} Tree;

struct Restore {
	int dirfd;
	json_object *capture;
	ClockMark frozen;
	int64_t tsc_hz;
	Streams *streams;
	Externals *externals;
	Worker carriers; /* the network settles while programs are restored */
	Tree *trees;
	size_t n;
};

int restore_new(int dirfd, Restore **ret, Error *err)
{
	Restore *restore = calloc(1, sizeof(*restore));
	int r;

	if (!restore)
		return error_errno(err, -ENOMEM, "Reading the capture");
	restore->dirfd = dirfd;
	r = seal_check(dirfd, err);
	if (r == 0)
		r = capture_read(dirfd, &restore->capture, err);
	if (r < 0) {
		restore_free(restore);
		return r;
	}
	restore->frozen.realtime_us = json_opt_int(restore->capture, "frozen_us", 0);
	restore->frozen.tsc = json_opt_int(restore->capture, "frozen_tsc", 0);
	restore->tsc_hz = json_opt_int(restore->capture, "tsc_hz", 0);
	*ret = restore;
	return 0;
}

void restore_free(Restore *restore)
{
	for (size_t i = 0; i < restore->n; i++) {
		criu_job_free(&restore->trees[i].job);
		cleanup_close(&restore->trees[i].images_fd);
		cleanup_close(&restore->trees[i].lazy_go);
	}
	free(restore->trees);
	externals_free(restore->externals);
	(void)json_object_put(restore->capture);
	free(restore);
}

json_object *restore_capture(const Restore *restore)
{
	return restore->capture;
}

void restore_after_reset(Restore *restore)
{
	restore->tsc_hz = 0;
}

int64_t restore_elapsed_us(const Restore *restore)
{
	return clock_since_mark_us(restore->frozen, restore->tsc_hz);
}

/* ---- the machine ---- */

/* The kernel took the time from an RTC that counts seconds; the counter knows better. */
static void clock_continue(const Restore *restore)
{
	int64_t now = restore->frozen.realtime_us + restore_elapsed_us(restore);
	struct timespec ts = {.tv_sec = now / 1000000, .tv_nsec = now % 1000000 * 1000};

	if (restore->tsc_hz > 0 && restore->frozen.realtime_us > 0)
		(void)clock_settime(CLOCK_REALTIME, &ts);
}

/* udev makes these; programs have them open or look for them before udev runs. */
static void device_links_make(void)
{
	static const char *const links[][2] = {
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
	};

	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		if (symlink(links[i][0], links[i][1]) < 0)
			continue; /* there already */
}

static int limits_restore(const Restore *restore, Error *err)
{
	json_object *limits;
	int r = json_get_object(restore->capture, "sysctl", &limits, err);

	if (r < 0)
		return r;
	json_object_object_foreach(limits, name, value)
	{
		_cleanup_free_ char *path = text_format("/proc/sys/%s", name);

		r = path ? file_write_value(AT_FDCWD, path, json_object_get_string(value), err)
			 : -ENOMEM;
		if (r < 0)
			return r;
	}
	return 0;
}

static int network_open(const Restore *restore, int *ret_fd, Error *err)
{
	*ret_fd = openat(restore->dirfd, "network", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? error_errno(err, -errno, "Opening the saved network") : 0;
}

static int network_work(void *userdata, Error *err)
{
	_cleanup_close_ int fd = -1;
	int r = network_open(userdata, &fd, err);

	if (r == 0)
		r = fault_point("restore-network", err);
	if (r == 0)
		r = hold_raise(err);
	return r < 0 ? r : network_configure(fd, err);
}

/* A carrier that does not come is none of the programs' business. */
static int carriers_work(void *userdata, Error *err)
{
	_cleanup_close_ int fd = -1;
	int r = network_open(userdata, &fd, err);

	if (r == 0)
		r = network_settle(fd, CARRIER_LIMIT_MS, err);
	return r == -ETIMEDOUT ? 0 : r;
}

static int files_return(Restore *restore, Error *err)
{
	const char *hostname = json_opt_string(restore->capture, "hostname", "");
	int r = mounts_restore(json_opt_array(restore->capture, "mounts"), err);

	if (*hostname && sethostname(hostname, strlen(hostname)) < 0)
		return error_errno(err, -errno, "Setting the host name");
	if (r == 0)
		r = carry_restore(json_opt_array(restore->capture, "carried"), restore->dirfd, err);
	if (r < 0)
		return r;
	device_links_make();
	r = limits_restore(restore, err);
	if (r == 0)
		r = directory_make(AT_FDCWD, "/run/segue", 0755, err);
	return r < 0 ? r : streams_new(&restore->streams, err);
}

/* The network is restored by another process, on another processor if there is one. */
int restore_machine(Restore *restore, Error *err)
{
	Worker network;
	int r;

	clock_continue(restore);
	r = worker_start(&network, network_work, restore, err);
	if (r < 0)
		return r;
	r = worker_join(&network, files_return(restore, err), NETWORK_LIMIT_MS, err);
	return r < 0 ? r : worker_start(&restore->carriers, carriers_work, restore, err);
}

/* ---- processes ---- */

static int barrier_make(Tree *tree, Error *err)
{
	int ready[2], go[2];

	if (pipe2(ready, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "Making the barrier");
	if (pipe2(go, O_CLOEXEC) < 0) {
		(void)close(ready[0]);
		(void)close(ready[1]);
		return error_errno(err, -errno, "Making the barrier");
	}
	tree->ready = ready[0];
	tree->job.barrier_ready = ready[1];
	tree->go = go[1];
	tree->job.barrier_go = go[0];
	return 0;
}

/* The daemon way of starting (fork twice) leaves a session whose leader is gone.  CRIU's
 * --shell-job puts the tree into the session of criu itself, so criu gets the PID that the leader
 * had, and the session its number. */
static pid_t session_pid(json_object *tree)
{
	int64_t sid = json_opt_int(tree, "sid", 0);

	if (sid <= 0 || sid == json_opt_int(tree, "pid", 0))
		return 0;
	return (pid_t)sid;
}

static int tree_arguments(Restore *restore, Tree *tree, Error *err)
{
	static const char *const options[] = {
		"--restore-detached",      "--tcp-established",   "--file-locks",
		"--manage-cgroups=ignore", "--network-lock=skip", "--action-script=segue-barrier",
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(options) / sizeof(options[0]); i++)
		r = criu_job_add(&tree->job, err, "%s", options[i]);
	if (r == 0 && session_pid(tree->description))
		r = criu_job_add(&tree->job, err, "--shell-job");
	if (r == 0 && tree->lazy_go >= 0)
		r = criu_job_add(&tree->job, err, "--lazy-pages");
	tree->job.pid = session_pid(tree->description);
	tree->job.log = "restore.log";
	if (r == 0)
		r = externals_give(restore->externals, tree->description, &tree->job, err);
	return r;
}

static int tree_start(Restore *restore, Tree *tree, int cgroup_fd, Error *err)
{
	json_object *namespaces;
	int r = json_get_object(tree->description, "namespaces", &namespaces, err);

	if (r == 0 && json_opt_bool(tree->description, "lazy", false) && lazy_is_possible())
		r = lazy_start(tree->images_fd, tree->cgroup,
			       (pid_t)json_opt_int(tree->description, "pid", 0), &tree->lazy_go,
			       err);
	if (r == 0)
		r = tree_arguments(restore, tree, err);
	if (r == 0)
		r = private_directories_settle(json_opt_array(namespaces, "mnt"),
					       json_opt_int(restore->capture, "private", 0), err);
	if (r == 0)
		r = namespaces_make(namespaces, tree->images_fd, cgroup_fd,
				    restore_elapsed_us(restore), &tree->job, err);
	if (r == 0)
		r = barrier_make(tree, err);
	tree->job.images_fd = tree->images_fd;
	tree->job.cgroup_fd = cgroup_fd;
	if (r == 0)
		r = criu_start(&tree->job, "restore", &tree->criu, err);
	namespaces_close(&tree->job);
	if (tree->job.barrier_ready >= 0) {
		(void)close(tree->job.barrier_ready);
		(void)close(tree->job.barrier_go);
		tree->job.barrier_ready = tree->job.barrier_go = -1;
	}
	return r;
}

static int tree_add(Restore *restore, json_object *unit, int unit_fd, json_object *description,
		    Tree **ret, Error *err)
{
	const char *directory;
	Tree *tree = &restore->trees[restore->n];
	int r = json_get_string(description, "directory", &directory, err);

	if (r < 0)
		return r;
	*tree = (Tree){.description = description,
		       .unit = json_opt_string(unit, "unit", ""),
		       .cgroup = json_opt_string(unit, "cgroup", ""),
		       .job = CRIU_JOB_INIT,
		       .images_fd = -1,
		       .ready = -1,
		       .go = -1,
		       .lazy_go = -1};
	restore->n++;
	tree->images_fd = openat(unit_fd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tree->images_fd < 0)
		return error_errno(err, -errno, "Opening the images of %s", tree->unit);
	*ret = tree;
	return 0;
}

static int unit_start(Restore *restore, json_object *unit, Error *err)
{
	json_object *trees = json_opt_array(unit, "trees");
	const char *name = "", *directory = "", *cgroup = "";
	_cleanup_close_ int unit_fd = -1, cgroup_fd = -1;
	int r = json_get_string(unit, "unit", &name, err);

	if (r == 0)
		r = json_get_string(unit, "directory", &directory, err);
	if (r == 0)
		r = json_get_string(unit, "cgroup", &cgroup, err);
	if (r == 0)
		r = cgroup_open(cgroup, true, &cgroup_fd, err);
	if (r < 0)
		return r;
	unit_fd = openat(restore->dirfd, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (unit_fd < 0)
		return error_errno(err, -errno, "Opening the images of %s", name);
	for (size_t i = 0; i < json_length(trees); i++) {
		Tree *tree = NULL;

		r = tree_add(restore, unit, unit_fd, json_object_array_get_idx(trees, i), &tree,
			     err);
		if (r == 0)
			r = tree_start(restore, tree, cgroup_fd, err);
		if (r < 0)
			return error_prefix(err, "Restoring %s", name);
	}
	return 0;
}

/* Until criu says that the tree stands, or ends without saying so. */
static int tree_wait(Tree *tree, int64_t began_us, int64_t limit_s, Error *err)
{
	int64_t deadline_us = began_us + limit_s * 1000000;
	_cleanup_close_ int process = (int)syscall(SYS_pidfd_open, tree->criu, 0);
	struct pollfd p[2] = {{.fd = tree->ready, .events = POLLIN},
			      {.fd = process, .events = POLLIN}};
	char byte;

	while (!(p[0].revents & POLLIN)) {
		int64_t left = deadline_us - clock_monotonic_us();

		if (left <= 0)
			return error_set(err, -ETIMEDOUT, "Restoring %s took longer than %lld s",
					 tree->unit, (long long)limit_s);
		(void)poll(p, 2, (int)(left / 1000) + 1);
		if (p[1].revents && !(p[0].revents & POLLIN)) {
			if (criu_finish(&tree->job, tree->criu, err) == 0)
				(void)error_set(err, -EPROTO, "criu ended before its barrier");
			tree->criu = 0;
			return error_prefix(err, "Restoring %s", tree->unit);
		}
	}
	return read(tree->ready, &byte, 1) == 1 ? 0 : error_errno(err, -EIO, "Reading the barrier");
}

static size_t trees_count(json_object *units)
{
	size_t n = 0;

	for (size_t i = 0; i < json_length(units); i++)
		n += json_length(json_opt_array(json_object_array_get_idx(units, i), "trees"));
	return n;
}

int64_t restore_limit_s(const Restore *restore)
{
	json_object *units = json_opt_array(restore->capture, "units");

	return RESTORE_LIMIT_S + RESTORE_TREE_S * (int64_t)trees_count(units) +
	       json_opt_int(restore->capture, "memory_bytes", 0) / RESTORE_BYTES_PER_S;
}

int restore_units(Restore *restore, Error *err)
{
	json_object *units = json_opt_array(restore->capture, "units");
	int64_t began = clock_monotonic_us(), limit_s = restore_limit_s(restore);
	int r;

	restore->trees = calloc(trees_count(units) + 1, sizeof(*restore->trees));
	if (!restore->trees)
		return error_errno(err, -ENOMEM, "Restoring");
	r = externals_new(restore->streams, units, restore->dirfd, &restore->externals, err);
	for (size_t i = 0; r == 0 && i < json_length(units); i++)
		r = unit_start(restore, json_object_array_get_idx(units, i), err);
	for (size_t i = 0; r == 0 && i < restore->n; i++)
		r = tree_wait(&restore->trees[i], began, limit_s, err);
	if (r == 0)
		r = worker_finish(&restore->carriers, NETWORK_LIMIT_MS, err);
	externals_free(restore->externals);
	restore->externals = NULL;
	if (r < 0)
		restore_kill(restore);
	return r;
}

void restore_kill(Restore *restore)
{
	json_object *units = json_opt_array(restore->capture, "units");

	for (size_t i = 0; i < json_length(units); i++) {
		const char *cgroup =
			json_opt_string(json_object_array_get_idx(units, i), "cgroup", NULL);
		_cleanup_close_ int fd = -1;

		if (cgroup && cgroup_open(cgroup, false, &fd, NULL) == 0)
			(void)cgroup_kill(fd, cgroup, NULL);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	private_directories_return();
}

/* Delegated units: processes back into the groups below the unit's own. */
static void tasks_place(json_object *unit)
{
	json_object *tasks = json_opt_array(unit, "tasks");
	const char *own = json_opt_string(unit, "cgroup", "");

	for (size_t i = 0; i < json_length(tasks); i++) {
		json_object *t = json_object_array_get_idx(tasks, i);
		const char *cgroup = json_opt_string(t, "cgroup", own);
		_cleanup_close_ int fd = -1;
		char pid[16];

		if (strcmp(cgroup, own) == 0 || cgroup_open(cgroup, true, &fd, NULL) < 0)
			continue;
		(void)snprintf(pid, sizeof(pid), "%lld", (long long)json_opt_int(t, "pid", 0));
		(void)file_write_value(fd, "cgroup.procs", pid, NULL);
	}
}

/* Best effort: the peers would send again without it, later. */
static void peers_tell(const Restore *restore)
{
	_cleanup_(peers_free) Peers peers = {0};

	for (size_t i = 0; i < restore->n; i++)
		(void)peers_read(restore->trees[i].images_fd, &peers, NULL);
	peers_wake(&peers, restore_elapsed_us(restore));
}

int restore_thaw(Restore *restore, Error *err)
{
	json_object *units = json_opt_array(restore->capture, "units");
	int r;

	for (size_t i = 0; i < json_length(units); i++)
		tasks_place(json_object_array_get_idx(units, i));
	/* All sockets exist: nothing can be answered wrongly any more. */
	r = hold_lower(err);
	if (r < 0)
		return r;
	peers_tell(restore);
	for (size_t i = 0; r == 0 && i < restore->n; i++)
		if (write(restore->trees[i].go, "g", 1) != 1)
			r = error_errno(err, -errno, "Letting %s run", restore->trees[i].unit);
	for (size_t i = 0; i < restore->n; i++) {
		int one = criu_finish(&restore->trees[i].job, restore->trees[i].criu,
				      r == 0 ? err : NULL);

		if (one < 0 && r == 0)
			r = error_prefix(err, "Letting %s run", restore->trees[i].unit);
		/* The rest of its memory may come now. */
		cleanup_close(&restore->trees[i].lazy_go);
		restore->trees[i].lazy_go = -1;
	}
	return r;
}

int restore_adopt(Restore *restore, Error *err)
{
	int r = adopt_prepare(json_opt_array(restore->capture, "units"), err);

	return r < 0 ? r : streams_hold(restore->streams, err);
}
