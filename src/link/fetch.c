/* SPDX-License-Identifier: Apache-2.0 */
#include "link/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "http/body.h"
#include "link/document.h"
#include "link/in_use.h"
#include "link/result.h"
#include "release/depot.h"

#define HEAR_MS    500
#define TELL_US    ((int64_t)2 * 1000000)
#define STARTS_MAX 5

bool link_fetch_is_given(json_object *order)
{
	return !strcmp(json_opt_string(order, "kind", ""), "fetch");
}

static void fetch_clear(LinkFetch *f)
{
	manifest_free(f->manifest);
	(void)json_object_put(f->command);
	*f = (LinkFetch){.setup = f->setup, .relay = f->relay};
}

static void fetch_end(LinkFetch *f, const char *state, const char *message)
{
	(void)snprintf(f->state, sizeof(f->state), "%s", state);
	(void)snprintf(f->message, sizeof(f->message), "%s", message);
}

static DocumentPlace place_of(const LinkFetch *f)
{
	return (DocumentPlace){.directory = f->setup.directory, .trust = f->setup.trust};
}

/* ---- beginning ---- */

/* A parent without an address is the hub, which need not know how nodes reach it. */
static int parents_complete(json_object *parents, const char *hub, Error *err)
{
	size_t n = json_object_is_type(parents, json_type_array) ? json_length(parents) : 0;

	for (size_t i = 0; i < n; i++) {
		json_object *parent = json_object_array_get_idx(parents, i);

		if (!json_object_is_type(parent, json_type_object))
			return error_set(err, -EINVAL, "\"stripes\": a parent is no object");
		if (!json_object_object_get_ex(parent, "address", NULL))
			json_put_string(parent, "address", hub);
	}
	return n > 0 ? 0 : error_set(err, -EINVAL, "\"stripes\": a stripe has no parents");
}

int link_fetch_take(json_object *given, const char *hub, int64_t *ret_id, json_object **ret_command,
		    Error *err)
{
	const char *kind, *release = "";
	json_object *stripes = NULL, *command;
	int64_t id = 0;
	const BodyMember members[] = {
		{"id", json_type_int, &id},
		{"kind", json_type_string, &kind},
		{"release", json_type_string, &release},
		{"stripes", json_type_array, &stripes},
	};
	int r;

	*ret_id = json_opt_int(given, "id", 0);
	if ((r = body_take(given, BODY_MEMBERS(members), err)) < 0)
		return r;
	if (id <= 0 || !name_is_valid(release) || !stripes)
		return error_set(err, -EINVAL, "It needs an id, a release and stripes");
	for (size_t i = 0; r == 0 && i < json_length(stripes); i++)
		r = parents_complete(json_object_array_get_idx(stripes, i), hub, err);
	if (r < 0)
		return r;
	command = json_object_new_object();
	json_put_string(command, "do", "fetch");
	json_put_string(command, "release", release);
	(void)json_object_object_add(command, "stripes", json_object_get(stripes));
	*ret_command = command;
	return 0;
}

static int document_take(LinkFetch *f, Session *session, const char *release, Error *err)
{
	const DocumentPlace place = place_of(f);
	_cleanup_free_ char *path = document_path(&place, release);
	int r;

	if (!path)
		return error_errno(err, -ENOMEM, "Receiving release %s", release);
	r = document_fetch(&place, session, release, &f->manifest, err);
	if (r < 0)
		return r;
	json_put_string(f->command, "document", path);
	(void)json_object_object_add(f->command, "keep",
				     releases_in_use(f->setup.directory, f->setup.socket));
	return 0;
}

static bool is_of_connection(int r)
{
	return r == -EHOSTUNREACH || r == -EPROTO || r == -EINTR;
}

static int fetch_begin(LinkFetch *f, Session *session, json_object *given, Error *err)
{
	const char *release;
	Error why = {0};
	int r = link_fetch_take(given, session_peer(session), &f->order, &f->command, &why);

	if (r < 0) {
		fetch_end(f, "failed", why.text);
		return 0;
	}
	release = json_opt_string(f->command, "release", "");
	r = result_tell(session, f->order, "running", "", err);
	if (r < 0)
		return r;
	(void)fprintf(stderr, SD_NOTICE "Order %lld: fetch release %s\n", (long long)f->order,
		      release);
	r = document_take(f, session, release, &why);
	if (is_of_connection(r))
		return error_set(err, r, "%s", why.text);
	if (r < 0)
		fetch_end(f, "failed", why.text);
	f->moved_us = f->told_us = clock_monotonic_us();
	(void)snprintf(f->hub, sizeof(f->hub), "%s", session_hub(session));
	return 0;
}

int link_fetch_begin(LinkFetch *f, Session *session, json_object *given, Error *err)
{
	int r = fetch_begin(f, session, given, err);

	if (r == 0 && f->order <= 0)
		r = error_set(err, -EBADMSG, "The hub has sent what is no order: %s", f->message);
	if (r < 0)
		fetch_clear(f);
	return result_is_settled(r) ? 0 : r;
}

/* ---- receiving ---- */

static int relay_start(LinkFetch *f, Session *session, Error *err)
{
	bool is_ip6 = strchr(session_peer(session), ':');
	const LinkRelaySetup setup = {
		.program = f->setup.program,
		.directory = f->setup.directory,
		.address = f->setup.address ? f->setup.address
			   : is_ip6         ? "::"
					    : "0.0.0.0",
		.quota = f->setup.policy->quota_bytes,
		.rate_in = f->setup.policy->rate_in,
		.rate_out = f->setup.policy->rate_out,
	};

	return link_relay_start(&f->relay, &setup, err);
}

void link_fetch_prepare(LinkFetch *f, Session *session)
{
	_cleanup_free_ char *trust = text_format("%s/" DEPOT_TRUST, f->setup.trust);
	Error err = {0};

	/* With an order it is started where it is told of it, too.  Where to serve follows from how
	 * the hub is reached. */
	if (f->order || !f->setup.program || !*session_peer(session) || !trust ||
	    !path_exists(AT_FDCWD, trust) || link_relay_runs(&f->relay))
		return;
	if (relay_start(f, session, &err) < 0)
		(void)fprintf(stderr, SD_WARNING "%s\n", err.text);
}

/* Each relay is told once. */
static int relay_ask(LinkFetch *f, Session *session, Error *err)
{
	int r;

	if (f->starts > 0 && f->relay.pid)
		return 0;
	r = relay_start(f, session, err);
	f->starts++;
	return r < 0 ? r : link_relay_tell(&f->relay, f->command, err);
}

static void release_keep(LinkFetch *f)
{
	const DocumentPlace place = place_of(f);
	Error err = {0};

	if (document_remember(&place, f->manifest, &err) < 0) {
		fetch_end(f, "failed", err.text);
		return;
	}
	f->setup.came(f->manifest, f->setup.data);
	fetch_end(f, "done", f->manifest->name);
}

static void progress_take(LinkFetch *f, json_object *told)
{
	int64_t there = json_opt_int(told, "chunks_there", 0);

	if (there == f->there)
		return;
	f->there = there;
	f->chunks = json_opt_int(told, "chunks", 0);
	f->moved_us = clock_monotonic_us();
	f->why[0] = '\0';
}

static void report_take(LinkFetch *f, json_object *told)
{
	const char *what = json_opt_string(told, "tell", "");
	const char *why = json_opt_string(told, "why", "");
	bool is_ours = !strcmp(json_opt_string(told, "release", ""), f->manifest->name);

	if (!strcmp(what, "failed")) {
		f->is_rejected = true;
		fetch_end(f, "failed", why);
	} else if (is_ours && !strcmp(what, "done")) {
		release_keep(f);
	} else if (is_ours && !strcmp(what, "progress")) {
		progress_take(f, told);
	} else if (is_ours && *why) {
		(void)snprintf(f->why, sizeof(f->why), "%.500s", why);
	}
}

static void fetch_hear(LinkFetch *f, Session *session)
{
	_cleanup_json_ json_object *told = NULL;
	Error err = {0};
	int r = relay_ask(f, session, &err);

	if (r == 0)
		r = link_relay_hear(&f->relay, HEAR_MS, &told, &err);
	if (r > 0)
		report_take(f, told);
	if (r >= 0)
		return;
	link_relay_stop(&f->relay);
	/* One that was before it may still have its port. */
	(void)poll(NULL, 0, HEAR_MS);
	if (f->starts >= STARTS_MAX)
		fetch_end(f, "failed", err.text);
}

static void quiet_check(LinkFetch *f)
{
	char text[sizeof(f->message)];

	if (*f->state || clock_monotonic_us() - f->moved_us < f->setup.quiet_ms * 1000)
		return;
	(void)snprintf(text, sizeof(text), "Nothing came for %lld s%s%s; what came stays",
		       (long long)(f->setup.quiet_ms / 1000), *f->why ? ": " : "", f->why);
	fetch_end(f, "failed", text);
}

/* What is asked of the relay no more. */
static void fetch_drop(LinkFetch *f)
{
	if (f->starts > 0 && f->relay.pid && !f->is_rejected && strcmp(f->state, "done") != 0) {
		_cleanup_json_ json_object *cancel = json_object_new_object();

		json_put_string(cancel, "do", "cancel");
		json_put_string(cancel, "release", f->manifest->name);
		(void)link_relay_tell(&f->relay, cancel, NULL);
	}
	fetch_clear(f);
}

static int progress_tell(LinkFetch *f, Session *session, Error *err)
{
	char text[sizeof(f->message)];
	int r;

	if (clock_monotonic_us() - f->told_us < TELL_US)
		return 0;
	f->told_us = clock_monotonic_us();
	(void)snprintf(text, sizeof(text), "%lld of %lld chunks%s%s", (long long)f->there,
		       (long long)f->chunks, *f->why ? "; " : "", f->why);
	r = result_tell(session, f->order, "running", text, err);
	/* It was called off. */
	if (result_is_settled(r))
		fetch_drop(f);
	return result_is_settled(r) ? 0 : r;
}

bool link_fetch_listen(LinkFetch *f, Session *session)
{
	if (!f->order || *f->state)
		return false;
	fetch_hear(f, session);
	f->moved_us = clock_monotonic_us();
	return !*f->state;
}

/* Another hub leads now, which gives the order again, with itself for a parent; what has come is
 * there. */
static bool is_of_another_hub(const LinkFetch *f, const Session *session)
{
	return !*f->state && strcmp(f->hub, session_hub(session)) != 0;
}

int link_fetch_follow(LinkFetch *f, Session *session, Error *err)
{
	int r;

	if (is_of_another_hub(f, session)) {
		fetch_drop(f);
		return 0;
	}
	if (!*f->state) {
		fetch_hear(f, session);
		quiet_check(f);
	}
	if (!*f->state)
		return progress_tell(f, session, err);
	r = result_tell(session, f->order, f->state, f->message, err);
	if (r < 0 && !result_is_settled(r))
		return r;
	(void)fprintf(stderr, SD_NOTICE "Order %lld: %s: %s\n", (long long)f->order, f->state,
		      f->message);
	fetch_drop(f);
	return 0;
}

void link_fetch_renew(LinkFetch *f)
{
	link_relay_stop(&f->relay);
}

void link_fetch_release(LinkFetch *f)
{
	link_relay_stop(&f->relay);
	fetch_clear(f);
}
