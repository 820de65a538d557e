/* SPDX-License-Identifier: Apache-2.0 */
#include "release/package.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "release/modules_archive.h"
#include "swap/kernel_image.h"

#define BLOCK ((size_t)1 << 16)

/* What has been taken out so far. */
typedef struct Unpack {
	int dirfd;
	char *version; /* that all of it is of; NULL until one is known */
	ModulesArchive *modules;
	bool has_kernel, has_config, has_modules, has_builtin;
	const Progress *progress;
} Unpack;

static void cleanup_unpack(Unpack *u)
{
	free(u->version);
	modules_archive_free(u->modules);
}

static void cleanup_reader(struct archive **a)
{
	if (*a)
		(void)archive_read_free(*a);
}
#define _cleanup_reader_ _cleanup_(cleanup_reader)

static int archive_failed(struct archive *a, const char *path, Error *err)
{
	int code = archive_errno(a);
	const char *text = archive_error_string(a);

	/* Its own codes, for damaged content and the like. */
	if (code <= 0 || code == EILSEQ)
		code = EBADMSG;
	return error_set(err, -code, "Reading %s: %s", path, text ? text : strerror(code));
}

/* ---- what a path is ---- */

typedef enum PartKind { PART_OTHER, PART_KERNEL, PART_CONFIG, PART_MODULE } PartKind;

typedef struct Part {
	PartKind kind;
	const char *version; /* not terminated */
	size_t version_size;
	const char *rest; /* of a module: its path below the tree */
} Part;

static const struct {
	const char *prefix;
	PartKind kind;
} places[] = {
	{"boot/vmlinuz-", PART_KERNEL},
	{"boot/config-", PART_CONFIG},
	{"lib/modules/", PART_MODULE},
	{"usr/lib/modules/", PART_MODULE},
};

static Part part_in_tree(const char *version)
{
	const char *slash = strchr(version, '/');
	Part part = {.kind = PART_MODULE, .version = version};

	if (!slash || !slash[1])
		return (Part){.kind = PART_OTHER};
	part.version_size = (size_t)(slash - version);
	part.rest = slash + 1;
	if (strcmp(part.rest, "vmlinuz") == 0)
		part.kind = PART_KERNEL;
	else if (strcmp(part.rest, "config") == 0)
		part.kind = PART_CONFIG;
	return part;
}

/* Of a path without a leading "./". */
static Part part_of(const char *path)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		const char *rest = path + strlen(places[i].prefix);

		if (!text_has_prefix(path, places[i].prefix))
			continue;
		if (places[i].kind == PART_MODULE)
			return part_in_tree(rest);
		return (Part){places[i].kind, rest, strlen(rest), NULL};
	}
	return (Part){.kind = PART_OTHER};
}

static int version_settle(Unpack *u, const Part *part, const char *from, Error *err)
{
	_cleanup_free_ char *version = strndup(part->version, part->version_size);

	if (!version)
		return error_errno(err, -ENOMEM, "Reading %s", from);
	if (!name_is_valid(version))
		return error_set(err, -EBADMSG, "%s: \"%s\" is not a kernel's version", from,
				 version);
	if (u->version && strcmp(u->version, version) != 0)
		return error_set(err, -EBADMSG,
				 "%s is of kernel %s, and what was before it of %s; give the "
				 "packages of one kernel",
				 from, version, u->version);
	if (!u->version)
		u->version = steal_ptr(&version);
	return 0;
}

/* Links to where the headers would be; they are not a part of a kernel that runs. */
static bool is_link_to_headers(const char *rest)
{
	return strcmp(rest, "build") == 0 || strcmp(rest, "source") == 0;
}

/* ---- where it goes ---- */

/* Gives the next bytes of something; 0 at its end, or -errno with an error. */
typedef ssize_t SourceFn(void *context, void *buffer, size_t size, Error *err);

static int file_take(Unpack *u, const char *name, SourceFn *source, void *context, Error *err)
{
	_cleanup_free_ void *buffer = malloc(BLOCK);
	_cleanup_close_ int fd =
		openat(u->dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	ssize_t n;
	int r;

	if (!buffer)
		return error_errno(err, -ENOMEM, "Writing %s", name);
	if (fd < 0 && errno == EEXIST)
		return error_set(err, -EBADMSG, "There is a second %s", name);
	if (fd < 0)
		return error_errno(err, -errno, "Making %s", name);
	while ((n = source(context, buffer, BLOCK, err)) > 0) {
		if ((r = file_write_all(fd, buffer, (size_t)n, err)) < 0) {
			(void)error_prefix(err, "%s", name);
			return r;
		}
	}
	if (n == 0 && fsync(fd) < 0)
		return error_errno(err, -errno, "Writing %s", name);
	return (int)n;
}

static int module_take(Unpack *u, const char *rest, int64_t size, SourceFn *source, void *context,
		       Error *err)
{
	_cleanup_free_ void *buffer = malloc(BLOCK);
	ssize_t n;
	int r;

	if (!buffer)
		return error_errno(err, -ENOMEM, "Packing %s", rest);
	r = modules_archive_begin(u->modules, rest, size, err);
	if (r < 0)
		return r;
	while ((n = source(context, buffer, BLOCK, err)) > 0) {
		r = modules_archive_add(u->modules, buffer, (size_t)n, err);
		if (r < 0)
			return r;
	}
	if (n < 0)
		return (int)n;
	u->has_builtin = u->has_builtin || strcmp(rest, "modules.builtin") == 0;
	u->has_modules = u->has_modules || text_has_prefix(rest, "kernel/");
	return modules_archive_end(u->modules, err);
}

static int part_take(Unpack *u, const Part *part, int64_t size, SourceFn *source, void *context,
		     Error *err)
{
	switch (part->kind) {
	case PART_KERNEL:
		u->has_kernel = true;
		return file_take(u, RELEASE_KERNEL, source, context, err);
	case PART_CONFIG:
		u->has_config = true;
		return file_take(u, RELEASE_CONFIG, source, context, err);
	case PART_MODULE:
		return module_take(u, part->rest, size, source, context, err);
	case PART_OTHER:
		break;
	}
	return 0;
}

/* ---- Debian packages ---- */

static ssize_t entry_source(void *context, void *buffer, size_t size, Error *err)
{
	la_ssize_t n = archive_read_data(context, buffer, size);

	return n < 0 ? archive_failed(context, "its content", err) : n;
}

/* Of a package everything is judged, also what is not taken: one with a hostile name in it is not
 * the distribution's. */
static int entry_take(Unpack *u, struct archive *a, struct archive_entry *entry, Error *err)
{
	const char *path = archive_entry_pathname(entry);
	Part part;
	int r;

	if (path && text_has_prefix(path, "./"))
		path += 2;
	if (path && !*path)
		return 0;
	if (!path || !path_is_inside(path))
		return error_set(
			err, -EBADMSG,
			"\"%.200s\" in it leads elsewhere; no package of a distribution has "
			"such a name",
			path ? path : "");
	part = part_of(path);
	if (part.kind == PART_OTHER || archive_entry_filetype(entry) == AE_IFDIR)
		return 0;
	if (archive_entry_filetype(entry) == AE_IFLNK && part.rest && is_link_to_headers(part.rest))
		return 0;
	if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
		return error_set(err, -EBADMSG,
				 "\"%.200s\" in it is not a file but a link or a device", path);
	r = version_settle(u, &part, path, err);
	if (r < 0)
		return r;
	r = part_take(u, &part, archive_entry_size(entry), entry_source, a, err);
	if (r < 0)
		(void)error_prefix(err, "%s", path);
	return r;
}

/* The outer archive, from which the inner one reads. */
typedef struct Package {
	struct archive *archive;
	const char *path;
	int64_t size;
	const Progress *progress;
	char buffer[BLOCK];
} Package;

static la_ssize_t package_source(struct archive *inner, void *context, const void **ret_buffer)
{
	Package *p = context;
	la_ssize_t n = archive_read_data(p->archive, p->buffer, sizeof(p->buffer));

	if (n < 0) {
		archive_set_error(inner, archive_errno(p->archive), "%s",
				  archive_error_string(p->archive));
		return -1;
	}
	progress_tell(p->progress, p->path, archive_filter_bytes(p->archive, -1), p->size);
	*ret_buffer = p->buffer;
	return n;
}

static int data_open(Package *p, struct archive **ret, Error *err)
{
	struct archive *a = archive_read_new();

	if (!a)
		return error_errno(err, -ENOMEM, "Reading %s", p->path);
	*ret = a;
	/* Those of deb(5), and not _all, which would run programs for some. */
	if (archive_read_support_filter_xz(a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(a) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    archive_read_open(a, p, NULL, package_source, NULL) != ARCHIVE_OK)
		return archive_failed(a, p->path, err);
	return 0;
}

static int data_take(Unpack *u, Package *p, Error *err)
{
	_cleanup_reader_ struct archive *inner = NULL;
	struct archive_entry *entry;
	int e, r = data_open(p, &inner, err);

	if (r < 0)
		return r;
	while ((e = archive_read_next_header(inner, &entry)) == ARCHIVE_OK || e == ARCHIVE_WARN) {
		r = entry_take(u, inner, entry, err);
		if (r < 0) {
			(void)error_prefix(err, "%s", p->path);
			return r;
		}
	}
	if (e != ARCHIVE_EOF)
		return archive_failed(inner, p->path, err);
	/* A package that ends too early is noticed only by reading to the end. */
	while ((e = (int)archive_read_data(p->archive, p->buffer, sizeof(p->buffer))) > 0)
		;
	return e < 0 ? archive_failed(p->archive, p->path, err) : 0;
}

static int package_open(Package *p, Error *err)
{
	struct stat st;

	if (stat(p->path, &st) < 0)
		return error_errno(err, -errno, "Opening %s", p->path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s is not a file", p->path);
	p->size = (int64_t)st.st_size;
	p->archive = archive_read_new();
	if (!p->archive)
		return error_errno(err, -ENOMEM, "Reading %s", p->path);
	if (archive_read_support_format_ar(p->archive) != ARCHIVE_OK ||
	    archive_read_open_filename(p->archive, p->path, BLOCK) != ARCHIVE_OK)
		return archive_failed(p->archive, p->path, err);
	return 0;
}

static int package_walk(Unpack *u, Package *p, Error *err)
{
	struct archive_entry *entry;
	bool found = false, debian = false;
	int e;

	while ((e = archive_read_next_header(p->archive, &entry)) == ARCHIVE_OK) {
		const char *name = archive_entry_pathname(entry);
		int r = 0;

		debian = debian || (name && strcmp(name, "debian-binary") == 0);
		if (debian && name && !found && text_has_prefix(name, "data.tar")) {
			found = true;
			r = data_take(u, p, err);
		}
		if (r < 0)
			return r;
	}
	if (e == ARCHIVE_EOF && found)
		return 0;
	if (e != ARCHIVE_EOF && debian)
		return archive_failed(p->archive, p->path, err);
	return error_set(err, -EBADMSG, "%s is not a Debian package, or is cut short; get it again",
			 p->path);
}

static int package_take(Unpack *u, const char *path, Error *err)
{
	Package *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return error_errno(err, -ENOMEM, "Reading %s", path);
	p->path = path;
	p->progress = u->progress;
	r = package_open(p, err);
	if (r == 0)
		r = package_walk(u, p, err);
	cleanup_reader(&p->archive);
	free(p);
	return r;
}

/* ---- a tree ---- */

static ssize_t descriptor_source(void *context, void *buffer, size_t size, Error *err)
{
	const int *fd = context;
	ssize_t n;

	do
		n = read(*fd, buffer, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? error_errno(err, -errno, "Reading") : n;
}

static int path_take(Unpack *u, int dirfd, const char *path, const Part *part, Error *err)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "Opening %s", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s is not a file", path);
	r = part_take(u, part, (int64_t)st.st_size, descriptor_source, &fd, err);
	if (r < 0)
		(void)error_prefix(err, "%s", path);
	return r;
}

static int name_order(const struct dirent **a, const struct dirent **b)
{
	/* Not alphasort(3), whose order is that of the locale. */
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int tree_take(Unpack *u, int dirfd, const char *below, Error *err);

static int tree_entry_take(Unpack *u, int dirfd, const char *below, const char *name, Error *err)
{
	_cleanup_free_ char *rest = text_format("%s%s%s", below, *below ? "/" : "", name);
	struct stat st;

	if (!rest)
		return error_errno(err, -ENOMEM, "Reading %s", name);
	if (fstatat(dirfd, rest, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, -errno, "Looking at %s", rest);
	if (S_ISDIR(st.st_mode))
		return tree_take(u, dirfd, rest, err);
	if (is_link_to_headers(rest) && S_ISLNK(st.st_mode))
		return 0;
	/* Those are taken by kernel_take(). */
	if (strcmp(rest, "vmlinuz") == 0 || strcmp(rest, "config") == 0)
		return 0;
	if (!S_ISREG(st.st_mode))
		return error_set(
			err, -EINVAL,
			"%s is not a file but a link or a device; only files go into a release",
			rest);
	return path_take(u, dirfd, rest, &(Part){.kind = PART_MODULE, .rest = rest}, err);
}

static int tree_take(Unpack *u, int dirfd, const char *below, Error *err)
{
	struct dirent **entries;
	int n = scandirat(dirfd, *below ? below : ".", &entries, NULL, name_order);
	int r = 0;

	if (n < 0)
		return error_errno(err, -errno, "Listing %s", *below ? below : "modules");
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;

		if (r == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
			r = tree_entry_take(u, dirfd, below, name, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* From where it was given, or from where it is usual. */
static int kernel_take(Unpack *u, const char *given, const char *modules, const char *name,
		       PartKind kind, Error *err)
{
	_cleanup_free_ char *inside = text_format("%s/%s", modules, name);
	_cleanup_free_ char *boot = text_format("/boot/%s-%s", name, u->version);
	Part part = {.kind = kind};

	if (!inside || !boot)
		return error_errno(err, -ENOMEM, "Looking for %s", name);
	if (given)
		return path_take(u, AT_FDCWD, given, &part, err);
	if (path_exists(AT_FDCWD, inside))
		return path_take(u, AT_FDCWD, inside, &part, err);
	if (path_exists(AT_FDCWD, boot))
		return path_take(u, AT_FDCWD, boot, &part, err);
	return 0;
}

static int files_take(Unpack *u, const KernelSource *source, Error *err)
{
	_cleanup_free_ char *path = realpath(source->modules, NULL);
	_cleanup_close_ int fd = -1;
	const char *version;
	int r;

	if (!path)
		return error_errno(err, -errno, "Opening %s", source->modules);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, -errno, "Opening %s", path);
	version = strrchr(path, '/') + 1;
	r = version_settle(u, &(Part){.version = version, .version_size = strlen(version)}, path,
			   err);
	if (r < 0) {
		(void)error_hint(err, "give a directory like /usr/lib/modules/VERSION");
		return r;
	}
	if ((r = tree_take(u, fd, "", err)) < 0) {
		(void)error_prefix(err, "%s", path);
		return r;
	}
	if ((r = kernel_take(u, source->kernel, path, "vmlinuz", PART_KERNEL, err)) < 0)
		return r;
	return kernel_take(u, source->config, path, "config", PART_CONFIG, err);
}

/* ---- the whole ---- */

static int whole_check(const Unpack *u, Error *err)
{
	if (!u->version)
		return error_set(
			err, -EBADMSG,
			"There is nothing of a kernel in that; give linux-image-VERSION, or "
			"from 7.x on linux-binary-, linux-modules- and linux-base-VERSION");
	if (!u->has_kernel)
		return error_set(
			err, -EBADMSG,
			"The image of kernel %s is missing; give linux-binary-%s too (with "
			"files: --kernel)",
			u->version, u->version);
	if (!u->has_modules)
		return error_set(err, -EBADMSG,
				 "The modules of kernel %s are missing; give linux-modules-%s too",
				 u->version, u->version);
	if (!u->has_builtin)
		return error_set(err, -EBADMSG,
				 "modules.builtin of kernel %s is missing; give linux-base-%s too",
				 u->version, u->version);
	return kernel_image_check(u->dirfd, RELEASE_KERNEL, u->version, err);
}

int kernel_unpack(const KernelSource *source, int dirfd, const Progress *progress,
		  char **ret_version, Error *err)
{
	_cleanup_(cleanup_unpack) Unpack u = {.dirfd = dirfd, .progress = progress};
	int r = modules_archive_new(dirfd, RELEASE_MODULES, &u.modules, err);

	for (size_t i = 0; r == 0 && i < source->n_packages; i++)
		r = package_take(&u, source->packages[i], err);
	if (r == 0 && source->modules)
		r = files_take(&u, source, err);
	if (r < 0 || (r = modules_archive_close(u.modules, err)) < 0 ||
	    (r = whole_check(&u, err)) < 0)
		return r;
	*ret_version = steal_ptr(&u.version);
	return 0;
}
