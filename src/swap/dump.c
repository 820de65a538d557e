/* SPDX-License-Identifier: Apache-2.0 */
/* The part of capturing that CRIU does, and what it leaves out. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/worker.h"
#include "swap/capture.h"
#include "swap/criu.h"
#include "swap/descriptors.h"
#include "swap/inspect.h"
#include "swap/namespaces.h"
#include "swap/pagemap.h"
#include "swap/peers.h"
#include "swap/warm.h"

/* ---- what waits in sockets between kept units ---- */

/* What has been sent to a socket and not been read: CRIU leaves it out where it does not see the
 * sender. */
static int queue_save(json_object *external, int tree_fd, Error *err)
{
	_cleanup_close_ int fd = descriptor_take((pid_t)json_opt_int(external, "pid", 0),
						 (int)json_opt_int(external, "fd", -1));
	_cleanup_free_ char *data = NULL, *name = NULL;
	int size = 0;
	ssize_t n;
	int r;

	if (fd < 0)
		return error_errno(err, fd, "Reading the queue of a unix socket");
	if (ioctl(fd, SIOCINQ, &size) < 0)
		return error_errno(err, -errno, "Reading the queue of a unix socket");
	if (size <= 0)
		return 0;
	data = malloc((size_t)size);
	name = text_format("queue-%lld", (long long)json_opt_int(external, "inode", 0));
	if (!data || !name)
		return error_errno(err, -ENOMEM, "Reading the queue of a unix socket");
	/* A zero offset to peek from makes one read go across the buffers in the queue. */
	(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &(int){0}, sizeof(int));
	n = recv(fd, data, (size_t)size, MSG_PEEK | MSG_DONTWAIT);
	(void)setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &(int){-1}, sizeof(int));
	if (n != size)
		return error_set(err, -EIO, "Reading the queue of a unix socket: %zd of %d bytes",
				 n, size);
	r = file_write_atomic(tree_fd, name, data, (size_t)size, 0600, err);
	if (r == 0)
		json_put_string(external, "queue", name);
	return r;
}

static int unit_queues(const KeptUnit *unit, int dirfd, Error *err)
{
	json_object *trees = json_opt_array(unit->description, "trees");
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_length(trees); i++) {
		json_object *tree = json_object_array_get_idx(trees, i);
		json_object *externals = json_opt_array(tree, "externals");
		_cleanup_free_ char *path =
			text_format("%s/%s", json_opt_string(unit->description, "directory", ""),
				    json_opt_string(tree, "directory", ""));
		_cleanup_close_ int fd =
			path ? openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

		for (size_t j = 0; r == 0 && j < json_length(externals); j++) {
			json_object *e = json_object_array_get_idx(externals, j);

			if (strcmp(json_opt_string(e, "kind", ""), "pair") == 0)
				r = queue_save(e, fd, err);
		}
	}
	return r < 0 ? error_prefix(err, "Capturing %s", unit->name) : 0;
}

/* ---- criu ---- */

static int externals_add(CriuJob *job, json_object *externals, Error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_length(externals); i++) {
		json_object *e = json_object_array_get_idx(externals, i);
		const char *kind = json_opt_string(e, "kind", "");

		r = criu_job_add(job, err, "--external");
		if (r < 0)
			return r;
		if (strcmp(kind, "file") == 0)
			r = criu_job_add(job, err, "%s", json_opt_string(e, "key", ""));
		else
			r = criu_job_add(job, err, "unix[%lld]",
					 (long long)json_opt_int(e, "inode", 0));
	}
	return r;
}

static int tree_dump(const KeptUnit *unit, json_object *tree, int unit_fd, Error *err)
{
	static const char *const options[] = {
		"--tcp-established",   "--file-locks",
		"--link-remap",        "--manage-cgroups=ignore",
		"--leave-running",     "--skip-in-flight",
		"--timeout=60",        "--ghost-limit=4G",
		"--network-lock=skip", /* the hold does it, for all */
	};
	_cleanup_(criu_job_free) CriuJob job = CRIU_JOB_INIT;
	_cleanup_close_ int fd = -1, peers = -1;
	pid_t root = (pid_t)json_opt_int(tree, "pid", 0), criu;
	unsigned round;
	int r = 0;

	fd = openat(unit_fd, json_opt_string(tree, "directory", ""),
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, -errno, "Opening the directory of tree %d", (int)root);
	peers = openat(fd, PEERS_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (peers < 0)
		return error_errno(err, -errno, "Making " PEERS_FILE " of tree %d", (int)root);
	round = warm_last_round(fd);
	job.images_fd = fd;
	job.peers_fd = peers;
	job.log = "dump.log";
	job.cgroup_fd = unit->cgroup_fd;
	job.ignore_userns = json_opt_bool(tree, "ignore_userns", false);
	r = criu_job_add(&job, err, "--tree=%d", (int)root);
	for (size_t i = 0; r == 0 && i < sizeof(options) / sizeof(options[0]); i++)
		r = criu_job_add(&job, err, "%s", options[i]);
	if (r == 0)
		r = criu_job_add(&job, err, "--freeze-cgroup=/proc/self/fd/%d", unit->cgroup_fd);
	if (r == 0 && json_opt_int(tree, "sid", root) != root)
		r = criu_job_add(&job, err, "--shell-job");
	if (r == 0 && round > 0)
		r = criu_job_add(&job, err, "--prev-images-dir=" WARM_ROUND_FORMAT, round);
	if (r == 0 && round > 0)
		r = criu_job_add(&job, err, "--track-mem");
	if (r == 0)
		r = externals_add(&job, json_opt_array(tree, "externals"), err);
	if (r == 0)
		r = namespaces_open(root, &job, err);
	if (r == 0)
		r = criu_start(&job, "dump", &criu, err);
	if (r == 0)
		r = criu_finish(&job, criu, err);
	namespaces_close(&job);
	if (r == 0)
		r = fault_point("capture-images", err);
	if (r == 0 && json_opt_bool(tree, "lazy", false) && pagemap_mark_lazy(fd, err) < 0)
		return error_hint(err, "set Lazy=no in segue.conf to do without it");
	return r;
}

static int unit_dump(const KeptUnit *unit, int dirfd, Error *err)
{
	json_object *trees = json_opt_array(unit->description, "trees");
	_cleanup_close_ int fd = openat(dirfd, json_opt_string(unit->description, "directory", ""),
					O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, -errno, "Opening the directory of %s", unit->name);
	/* One after the other: CRIU thaws the control group that they share while it works. */
	for (size_t i = 0; i < json_length(trees); i++) {
		int r = tree_dump(unit, json_object_array_get_idx(trees, i), fd, err);

		if (r < 0)
			return r;
	}
	return 0;
}

typedef struct UnitDump {
	const KeptUnit *unit;
	int dirfd;
} UnitDump;

static int unit_work(void *userdata, Error *err)
{
	const UnitDump *dump = userdata;

	return unit_dump(dump->unit, dump->dirfd, err);
}

int capture_dump(const KeptUnits *kept, int dirfd, Error *err)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t at_once = processors > 1 ? (size_t)processors : 1, started = 0;
	_cleanup_free_ Worker *workers = calloc(kept->n + 1, sizeof(*workers));
	int r = 0;

	if (!workers)
		return error_errno(err, -ENOMEM, "Capturing");
	for (size_t i = 0; i < kept->n; i++) {
		Error why = {0};
		int one;

		while (r == 0 && started < kept->n && started < i + at_once) {
			UnitDump dump = {&kept->units[started], dirfd};

			one = worker_start(&workers[started], unit_work, &dump, &why);
			if (one < 0)
				r = error_set(err, one, "Capturing %s: %s",
					      kept->units[started].name, why.text);
			started++;
		}
		/* After a failure those that were started are waited for: nothing may go on behind
		 * the caller's back. */
		one = worker_finish(&workers[i], -1, &why);
		if (one < 0 && r == 0)
			r = error_set(err, one, "Capturing %s: %s", kept->units[i].name, why.text);
	}
	return r;
}

int capture_queues(const KeptUnits *kept, int dirfd, Error *err)
{
	int r = fault_point("capture-queues", err);

	for (size_t i = 0; r == 0 && i < kept->n; i++)
		r = unit_queues(&kept->units[i], dirfd, err);
	return r;
}
