/* SPDX-License-Identifier: Apache-2.0 */
#include "link/link.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "link/credential.h"
#include "link/fetch.h"
#include "link/machine.h"
#include "link/order.h"
#include "link/prepare.h"
#include "link/probe.h"
#include "link/result.h"
#include "link/revoked.h"
#include "link/state.h"
#include "release/digest.h"

#define ANSWER_S       30L
#define WAIT_S         45 /* for orders, and up to as long again, so that nodes do not march in step */
#define WAIT_SPREAD_S  30
#define FOLLOW_MS      500
#define PATIENCE_US    ((int64_t)60 * 1000000)  /* for a swap that was asked for to show */
#define SHUTDOWN_US    ((int64_t)900 * 1000000) /* for a machine to stop what runs on it */
#define REVOKED_US     ((int64_t)300 * 1000000) /* between questions for revoked certificates */
#define RENEW_AGAIN_S  3600
#define RENEW_SPREAD   10 /* nodes that joined together spread over a tenth of the life */
#define PAUSE_SLICE_MS 1000

typedef struct Link {
	const LinkOptions *options;
	LinkConfig node;
	Session *session;
	Backoff backoff;
	LinkState state;
	int why;         /* code of the error that led there, or 0 */
	LinkOrder order; /* id 0: none */
	Prepare prepare; /* what comes before its swap */
	LinkFetch fetch; /* another kind of one */
	int64_t patient_until_us;
	json_object *report; /* as this machine was when last looked at; NULL: not known */
	char *told;          /* as the hub knows it; NULL: nothing since it was reached */
	int64_t look_us;     /* when to look next */
	int64_t revoked_us;  /* when to ask next which certificates are revoked */
	DigestText revoked;  /* what the hub said of them last */
	int64_t renew_s;     /* when to get the next certificate */
	bool renewing;       /* because the hub did not take this one */
} Link;

static volatile sig_atomic_t stopping;

void link_stop(void)
{
	stopping = 1;
}

static uint32_t random_bits(void)
{
	uint32_t bits = 0;

	if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
		return (uint32_t)clock_monotonic_us();
	return bits;
}

static int64_t now_s(void)
{
	return clock_realtime_us() / 1000000;
}

static void pause_ms(int64_t ms)
{
	while (ms > 0 && !stopping) {
		int64_t slice = ms < PAUSE_SLICE_MS ? ms : PAUSE_SLICE_MS;
		const struct timespec pause = {.tv_sec = slice / 1000,
					       .tv_nsec = slice % 1000 * 1000000};

		(void)sd_notify(0, "WATCHDOG=1");
		(void)nanosleep(&pause, NULL);
		ms -= slice;
	}
}

/* Tells it where people look, when it changes.  `why`: the error that leads there, or NULL. */
static void state_set(Link *link, LinkState state, const Error *why)
{
	static const char *const words[] = {
		[LINK_NONE] = "",
		[LINK_CONNECTING] = "Connecting to",
		[LINK_CONNECTED] = "Connected to",
		[LINK_OFFLINE] = "Cannot reach",
		[LINK_REFUSED] = "Refused by",
	};
	const char *message = why ? why->text : "";
	int code = why ? why->code : 0;
	Error err = {0};

	if (link->state == state && link->why == code)
		return;
	link->state = state;
	link->why = code;
	(void)fprintf(stderr, "%s%s the hub %s as node %s%s%s\n",
		      state >= LINK_OFFLINE ? SD_WARNING : SD_NOTICE, words[state], link->node.hub,
		      link->node.name, *message ? ": " : "", message);
	(void)sd_notifyf(0, "STATUS=%s the hub %s", words[state], link->node.hub);
	if (link_state_write(link->options->status, &link->node, state, message, &err) < 0)
		(void)fprintf(stderr, SD_WARNING "%s\n", err.text);
}

/* ---- this machine ---- */

/* Without segued the hub keeps what it knows. */
static void machine_look(Link *link)
{
	json_object *report = NULL;

	link->look_us = clock_monotonic_us() + link->options->look_ms * 1000;
	if (machine_report(link->options->socket, link->options->policy->follow, &report, NULL) < 0)
		return;
	(void)json_object_put(link->report);
	link->report = report;
}

static const char *report_text(const Link *link)
{
	return json_object_to_json_string_ext(link->report, JSON_C_TO_STRING_PLAIN);
}

static bool report_is_news(const Link *link)
{
	return link->report && (!link->told || strcmp(link->told, report_text(link)) != 0);
}

static bool look_is_due(const Link *link)
{
	return clock_monotonic_us() >= link->look_us;
}

static int report_tell(Link *link, Error *err)
{
	/* A node that works on an order does not wait for others, and is heard from by this. */
	bool forced = (link->order.id || link->fetch.order) && look_is_due(link);
	int r;

	if (look_is_due(link))
		machine_look(link);
	/* Without a report: whether the hub is there, and takes us. */
	if (!link->report && link->state != LINK_CONNECTED)
		return session_ask(link->session, "GET", "/v1/orders?wait=0", NULL, ANSWER_S, NULL,
				   err);
	if (!link->report || (!forced && !report_is_news(link)))
		return 0;
	r = session_ask(link->session, "POST", "/v1/report", link->report, ANSWER_S, NULL, err);
	if (r < 0)
		return r;
	free(link->told);
	link->told = strdup(report_text(link));
	return 0;
}

/* ---- certificates ---- */

static bool renewal_is_due(const Link *link)
{
	return now_s() >= link->renew_s;
}

/* While what takes a moment is waited for. */
static bool on_short_tick(void *data)
{
	(void)data;
	return !stopping;
}

static bool on_tick(void *data)
{
	Link *link = data;

	(void)sd_notify(0, "WATCHDOG=1");
	if (stopping || renewal_is_due(link))
		return false;
	if (look_is_due(link))
		machine_look(link);
	return !report_is_news(link);
}

static int session_begin(Link *link, Error *err)
{
	const LinkOptions *options = link->options;
	_cleanup_session_ Session *session = NULL;
	int64_t from_s = 0, to_s = 0;
	int r;

	if ((r = credential_session(&link->node, options->directory, true, &session, err)) < 0 ||
	    (r = credential_validity(options->directory, &from_s, &to_s, err)) < 0)
		return r;
	session_close(link->session);
	link->session = steal_ptr(&session);
	session_set_tick(link->session, on_short_tick, link);
	session_set_source(link->session, options->address);
	link_fetch_renew(&link->fetch);
	link->renew_s = from_s + (to_s - from_s) / 2 +
			(to_s - from_s) / RENEW_SPREAD * (random_bits() % 1024) / 1024;
	if (options->renew_after_s)
		link->renew_s = from_s + options->renew_after_s;
	return 0;
}

/* What goes wrong with it does not matter before the certificate ends, if the hub is there. */
static int certificate_renew(Link *link, Error *err)
{
	int r;

	if (!renewal_is_due(link))
		return 0;
	r = credential_renew(link->session, &link->node, link->options->directory, err);
	if (r == 0) {
		r = session_begin(link, err);
		/* By a clock that is ahead of the hub's, it would be old at once. */
		if (link->renew_s < now_s() + RENEW_AGAIN_S)
			link->renew_s = now_s() + RENEW_AGAIN_S;
		return r;
	}
	if (r == -EKEYREJECTED || r == -EHOSTUNREACH || r == -EPROTO)
		return r;
	(void)fprintf(stderr, SD_WARNING "Renewing the certificate: %s\n", err ? err->text : "");
	link->renew_s = now_s() + RENEW_AGAIN_S;
	return 0;
}

/* Those of others; before the first time, the relay does not run. */
static int revoked_learn(Link *link, Error *err)
{
	int r;

	if (!link->options->relay || clock_monotonic_us() < link->revoked_us)
		return 0;
	r = revoked_fetch(link->session, link->options->directory, err);
	if (r == 0)
		link->revoked_us = clock_monotonic_us() + REVOKED_US;
	return r;
}

/* ---- orders ---- */

static void order_keep(Link *link, Error *err)
{
	if (link_order_save(link->options->directory, &link->order, err) < 0)
		(void)fprintf(stderr, SD_ERR "Order %lld: %s\n", (long long)link->order.id,
			      err->text);
}

/* It is known on the disk, and segued is asked once. */
static void order_ask(Link *link)
{
	LinkOrder *order = &link->order;
	Error err = {0};
	int r;

	(void)fprintf(stderr, SD_NOTICE "Order %lld: %s to %s\n", (long long)order->id,
		      order->reboot ? "reboot" : "swap",
		      *order->kernel ? order->kernel : "the newest kernel");
	link->patient_until_us = clock_monotonic_us() + (order->reboot ? SHUTDOWN_US : PATIENCE_US);
	r = order->reboot ? machine_reboot(link->options->socket, order, &err)
			  : machine_swap(link->options->socket, order, &err);
	/* If segued went away meanwhile it may have begun. */
	if (r < 0 && r != -ECONNRESET)
		link_order_end(order, "failed", err.text);
	order_keep(link, &err);
}

static void order_start(Link *link, const LinkOrder *order)
{
	Error err = {0};

	link->order = *order;
	if (link_order_save(link->options->directory, order, &err) < 0)
		link_order_end(&link->order, "failed", err.text);
	else if (!link_order_is_raw(order))
		order_ask(link);
}

/* Goes on with what comes before the swap. */
static void order_prepare(Link *link)
{
	LinkOrder *order = &link->order;
	Error err = {0};
	int r = prepare_follow(&link->prepare, link->options->socket, order, FOLLOW_MS, &err);

	if (r == 0)
		return;
	if (r < 0)
		link_order_end(order, "failed", err.text);
	else if (order->stage)
		link_order_end(order, "done",
			       order->reboot ? "the kernel is here"
					     : "the kernel is here, and a swap could be");
	order_keep(link, &err);
	if (!*order->state)
		order_ask(link);
}

static int order_begin(Link *link, json_object *given, Error *err)
{
	LinkOrder order;
	Error wrong = {0};
	int r = link_order_take(given, &order, &wrong);

	if (order.id == 0)
		return error_set(err, -EBADMSG, "The hub has sent what is no order: %s",
				 wrong.text);
	if (r == 0)
		r = machine_last_swap(link->options->socket, order.before, &wrong);
	if (r == 0)
		r = machine_boot(order.boot, &wrong);
	if (r < 0) {
		link_order_end(&order, "failed", wrong.text);
		link->order = order;
		return 0;
	}
	r = result_tell(link->session, order.id, "running", "", err);
	if (r == 0)
		order_start(link, &order);
	return result_is_settled(r) ? 0 : r;
}

/* What this machine's own policy makes of a release of the channel that it follows: an order that
 * the hub knows nothing of. */
static void on_release_came(const Manifest *manifest, void *data)
{
	Link *link = data;
	const Config *policy = link->options->policy;
	LinkOrder order = {.id = ORDER_OWN, .stage = policy->on_release != CONFIG_ON_RELEASE_SWAP};
	Error err = {0};

	if (policy->on_release == CONFIG_ON_RELEASE_FETCH || !policy->follow ||
	    strcmp(policy->follow, manifest->channel) != 0)
		return;
	(void)snprintf(order.release, sizeof(order.release), "%s", manifest->name);
	if (machine_last_swap(link->options->socket, order.before, &err) < 0) {
		(void)fprintf(stderr, SD_WARNING "Release %s has come: %s\n", manifest->name,
			      err.text);
		return;
	}
	order_start(link, &order);
}

/* Nobody that counts no more takes part in anything from the moment when that is so. */
static void revoked_note(Link *link, json_object *answer)
{
	const char *revoked = json_opt_string(answer, "revoked", "");

	if (!strcmp(revoked, link->revoked.text))
		return;
	(void)snprintf(link->revoked.text, sizeof(link->revoked.text), "%s", revoked);
	link->revoked_us = 0;
}

static int orders_wait(Link *link, Error *err)
{
	_cleanup_json_ json_object *answer = NULL;
	unsigned wait_s = WAIT_S + random_bits() % WAIT_SPREAD_S;
	_cleanup_free_ char *path = text_format("/v1/orders?wait=%u", wait_s);
	json_object *orders, *first;
	int r;

	if (!path)
		return error_errno(err, -ENOMEM, "Waiting for orders");
	session_set_tick(link->session, on_tick, link);
	r = session_ask(link->session, "GET", path, NULL, (long)wait_s + ANSWER_S, &answer, err);
	session_set_tick(link->session, on_short_tick, link);
	if (r < 0)
		return r == -EINTR ? 0 : r;
	revoked_note(link, answer);
	orders = json_opt_array(answer, "orders");
	if (json_length(orders) == 0)
		return 0;
	first = json_object_array_get_idx(orders, 0);
	return link->fetch.setup.program && link_fetch_is_given(first)
		       ? link_fetch_begin(&link->fetch, link->session, first, err)
		       : order_begin(link, first, err);
}

/* Until the order is over; then its end is told. */
static int order_follow(Link *link, Error *err)
{
	LinkOrder *order = &link->order;
	bool patient = clock_monotonic_us() < link->patient_until_us;
	bool had_swap = *order->swap;
	int r;

	if (!*order->state && link_order_is_raw(order)) {
		order_prepare(link);
		return 0;
	}
	if (!*order->state) {
		r = machine_judge(link->options->socket, order, patient, NULL);
		if (r > 0 || (!had_swap && *order->swap))
			order_keep(link, &(Error){0});
		if (r <= 0) {
			pause_ms(FOLLOW_MS);
			return 0;
		}
	}
	r = order->id == ORDER_OWN
		    ? 0
		    : result_tell(link->session, order->id, order->state, order->message, err);
	if (r < 0 && !result_is_settled(r))
		return r;
	(void)fprintf(stderr, SD_NOTICE "Order %lld: %s%s%s\n", (long long)order->id, order->state,
		      *order->message ? ": " : "", order->message);
	*order = (LinkOrder){0};
	link->look_us = 0;
	return link_order_forget(link->options->directory, err);
}

/* ---- all of it ---- */

static int link_turn(Link *link, Error *err)
{
	int r;

	if ((r = certificate_renew(link, err)) < 0 || (r = report_tell(link, err)) < 0)
		return r;
	state_set(link, LINK_CONNECTED, NULL);
	backoff_succeed(&link->backoff);
	link->renewing = false;
	r = revoked_learn(link, err);
	if (r < 0)
		return r;
	link_fetch_prepare(&link->fetch, link->session);
	(void)sd_notify(0, "WATCHDOG=1");
	if (link->fetch.order)
		return link_fetch_follow(&link->fetch, link->session, err);
	return link->order.id ? order_follow(link, err) : orders_wait(link, err);
}

/* What comes from other nodes does not need the hub. */
static void rest_ms(Link *link, int64_t ms)
{
	int64_t left_us, until_us = clock_monotonic_us() + ms * 1000;

	while ((left_us = until_us - clock_monotonic_us()) > 0 && !stopping) {
		(void)sd_notify(0, "WATCHDOG=1");
		if (!link_fetch_listen(&link->fetch, link->session)) {
			pause_ms(left_us / 1000);
			return;
		}
	}
}

static void link_rest(Link *link, Error *why)
{
	if (why->code == -EPROTO && link->why != why->code)
		(void)probe_explain(link->node.hub, why->code, why);
	state_set(link, LINK_OFFLINE, why);
	free(link->told);
	link->told = NULL;
	rest_ms(link, backoff_fail(&link->backoff, random_bits()));
}

/* A certificate that has ended may still get the next one: tried once. */
static int link_refused(Link *link, Error *why, Error *err)
{
	if (!link->renewing) {
		link->renewing = true;
		link->renew_s = 0;
		return 0;
	}
	(void)error_hint(why, "segue leave comes first");
	state_set(link, LINK_REFUSED, why);
	return error_set(err, -EKEYREJECTED, "%s", why->text);
}

static int link_begin(Link *link, Error *err)
{
	int r;

	if ((r = link_config_read(link->options->config, &link->node, err)) < 0)
		return r == -ENOENT ? error_hint(err, "segue join makes it") : r;
	if ((r = link_order_load(link->options->directory, &link->order, err)) < 0)
		return r;
	link->patient_until_us = clock_monotonic_us() + PATIENCE_US;
	state_set(link, LINK_CONNECTING, NULL);
	return session_begin(link, err);
}

static void link_end(Link *link)
{
	prepare_end(&link->prepare);
	link_fetch_release(&link->fetch);
	session_close(link->session);
	link_config_release(&link->node);
	(void)json_object_put(link->report);
	free(link->told);
}

int link_run(const LinkOptions *options, Error *err)
{
	_cleanup_(link_end) Link link = {
		.options = options,
		.backoff = options->backoff,
		.fetch.setup =
			{
				.program = options->relay,
				.directory = options->directory,
				.trust = options->trust,
				.address = options->address,
				.socket = options->socket,
				.policy = options->policy,
				.came = on_release_came,
				.data = &link,
				.quiet_ms = options->quiet_ms,
			},
	};
	int r = link_begin(&link, err);

	if (r == 0)
		(void)sd_notify(0, "READY=1");
	while (r == 0 && !stopping) {
		Error why = {0};
		int turn = link_turn(&link, &why);

		if (turn == -EKEYREJECTED)
			r = link_refused(&link, &why, err);
		else if (turn < 0 && !stopping)
			link_rest(&link, &why);
	}
	if (r != -EKEYREJECTED)
		(void)unlink(options->status);
	return r;
}
