/* SPDX-License-Identifier: Apache-2.0 */
/* segue-hub: see segue-hub(8). */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "hub/api.h"
#include "hub/audit.h"
#include "hub/fleetlock.h"
#include "hub/host.h"
#include "hub/listen.h"
#include "hub/order.h"
#include "hub/tls.h"

#define CONNECTIONS_SPARE  64U  /* descriptors that are not clients' */
#define CONNECTION_MEMORY  8192 /* what a request's head may take */
#define IDLE_LIMIT_S       120U
#define SOCKET_CONNECTIONS 64U
#define LOCK_CONNECTIONS   256U
#define UPKEEP_US          3600000000ULL
#define STOP_US            500000U /* for what was answered to leave */

typedef struct Options {
	const char *directory, *listen, *socket, *relay, *relay_program, *relay_rate, *fleetlock;
} Options;

typedef struct Daemon {
	Hub hub;
	HttpTls tls;
	sd_event *event;
	sd_event_source *upkeep, *stop;
	unsigned port;
	Http *fleet, *local, *locks; /* the last may be NULL */
} Daemon;

static unsigned daemon_connections(void *data)
{
	const Daemon *d = data;

	return http_connections(d->fleet);
}

static void on_wait_over(HttpCall *call, void *data)
{
	/* There is nothing for it: otherwise it would not have waited. */
	http_answer(call, 200, "application/json", "{\"orders\":[]}\n");
}

/* ---- signals and time ---- */

static int on_stopped(sd_event_source *source, uint64_t usec, void *data)
{
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	Daemon *d = data;

	if (d->stop)
		return sd_event_exit(d->event, 0);
	(void)sd_notify(0, "STOPPING=1");
	http_quiesce(d->fleet);
	http_quiesce(d->local);
	if (d->locks)
		http_quiesce(d->locks);
	waits_end(d->hub.waits);
	if (http_connections(d->fleet) == 0)
		return sd_event_exit(d->event, 0);
	return sd_event_add_time_relative(d->event, &d->stop, CLOCK_MONOTONIC, STOP_US, 0,
					  on_stopped, d);
}

static int hub_upkeep(Hub *hub, Error *err)
{
	_cleanup_identity_ Identity next = {0};
	int64_t now_s = clock_realtime_us() / 1000000;
	int r;

	if ((r = credential_prune(hub->db, now_s, err)) < 0 ||
	    (r = order_prune(hub->db, now_s, err)) < 0 ||
	    (r = audit_prune(hub->db, now_s, err)) < 0)
		return r;
	if (now_s < hub->identity.renew_s)
		return 0;
	if ((r = identity_load(hub->db, now_s, &next, err)) < 0 ||
	    (r = tls_set(next.certificate, next.key, err)) < 0)
		return r;
	identity_release(&hub->identity);
	hub->identity = next;
	next = (Identity){0};
	return hub->relay ? hub_relay_renew(hub->relay, &hub->identity, err) : 0;
}

static int on_upkeep(sd_event_source *source, uint64_t usec, void *data)
{
	Daemon *d = data;
	Error err = {0};

	if (hub_upkeep(&d->hub, &err) < 0)
		(void)fprintf(stderr, SD_ERR "%s\n", err.text);
	(void)sd_event_source_set_time_relative(source, UPKEEP_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int event_attach(Daemon *d, Error *err)
{
	sigset_t mask;
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigaddset(&mask, SIGCHLD); /* for the relay */
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	if ((r = sd_event_new(&d->event)) < 0 ||
	    (r = sd_event_add_signal(d->event, NULL, SIGTERM, on_signal, d)) < 0 ||
	    (r = sd_event_add_signal(d->event, NULL, SIGINT, on_signal, d)) < 0 ||
	    (r = sd_event_add_time_relative(d->event, &d->upkeep, CLOCK_MONOTONIC, UPKEEP_US, 0,
					    on_upkeep, d)) < 0 ||
	    (r = sd_event_set_watchdog(d->event, 1)) < 0)
		return error_errno(err, r, "Starting the event loop");
	return 0;
}

/* ---- setting up ---- */

static int hub_open(Hub *hub, const char *directory, Error *err)
{
	_cleanup_free_ char *depot = text_format("%s/depot", directory);
	int r;

	if (!depot)
		return error_errno(err, -ENOMEM, "Opening %s", directory);
	hub->directory = directory;
	hub->started_s = clock_realtime_us() / 1000000;
	if ((r = db_open(directory, &hub->db, err)) < 0 ||
	    (r = identity_load(hub->db, hub->started_s, &hub->identity, err)) < 0 ||
	    (r = tls_set(hub->identity.certificate, hub->identity.key, err)) < 0 ||
	    (r = depot_open(depot, true, &hub->depot, err)) < 0 ||
	    (r = depot_lock(hub->depot, err)) < 0)
		return r;
	return catalog_open(hub->depot, &hub->catalog, err);
}

static void hub_close(Hub *hub)
{
	waits_free(hub->waits);
	catalog_free(hub->catalog);
	depot_free(hub->depot);
	tls_clear();
	identity_release(&hub->identity);
	db_close(hub->db);
}

/* As many as the process may have open. */
static unsigned connections_max(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max <= 2UL * CONNECTIONS_SPARE)
		return CONNECTIONS_SPARE;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_max > 1U << 20 ? 1U << 20 : (unsigned)limit.rlim_max - CONNECTIONS_SPARE;
}

static int serve_fleet(Daemon *d, const char *where, Error *err)
{
	const HttpService service = {
		.handle = api_handle,
		.begin = api_begin,
		.peer_free = api_peer_free,
		.data = &d->hub,
		.tls = &d->tls,
		.connections_max = connections_max(),
		.idle_limit_s = IDLE_LIMIT_S,
		.connection_memory = CONNECTION_MEMORY,
	};
	_cleanup_close_ int fd = -1;
	int r;

	d->tls.trust = authority_pem(d->hub.identity.authority);
	d->tls.certificate = tls_retrieve;
	if ((r = listen_open(where, &fd, &d->port, err)) < 0 ||
	    (r = http_open(d->event, fd, &service, &d->fleet, err)) < 0)
		return r;
	(void)steal_fd(&fd);
	return 0;
}

static int serve_local(Daemon *d, const char *path, Error *err)
{
	const HttpService service = {
		.handle = api_handle,
		.begin = api_begin,
		.data = &d->hub,
		.connections_max = SOCKET_CONNECTIONS,
		.idle_limit_s = IDLE_LIMIT_S,
	};
	_cleanup_close_ int fd = -1;
	int r;

	if ((r = http_listen(path, &fd, err)) < 0 ||
	    (r = http_open(d->event, fd, &service, &d->local, err)) < 0)
		return r;
	(void)steal_fd(&fd);
	return 0;
}

static int relay_start(Daemon *d, const Options *options, Error *err)
{
	const HubRelaySetup setup = {
		.program = options->relay_program,
		.directory = options->directory,
		.where = options->relay,
		.rate = options->relay_rate,
	};

	return hub_relay_start(d->event, &setup, &d->hub.identity, &d->hub.relay, err);
}

/* Only if it was asked for. */
static int serve_locks(Daemon *d, const char *where, Error *err)
{
	const HttpService service = {
		.handle = fleetlock_handle,
		.data = &d->hub,
		.connections_max = LOCK_CONNECTIONS,
		.idle_limit_s = IDLE_LIMIT_S,
	};
	_cleanup_close_ int fd = -1;
	unsigned port;
	int r;

	if (!where)
		return 0;
	if ((r = listen_open(where, &fd, &port, err)) < 0 ||
	    (r = http_open(d->event, fd, &service, &d->locks, err)) < 0)
		return r;
	(void)steal_fd(&fd);
	return 0;
}

static int daemon_start(Daemon *d, const Options *options, Error *err)
{
	int r;

	d->hub.connections = daemon_connections;
	d->hub.connections_data = d;
	if ((r = event_attach(d, err)) < 0 ||
	    (r = hub_open(&d->hub, options->directory, err)) < 0 ||
	    (r = hub_upkeep(&d->hub, err)) < 0 ||
	    (r = waits_new(d->event, on_wait_over, d, &d->hub.waits, err)) < 0 ||
	    (r = relay_start(d, options, err)) < 0 ||
	    (r = hub_revoke(&d->hub, clock_realtime_us() / 1000000, err)) < 0 ||
	    (r = rollouts_open(&d->hub, d->event, &d->hub.rollouts, err)) < 0 ||
	    (r = serve_fleet(d, options->listen, err)) < 0 ||
	    (r = serve_locks(d, options->fleetlock, err)) < 0)
		return r;
	return serve_local(d, options->socket, err);
}

static void daemon_stop(Daemon *d, const Options *options)
{
	if (d->hub.waits)
		waits_end(d->hub.waits);
	http_close(d->fleet);
	if (d->local)
		(void)unlink(options->socket);
	http_close(d->local);
	http_close(d->locks);
	rollouts_close(d->hub.rollouts);
	hub_relay_stop(d->hub.relay);
	hub_close(&d->hub);
	(void)sd_event_source_disable_unref(d->upkeep);
	(void)sd_event_source_disable_unref(d->stop);
	(void)sd_event_unref(d->event);
}

static int run(const Options *options, Error *err)
{
	Daemon d = {0};
	int r = daemon_start(&d, options, err);

	if (r == 0) {
		(void)sd_notifyf(0, "READY=1\nSTATUS=Listening on port %u", d.port);
		r = sd_event_loop(d.event);
		if (r < 0)
			r = error_errno(err, r, "Running the event loop");
	}
	daemon_stop(&d, options);
	return r;
}

static int options_parse(int argc, char *argv[], Options *ret)
{
	static const struct option options[] = {
		{"directory", required_argument, NULL, 'd'},
		{"listen", required_argument, NULL, 'l'},
		{"socket", required_argument, NULL, 's'},
		{"relay", required_argument, NULL, 'r'},
		{"relay-program", required_argument, NULL, 'p'},
		{"relay-rate", required_argument, NULL, 'R'},
		{"fleetlock", required_argument, NULL, 'f'},
		{"version", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int c;

	/* The one thread that there is. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'd':
			ret->directory = optarg;
			break;
		case 'l':
			ret->listen = optarg;
			break;
		case 's':
			ret->socket = optarg;
			break;
		case 'r':
			ret->relay = optarg;
			break;
		case 'p':
			ret->relay_program = optarg;
			break;
		case 'R':
			ret->relay_rate = optarg;
			break;
		case 'f':
			ret->fleetlock = optarg;
			break;
		case 'v':
			(void)printf("segue-hub %s\n", SEGUE_VERSION);
			return 0;
		case 'h':
			(void)printf("Usage: segue-hub [--directory DIRECTORY] [--listen "
				     "[ADDRESS:]PORT] [--socket PATH]\n"
				     "                 [--relay [ADDRESS:]PORT] [--relay-rate "
				     "BYTES] [--relay-program PATH]\n                 "
				     "[--fleetlock [ADDRESS:]PORT]\nSee segue-hub(8).\n");
			return 0;
		default:
			return -EINVAL;
		}
	}
	return optind < argc ? -EINVAL : 1;
}

int main(int argc, char *argv[])
{
	Options options = {.directory = HUB_DIRECTORY,
			   .listen = HUB_PORT,
			   .socket = HUB_SOCKET,
			   .relay = RELAY_HUB_PORT,
			   .relay_program = SEGUE_LIBEXECDIR "/segue-relay"};
	Error err = {0};
	int r = options_parse(argc, argv, &options);

	if (r == 0)
		return 0;
	if (r < 0) {
		(void)fprintf(stderr, "segue-hub: the command line is wrong; see: segue-hub "
				      "--help\n");
		return 2;
	}
	if (run(&options, &err) < 0) {
		(void)fprintf(stderr, SD_ERR "segue-hub: %s\n", err.text);
		return 1;
	}
	return 0;
}
