/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define SOCKET_PATH "/run/segue/segued.sock"

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
	{"not-permitted", -EACCES}, {"busy", -EBUSY},       {"not-found", -ENOENT},
	{"invalid", -EINVAL},       {"too-large", -EINVAL}, {"refused", -ECANCELED},
};

/* What segued said is the whole story: it names what was attempted. */
static int answer_error(json_object *body, long status, Error *err)
{
	const char *name, *message;
	json_object *error;

	if (!body || json_get_object(body, "error", &error, NULL) < 0)
		return error_set(err, -EIO,
				 "segued answered with status %ld; see journalctl -u segued",
				 status);
	name = json_opt_string(error, "code", "");
	message = json_opt_string(error, "message", "no reason given");
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		if (!strcmp(codes[i].name, name))
			return error_set(err, codes[i].code, "%s", message);
	}
	return error_set(err, -EIO, "%s", message);
}

static int transfer_error(CURLcode result, Error *err)
{
	if (result == CURLE_COULDNT_CONNECT && access(SOCKET_PATH, F_OK) == 0 &&
	    access(SOCKET_PATH, R_OK | W_OK) < 0)
		return error_set(err, -EACCES,
				 "Connecting to segued on " SOCKET_PATH
				 ": only root may, and the groups of Group= and Allow= in "
				 "segue.conf; use sudo");
	if (result == CURLE_COULDNT_CONNECT)
		return error_set(err, -ECONNREFUSED,
				 "Connecting to segued on " SOCKET_PATH
				 ": it does not answer; systemctl start segued");
	return error_set(err, -ECONNRESET, "Talking to segued on " SOCKET_PATH ": %s",
			 curl_easy_strerror(result));
}

int client_call(const char *method, const char *path, json_object *body, json_object **ret_body,
		Error *err)
{
	_cleanup_(cleanup_header) struct curl_slist *header =
		curl_slist_append(NULL, "Content-Type: application/json");
	_cleanup_(cleanup_curl) CURL *curl = curl_easy_init();
	_cleanup_free_ char *url = text_format("http://segued%s", path);
	_cleanup_json_ json_object *answer = NULL;
	_cleanup_free_ char *text = NULL; /* outlives the stream that writes it */
	_cleanup_fclose_ FILE *memory = NULL;
	size_t size = 0;
	CURLcode result;
	long status = 0;

	memory = open_memstream(&text, &size);
	if (!curl || !header || !url || !memory)
		return error_errno(err, -ENOMEM, "Asking segued");
	(void)curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, SOCKET_PATH);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, header);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, memory);
	if (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0)
		(void)curl_easy_setopt(curl, CURLOPT_COPYPOSTFIELDS,
				       body ? json_object_to_json_string(body) : "{}");
	result = curl_easy_perform(curl);
	if (result != CURLE_OK)
		return transfer_error(result, err);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (fflush(memory) != 0)
		return error_errno(err, -ENOMEM, "Asking segued");
	answer = json_tokener_parse(text);
	if (status < 200 || status > 299)
		return answer_error(answer, status, err);
	if (ret_body)
		*ret_body = steal_ptr(&answer);
	return 0;
}

int client_unit_path(const char *unit, char **ret_path, Error *err)
{
	char *encoded = curl_easy_escape(NULL, unit, 0);
	char *path = encoded ? text_format("/v1/units/%s", encoded) : NULL;

	curl_free(encoded);
	if (!path)
		return error_errno(err, -ENOMEM, "Asking segued about %s", unit);
	*ret_path = path;
	return 0;
}
