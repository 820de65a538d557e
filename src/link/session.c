/* SPDX-License-Identifier: Apache-2.0 */
#include "link/session.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "http/body.h"
#include "http/transfer.h"

#define ANSWER_MAX         ((size_t)256 << 10)
#define CONNECT_S          10L
#define STATUS_MISDIRECTED 421 /* RFC 9110, 15.5.20: from a hub that does not lead */
#define ALIVE_S            30L /* between probes, so that no router on the way forgets the connection */

#define HUBS_MAX 16U

struct Session {
	CURL *curl;
	struct curl_slist *header;
	char *list;                 /* owned, in words */
	const char *hubs[HUBS_MAX]; /* in it */
	size_t n, now;
	char *leader;    /* as one of them has said; NULL: nobody has */
	const char *hub; /* that is asked */
	SessionTick *tick;
	void *data;
};

typedef struct Answer {
	char *text;
	size_t size, max;
} Answer;

static void answer_release(Answer *answer)
{
	free(answer->text);
}

static size_t on_data(char *data, size_t size, size_t n, void *to)
{
	Answer *answer = to;
	size_t more = size * n;
	char *text;

	if (more > answer->max - answer->size)
		return 0;
	text = realloc(answer->text, answer->size + more + 1);
	if (!text)
		return 0;
	memcpy(text + answer->size, data, more);
	answer->text = text;
	answer->size += more;
	text[answer->size] = '\0';
	return more;
}

static int on_progress(void *data, curl_off_t total, curl_off_t now, curl_off_t up_total,
		       curl_off_t up_now)
{
	Session *session = data;

	(void)total, (void)now, (void)up_total, (void)up_now;
	return session->tick && !session->tick(session->data);
}

static void authenticate(CURL *curl, const SessionOptions *options)
{
	(void)curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/* Nobody but the fleet's own authority says who the hub is. */
	(void)curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	(void)curl_easy_setopt(curl, CURLOPT_CAINFO, options->authority);
	if (!options->authority) {
		(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	(void)curl_easy_setopt(curl, CURLOPT_SSLCERT, options->certificate);
	(void)curl_easy_setopt(curl, CURLOPT_SSLKEY, options->key);
}

static void hubs_take(Session *session)
{
	char *rest = session->list, *word;

	while (session->n < HUBS_MAX && (word = strsep(&rest, " ")))
		session->hubs[session->n++] = word;
	session->hub = session->hubs[0];
}

/* After one could not be reached.  False: there is no other. */
static bool hub_next(Session *session)
{
	bool had_leader = session->leader != NULL;

	free(session->leader);
	session->leader = NULL;
	if (!had_leader)
		session->now = (session->now + 1) % session->n;
	session->hub = session->hubs[session->now];
	return had_leader || session->n > 1;
}

/* True if another hub is to be asked than that which has answered so. */
static bool leader_follow(Session *session, json_object *answer, long status)
{
	const char *leader = json_opt_string(answer, "leader", "");

	if (status != STATUS_MISDIRECTED || !*leader || strcmp(leader, session->hub) == 0)
		return false;
	free(session->leader);
	session->leader = strdup(leader);
	if (session->leader)
		session->hub = session->leader;
	return session->leader;
}

int session_open(const SessionOptions *options, Session **ret, Error *err)
{
	Session *session = calloc(1, sizeof(*session));
	CURL *curl = curl_easy_init();

	if (session) {
		session->curl = curl;
		session->header = curl_slist_append(NULL, "Content-Type: application/json");
		session->list = strdup(options->hub);
	}
	if (!session || !curl || !session->header || !session->list) {
		session_close(session);
		return error_errno(err, -ENOMEM, "Talking to the hub");
	}
	hubs_take(session);
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
	(void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
	(void)curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TCP_KEEPIDLE, ALIVE_S);
	(void)curl_easy_setopt(curl, CURLOPT_TCP_KEEPINTVL, ALIVE_S);
	(void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, session->header);
	(void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	(void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, session);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	authenticate(curl, options);
	*ret = session;
	return 0;
}

void session_set_tick(Session *session, SessionTick *tick, void *data)
{
	session->tick = tick;
	session->data = data;
}

void session_set_source(Session *session, const char *address)
{
	(void)curl_easy_setopt(session->curl, CURLOPT_INTERFACE, address);
}

const char *session_peer(Session *session)
{
	char *address = NULL;

	if (curl_easy_getinfo(session->curl, CURLINFO_PRIMARY_IP, &address) != CURLE_OK)
		return "";
	return address ? address : "";
}

const char *session_hub(const Session *session)
{
	return session->hub;
}

void session_close(Session *session)
{
	if (!session)
		return;
	curl_easy_cleanup(session->curl);
	curl_slist_free_all(session->header);
	free(session->leader);
	free(session->list);
	free(session);
}

static int session_error(const Session *session, CURLcode result, Error *err)
{
	switch (result) {
	case CURLE_ABORTED_BY_CALLBACK:
		return error_set(err, -EINTR, "Asking the hub %s: interrupted", session->hub);
	case CURLE_PEER_FAILED_VERIFICATION:
		return error_set(err, -EPROTO,
				 "Connecting to the hub %s: its certificate is of another hub than "
				 "the one joined, for other names, or not valid by this machine's "
				 "clock",
				 session->hub);
	case CURLE_WRITE_ERROR:
		return error_set(err, -EBADMSG, "Asking the hub %s: its answer is too long",
				 session->hub);
	default:
		return error_set(err, -EHOSTUNREACH, "Connecting to the hub %s: %s", session->hub,
				 curl_easy_strerror(result));
	}
}

static int hub_perform(Session *session, const char *method, const char *path, json_object *body,
		       long limit_s, Answer *answer, long *ret_status, Error *err)
{
	_cleanup_free_ char *url = text_format("https://%s%s", session->hub, path);
	CURL *curl = session->curl;
	CURLcode result;

	if (!url)
		return error_errno(err, -ENOMEM, "Asking the hub");
	if (strcmp(method, "POST") == 0)
		(void)curl_easy_setopt(
			curl, CURLOPT_COPYPOSTFIELDS,
			body ? json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN) : "{}");
	else
		(void)curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT, limit_s);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	result = curl_easy_perform(curl);
	if (result != CURLE_OK)
		return session_error(session, result, err);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
	return 0;
}

/* Each hub is tried once, and a leader that one of them names; with the one that answers it stays.
 */
static int session_perform(Session *session, const char *method, const char *path,
			   json_object *body, long limit_s, Answer *answer, long *ret_status,
			   Error *err)
{
	int r = -EHOSTUNREACH;

	for (size_t tries = 0; tries <= session->n; tries++) {
		_cleanup_json_ json_object *object = NULL;

		free(answer->text);
		answer->text = NULL;
		answer->size = 0;
		r = hub_perform(session, method, path, body, limit_s, answer, ret_status, err);
		if (r == -EHOSTUNREACH && hub_next(session))
			continue;
		if (r < 0 || *ret_status != STATUS_MISDIRECTED)
			break;
		(void)body_parse(answer->text ? answer->text : "", answer->size, &object, NULL);
		if (!leader_follow(session, object, *ret_status))
			break;
	}
	return r;
}

int session_ask(Session *session, const char *method, const char *path, json_object *body,
		long limit_s, json_object **ret, Error *err)
{
	_cleanup_(answer_release) Answer answer = {.max = ANSWER_MAX};
	_cleanup_json_ json_object *object = NULL;
	long status = 0;
	int r = session_perform(session, method, path, body, limit_s, &answer, &status, err);

	if (r < 0)
		return r;
	r = body_parse(answer.text ? answer.text : "", answer.size, &object, err);
	if (status < 200 || status > 299)
		return transfer_refused("The hub", object, status, err);
	if (r < 0)
		return error_set(err, -EBADMSG, "The hub %s did not answer with a JSON object",
				 session->hub);
	if (ret)
		*ret = steal_ptr(&object);
	return 0;
}

int session_read(Session *session, const char *path, size_t max, long limit_s, char **ret,
		 size_t *ret_size, Error *err)
{
	_cleanup_(answer_release) Answer answer = {.max = max};
	_cleanup_json_ json_object *object = NULL;
	long status = 0;
	int r = session_perform(session, "GET", path, NULL, limit_s, &answer, &status, err);

	if (r < 0)
		return r;
	if (status < 200 || status > 299) {
		(void)body_parse(answer.text ? answer.text : "", answer.size, &object, NULL);
		return transfer_refused("The hub", object, status, err);
	}
	if (!answer.text)
		return error_set(err, -EBADMSG, "The hub %s has sent an empty file", session->hub);
	*ret = steal_ptr(&answer.text);
	*ret_size = answer.size;
	return 0;
}
