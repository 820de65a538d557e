/* SPDX-License-Identifier: Apache-2.0 */
#include "release/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "release/assembly.h"
#include "release/judge.h"

/* ---- which ---- */

static int judge(const PullCase *c, const Release *release, Error *err)
{
	_cleanup_manifest_ Manifest *manifest = NULL;

	return release_judge(&(JudgeCase){.bytes = release->bytes,
					  .size = release->size,
					  .signatures = &release->signatures,
					  .trust = c->trust,
					  .seen = c->seen,
					  .channel = c->channel,
					  .now_s = c->now_s},
			     &manifest, err);
}

static int one_take(const PullCase *c, const char *name, Release **ret, Error *err)
{
	_cleanup_release_ Release *release = NULL;
	int r = release_open(c->from, name, &release, err);

	if (r < 0 || (r = judge(c, release, err)) < 0)
		return r;
	*ret = steal_ptr(&release);
	return 0;
}

static int current_read(const Depot *from, char ret[DOCUMENT_NAME_MAX + 1], Error *err)
{
	_cleanup_free_ char *text = NULL;
	Error why = {0};
	size_t size;
	int r = file_read_max(from->fd, PULL_CURRENT, DOCUMENT_NAME_MAX + 1, &text, &size, &why);

	ret[0] = '\0';
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_set(err, r, "%s/%s", from->path, why.text);
	text[strcspn(text, "\r\n")] = '\0';
	if (!name_is_valid(text))
		return error_set(err, -EBADMSG,
				 "%s/" PULL_CURRENT " does not have the name of a release in it",
				 from->path);
	(void)strncat(ret, text, DOCUMENT_NAME_MAX);
	return 0;
}

/* What may not be taken does not stand in the way of what may. */
static int highest_take(const PullCase *c, char **names, size_t n, Release **ret, Error *err)
{
	_cleanup_release_ Release *highest = NULL;
	int last = 0;

	for (size_t i = 0; i < n; i++) {
		_cleanup_release_ Release *release = NULL;
		int r = one_take(c, names[i], &release, err);

		if (r < 0) {
			last = r;
			continue;
		}
		if (highest && release->manifest->version <= highest->manifest->version)
			continue;
		release_free(highest);
		highest = steal_ptr(&release);
	}
	if (!highest)
		return last;
	*ret = steal_ptr(&highest);
	return 1;
}

int pull_choose(const PullCase *c, Release **ret, Error *err)
{
	char current[DOCUMENT_NAME_MAX + 1];
	char **names = NULL;
	size_t n = 0;
	int r = current_read(c->from, current, err);

	if (r < 0)
		return r;
	if (*current) {
		r = one_take(c, current, ret, err);
		return r < 0 ? r : 1;
	}
	r = depot_names(c->from, &names, &n, err);
	if (r == 0)
		r = highest_take(c, names, n, ret, err);
	depot_names_free(names);
	return r;
}

/* ---- taking it ---- */

static int chunk_take(const Release *release, Assembly *assembly, size_t file, size_t chunk,
		      void *buffer, Error *err)
{
	const Manifest *m = release->manifest;
	const ManifestFile *f = &m->files[file];
	size_t size = manifest_chunk_length(m, f, chunk);
	_cleanup_close_ int fd = openat(release->dir, f->name,
					O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return error_errno(err, -errno, "Opening %s of release %s", f->name, m->name);
	n = content_read(fd, buffer, size, (int64_t)chunk * m->chunk_size);
	if (n < 0)
		return error_errno(err, (int)n, "Reading %s of release %s", f->name, m->name);
	return assembly_put(assembly, file, chunk, buffer, (size_t)n, err);
}

static int chunks_take(const Release *release, Assembly *assembly, const Progress *progress,
		       Error *err)
{
	const Manifest *m = release->manifest;
	_cleanup_free_ void *buffer = malloc((size_t)m->chunk_size);
	int64_t total = manifest_size(m), done = 0;
	size_t file, chunk;
	int r = buffer ? 0 : error_errno(err, -ENOMEM, "Copying release %s", m->name);

	while (r == 0 && assembly_missing(assembly, &file, &chunk)) {
		r = chunk_take(release, assembly, file, chunk, buffer, err);
		done += m->chunk_size;
		progress_tell(progress, m->name, done < total ? done : total, total);
	}
	return r;
}

/* 1: it is there already. */
static int is_there(const Release *release, const Depot *to, Error *err)
{
	const Manifest *m = release->manifest;
	_cleanup_release_ Release *there = NULL;
	int r = release_open(to, m->name, &there, NULL);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && digest_equal(&there->manifest->digest, &m->digest))
		return 1;
	return error_set(err, -EEXIST,
			 "Another release %s is in %s; give this one a name of its own", m->name,
			 to->path);
}

int pull_release(const Release *release, Depot *to, const Progress *progress, Error *err)
{
	_cleanup_assembly_ Assembly *assembly = NULL;
	int r = is_there(release, to, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if ((r = assembly_open(to->releases_fd, release->manifest, NULL, &assembly, err)) < 0 ||
	    (r = chunks_take(release, assembly, progress, err)) < 0)
		return r;
	return assembly_finish(assembly, release->bytes, release->size, &release->signatures, NULL,
			       err);
}
