/* SPDX-License-Identifier: Apache-2.0 */
#include "http/transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

static void cleanup_curl(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

static void cleanup_header(struct curl_slist **list)
{
	curl_slist_free_all(*list);
}

static size_t on_data(char *data, size_t size, size_t n, void *memory)
{
	return fwrite(data, size, n, memory);
}

static const struct {
	const char *name;
	int code;
} codes[] = {
	{"not-permitted", -EACCES}, {"busy", -EBUSY},
	{"not-found", -ENOENT},     {"invalid", -EINVAL},
	{"too-large", -EINVAL},     {"refused", -ECANCELED},
	{"exists", -EEXIST},        {"unauthorized", -EKEYREJECTED},
};

int transfer_refused(const char *by, json_object *body, long status, Error *err)
{
	const char *name, *message;
	json_object *error;

	if (!body || json_get_object(body, "error", &error, NULL) < 0)
		return error_set(err, -EIO, "%s answered with status %ld; its journal says more",
				 by, status);
	name = json_opt_string(error, "code", "");
	message = json_opt_string(error, "message", "no reason given");
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		if (!strcmp(codes[i].name, name))
			return error_set(err, codes[i].code, "%s", message);
	}
	return error_set(err, -EIO, "%s", message);
}

static int transfer_error(const TransferTarget *target, CURLcode result, Error *err)
{
	if (result == CURLE_COULDNT_CONNECT && access(target->socket, F_OK) == 0 &&
	    access(target->socket, R_OK | W_OK) < 0)
		return error_set(err, -EACCES, "Connecting to %s on %s: %s", target->name,
				 target->socket, target->who);
	if (result == CURLE_COULDNT_CONNECT)
		return error_set(err, -ECONNREFUSED,
				 "Connecting to %s on %s: it does not answer; systemctl start %s",
				 target->name, target->socket, target->name);
	return error_set(err, -ECONNRESET, "Talking to %s on %s: %s", target->name, target->socket,
			 curl_easy_strerror(result));
}

/* What is sent along. */
typedef struct Body {
	json_object *object; /* NULL: none */
	int fd;              /* else a file; -1: none */
	int64_t size;
} Body;

static size_t on_read(char *buffer, size_t size, size_t n, void *userdata)
{
	const Body *body = userdata;
	ssize_t done = read(body->fd, buffer, size * n);

	return done < 0 ? CURL_READFUNC_ABORT : (size_t)done;
}

static void body_set(CURL *curl, const char *method, const Body *body)
{
	bool has_body = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;

	if (body->fd >= 0) {
		(void)curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
		(void)curl_easy_setopt(curl, CURLOPT_READFUNCTION, on_read);
		(void)curl_easy_setopt(curl, CURLOPT_READDATA, body);
		(void)curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body->size);
	} else if (has_body) {
		(void)curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS,
				       body->object ? json_object_to_json_string(body->object)
						    : "{}");
	}
}

/* Writes what is answered to `to`. */
static int transfer_run(const TransferTarget *target, const char *method, const char *path,
			const Body *body, FILE *to, long *ret_status, Error *err)
{
	_cleanup_(cleanup_header) struct curl_slist *header =
		curl_slist_append(NULL, "Content-Type: application/json");
	_cleanup_(cleanup_curl) CURL *curl = curl_easy_init();
	_cleanup_free_ char *url = text_format("http://%s%s", target->name, path);
	CURLcode result;

	if (!curl || !header || !url)
		return error_errno(err, -ENOMEM, "Asking %s", target->name);
	(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, target->socket);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, target->limit_ms);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, header);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, to);
	body_set(curl, method, body);
	result = curl_easy_perform(curl);
	if (result != CURLE_OK)
		return transfer_error(target, result, err);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
	return fflush(to) != 0 ? error_errno(err, -errno, "Storing what %s said", target->name) : 0;
}

static int transfer_do(const TransferTarget *target, const char *method, const char *path,
		       const Body *body, json_object **ret_body, Error *err)
{
	_cleanup_json_ json_object *answer = NULL;
	_cleanup_free_ char *text = NULL; /* outlives the stream that writes it */
	_cleanup_fclose_ FILE *memory = NULL;
	size_t size = 0;
	long status = 0;
	int r;

	memory = open_memstream(&text, &size);
	if (!memory)
		return error_errno(err, -ENOMEM, "Asking %s", target->name);
	r = transfer_run(target, method, path, body, memory, &status, err);
	if (r < 0)
		return r;
	answer = json_tokener_parse(text);
	if (status < 200 || status > 299)
		return transfer_refused(target->name, answer, status, err);
	if (ret_body)
		*ret_body = steal_ptr(&answer);
	return 0;
}

int transfer_ask(const TransferTarget *target, const char *method, const char *path,
		 json_object *body, json_object **ret_body, Error *err)
{
	return transfer_do(target, method, path, &(Body){.object = body, .fd = -1}, ret_body, err);
}

int transfer_send(const TransferTarget *target, const char *path, int fd, int64_t size, Error *err)
{
	return transfer_do(target, "PUT", path, &(Body){.fd = fd, .size = size}, NULL, err);
}

int transfer_file(const TransferTarget *target, const char *path, FILE *to, Error *err)
{
	long status = 0;
	int r = transfer_run(target, "GET", path, &(Body){.fd = -1}, to, &status, err);

	if (r < 0)
		return r;
	return status == 200 ? 0 : transfer_refused(target->name, NULL, status, err);
}
