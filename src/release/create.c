/* SPDX-License-Identifier: Apache-2.0 */
#include "release/create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "release/seen.h"

#define CREATE_NEW   ".new" /* depot_lock() removes what is left of it */
#define COPY_AT_ONCE ((size_t)8 << 20)

static bool key_is_signer(const Trust *trust, const Digest *id)
{
	for (size_t i = 0; i < trust->n_keys; i++)
		if (trust->keys[i].roles[TRUST_SIGNERS] &&
		    digest_equal(public_key_id(trust->keys[i].key), id))
			return true;
	return false;
}

static int bytes_sign(int dirfd, const void *bytes, size_t size, const Trust *trust,
		      const PrivateKey *key, Error *err)
{
	Signature signature;
	int r = private_key_sign(key, bytes, size, &signature, err);

	if (r < 0)
		return r;
	if (!key_is_signer(trust, &signature.key))
		return error_set(err, -EPERM,
				 "Key %.16s is not a signer's; segue trust show shows whose are",
				 digest_text(&signature.key).text);
	return signature_write(dirfd, &signature, err);
}

int release_sign(const Release *release, const Trust *trust, const PrivateKey *key, Error *err)
{
	int r = bytes_sign(release->dir, release->bytes, release->size, trust, key, err);

	if (r < 0)
		(void)error_prefix(err, "Release %s", release->manifest->name);
	return r;
}

/* ---- files ---- */

static int root_copy(int dirfd, const ReleasePlan *plan, Error *err)
{
	_cleanup_close_ int from = open(plan->root, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_close_ int to = -1;
	struct stat st;
	int64_t done = 0;
	ssize_t n;

	if (from < 0 || fstat(from, &st) < 0)
		return error_errno(err, -errno, "Opening %s", plan->root);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "%s is not a file", plan->root);
	to = openat(dirfd, RELEASE_ROOT, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (to < 0)
		return error_errno(err, -errno, "Making " RELEASE_ROOT);
	while ((n = sendfile(to, from, NULL, COPY_AT_ONCE)) > 0) {
		done += n;
		progress_tell(plan->progress, plan->root, done, (int64_t)st.st_size);
	}
	if (n < 0 || fsync(to) < 0)
		return error_errno(err, -errno, "Copying %s", plan->root);
	return 0;
}

static int file_add(int dirfd, const ReleasePlan *plan, const char *name, Manifest *m, Error *err)
{
	int r = content_hash(dirfd, name, plan->chunk_size, plan->progress, &m->files[m->n_files],
			     err);

	m->n_files += r == 0;
	return r;
}

static int files_make(int dirfd, const ReleasePlan *plan, Manifest *m, Error *err)
{
	static const char *const names[] = {RELEASE_KERNEL, RELEASE_MODULES, RELEASE_CONFIG,
					    RELEASE_ROOT};
	_cleanup_free_ char *version = NULL;
	int r = kernel_unpack(&plan->kernel, dirfd, plan->progress, &version, err);

	if (r == 0 && plan->root)
		r = root_copy(dirfd, plan, err);
	for (size_t i = 0; r == 0 && i < sizeof(names) / sizeof(*names); i++)
		if (path_exists(dirfd, names[i]))
			r = file_add(dirfd, plan, names[i], m, err);
	if (r == 0)
		(void)snprintf(m->kernel, sizeof(m->kernel), "%s", version);
	return r;
}

/* ---- the document ---- */

static int version_choose(const Depot *depot, const ReleasePlan *plan, int64_t *ret, Error *err)
{
	Seen seen;
	int64_t highest;
	int r = seen_read(depot->fd, &seen, err);

	if (r < 0)
		return r;
	highest = plan->trust ? seen_highest(&seen, plan->trust->epoch) : 0;
	if (plan->version > 0 && plan->version <= highest)
		return error_set(
			err, -ESTALE,
			"Version %lld is not higher than %lld, which a release had already",
			(long long)plan->version, (long long)highest);
	*ret = plan->version > 0 ? plan->version : highest + 1;
	return 0;
}

static int document_fill(const Depot *depot, const ReleasePlan *plan, Manifest *m, Error *err)
{
	int n, r = version_choose(depot, plan, &m->version, err);

	if (r < 0)
		return r;
	m->epoch = plan->trust ? plan->trust->epoch : 1;
	m->created_s = plan->now_s;
	m->expires_s = plan->expires_s;
	m->chunk_size = plan->chunk_size;
	(void)snprintf(m->channel, sizeof(m->channel), "%s", plan->channel);
	n = plan->name ? snprintf(m->name, sizeof(m->name), "%s", plan->name)
		       : snprintf(m->name, sizeof(m->name), "%s-r%lld", m->kernel,
				  (long long)m->version);
	if (n >= (int)sizeof(m->name) || !name_is_valid(m->name))
		return error_set(
			err, -EINVAL,
			"\"%s\" is not a name for a release; use letters, digits and ._+~:-",
			plan->name ? plan->name : m->name);
	if (plan->cmdline && !(m->cmdline = strdup(plan->cmdline)))
		return error_errno(err, -ENOMEM, "Making release %s", m->name);
	return 0;
}

static int document_make(int dirfd, const ReleasePlan *plan, Manifest *m, Error *err)
{
	_cleanup_free_ char *bytes = NULL;
	size_t size;
	int r = manifest_compose(m, &bytes, &size, err);

	if (r < 0 || (r = digest_of(bytes, size, &m->digest, err)) < 0)
		return r;
	r = file_write_atomic(dirfd, MANIFEST_FILE, bytes, size, 0644, err);
	for (size_t i = 0; r == 0 && !plan->dry_run && i < plan->n_keys; i++)
		r = bytes_sign(dirfd, bytes, size, plan->trust, plan->keys[i], err);
	return r;
}

/* ---- the whole ---- */

/* The version is used up before anybody can see the release: it is not given twice, even if the
 * release is removed. */
static int release_publish(const Depot *depot, int dirfd, const Manifest *m, Error *err)
{
	Seen seen;
	int r = seen_read(depot->fd, &seen, err);

	if (r < 0 || (r = seen_check(&seen, m, err)) < 0)
		return r;
	seen_add(&seen, m);
	r = seen_write(depot->fd, &seen, err);
	if (r < 0)
		return r;
	/* rename(2) replaces no directory that holds something. */
	if (fsync(dirfd) < 0 ||
	    renameat(depot->releases_fd, CREATE_NEW, depot->releases_fd, m->name) < 0 ||
	    fsync(depot->releases_fd) < 0)
		return error_errno(err, -errno, "Making release %s", m->name);
	return 0;
}

static int release_make(Depot *depot, int dirfd, const ReleasePlan *plan, Manifest *m, Error *err)
{
	int r;

	/* Before the long work, if the name is known by then. */
	if (plan->name && name_is_valid(plan->name) && path_exists(depot->releases_fd, plan->name))
		return error_set(err, -EEXIST, "There is a release %s already; give another --name",
				 plan->name);
	if ((r = files_make(dirfd, plan, m, err)) < 0 ||
	    (r = document_fill(depot, plan, m, err)) < 0)
		return r;
	if (path_exists(depot->releases_fd, m->name))
		return error_set(err, -EEXIST, "There is a release %s already; give another --name",
				 m->name);
	r = document_make(dirfd, plan, m, err);
	return r < 0 || plan->dry_run ? r : release_publish(depot, dirfd, m, err);
}

int release_create(Depot *depot, const ReleasePlan *plan, Manifest **ret, Error *err)
{
	_cleanup_manifest_ Manifest *m = calloc(1, sizeof(*m));
	_cleanup_close_ int fd = -1;
	int r;

	if (!m)
		return error_errno(err, -ENOMEM, "Making a release");
	if (mkdirat(depot->releases_fd, CREATE_NEW, 0755) < 0)
		return error_errno(err, -errno, "Making a directory in %s", depot->path);
	fd = openat(depot->releases_fd, CREATE_NEW, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? error_errno(err, -errno, "Making a directory in %s", depot->path)
		   : release_make(depot, fd, plan, m, err);
	if (r < 0 || plan->dry_run)
		(void)directory_remove(depot->releases_fd, CREATE_NEW, NULL);
	if (r == 0)
		*ret = steal_ptr(&m);
	return r;
}
