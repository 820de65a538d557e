/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/warm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/criu.h"
#include "swap/namespaces.h"

/* A process tree with less memory is captured in the time that a round's own stop takes. */
#define LEAST_BYTES (32LL << 20)
#define SMALL_BYTES (4LL << 20)
#define ROUNDS_MOST 8

typedef struct WarmTree {
	pid_t pid;
	int fd; /* directory of its images; -1: given up */
	bool ignore_userns;
	unsigned rounds;
	int64_t bytes; /* of the last round */
} WarmTree;

struct Warm {
	WarmTree *trees;
	size_t n;
};

unsigned warm_last_round(int tree_fd)
{
	unsigned round = 0;
	char name[24];

	do
		(void)snprintf(name, sizeof(name), WARM_ROUND_FORMAT, ++round);
	while (path_exists(tree_fd, name));
	return round - 1;
}

void warm_free(Warm *warm)
{
	for (size_t i = 0; warm && i < warm->n; i++)
		cleanup_close(&warm->trees[i].fd);
	if (warm)
		free(warm->trees);
	free(warm);
}

static int tree_add(Warm *warm, int dirfd, json_object *unit, json_object *tree, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/%s", json_opt_string(unit, "directory", ""),
						json_opt_string(tree, "directory", ""));
	WarmTree *more = realloc(warm->trees, (warm->n + 1) * sizeof(*more));
	int r;

	if (more)
		warm->trees = more;
	if (!path || !more)
		return error_errno(err, -ENOMEM, "Copying memory in advance");
	r = directory_make(dirfd, path, 0700, err);
	if (r < 0)
		return r;
	more[warm->n] = (WarmTree){
		.pid = (pid_t)json_opt_int(tree, "pid", 0),
		.fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		.ignore_userns = json_opt_bool(tree, "ignore_userns", false),
	};
	if (more[warm->n].fd < 0)
		return error_errno(err, -errno, "Opening %s", path);
	warm->n++;
	return 0;
}

int warm_new(const KeptUnits *kept, int dirfd, Warm **ret, Error *err)
{
	Warm *warm = calloc(1, sizeof(*warm));
	int r = warm ? 0 : error_errno(err, -ENOMEM, "Copying memory in advance");

	for (size_t i = 0; r == 0 && i < kept->n; i++) {
		json_object *unit = kept->units[i].description;
		json_object *trees = json_opt_array(unit, "trees");

		if (kept_unit_memory(&kept->units[i]) < LEAST_BYTES)
			continue;
		for (size_t j = 0; r == 0 && j < json_length(trees); j++)
			r = tree_add(warm, dirfd, unit, json_object_array_get_idx(trees, j), err);
	}
	if (r < 0) {
		warm_free(warm);
		return r;
	}
	*ret = warm;
	return 0;
}

static int64_t pages_bytes(int fd)
{
	_cleanup_closedir_ DIR *dir = fdopendir(fcntl(fd, F_DUPFD_CLOEXEC, 0));
	const struct dirent *entry;
	int64_t bytes = 0;
	struct stat st;

	while (dir && (entry = readdir(dir)))
		if (text_has_prefix(entry->d_name, "pages-") &&
		    fstatat(fd, entry->d_name, &st, 0) == 0)
			bytes += st.st_size;
	return bytes;
}

static int pre_dump(const WarmTree *tree, int fd, unsigned round, Error *err)
{
	_cleanup_(criu_job_free) CriuJob job = CRIU_JOB_INIT;
	pid_t criu;
	int r;

	job.images_fd = fd;
	job.log = "pre-dump.log";
	job.ignore_userns = tree->ignore_userns;
	job.gentle = true;
	r = criu_job_add(&job, err, "--tree=%d", (int)tree->pid);
	if (r == 0)
		r = criu_job_add(&job, err, "--track-mem");
	/* What a round has anew, the one before gives back: together they take no more room than
	 * the memory. */
	if (r == 0 && round > 1)
		r = criu_job_add(&job, err, "--auto-dedup");
	if (r == 0 && round > 1)
		r = criu_job_add(&job, err, "--prev-images-dir=../" WARM_ROUND_FORMAT, round - 1);
	if (r == 0)
		r = namespaces_open(tree->pid, &job, err);
	if (r == 0)
		r = criu_start(&job, "pre-dump", &criu, err);
	if (r == 0)
		r = criu_finish(&job, criu, err);
	namespaces_close(&job);
	return r;
}

/* Without what was copied in advance, all is captured in the end. */
static void tree_give_up(WarmTree *tree)
{
	for (unsigned round = warm_last_round(tree->fd); round > 0; round--) {
		char name[24];

		(void)snprintf(name, sizeof(name), WARM_ROUND_FORMAT, round);
		(void)directory_remove(tree->fd, name, NULL);
	}
	cleanup_close(&tree->fd);
	tree->fd = -1;
}

static int tree_round(WarmTree *tree, Error *err)
{
	_cleanup_close_ int fd = -1;
	char name[24];
	int r;

	(void)snprintf(name, sizeof(name), WARM_ROUND_FORMAT, tree->rounds + 1);
	if (mkdirat(tree->fd, name, 0700) < 0)
		return error_errno(err, -errno, "Making directory %s", name);
	fd = openat(tree->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, -errno, "Opening directory %s", name);
	r = fault_point("warm-round", err);
	if (r == 0)
		r = pre_dump(tree, fd, tree->rounds + 1, err);
	if (r < 0)
		return r;
	tree->rounds++;
	tree->bytes = pages_bytes(fd);
	return 0;
}

/* Whether another round of this tree would leave clearly less for the end. */
static bool tree_shrinks(const WarmTree *tree, int64_t before)
{
	return tree->fd >= 0 && tree->rounds < ROUNDS_MOST && tree->bytes > SMALL_BYTES &&
	       (tree->rounds < 2 || tree->bytes < before / 4 * 3);
}

static bool round_run(Warm *warm, bool *more, WarmTell tell, void *userdata)
{
	unsigned round = 0;
	int64_t bytes = 0;
	bool any = false;

	for (size_t i = 0; i < warm->n; i++) {
		WarmTree *tree = &warm->trees[i];
		int64_t before = tree->bytes;
		Error why = {0};

		if (tree->fd < 0 || !more[i])
			continue;
		if (tree_round(tree, &why) < 0) {
			tree_give_up(tree);
			tell(0, 0, why.text, userdata);
			more[i] = false;
			continue;
		}
		bytes += tree->bytes;
		round = tree->rounds > round ? tree->rounds : round;
		more[i] = tree_shrinks(tree, before);
		any = any || more[i];
	}
	if (round > 0)
		tell(round, bytes, NULL, userdata);
	return any;
}

static void rounds_run(Warm *warm, bool once, WarmTell tell, void *userdata)
{
	_cleanup_free_ bool *more = malloc(warm->n + 1);

	if (!more)
		return;
	memset(more, true, warm->n);
	while (round_run(warm, more, tell, userdata) && !once)
		;
}

void warm_run(Warm *warm, WarmTell tell, void *userdata)
{
	rounds_run(warm, false, tell, userdata);
}

void warm_again(Warm *warm, WarmTell tell, void *userdata)
{
	rounds_run(warm, true, tell, userdata);
}
