/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "relay/revoked.h"

#define DIRECTORY "relay" /* of the hub's: what the relay is to have */
#define AGAIN_US  1000000
#define SOON_US   ((int64_t)10 * 1000000) /* one that ends so soon is tried as rarely */

enum { ARGUMENTS_MAX = 20 };

struct HubRelay {
	HubRelaySetup setup;
	sd_event *event;
	sd_event_source *child, *again;
	char address[64], port[8];
	char *depot, *ca, *certificate, *key, *revoked; /* paths */
	pid_t pid;                                      /* 0: it does not run */
	int64_t since_us;
};

void hub_relay_stop(HubRelay *relay)
{
	if (!relay)
		return;
	(void)sd_event_source_disable_unref(relay->child);
	(void)sd_event_source_disable_unref(relay->again);
	if (relay->pid > 0 && kill(relay->pid, SIGTERM) == 0)
		(void)waitpid(relay->pid, NULL, 0);
	(void)sd_event_unref(relay->event);
	free(relay->depot);
	free(relay->ca);
	free(relay->certificate);
	free(relay->key);
	free(relay->revoked);
	free(relay);
}

/* Takes "[::1]:80" apart. */
static int where_take(HubRelay *relay, const char *where, Error *err)
{
	const char *colon = strrchr(where, ':'), *host = where;
	size_t n = colon ? (size_t)(colon - where) : 0;
	const char *port = colon ? colon + 1 : where;

	if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	if (n >= sizeof(relay->address) || !*port || strlen(port) >= sizeof(relay->port) ||
	    port[strspn(port, "0123456789")])
		return error_set(err, -EINVAL,
				 "\"%.64s\" is no place for the relay to listen: it must be PORT "
				 "or ADDRESS:PORT",
				 where);
	(void)snprintf(relay->address, sizeof(relay->address), "%.*s", (int)n, host);
	if (n == 0)
		(void)snprintf(relay->address, sizeof(relay->address), "0.0.0.0");
	(void)snprintf(relay->port, sizeof(relay->port), "%s", port);
	return 0;
}

static int files_write(const HubRelay *relay, const Identity *identity, Error *err)
{
	const struct {
		const char *path, *text;
	} files[] = {
		{relay->ca, authority_pem(identity->authority)},
		{relay->certificate, identity->certificate},
		{relay->key, identity->key},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(files) / sizeof(*files); i++)
		r = file_write_atomic(AT_FDCWD, files[i].path, files[i].text, strlen(files[i].text),
				      0600, err);
	return r;
}

/* ---- the process ---- */

static _Noreturn void relay_become(const HubRelay *relay, pid_t hub)
{
	const char *argv[ARGUMENTS_MAX] = {relay->setup.program,
					   "--stay",
					   "--depot",
					   relay->depot,
					   "--ca",
					   relay->ca,
					   "--cert",
					   relay->certificate,
					   "--key",
					   relay->key,
					   "--revoked",
					   relay->revoked,
					   "--listen",
					   relay->address,
					   "--port",
					   relay->port};
	static char *environment[] = {NULL};
	size_t n = 16;
	sigset_t none;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (relay->setup.rate) {
		argv[n++] = "--rate-out";
		argv[n] = relay->setup.rate;
	}
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() == hub && dup2(null, STDIN_FILENO) == STDIN_FILENO &&
	    dup2(null, STDOUT_FILENO) == STDOUT_FILENO)
		(void)execve(argv[0], (char *const *)argv, environment);
	_exit(127);
}

static int on_end(sd_event_source *source, const siginfo_t *info, void *data);

static int relay_run(HubRelay *relay, Error *err)
{
	pid_t hub = getpid();
	int r;

	relay->since_us = clock_monotonic_us();
	relay->pid = fork();
	if (relay->pid == 0)
		relay_become(relay, hub);
	if (relay->pid < 0) {
		relay->pid = 0;
		return error_errno(err, -errno, "Starting %s", relay->setup.program);
	}
	r = sd_event_add_child(relay->event, &relay->child, relay->pid, WEXITED, on_end, relay);
	return r < 0 ? error_errno(err, r, "Watching %s", relay->setup.program) : 0;
}

static int on_again(sd_event_source *source, uint64_t usec, void *data)
{
	HubRelay *relay = data;
	Error err = {0};

	relay->again = sd_event_source_unref(source);
	if (relay_run(relay, &err) < 0)
		(void)fprintf(stderr, SD_ERR "%s\n", err.text);
	return 0;
}

static int again_later(HubRelay *relay)
{
	bool soon = clock_monotonic_us() - relay->since_us < SOON_US;

	return sd_event_add_time_relative(relay->event, &relay->again, CLOCK_MONOTONIC,
					  soon ? SOON_US : AGAIN_US, 0, on_again, relay);
}

static int on_end(sd_event_source *source, const siginfo_t *info, void *data)
{
	HubRelay *relay = data;

	relay->child = sd_event_source_unref(source);
	relay->pid = 0;
	(void)fprintf(stderr, SD_WARNING "%s has ended (%s %d) and is started again\n",
		      relay->setup.program, info->si_code == CLD_EXITED ? "status" : "signal",
		      info->si_status);
	return again_later(relay);
}

/* ---- */

static int relay_prepare(HubRelay *relay, const Identity *identity, Error *err)
{
	_cleanup_free_ char *top = text_format("%s/" DIRECTORY, relay->setup.directory);
	int r = top ? directory_make(AT_FDCWD, top, 0700, err) : -ENOMEM;

	if (r < 0)
		return top ? r : error_errno(err, r, "Starting the relay");
	relay->depot = text_format("%s/depot", relay->setup.directory);
	relay->ca = text_format("%s/" HUB_RELAY_CA, relay->setup.directory);
	relay->certificate = text_format("%s/" HUB_RELAY_CERTIFICATE, relay->setup.directory);
	relay->key = text_format("%s/" HUB_RELAY_KEY, relay->setup.directory);
	relay->revoked = text_format("%s/revoked", top);
	if (!relay->depot || !relay->ca || !relay->certificate || !relay->key || !relay->revoked)
		return error_errno(err, -ENOMEM, "Starting the relay");
	return files_write(relay, identity, err);
}

int hub_relay_start(sd_event *event, const HubRelaySetup *setup, const Identity *identity,
		    HubRelay **ret, Error *err)
{
	HubRelay *relay = calloc(1, sizeof(*relay));
	int r;

	if (!relay)
		return error_errno(err, -ENOMEM, "Starting the relay");
	relay->setup = *setup;
	relay->event = sd_event_ref(event);
	if ((r = where_take(relay, setup->where, err)) < 0 ||
	    (r = relay_prepare(relay, identity, err)) < 0 || (r = relay_run(relay, err)) < 0) {
		hub_relay_stop(relay);
		return r;
	}
	*ret = relay;
	return 0;
}

int hub_relay_renew(HubRelay *relay, const Identity *identity, Error *err)
{
	int r = files_write(relay, identity, err);

	/* It is started again when it has ended. */
	if (r == 0 && relay->pid > 0)
		(void)kill(relay->pid, SIGTERM);
	return r;
}

int hub_relay_revoke(HubRelay *relay, json_object *serials, Error *err)
{
	return revoked_write(relay->revoked, serials, err);
}

int hub_relay_port(const HubRelay *relay)
{
	return (int)strtol(relay->port, NULL, 10);
}
