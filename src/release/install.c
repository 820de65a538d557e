/* SPDX-License-Identifier: Apache-2.0 */
#include "release/install.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "release/chain.h"
#include "release/depot.h"
#include "release/judge.h"
#include "release/kernel_files.h"
#include "release/seen.h"

#define HOME_RELEASES  INSTALL_DEPOT "/" DEPOT_RELEASES
#define RECORD_SUFFIX  ".json"
#define CMDLINE_SUFFIX ".cmdline"

/* ---- what this machine remembers of the kernels that came so ---- */

typedef struct Record {
	char kernel[DOCUMENT_NAME_MAX + 1];
	bool complete;
	int64_t at_us;
} Record;

static char *record_name(const char *kernel)
{
	return text_format(INSTALL_KERNELS "/%s" RECORD_SUFFIX, kernel);
}

static int state_open(const InstallPlace *place, int *ret, Error *err)
{
	int r = directory_make(AT_FDCWD, place->state, 0700, err);

	if (r < 0)
		return r;
	*ret = open(place->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret < 0)
		return error_errno(err, -errno, "Opening %s", place->state);
	return directory_make(*ret, INSTALL_KERNELS, 0755, err);
}

/* 1, or 0 if there is none. */
static int record_read(int state, const char *kernel, Record *ret, Error *err)
{
	_cleanup_free_ char *name = record_name(kernel);
	_cleanup_json_ json_object *o = NULL;
	Record record = {0};
	int r = name ? json_read(state, name, &o, err) : error_errno(err, -ENOMEM, "Reading");

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	(void)snprintf(record.kernel, sizeof(record.kernel), "%s", kernel);
	record.complete = json_opt_bool(o, "complete", false);
	record.at_us = json_opt_int(o, "at_us", 0);
	*ret = record;
	return 1;
}

static int record_write(int state, const Manifest *manifest, bool complete, Error *err)
{
	_cleanup_free_ char *name = record_name(manifest->kernel);
	_cleanup_json_ json_object *o = json_object_new_object();

	if (!name || !o)
		return error_errno(err, -ENOMEM, "Remembering kernel %s", manifest->kernel);
	json_put_string(o, "release", manifest->name);
	json_put_string(o, "sha256", digest_text(&manifest->digest).text);
	json_put_bool(o, "complete", complete);
	json_put_int(o, "at_us", clock_realtime_us());
	return json_write(state, name, o, err);
}

static void record_remove(int state, const char *kernel)
{
	_cleanup_free_ char *name = record_name(kernel);
	_cleanup_free_ char *cmdline = text_format(INSTALL_KERNELS "/%s" CMDLINE_SUFFIX, kernel);

	if (name)
		(void)unlinkat(state, name, 0);
	if (cmdline)
		(void)unlinkat(state, cmdline, 0);
}

/* ---- the release ---- */

/* No link in what others can write is followed. */
static int home_open(const char *home, const char *path)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	_cleanup_close_ int dir = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long fd = dir < 0 ? -1 : syscall(SYS_openat2, dir, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static int source_open(const InstallPlace *place, const char *release, int *ret, Error *err)
{
	_cleanup_free_ char *path = text_format(HOME_RELEASES "/%s", release);
	int fd = -ENOENT;

	if (!path)
		return error_errno(err, -ENOMEM, "Opening release %s", release);
	if (!name_is_valid(release))
		return error_set(err, -EINVAL, "\"%.64s\" is no name of a release", release);
	for (size_t i = 0; fd == -ENOENT && i < 2 && place->homes[i]; i++)
		fd = home_open(place->homes[i], path);
	if (fd == -ENOENT)
		return error_set(err, -ENOENT,
				 "Release %s is not on this machine; segue push %s on the hub "
				 "brings it",
				 release, release);
	if (fd < 0)
		return error_errno(err, fd, "Opening release %s", release);
	*ret = fd;
	return 0;
}

/* Remembers it before it is used. */
static int source_judge(const InstallPlace *place, const Release *source, int state, Manifest **ret,
			Error *err)
{
	_cleanup_trust_ Trust *trust = NULL;
	_cleanup_manifest_ Manifest *manifest = NULL;
	Seen seen;
	int r;

	if ((r = chain_trusted(place->trust, &trust, err)) < 0 ||
	    (r = seen_read(state, &seen, err)) < 0)
		return r;
	r = release_judge(&(JudgeCase){.bytes = source->bytes,
				       .size = source->size,
				       .signatures = &source->signatures,
				       .trust = trust,
				       .seen = &seen,
				       .now_s = clock_realtime_us() / 1000000},
			  &manifest, err);
	if (r < 0)
		return r;
	seen_add(&seen, manifest);
	r = seen_write(state, &seen, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&manifest);
	return 0;
}

static int scope_check(const Manifest *manifest, const char *release, Error *err)
{
	if (strcmp(manifest->name, release) != 0)
		return error_set(err, -EBADMSG, "It is release %s", manifest->name);
	if (manifest_find(manifest, RELEASE_ROOT))
		return error_set(err, -EOPNOTSUPP,
				 "It brings a root image, which would have to be written over the "
				 "system that runs; make a release without one");
	return 0;
}

/* What the swap to its kernel adds to the command line, which may change though the kernel does
 * not. */
static int cmdline_put(int state, const Manifest *manifest, Error *err)
{
	_cleanup_free_ char *name =
		text_format(INSTALL_KERNELS "/%s" CMDLINE_SUFFIX, manifest->kernel);
	const char *text = manifest->cmdline;

	if (!name)
		return error_errno(err, -ENOMEM, "Remembering the command line");
	if (text)
		return file_write_atomic(state, name, text, strlen(text), 0644, err);
	if (unlinkat(state, name, 0) < 0 && errno != ENOENT)
		return error_errno(err, -errno, "Removing %s", name);
	return 0;
}

/* ---- both ---- */

/* 1: it is there; 0: it is to be put there. */
static int kernel_compare(const InstallPlace *place, int state, const Manifest *manifest,
			  Error *err)
{
	const char *kernel = manifest->kernel;
	bool exists = kernel_files_exist(place->root, kernel);
	Record record = {0};
	struct utsname running;
	int known = record_read(state, kernel, &record, err);

	if (known < 0)
		return known;
	if (exists && (known == 0 || record.complete) && kernel_files_match(place->root, manifest))
		return 1;
	if (exists && known == 0)
		return error_set(err, -EEXIST,
				 "Another kernel %s is installed here, and not by segue; remove "
				 "its package, or give this kernel a version of its own",
				 kernel);
	if (uname(&running) == 0 && !strcmp(running.release, kernel))
		return error_set(err, -EBUSY,
				 "Another kernel %s runs here; give this one a version of its own",
				 kernel);
	return 0;
}

/* A process that is killed leaves a record that says so, and the next one begins anew. */
static int kernel_put(const InstallPlace *place, int state, const Release *source,
		      const Manifest *manifest, Error *err)
{
	int r = record_write(state, manifest, false, err);

	if (r < 0)
		return r;
	r = kernel_files_put(place->root, source->dir, manifest, err);
	if (r < 0) {
		record_remove(state, manifest->kernel);
		return r;
	}
	return record_write(state, manifest, true, err);
}

static int install(const InstallPlace *place, const char *release, int source_fd, Installed *ret,
		   Error *err)
{
	_cleanup_release_ Release *source = NULL;
	_cleanup_manifest_ Manifest *manifest = NULL;
	_cleanup_close_ int state = -1;
	int r;

	if ((r = state_open(place, &state, err)) < 0 ||
	    (r = release_open_at(source_fd, &source, err)) < 0 ||
	    (r = source_judge(place, source, state, &manifest, err)) < 0 ||
	    (r = scope_check(manifest, release, err)) < 0 ||
	    (r = kernel_compare(place, state, manifest, err)) < 0)
		return r;
	(void)snprintf(ret->kernel, sizeof(ret->kernel), "%s", manifest->kernel);
	ret->was_there = r > 0;
	if (!ret->was_there && (r = kernel_put(place, state, source, manifest, err)) < 0)
		return r;
	return cmdline_put(state, manifest, err);
}

int release_install(const InstallPlace *place, const char *release, Installed *ret, Error *err)
{
	_cleanup_close_ int source = -1;
	int r = source_open(place, release, &source, err);

	if (r < 0)
		return r;
	r = install(place, release, source, ret, err);
	if (r < 0)
		(void)error_prefix(err, "Installing release %s", release);
	return r;
}

/* ---- tidying ---- */

static int record_later_first(const void *a, const void *b)
{
	const Record *left = a, *right = b;

	return (left->at_us < right->at_us) - (left->at_us > right->at_us);
}

static int records_read(int state, Record **ret, size_t *ret_n, Error *err)
{
	_cleanup_close_ int fd = openat(state, INSTALL_KERNELS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	_cleanup_free_ Record *records = NULL;
	struct dirent *entry;
	size_t n = 0;

	if (!dir)
		return error_errno(err, -errno, "Listing the kernels of releases");
	(void)steal_fd(&fd);
	while ((entry = readdir(dir))) {
		_cleanup_free_ char *kernel = strdup(entry->d_name);
		Record *more;

		if (!kernel || !text_has_suffix(kernel, RECORD_SUFFIX))
			continue;
		kernel[strlen(kernel) - strlen(RECORD_SUFFIX)] = '\0';
		more = realloc(records, (n + 1) * sizeof(*records));
		if (!more)
			return error_errno(err, -ENOMEM, "Listing the kernels of releases");
		records = more;
		/* What cannot be read is not removed either. */
		if (name_is_valid(kernel) && record_read(state, kernel, &records[n], NULL) > 0)
			n++;
	}
	if (n > 0)
		qsort(records, n, sizeof(*records), record_later_first);
	*ret = steal_ptr(&records);
	*ret_n = n;
	return 0;
}

static bool is_kept(const char *kernel, const char *const keep[], size_t n_keep)
{
	for (size_t i = 0; i < n_keep; i++)
		if (!strcmp(keep[i], kernel))
			return true;
	return false;
}

int release_tidy(const InstallPlace *place, size_t most, const char *const keep[], size_t n_keep,
		 Error *err)
{
	_cleanup_free_ Record *records = NULL;
	_cleanup_close_ int state = -1;
	size_t n = 0;
	int r = state_open(place, &state, err);

	if (r == 0)
		r = records_read(state, &records, &n, err);
	for (size_t left = n; r == 0 && n > 0 && left > most; n--) {
		const char *kernel = records[n - 1].kernel;

		if (is_kept(kernel, keep, n_keep))
			continue;
		r = kernel_files_remove(place->root, kernel, err);
		if (r == 0)
			record_remove(state, kernel);
		left--;
	}
	return r;
}
