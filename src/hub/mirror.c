/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/mirror.h"

#include <curl/curl.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/worker.h"
#include "hub/relay.h"

#define LOOK_US    ((int64_t)3 * 1000000) /* between looks */
#define CONNECT_S  5L
#define SLOW_S     30L /* without a byte a second: given up */
#define ANSWER_MAX ((size_t)16 << 20)

struct Mirror {
	sd_event *event;
	sd_event_source *done;
	Catalog *catalog;
	char *directory;
	char leader[256];
	Worker worker;
	int64_t looked_us;
	int told; /* code of the error that was told last */
};

/* ---- the process ---- */

typedef struct Source {
	CURL *curl;
	const char *leader;
	char *ca, *certificate, *key; /* paths, owned */
} Source;

static void source_release(Source *source)
{
	curl_easy_cleanup(source->curl);
	free(source->ca);
	free(source->certificate);
	free(source->key);
}

static int source_open(const Mirror *mirror, Source *source, Error *err)
{
	source->leader = mirror->leader;
	source->curl = curl_easy_init();
	source->ca = text_format("%s/" HUB_RELAY_CA, mirror->directory);
	source->certificate = text_format("%s/" HUB_RELAY_CERTIFICATE, mirror->directory);
	source->key = text_format("%s/" HUB_RELAY_KEY, mirror->directory);
	if (!source->curl || !source->ca || !source->certificate || !source->key)
		return error_errno(err, -ENOMEM, "Asking the leading hub");
	(void)curl_easy_setopt(source->curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(source->curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(source->curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	(void)curl_easy_setopt(source->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	(void)curl_easy_setopt(source->curl, CURLOPT_LOW_SPEED_TIME, SLOW_S);
	(void)curl_easy_setopt(source->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)curl_easy_setopt(source->curl, CURLOPT_CAPATH, NULL);
	(void)curl_easy_setopt(source->curl, CURLOPT_CAINFO, source->ca);
	(void)curl_easy_setopt(source->curl, CURLOPT_SSLCERT, source->certificate);
	(void)curl_easy_setopt(source->curl, CURLOPT_SSLKEY, source->key);
	(void)curl_easy_setopt(source->curl, CURLOPT_FAILONERROR, 1L);
	(void)curl_easy_setopt(source->curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)0);
	return 0;
}

static int get(Source *source, const char *path, FILE *to, Error *err)
{
	_cleanup_free_ char *url = text_format("https://%s%s", source->leader, path);
	CURLcode result;

	if (!url)
		return error_errno(err, -ENOMEM, "Asking the leading hub");
	(void)curl_easy_setopt(source->curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(source->curl, CURLOPT_WRITEDATA, to);
	result = curl_easy_perform(source->curl);
	if (result == CURLE_WRITE_ERROR)
		return error_set(err, -ENOSPC, "Writing what the hub %s has at %s: %s",
				 source->leader, path, strerror(errno));
	return result == CURLE_OK ? 0
				  : error_set(err, -EHOSTUNREACH, "Asking the hub %s for %s: %s",
					      source->leader, path, curl_easy_strerror(result));
}

static int get_json(Source *source, const char *path, json_object **ret, Error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);
	int r;

	if (!to)
		return error_errno(err, -ENOMEM, "Asking the leading hub");
	r = get(source, path, to, err);
	if (fclose(to) != 0 && r == 0)
		r = error_errno(err, -ENOMEM, "Asking the leading hub");
	if (r < 0)
		return r;
	*ret = size <= ANSWER_MAX ? json_tokener_parse(text) : NULL;
	return *ret ? 0
		    : error_set(err, -EBADMSG, "What the hub %s has at %s is no JSON",
				source->leader, path);
}

/* To a descriptor, which is closed.  No more than it may have: else it does not fit the document.
 */
static int get_into(Source *source, const char *path, int fd, size_t max, Error *err)
{
	FILE *to = fdopen(fd, "w");
	int r;

	if (!to) {
		(void)close(fd);
		return error_errno(err, -ENOMEM, "Asking the leading hub");
	}
	(void)curl_easy_setopt(source->curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)max);
	r = get(source, path, to, err);
	(void)curl_easy_setopt(source->curl, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)0);
	if (fclose(to) != 0 && r == 0)
		r = error_errno(err, -errno, "Writing %s", path);
	return r;
}

static int file_take(Source *source, Catalog *catalog, const char *release, const char *file,
		     Error *err)
{
	_cleanup_free_ char *path = text_format("/v1/releases/%s/%s", release, file);
	size_t max = 0;
	int fd = -1, r;

	if (!path)
		return error_errno(err, -ENOMEM, "Taking release %s", release);
	r = catalog_receive(catalog, release, file, &fd, &max, err);
	return r < 0 ? r : get_into(source, path, fd, max, err);
}

static int signature_put(Catalog *catalog, const char *release, const char *key, const char *text,
			 Error *err)
{
	const gnutls_datum_t coded = {(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
	_cleanup_close_ int fd = -1;
	gnutls_datum_t raw = {0};
	size_t max;
	int r = catalog_receive_signature(catalog, release, key, &fd, &max, err);

	if (r < 0)
		return r;
	if (gnutls_base64_decode2(&coded, &raw) < 0)
		return error_set(err, -EBADMSG, "Release %s: a signature is not in base64",
				 release);
	r = raw.size <= max
		    ? file_write_all(fd, raw.data, raw.size, err)
		    : error_set(err, -EBADMSG, "Release %s: a signature is too long", release);
	gnutls_free(raw.data);
	return r;
}

static int signatures_take(Source *source, Catalog *catalog, const char *release, Error *err)
{
	_cleanup_free_ char *path = text_format("/v1/releases/%s/signatures", release);
	_cleanup_json_ json_object *answer = NULL;
	json_object *signatures = NULL;
	int r = path ? get_json(source, path, &answer, err)
		     : error_errno(err, -ENOMEM, "Taking release %s", release);

	if (r < 0 || !json_object_object_get_ex(answer, "signatures", &signatures) ||
	    !json_object_is_type(signatures, json_type_object))
		return r;
	json_object_object_foreach(signatures, key, value)
	{
		const char *text = json_object_get_string(value);

		r = signature_put(catalog, release, key, text ? text : "", err);
		if (r < 0)
			break;
	}
	return r;
}

static int release_take(Source *source, Catalog *catalog, const char *release, Error *err)
{
	_cleanup_free_ char *path = text_format("/v1/releases/%s/" MANIFEST_FILE, release);
	_cleanup_json_ json_object *document = NULL;
	json_object *files;
	int r = path ? get_json(source, path, &document, err)
		     : error_errno(err, -ENOMEM, "Taking release %s", release);

	files = json_opt_array(document, "files");
	if (r == 0)
		r = file_take(source, catalog, release, MANIFEST_FILE, err);
	if (r == 0)
		r = signatures_take(source, catalog, release, err);
	for (size_t i = 0; r == 0 && i < json_length(files); i++)
		r = file_take(source, catalog, release,
			      json_opt_string(json_object_array_get_idx(files, i), "name", ""),
			      err);
	return r < 0 ? r : catalog_finish(catalog, release, err);
}

static bool is_listed(json_object *releases, const char *name)
{
	for (size_t i = 0; i < json_length(releases); i++)
		if (!strcmp(json_opt_string(json_object_array_get_idx(releases, i), "name", ""),
			    name))
			return true;
	return false;
}

static int others_remove(Catalog *catalog, json_object *theirs, Error *err)
{
	_cleanup_json_ json_object *mine = NULL;
	int r = catalog_list(catalog, &mine, err);

	for (size_t i = 0; r == 0 && i < json_length(mine); i++) {
		const char *name = json_opt_string(json_object_array_get_idx(mine, i), "name", "");

		if (!is_listed(theirs, name))
			r = catalog_remove(catalog, name, err);
	}
	return r;
}

static int mirror_work(void *data, Error *err)
{
	Mirror *mirror = data;
	__attribute__((cleanup(source_release))) Source source = {0};
	_cleanup_json_ json_object *answer = NULL;
	json_object *releases;
	int r;

	if ((r = source_open(mirror, &source, err)) < 0 ||
	    (r = get_json(&source, "/v1/releases", &answer, err)) < 0)
		return r;
	releases = json_opt_array(answer, "releases");
	for (size_t i = 0; r == 0 && i < json_length(releases); i++) {
		const char *release =
			json_opt_string(json_object_array_get_idx(releases, i), "name", "");
		_cleanup_json_ json_object *there = NULL;

		if (catalog_describe(mirror->catalog, release, &there, NULL) == 0)
			continue;
		r = release_take(&source, mirror->catalog, release, err);
	}
	return r < 0 ? r : others_remove(mirror->catalog, releases, err);
}

/* ---- beside the hub ---- */

static int on_done(sd_event_source *source, int fd, uint32_t events, void *data)
{
	Mirror *mirror = data;
	Error err = {0}, why = {0};
	int r;

	(void)sd_event_source_disable_unref(mirror->done);
	mirror->done = NULL;
	r = worker_finish(&mirror->worker, -1, &err);
	/* Also what came before something failed. */
	if (catalog_refresh(mirror->catalog, &why) < 0)
		(void)fprintf(stderr, SD_WARNING "%s\n", why.text);
	/* One that is being restarted is nothing to be told of each time. */
	if (r < 0 && r != mirror->told)
		(void)fprintf(stderr, SD_WARNING "Releases of the leading hub: %s\n", err.text);
	mirror->told = r < 0 ? r : 0;
	return 0;
}

int mirror_open(sd_event *event, Catalog *catalog, const char *directory, Mirror **ret, Error *err)
{
	Mirror *mirror = calloc(1, sizeof(*mirror));

	if (mirror)
		mirror->directory = strdup(directory);
	if (!mirror || !mirror->directory) {
		free(mirror);
		return error_errno(err, -ENOMEM, "Following the leading hub's releases");
	}
	mirror->event = sd_event_ref(event);
	mirror->catalog = catalog;
	*ret = mirror;
	return 0;
}

void mirror_close(Mirror *mirror)
{
	if (!mirror)
		return;
	if (mirror->done) {
		(void)sd_event_source_disable_unref(mirror->done);
		(void)worker_finish(&mirror->worker, 0, NULL);
	}
	(void)sd_event_unref(mirror->event);
	free(mirror->directory);
	free(mirror);
}

void mirror_look(Mirror *mirror, const char *leader)
{
	int64_t now_us = clock_monotonic_us();
	Error err = {0};

	if (mirror->done || !*leader || now_us < mirror->looked_us + LOOK_US)
		return;
	mirror->looked_us = now_us;
	(void)snprintf(mirror->leader, sizeof(mirror->leader), "%s", leader);
	if (worker_start(&mirror->worker, mirror_work, mirror, &err) < 0 ||
	    sd_event_add_io(mirror->event, &mirror->done, mirror->worker.answer, EPOLLIN | EPOLLHUP,
			    on_done, mirror) < 0)
		(void)worker_finish(&mirror->worker, 0, NULL);
}
