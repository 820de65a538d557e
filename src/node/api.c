/* SPDX-License-Identifier: Apache-2.0 */
#include "node/api.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>
#include <systemd/sd-daemon.h>

#include "base/file.h"
#include "base/json.h"
#include "node/answer.h"
#include "node/http.h"
#include "node/lock.h"
#include "node/work.h"
#include "store/store.h"
#include "swap/paths.h"
#include "swap/swap.h"

#define TYPE_JSON    "application/json"
#define TYPE_METRICS "text/plain; version=0.0.4"

/* Where an answer is made. */
typedef enum How {
	HOW_HERE,      /* in segued: reads a few files */
	HOW_CHILD,     /* in a child: asks systemd */
	HOW_EXCLUSIVE, /* in a child that holds the lock */
	HOW_HEARD,   /* the same, and ended by SIGTERM when nobody waits for the answer any more */
	HOW_STARTED, /* exclusive, and answered as soon as the swap has a status */
} How;

typedef struct Route {
	const char *method, *path; /* a path that ends with a slash is followed by a name */
	ConfigVerb verb;
	How how;
	unsigned status; /* if it went well */
	Answer *answer;
	const char *type;
} Route;

static const Route routes[] = {
	{"GET", "/v1/status", CONFIG_VERB_STATUS, HOW_HERE, 200, answer_status, TYPE_JSON},
	{"GET", "/v1/units", CONFIG_VERB_LIST, HOW_CHILD, 200, answer_units, TYPE_JSON},
	{"PUT", "/v1/units/", CONFIG_VERB_KEEP, HOW_CHILD, 200, answer_keep, TYPE_JSON},
	{"DELETE", "/v1/units/", CONFIG_VERB_UNKEEP, HOW_CHILD, 200, answer_unkeep, TYPE_JSON},
	{"POST", "/v1/run", CONFIG_VERB_RUN, HOW_CHILD, 201, answer_run, TYPE_JSON},
	{"GET", "/v1/check", CONFIG_VERB_CHECK, HOW_HERE, 200, answer_check_progress, TYPE_JSON},
	{"POST", "/v1/check", CONFIG_VERB_CHECK, HOW_HEARD, 200, answer_check, TYPE_JSON},
	{"GET", "/v1/swap", CONFIG_VERB_STATUS, HOW_HERE, 200, answer_swap_status, TYPE_JSON},
	{"POST", "/v1/swap", CONFIG_VERB_SWAP, HOW_STARTED, 202, answer_swap, TYPE_JSON},
	{"GET", "/v1/log", CONFIG_VERB_LOG, HOW_HERE, 200, answer_log, TYPE_JSON},
	{"POST", "/v1/install", CONFIG_VERB_SWAP, HOW_EXCLUSIVE, 200, answer_install, TYPE_JSON},
	{"POST", "/v1/reboot", CONFIG_VERB_SWAP, HOW_EXCLUSIVE, 202, answer_reboot, TYPE_JSON},
	{"POST", "/v1/return", CONFIG_VERB_RETURN, HOW_EXCLUSIVE, 202, answer_return, TYPE_JSON},
	{"GET", "/metrics", CONFIG_VERB_METRICS, HOW_HERE, 200, answer_metrics, TYPE_METRICS},
};

/* How an error is told. */
static const struct Failure {
	int code;
	unsigned status;
	const char *name;
} failures[] = {
	{-EINVAL, 400, "invalid"},         {-EBADMSG, 400, "invalid"},
	{-EPERM, 403, "not-permitted"},    {-EACCES, 403, "not-permitted"},
	{-ENOENT, 404, "not-found"},       {-EBUSY, 409, "busy"},
	{-EEXIST, 409, "exists"},          {-ESRCH, 409, "not-running"},
	{-ECANCELED, 409, "refused"},      {-EOPNOTSUPP, 409, "unsupported"},
	{-EKEYREJECTED, 409, "untrusted"}, {-ESTALE, 409, "untrusted"},
	{-EKEYEXPIRED, 409, "untrusted"},  {-ETIME, 409, "untrusted"},
	{-ENOSPC, 507, "no-space"},        {-ETIMEDOUT, 504, "timeout"},
};

/* A request that is being worked on. */
typedef struct Pending {
	Api *api;       /* NULL: it is gone */
	HttpCall *call; /* NULL: it is answered */
	const Route *route;
	char *previous; /* id of the swap before, for HOW_STARTED */
	pid_t worker;
	sd_event_source *hangup; /* for HOW_HEARD */
	struct Pending *next, **link;
} Pending;

struct Api {
	sd_event *event;
	sd_event_source *watch;
	Http *http;
	const Config *config;
	char *config_error;
	Pending *pending; /* list */
};

static void call_fail(HttpCall *call, unsigned status, const char *name, const char *message)
{
	_cleanup_json_ json_object *body = json_object_new_object(),
				   *error = json_object_new_object();
	_cleanup_free_ char *text = NULL;

	json_put_string(error, "code", name);
	json_put_string(error, "message", message);
	(void)json_object_object_add(body, "error", steal_ptr(&error));
	text = text_format("%s\n",
			   json_object_to_json_string_ext(body, JSON_C_TO_STRING_NOSLASHESCAPE));
	http_answer(call, status, TYPE_JSON, text ? text : "");
}

static void call_fail_error(HttpCall *call, const Error *err)
{
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		if (failures[i].code == err->code) {
			call_fail(call, failures[i].status, failures[i].name, err->text);
			return;
		}
	}
	call_fail(call, 500, "failed", err->text);
}

static void call_succeed(HttpCall *call, const Route *route, json_object *body)
{
	_cleanup_free_ char *text = NULL;

	if (!strcmp(route->type, TYPE_JSON))
		text = text_format("%s\n", body ? json_object_to_json_string_ext(
							  body, JSON_C_TO_STRING_NOSLASHESCAPE)
						: "null");
	else
		text = strdup(json_object_get_string(body));
	http_answer(call, route->status, route->type, text ? text : "");
}

static char *swap_id(void)
{
	_cleanup_json_ json_object *status = NULL;

	if (swap_status(&status, NULL) < 0 || !status)
		return strdup("");
	return strdup(json_opt_string(status, "id", ""));
}

static void pending_unlink(Pending *pending)
{
	if (!pending->api)
		return;
	pending->hangup = sd_event_source_disable_unref(pending->hangup);
	*pending->link = pending->next;
	if (pending->next)
		pending->next->link = pending->link;
	pending->api = NULL;
	pending->call = NULL;
}

/* Answers with the id of the swap that the call has started, if it has one yet. */
static bool pending_started(Pending *pending)
{
	_cleanup_json_ json_object *body = NULL;
	_cleanup_free_ char *id = swap_id();

	if (!id || *id == '\0' || !pending->previous || !strcmp(id, pending->previous))
		return false;
	body = json_object_new_object();
	json_put_string(body, "id", id);
	call_succeed(pending->call, pending->route, body);
	pending->call = NULL;
	return true;
}

static int on_status_written(sd_event_source *source, const struct inotify_event *event, void *data)
{
	Api *api = data;

	for (Pending *p = api->pending; p; p = p->next) {
		if (p->call && p->route->how == HOW_STARTED)
			(void)pending_started(p);
	}
	return 0;
}

static void on_work_done(json_object *body, const Error *err, void *data)
{
	Pending *pending = data;
	bool is_swap = pending->route->how == HOW_STARTED;

	pending->hangup = sd_event_source_disable_unref(pending->hangup);
	if (err->code < 0 && pending->route->how >= HOW_EXCLUSIVE)
		(void)fprintf(stderr, SD_WARNING "%s %s: %s\n", pending->route->method,
			      pending->route->path, err->text);
	if (pending->call && !(is_swap && pending_started(pending))) {
		if (err->code < 0)
			call_fail_error(pending->call, err);
		else
			call_succeed(pending->call, pending->route, body);
	}
	/* It may have died in the middle of a swap or a trial: then what it had begun is to be
	 * undone. */
	if (pending->api && pending->route->how >= HOW_EXCLUSIVE)
		(void)api_finish_swap(pending->api->event, NULL);
	pending_unlink(pending);
	free(pending->previous);
	free(pending);
}

static int on_hangup(sd_event_source *source, int fd, uint32_t events, void *data)
{
	const Pending *pending = data;

	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	(void)kill(pending->worker, SIGTERM);
	return 0;
}

/* The server looks at no connection that waits for its answer. */
static void pending_hear(Pending *pending)
{
	int fd = http_socket(pending->call);

	/* No event but the hang-up, which is told without being asked for. */
	if (fd >= 0)
		(void)sd_event_add_io(pending->api->event, &pending->hangup, fd, 0, on_hangup,
				      pending);
}

static int call_start(Api *api, HttpCall *call, const Route *route, const Question *question,
		      Error *err)
{
	Pending *pending = calloc(1, sizeof(*pending));
	int lock_fd = -1;
	int r = pending ? 0 : error_errno(err, -ENOMEM, "Starting to work");

	if (r >= 0 && route->how >= HOW_EXCLUSIVE)
		r = lock_take(&lock_fd, err);
	if (r < 0) {
		free(pending);
		return r;
	}
	*pending = (Pending){.api = api, .call = call, .route = route, .previous = swap_id()};
	r = work_start(api->event, "segued-work", route->answer, question, lock_fd, on_work_done,
		       pending, &pending->worker, err);
	if (r < 0) {
		free(pending->previous);
		free(pending);
		return r;
	}
	if (route->how == HOW_HEARD)
		pending_hear(pending);
	pending->next = api->pending;
	pending->link = &api->pending;
	if (api->pending)
		api->pending->link = &pending->next;
	api->pending = pending;
	return 0;
}

/* The rest of a path behind the route's, or NULL if the path is not the route's. */
static const char *route_match(const Route *route, const char *path)
{
	size_t n = strlen(route->path);

	if (route->path[n - 1] != '/')
		return strcmp(path, route->path) ? NULL : "";
	return strncmp(path, route->path, n) == 0 && path[n] ? path + n : NULL;
}

static const Route *route_find(const HttpCall *call, const char **ret_name, bool *ret_known)
{
	*ret_known = false;
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		const char *name = route_match(&routes[i], call->path);

		if (!name)
			continue;
		*ret_known = true;
		if (strcmp(routes[i].method, call->method) != 0)
			continue;
		*ret_name = *name ? name : NULL;
		return &routes[i];
	}
	return NULL;
}

static void call_refuse(HttpCall *call, const Route *route)
{
	const char *verb = route ? config_verb_name(route->verb) : "anything";
	_cleanup_free_ char *text = NULL;

	if (route && 1U << route->verb & CONFIG_VERBS_OPEN)
		text = text_format(
			"Only root may ask segued for %s, and groups that Allow=%s:GROUP "
			"in segue.conf names; use sudo",
			verb, verb);
	else
		text = text_format("Only root may ask segued for %s; use sudo", verb);
	call_fail(call, 403, "not-permitted", text ? text : verb);
}

static void on_call(HttpCall *call, void *data)
{
	Api *api = data;
	Question question = {
		.config = api->config,
		.config_error = api->config_error,
		.body = call->body,
		.body_size = call->body_size,
		.swapping = lock_is_held(),
	};
	bool known;
	const Route *route = route_find(call, &question.name, &known);
	Error err = {0};
	int r;

	if (!call->verbs || (route && !(call->verbs & 1U << route->verb))) {
		call_refuse(call, route);
		return;
	}
	if (!route) {
		call_fail(call, known ? 405 : 404, known ? "method" : "not-found",
			  known ? "This path has no such method; see the API's documentation"
				: "There is no such path; see the API's documentation");
		return;
	}
	if (route->how == HOW_HERE) {
		_cleanup_json_ json_object *body = NULL;

		r = route->answer(&question, &body, &err);
		if (r >= 0)
			call_succeed(call, route, body);
	} else {
		r = call_start(api, call, route, &question, &err);
	}
	if (r < 0)
		call_fail_error(call, &err);
}

void api_close(Api *api)
{
	if (!api)
		return;
	while (api->pending)
		pending_unlink(api->pending);
	http_close(api->http);
	(void)sd_event_source_disable_unref(api->watch);
	free(api->config_error);
	free(api);
}

int api_open(sd_event *event, int listen_fd, const Config *config, const Permits *permits,
	     const char *config_error, Api **ret, Error *err)
{
	Api *api = calloc(1, sizeof(*api));
	int r;

	if (!api)
		return error_errno(err, -ENOMEM, "Starting the API");
	api->event = event;
	api->config = config;
	api->config_error = config_error ? strdup(config_error) : NULL;
	r = sd_event_add_inotify(event, &api->watch, SEGUE_SWAP_DIR, IN_MOVED_TO, on_status_written,
				 api);
	if (r < 0)
		r = error_errno(err, r, "Watching %s", SEGUE_SWAP_DIR);
	else
		r = http_open(event, listen_fd, permits, on_call, api, &api->http, err);
	if (r < 0) {
		api_close(api);
		return r;
	}
	*ret = api;
	return 0;
}

static int finish_answer(const Question *question, json_object **ret_body, Error *err)
{
	*ret_body = NULL;
	return swap_finish(err);
}

/* One that was killed in the middle of it is followed by another, a few times. */
#define FINISH_TRIES   3
#define LOCK_PERIOD_US 500000

typedef struct Finish {
	sd_event *event;
	unsigned tries;
} Finish;

static int finish_start(Finish *finish, Error *err);

static void on_finished(json_object *body, const Error *err, void *data)
{
	_cleanup_free_ Finish *finish = data;

	(void)body;
	if (err->code == 0) {
		(void)fprintf(stderr, SD_NOTICE "The swap is finished\n");
		return;
	}
	(void)fprintf(stderr, SD_ERR "Finishing the swap: %s\n", err->text);
	if (++finish->tries < FINISH_TRIES && swap_left_behind())
		(void)finish_start(steal_ptr(&finish), NULL);
}

static int on_lock_awaited(sd_event_source *source, uint64_t usec, void *data)
{
	(void)usec;
	(void)api_finish_swap(sd_event_source_get_event(source), NULL);
	return 0;
}

/* Takes `finish`. */
static int finish_start(Finish *finish, Error *err)
{
	_cleanup_free_ Finish *owned = finish;
	const Question none = {0};
	int lock_fd, r = lock_take(&lock_fd, err);

	/* What a process that is dead has started is about to end, or one that the segued before
	 * this one has started is still at work. */
	if (r == -EBUSY)
		return sd_event_add_time_relative(finish->event, NULL, CLOCK_MONOTONIC,
						  LOCK_PERIOD_US, 0, on_lock_awaited, NULL);
	if (r < 0)
		return r;
	if (!swap_left_behind()) {
		(void)close(lock_fd);
		return 0;
	}
	r = work_start(finish->event, "segued-finish", finish_answer, &none, lock_fd, on_finished,
		       finish, NULL, err);
	if (r == 0)
		(void)steal_ptr(&owned);
	return r;
}

int api_finish_swap(sd_event *event, Error *err)
{
	Finish *finish = calloc(1, sizeof(*finish));

	if (!finish)
		return error_errno(err, -ENOMEM, "Finishing the swap");
	finish->event = event;
	return finish_start(finish, err);
}

static int rest_answer(const Question *question, json_object **ret_body, Error *err)
{
	*ret_body = NULL;
	return store_rest(question->config, err);
}

static void on_rested(json_object *body, const Error *err, void *data)
{
	if (err->code < 0)
		(void)fprintf(stderr, SD_WARNING "%s\n", err->text);
}

int api_rest_store(sd_event *event, const Config *config, Error *err)
{
	const Question question = {.config = config};
	int lock_fd, r;

	if (store_is_at_rest(config))
		return 0;
	r = lock_take(&lock_fd, err);
	/* Whoever works on a swap does it at the end. */
	if (r == -EBUSY)
		return 0;
	if (r < 0)
		return r;
	return work_start(event, "segued-rest", rest_answer, &question, lock_fd, on_rested, NULL,
			  NULL, err);
}
