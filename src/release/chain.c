/* SPDX-License-Identifier: Apache-2.0 */
#include "release/chain.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

#define CHAIN_NEW DEPOT_TRUST "/.new"

void chain_release(Chain *chain)
{
	trust_free(chain->current);
	trust_free(chain->next);
	*chain = (Chain){0};
}

/* ---- reading ---- */

/* -ENOENT without a text that matters: there is no such version. */
static int document_open(const Depot *depot, int64_t version, int *ret_fd, Error *err)
{
	_cleanup_free_ char *path = text_format(DEPOT_TRUST "/%lld", (long long)version);

	if (!path)
		return error_errno(err, -ENOMEM, "Reading the trust");
	*ret_fd = openat(depot->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return *ret_fd < 0 ? error_errno(err, -errno, "Opening %s/%s", depot->path, path) : 0;
}

int chain_document(const Depot *depot, int64_t version, char **ret_bytes, size_t *ret_size,
		   Signatures *ret_signatures, Error *err)
{
	_cleanup_close_ int fd = -1;
	int r = document_open(depot, version, &fd, err);

	if (r < 0 || (r = signatures_read(fd, ret_signatures, err)) < 0)
		return r;
	return file_read_max(fd, CHAIN_FILE, TRUST_MAX, ret_bytes, ret_size, err);
}

/* 1: it counts now; 0: it waits. */
static int chain_extend(Chain *chain, const char *bytes, size_t size, const Signatures *signatures,
			Error *err)
{
	Error lacking = {0};
	Trust *trust = NULL;
	int r = chain->current
			? trust_succeed(chain->current, bytes, size, signatures, &trust, &lacking)
			: trust_begin(bytes, size, signatures, &trust, &lacking);

	if (r == 0) {
		trust_free(chain->current);
		chain->current = trust;
		return 1;
	}
	if (r != -EKEYREJECTED)
		return error_set(err, r, "%s", lacking.text);
	return trust_parse(bytes, size, &chain->next, err);
}

static int chain_step(const Depot *depot, int64_t version, Chain *chain, Error *err)
{
	_cleanup_free_ char *bytes = NULL;
	Signatures *signatures = calloc(1, sizeof(*signatures));
	size_t size;
	int r;

	if (!signatures)
		return error_errno(err, -ENOMEM, "Reading the trust");
	r = chain_document(depot, version, &bytes, &size, signatures, err);
	if (r == 0)
		r = chain_extend(chain, bytes, size, signatures, err);
	free(signatures);
	if (r < 0)
		(void)error_prefix(err, "Trust version %lld in %s", (long long)version,
				   depot->path);
	return r;
}

static bool chain_has(const Depot *depot, int64_t version)
{
	_cleanup_free_ char *path = text_format(DEPOT_TRUST "/%lld", (long long)version);

	return path && path_exists(depot->fd, path);
}

int chain_read(const Depot *depot, Chain *ret, Error *err)
{
	_cleanup_chain_ Chain chain = {0};
	int64_t version = 1;
	int r = 1;

	while (r == 1 && chain_has(depot, version))
		r = chain_step(depot, version++, &chain, err);
	if (r < 0)
		return r;
	if (chain.next && chain_has(depot, version))
		return error_set(
			err, -EKEYREJECTED,
			"Trust version %lld in %s lacks signatures, and yet another follows it",
			(long long)version - 1, depot->path);
	*ret = chain;
	chain = (Chain){0};
	return 0;
}

int chain_current(const Depot *depot, Trust **ret, Error *err)
{
	_cleanup_chain_ Chain chain = {0};
	int r = chain_read(depot, &chain, err);

	if (r < 0)
		return r;
	if (!chain.current && chain.next)
		return error_set(err, -ENOENT,
				 "The trust in %s lacks signatures; add them with segue trust sign",
				 depot->path);
	if (!chain.current)
		return error_set(err, -ENOENT,
				 "%s does not say who may sign; say so with segue trust new",
				 depot->path);
	*ret = steal_ptr(&chain.current);
	return 0;
}

int chain_trusted(const char *path, Trust **ret, Error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_free_ char *name = strdup(path);
	const Depot depot = {.path = name, .fd = fd, .releases_fd = -1, .lock_fd = -1};
	_cleanup_chain_ Chain chain = {0};
	int r;

	if (fd < 0 || !name)
		return error_errno(err, fd < 0 ? -errno : -ENOMEM, "Opening %s", path);
	r = chain_read(&depot, &chain, err);
	if (r < 0)
		return r;
	if (!chain.current)
		return error_set(err, -ENOENT,
				 "This node trusts nobody to sign releases yet; copy the owner's "
				 "directory trust to %s/" DEPOT_TRUST,
				 path);
	*ret = steal_ptr(&chain.current);
	return 0;
}

/* ---- writing ---- */

static bool key_is_owner(const Trust *trust, const Digest *id)
{
	for (size_t i = 0; trust && i < trust->n_keys; i++)
		if (trust->keys[i].roles[TRUST_OWNERS] &&
		    digest_equal(public_key_id(trust->keys[i].key), id))
			return true;
	return false;
}

static int document_sign(int dirfd, const char *bytes, size_t size, const Trust *before,
			 const Trust *trust, const PrivateKey *key, Error *err)
{
	Signature signature;
	int r = private_key_sign(key, bytes, size, &signature, err);

	if (r < 0)
		return r;
	if (!key_is_owner(before, &signature.key) && !key_is_owner(trust, &signature.key))
		return error_set(err, -EPERM,
				 "Key %.16s is not an owner's; segue trust show shows whose are",
				 digest_text(&signature.key).text);
	return signature_write(dirfd, &signature, err);
}

static int document_make(Depot *depot, const Trust *before, const Trust *next,
			 PrivateKey *const keys[], size_t n_keys, Error *err)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *bytes = NULL;
	size_t size;
	int r = trust_compose(next, &bytes, &size, err);

	if (r < 0)
		return r;
	if ((r = directory_remove(depot->fd, CHAIN_NEW, err)) < 0 ||
	    (r = directory_make(depot->fd, CHAIN_NEW, 0755, err)) < 0)
		return r;
	fd = openat(depot->fd, CHAIN_NEW, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, -errno, "Opening %s/" CHAIN_NEW, depot->path);
	r = file_write_atomic(fd, CHAIN_FILE, bytes, size, 0644, err);
	for (size_t i = 0; r == 0 && i < n_keys; i++)
		r = document_sign(fd, bytes, size, before, next, keys[i], err);
	return r;
}

int chain_add(Depot *depot, const Trust *next, PrivateKey *const keys[], size_t n_keys, Error *err)
{
	_cleanup_free_ char *path = text_format(DEPOT_TRUST "/%lld", (long long)next->version);
	_cleanup_chain_ Chain chain = {0};
	int r = chain_read(depot, &chain, err);

	if (!path)
		return error_errno(err, -ENOMEM, "Writing the trust");
	if (r < 0)
		return r;
	if (chain.next || path_exists(depot->fd, path))
		return error_set(
			err, -EEXIST,
			"Trust version %lld in %s waits for signatures; add them with segue "
			"trust sign, or remove its directory %s",
			(long long)next->version, depot->path, path);
	if (chain.current && (r = trust_check_order(chain.current, next, err)) < 0)
		return r;
	if ((r = directory_make(depot->fd, DEPOT_TRUST, 0755, err)) == 0)
		r = document_make(depot, chain.current, next, keys, n_keys, err);
	if (r == 0 && renameat(depot->fd, CHAIN_NEW, depot->fd, path) < 0)
		r = error_errno(err, -errno, "Making %s/%s", depot->path, path);
	if (r < 0)
		(void)directory_remove(depot->fd, CHAIN_NEW, NULL);
	return r;
}

int chain_sign(Depot *depot, const Chain *chain, const PrivateKey *key, Error *err)
{
	_cleanup_free_ char *bytes = NULL;
	_cleanup_close_ int fd = -1;
	size_t size;
	int r;

	if (!chain->next)
		return error_set(err, -ENOENT, "No trust in %s waits for signatures", depot->path);
	if ((r = document_open(depot, chain->next->version, &fd, err)) < 0 ||
	    (r = file_read_max(fd, CHAIN_FILE, TRUST_MAX, &bytes, &size, err)) < 0)
		return r;
	return document_sign(fd, bytes, size, chain->current, chain->next, key, err);
}
