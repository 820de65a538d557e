/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hub.h"

static int file_send(const VerbArguments *arguments, const Release *release, const char *file,
		     Error *err)
{
	_cleanup_free_ char *path =
		text_format("/v1/releases/%s/%s", release->manifest->name, file);
	_cleanup_close_ int fd = openat(release->dir, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (!path)
		return error_errno(err, -ENOMEM, "Sending %s", file);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "Opening %s of release %s", file,
				   release->manifest->name);
	return hub_upload(arguments, path, fd, st.st_size, err);
}

static int signature_send(const VerbArguments *arguments, const Release *release,
			  const Signature *signature, Error *err)
{
	_cleanup_free_ char *path =
		text_format("/v1/releases/%s/signatures/%s", release->manifest->name,
			    digest_text(&signature->key).text);
	_cleanup_close_ int fd = memfd_create("signature", MFD_CLOEXEC);
	int r;

	if (!path || fd < 0)
		return error_errno(err, -ENOMEM, "Sending a signature");
	r = file_write_all(fd, signature->bytes, signature->size, err);
	if (r < 0)
		return r;
	(void)lseek(fd, 0, SEEK_SET);
	return hub_upload(arguments, path, fd, (int64_t)signature->size, err);
}

static int release_send(const VerbArguments *arguments, const Release *release, Error *err)
{
	const Manifest *m = release->manifest;
	_cleanup_free_ char *path = text_format("/v1/releases/%s", m->name);
	int r = path ? file_send(arguments, release, MANIFEST_FILE, err)
		     : error_errno(err, -ENOMEM, "Sending release %s", m->name);

	for (size_t i = 0; r == 0 && i < release->signatures.n; i++)
		r = signature_send(arguments, release, &release->signatures.items[i], err);
	for (size_t i = 0; r == 0 && i < m->n_files; i++)
		r = file_send(arguments, release, m->files[i].name, err);
	return r < 0 ? r : hub_ask(arguments, "POST", path, NULL, NULL, err);
}

int upload_release(const VerbArguments *arguments, const Release *release, Error *err)
{
	const Manifest *m = release->manifest;
	_cleanup_free_ char *path = text_format("/v1/releases/%s", m->name);
	_cleanup_json_ json_object *there = NULL;
	Error none = {0};
	int r = path ? hub_ask(arguments, "GET", path, NULL, &there, &none) : -ENOMEM;

	if (r == -ENOENT)
		return release_send(arguments, release, err);
	if (r < 0)
		return error_set(err, r, "%s", path ? none.text : "Out of memory");
	if (strcmp(json_opt_string(there, "sha256", ""), digest_text(&m->digest).text) != 0)
		return error_set(err, -EEXIST,
				 "The hub has another release %s; give this one another name",
				 m->name);
	return 0;
}
