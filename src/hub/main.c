/* SPDX-License-Identifier: Apache-2.0 */
/* segue-hub: see segue-hub(8). */
#include <errno.h>
#include <fcntl.h>
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
#include "hub/mirror.h"
#include "hub/order.h"
#include "hub/tls.h"

#define CONNECTIONS_SPARE  64U  /* descriptors that are not clients' */
#define CONNECTION_MEMORY  8192 /* what a request's head may take */
#define IDLE_LIMIT_S       120U
#define SOCKET_CONNECTIONS 64U
#define LOCK_CONNECTIONS   256U
#define UPKEEP_US          3600000000ULL
#define STOP_US            500000U /* for what was answered to leave */

/* How the event loop ends if not to stop. */
enum {
	ENDED = 0,
	ROLE_CHANGED, /* this hub leads from now on, or no more */
	TOO_FAR_BEHIND
};

typedef struct Options {
	const char *directory, *listen, *socket, *relay, *relay_program, *relay_rate, *fleetlock;
	ReplicaSetup replica; /* no members of etcd: this hub is alone */
	bool publish;
} Options;

typedef struct Daemon {
	Hub hub;
	HttpTls tls;
	sd_event *event;
	sd_event_source *upkeep, *stop, *beat;
	Mirror *mirror; /* of who follows */
	int told;       /* code of what went wrong with the other hubs last */
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
	const Daemon *d = data;

	/* There is no order for it: otherwise it would not have waited. */
	orders_send(&d->hub, call, NULL);
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

/* ---- several hubs ---- */

static void beat_tell(Daemon *d, int r, const Error *err)
{
	if (r < 0 && r != d->told)
		(void)fprintf(stderr, SD_WARNING "%s\n", err->text);
	d->told = r < 0 ? r : 0;
}

/* What is asked about rollouts, and who counts no more, is as the leader has it. */
static int news_take(Daemon *d, Error *err)
{
	Rollouts *old = d->hub.rollouts;
	int r = hub_revoke(&d->hub, clock_realtime_us() / 1000000, err);

	if (r == 0 && (r = rollouts_open(&d->hub, d->event, &d->hub.rollouts, err)) == 0)
		rollouts_close(old);
	return r;
}

static int beat_follow(Daemon *d)
{
	ReplicaNews news;
	Error err = {0};
	int r = replica_follow(d->hub.replica, &news, &err);

	if (r == -ESTALE)
		return sd_event_exit(d->event, TOO_FAR_BEHIND);
	if (r == 0 && news.leads)
		return sd_event_exit(d->event, ROLE_CHANGED);
	if (news.changed && news_take(d, &err) < 0) {
		(void)fprintf(stderr, SD_ERR "%s\n", err.text);
		return sd_event_exit(d->event, ROLE_CHANGED);
	}
	beat_tell(d, r, &err);
	mirror_look(d->mirror, replica_leader(d->hub.replica));
	return 0;
}

static int on_beat(sd_event_source *source, uint64_t usec, void *data)
{
	Daemon *d = data;
	bool follows = d->hub.follows;
	Error err = {0};
	int r;

	if (d->stop)
		return 0;
	if (follows && (r = beat_follow(d)) < 0)
		return r;
	if (!follows) {
		r = replica_keep(d->hub.replica, &err);
		beat_tell(d, r, &err);
		if (r == -ESTALE)
			return sd_event_exit(d->event, ROLE_CHANGED);
	}
	(void)sd_event_source_set_time_relative(source,
						follows ? REPLICA_FOLLOW_US : REPLICA_KEEP_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int beat_start(Daemon *d, const Options *options, Error *err)
{
	int r;

	if (!d->hub.replica)
		return 0;
	if (d->hub.follows &&
	    (r = mirror_open(d->event, d->hub.catalog, options->directory, &d->mirror, err)) < 0)
		return r;
	r = sd_event_add_time_relative(d->event, &d->beat, CLOCK_MONOTONIC, 0, 0, on_beat, d);
	return r < 0 ? error_errno(err, r, "Starting the event loop") : 0;
}

static int on_upkeep(sd_event_source *source, uint64_t usec, void *data)
{
	Daemon *d = data;
	Error err = {0};

	if (!d->hub.follows && hub_upkeep(&d->hub, &err) < 0)
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

/* With etcd out of reach a hub that has a state answers what it can of it. */
static int replica_join(Hub *hub, bool publish, Error *err)
{
	Error why = {0};
	int r;

	if (!hub->replica)
		return 0;
	r = replica_attach(hub->replica, hub->db, publish, &why);
	if (r == -EHOSTUNREACH && !publish)
		(void)fprintf(stderr, SD_WARNING "%s\n", why.text);
	else if (r < 0)
		return error_set(err, r, "%s", why.text);
	return 0;
}

static int hub_open(Hub *hub, const char *directory, bool publish, Error *err)
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
	    (r = replica_join(hub, publish, err)) < 0 ||
	    (r = depot_open(depot, true, &hub->depot, err)) < 0 ||
	    (r = depot_lock(hub->depot, err)) < 0)
		return r;
	return catalog_open(hub->depot, &hub->catalog, err);
}

static void hub_close(Hub *hub)
{
	waits_free(hub->waits);
	if (hub->replica)
		replica_detach(hub->replica);
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

static int daemon_start(Daemon *d, const Options *options, bool publish, Error *err)
{
	int r;

	d->hub.connections = daemon_connections;
	d->hub.connections_data = d;
	if ((r = event_attach(d, err)) < 0 ||
	    (r = hub_open(&d->hub, options->directory, publish, err)) < 0 ||
	    (!d->hub.follows && (r = hub_upkeep(&d->hub, err)) < 0) ||
	    (r = waits_new(d->event, on_wait_over, d, &d->hub.waits, err)) < 0 ||
	    (r = relay_start(d, options, err)) < 0 ||
	    (r = hub_revoke(&d->hub, clock_realtime_us() / 1000000, err)) < 0 ||
	    (r = rollouts_open(&d->hub, d->event, &d->hub.rollouts, err)) < 0 ||
	    (r = serve_fleet(d, options->listen, err)) < 0 ||
	    (r = serve_locks(d, options->fleetlock, err)) < 0 ||
	    (r = beat_start(d, options, err)) < 0)
		return r;
	return serve_local(d, options->socket, err);
}

static void daemon_stop(Daemon *d, const Options *options)
{
	if (d->hub.waits)
		waits_end(d->hub.waits);
	/* What comes until each is closed is answered; the others tell of the fleet's. */
	if (d->local)
		(void)unlink(options->socket);
	http_close(d->local);
	http_close(d->locks);
	http_close(d->fleet);
	mirror_close(d->mirror);
	rollouts_close(d->hub.rollouts);
	hub_relay_stop(d->hub.relay);
	hub_close(&d->hub);
	(void)sd_event_source_disable_unref(d->upkeep);
	(void)sd_event_source_disable_unref(d->stop);
	(void)sd_event_source_disable_unref(d->beat);
	(void)sd_event_unref(d->event);
}

/* Once, in the role that this hub has: how the event loop ended, or an error. */
static int serve(const Options *options, Replica *replica, bool publish, Error *err)
{
	/* For as long as this lasts, though it may change meanwhile. */
	Daemon d = {.hub = {.replica = replica, .follows = replica && !replica_leads(replica)}};
	int r = daemon_start(&d, options, publish, err);

	if (r == 0) {
		(void)sd_notifyf(0, "READY=1\nSTATUS=Listening on port %u%s", d.port,
				 !replica        ? ""
				 : d.hub.follows ? ", following"
						 : ", leading");
		r = sd_event_loop(d.event);
		if (r < 0)
			r = error_errno(err, r, "Running the event loop");
	}
	daemon_stop(&d, options);
	return r;
}

/* A hub that has no state takes that of the others. */
static int state_get(const Options *options, Replica *replica, bool anew, Error *err)
{
	_cleanup_free_ char *path = text_format("%s/" DB_FILE, options->directory);

	if (!path)
		return error_errno(err, -ENOMEM, "Looking for the hub's state");
	if (!anew && path_exists(AT_FDCWD, path))
		return 0;
	(void)fprintf(stderr, SD_NOTICE "Taking the hub's state from etcd\n");
	return replica_fetch(replica, options->directory, err);
}

static int run(const Options *options, Error *err)
{
	_cleanup_replica_ Replica *replica = NULL;
	bool publish = options->publish;
	int next = ROLE_CHANGED, r;

	if (options->replica.etcd.members &&
	    ((r = replica_open(&options->replica, &replica, err)) < 0 ||
	     (!publish && (r = state_get(options, replica, false, err)) < 0)))
		return r;
	while (next > ENDED) {
		if (next == TOO_FAR_BEHIND && (r = state_get(options, replica, true, err)) < 0)
			return r;
		next = serve(options, replica, publish, err);
		publish = false;
		if (next == ROLE_CHANGED)
			(void)fprintf(stderr, SD_NOTICE "This hub %s\n",
				      replica_leads(replica) ? "leads" : "follows");
		else if (next == -ESTALE)
			next = TOO_FAR_BEHIND;
	}
	return next;
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
		{"etcd", required_argument, NULL, 'e'},
		{"etcd-ca", required_argument, NULL, 'C'},
		{"etcd-cert", required_argument, NULL, 'c'},
		{"etcd-key", required_argument, NULL, 'k'},
		{"etcd-prefix", required_argument, NULL, 'P'},
		{"etcd-publish", no_argument, NULL, 'b'},
		{"address", required_argument, NULL, 'a'},
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
		case 'e':
			ret->replica.etcd.members = optarg;
			break;
		case 'C':
			ret->replica.etcd.authority = optarg;
			break;
		case 'c':
			ret->replica.etcd.certificate = optarg;
			break;
		case 'k':
			ret->replica.etcd.key = optarg;
			break;
		case 'P':
			ret->replica.prefix = optarg;
			break;
		case 'b':
			ret->publish = true;
			break;
		case 'a':
			ret->replica.address = optarg;
			break;
		case 'v':
			(void)printf("segue-hub %s\n", SEGUE_VERSION);
			return 0;
		case 'h':
			(void)printf("Usage: segue-hub [--directory DIRECTORY] [--listen "
				     "[ADDRESS:]PORT] [--socket PATH]\n"
				     "                 [--relay [ADDRESS:]PORT] [--relay-rate "
				     "BYTES] [--relay-program PATH]\n                 "
				     "[--fleetlock [ADDRESS:]PORT]\n                 "
				     "[--etcd URL[,URL...] --address HOST:PORT [--etcd-ca FILE]\n"
				     "                 [--etcd-cert FILE --etcd-key FILE] "
				     "[--etcd-prefix /PREFIX] [--etcd-publish]]\n"
				     "See segue-hub(8).\n");
			return 0;
		default:
			return -EINVAL;
		}
	}
	/* Who shares a state must say where the others find it. */
	if (!ret->replica.etcd.members != !ret->replica.address ||
	    (ret->publish && !ret->replica.etcd.members) ||
	    !ret->replica.etcd.certificate != !ret->replica.etcd.key || !ret->replica.prefix ||
	    *ret->replica.prefix != '/')
		return -EINVAL;
	return optind < argc ? -EINVAL : 1;
}

int main(int argc, char *argv[])
{
	Options options = {.directory = HUB_DIRECTORY,
			   .listen = HUB_PORT,
			   .socket = HUB_SOCKET,
			   .relay = RELAY_HUB_PORT,
			   .relay_program = SEGUE_LIBEXECDIR "/segue-relay",
			   .replica.prefix = REPLICA_PREFIX};
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
