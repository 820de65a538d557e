/* SPDX-License-Identifier: Apache-2.0 */
#include "release/kernel_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "release/content.h"
#include "release/modules_archive.h"
#include "swap/kernel_image.h"

#define BOOT         "/boot"
#define TREES        "/usr/lib/modules"
#define NEW          ".segue-new" /* what is not complete begins with that */
#define TOOL_MS      600000
#define NAME_ROOM    (sizeof(NEW) + sizeof("vmlinuz-") + DOCUMENT_NAME_MAX)
#define MODULES_ROOM (sizeof(NEW) + sizeof("-" RELEASE_MODULES))

/* Of a release, and what they are called in /boot. */
static const char *const boot_files[] = {RELEASE_CONFIG, RELEASE_KERNEL};

#define N_BOOT_FILES (sizeof(boot_files) / sizeof(*boot_files))

typedef struct Name {
	char text[NAME_ROOM];
} Name;

static Name boot_name(const char *prefix, const char *file, const char *version)
{
	Name name;

	(void)snprintf(name.text, sizeof(name.text), "%s%s-%s", prefix, file, version);
	return name;
}

static int place_open(const char *root, const char *path, Error *err)
{
	_cleanup_free_ char *whole = text_format("%s%s", root, path);
	int fd;

	if (!whole)
		return error_errno(err, -ENOMEM, "Opening %s", path);
	fd = open(whole, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? error_errno(err, -errno, "Opening %s", whole) : fd;
}

static bool is_there(const char *root, const char *place, const char *name)
{
	_cleanup_free_ char *path = text_format("%s%s/%s", root, place, name);

	return path && path_exists(AT_FDCWD, path);
}

bool kernel_files_exist(const char *root, const char *version)
{
	return is_there(root, TREES, version) ||
	       is_there(root, BOOT, boot_name("", RELEASE_KERNEL, version).text);
}

bool kernel_files_match(const char *root, const Manifest *manifest)
{
	const ManifestFile *image = manifest_find(manifest, RELEASE_KERNEL);
	_cleanup_close_ int boot = place_open(root, BOOT, NULL);
	ManifestFile there;

	if (!image || boot < 0 || !is_there(root, TREES, manifest->kernel))
		return false;
	there = *image;
	(void)snprintf(there.name, sizeof(there.name), "%.*s", DOCUMENT_NAME_MAX,
		       boot_name("", RELEASE_KERNEL, manifest->kernel).text);
	return content_check(boot, manifest, &there, NULL, NULL) == 0;
}

/* ---- what follows from the files ---- */

static int modules_index(const char *root, const char *version, Error *err)
{
	const char *const argv[] = {"depmod", "--basedir", *root ? root : "/", version, NULL};

	return process_run(argv, TOOL_MS, NULL, err);
}

/* As a kernel's package calls them.  segue's own hook is not to answer with a swap. */
static int hooks_run(const char *root, const char *kind, const char *why, const char *version,
		     Error *err)
{
	_cleanup_free_ char *hooks = text_format("%s/etc/kernel/%s.d", root, kind);
	_cleanup_free_ char *first = text_format("--arg=%s", version);
	_cleanup_free_ char *second =
		text_format("--arg=%s" BOOT "/" RELEASE_KERNEL "-%s", root, version);
	_cleanup_free_ char *output = NULL;
	const char *const argv[] = {"run-parts", "--exit-on-error", first, second, hooks, NULL};
	int r;

	if (!hooks || !first || !second || setenv("DEB_MAINT_PARAMS", why, 1) < 0 ||
	    setenv("SEGUE_INSTALL", "1", 1) < 0)
		return error_errno(err, -ENOMEM, "Running the hooks of kernel %s", version);
	if (!path_exists(AT_FDCWD, hooks))
		return 0;
	r = process_run(argv, TOOL_MS, &output, err);
	if (r < 0) {
		(void)fprintf(stderr, "%s\n", output ? output : "");
		(void)error_hint(err, "the journal has what it said");
	}
	return r;
}

/* ---- to its place ---- */

static int boot_files_bring(int boot, int from, const Manifest *manifest, Error *err)
{
	for (size_t i = 0; i < N_BOOT_FILES; i++) {
		const ManifestFile *file = manifest_find(manifest, boot_files[i]);
		Name name = boot_name(NEW "-", boot_files[i], manifest->kernel);
		int r;

		(void)unlinkat(boot, name.text, 0);
		r = file ? content_copy(from, manifest, file, boot, name.text, err) : 0;
		if (r == 0 && file && i + 1 == N_BOOT_FILES)
			r = kernel_image_check(boot, name.text, manifest->kernel, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int tree_unpack(int trees, const char *archive, Error *err)
{
	_cleanup_close_ int tree = -1;
	int r = directory_make(trees, NEW, 0755, err);

	if (r < 0)
		return r;
	tree = openat(trees, NEW, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return tree < 0 ? error_errno(err, -errno, "Opening %s", NEW)
			: modules_archive_unpack(trees, archive, tree, err);
}

static int tree_bring(int trees, int from, const Manifest *manifest, Error *err)
{
	const ManifestFile *file = manifest_find(manifest, RELEASE_MODULES);
	static const char archive[MODULES_ROOM] = NEW "-" RELEASE_MODULES;
	int r;

	if (!file)
		return error_set(err, -EBADMSG, "Release %s has no modules", manifest->name);
	(void)unlinkat(trees, archive, 0);
	if ((r = directory_remove(trees, NEW, err)) < 0 ||
	    (r = content_copy(from, manifest, file, trees, archive, err)) < 0)
		return r;
	r = tree_unpack(trees, archive, err);
	(void)unlinkat(trees, archive, 0);
	return r;
}

static int tree_rename(int trees, const char *version, Error *err)
{
	int r = directory_remove(trees, version, err);

	if (r < 0)
		return r;
	if (renameat(trees, NEW, trees, version) < 0 || syncfs(trees) < 0)
		return error_errno(err, -errno, "Making " TREES "/%s", version);
	return 0;
}

static int boot_files_rename(int boot, const char *version, Error *err)
{
	for (size_t i = 0; i < N_BOOT_FILES; i++) {
		Name from = boot_name(NEW "-", boot_files[i], version);
		Name to = boot_name("", boot_files[i], version);

		/* A release may have no configuration. */
		if (renameat(boot, from.text, boot, to.text) < 0 &&
		    (errno != ENOENT || i + 1 == N_BOOT_FILES))
			return error_errno(err, -errno, "Making " BOOT "/%s", to.text);
	}
	return syncfs(boot) < 0 ? error_errno(err, -errno, "Writing to " BOOT) : 0;
}

static void new_remove(int boot, int trees, const char *version)
{
	for (size_t i = 0; i < N_BOOT_FILES; i++)
		(void)unlinkat(boot, boot_name(NEW "-", boot_files[i], version).text, 0);
	(void)directory_remove(trees, NEW, NULL);
}

static int files_put(const char *root, int boot, int trees, int from, const Manifest *manifest,
		     Error *err)
{
	const char *version = manifest->kernel;
	int r;

	if ((r = boot_files_bring(boot, from, manifest, err)) < 0 ||
	    (r = tree_bring(trees, from, manifest, err)) < 0) {
		new_remove(boot, trees, version);
		return r;
	}
	if ((r = tree_rename(trees, version, err)) < 0 ||
	    (r = modules_index(root, version, err)) < 0 ||
	    (r = boot_files_rename(boot, version, err)) < 0 ||
	    (r = hooks_run(root, "postinst", "configure", version, err)) < 0) {
		new_remove(boot, trees, version);
		(void)kernel_files_remove(root, version, NULL);
	}
	return r;
}

int kernel_files_put(const char *root, int from, const Manifest *manifest, Error *err)
{
	_cleanup_close_ int boot = place_open(root, BOOT, err);
	_cleanup_close_ int trees = boot < 0 ? -1 : place_open(root, TREES, err);

	if (boot < 0 || trees < 0)
		return boot < 0 ? boot : trees;
	return files_put(root, boot, trees, from, manifest, err);
}

/* The image goes first, as it came last; hooks of a kernel that is not there find nothing. */
int kernel_files_remove(const char *root, const char *version, Error *err)
{
	_cleanup_close_ int boot = place_open(root, BOOT, err);
	_cleanup_close_ int trees = boot < 0 ? -1 : place_open(root, TREES, err);

	if (boot < 0 || trees < 0)
		return boot < 0 ? boot : trees;
	for (size_t i = N_BOOT_FILES; i-- > 0;) {
		Name name = boot_name("", boot_files[i], version);

		if (unlinkat(boot, name.text, 0) < 0 && errno != ENOENT)
			return error_errno(err, -errno, "Removing " BOOT "/%s", name.text);
	}
	(void)hooks_run(root, "postrm", "remove", version, NULL);
	return directory_remove(trees, version, err);
}
