/* SPDX-License-Identifier: Apache-2.0 */
#include "release/signature.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"

#define SUFFIX ".sig"

int signatures_add(Signatures *signatures, const Digest *key, const void *bytes, size_t size,
		   Error *err)
{
	size_t i = 0;

	if (size == 0 || size > SIGNATURE_MAX)
		return error_set(err, -EFBIG, "A signature has %zu bytes, not 1 to %d", size,
				 SIGNATURE_MAX);
	while (i < signatures->n && !digest_equal(&signatures->items[i].key, key))
		i++;
	if (i == SIGNATURES_MAX)
		return error_set(err, -EFBIG, "There are more than %d signatures", SIGNATURES_MAX);
	signatures->items[i] = (Signature){.key = *key, .size = size};
	memcpy(signatures->items[i].bytes, bytes, size);
	if (i == signatures->n)
		signatures->n++;
	return 0;
}

static int signature_read(int dirfd, const char *name, Signatures *into, Error *err)
{
	_cleanup_free_ char *id = strdup(name), *bytes = NULL;
	Digest key;
	size_t size;
	int r;

	if (!id)
		return error_errno(err, -ENOMEM, "Reading " SIGNATURES_DIR "/%s", name);
	id[strlen(id) - strlen(SUFFIX)] = '\0';
	if (!digest_parse(id, &key))
		return error_set(err, -EBADMSG,
				 SIGNATURES_DIR "/%s is not named after a key; remove it", name);
	r = file_read_max(dirfd, name, SIGNATURE_MAX, &bytes, &size, err);
	if (r == 0)
		r = signatures_add(into, &key, bytes, size, err);
	if (r < 0)
		(void)error_prefix(err, SIGNATURES_DIR "/%s", name);
	return r;
}

int signatures_read(int dirfd, Signatures *ret, Error *err)
{
	int fd = openat(dirfd, SIGNATURES_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	ret->n = 0;
	if (!dir)
		return errno == ENOENT ? 0 : error_errno(err, -errno, "Opening " SIGNATURES_DIR);
	while ((entry = readdir(dir))) {
		int r = 0;

		if (text_has_suffix(entry->d_name, SUFFIX))
			r = signature_read(fd, entry->d_name, ret, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int signature_write(int dirfd, const Signature *signature, Error *err)
{
	_cleanup_free_ char *path =
		text_format(SIGNATURES_DIR "/%s" SUFFIX, digest_text(&signature->key).text);

	if (!path)
		return error_errno(err, -ENOMEM, "Writing a signature");
	if (mkdirat(dirfd, SIGNATURES_DIR, 0755) < 0 && errno != EEXIST)
		return error_errno(err, -errno, "Making " SIGNATURES_DIR);
	return file_write_atomic(dirfd, path, signature->bytes, signature->size, 0644, err);
}
