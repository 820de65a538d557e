/* SPDX-License-Identifier: Apache-2.0 */
#include "link/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "link/paths.h"

/* What it is to know besides its arguments is nothing. */
static int relay_spawn(const char *const argv[], int input, int output, pid_t *ret)
{
	static char *environment[] = {NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawnattr_init(&attributes);
	if (r != 0) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return -r;
	}
	(void)sigemptyset(&none);
	if ((r = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)) == 0 &&
	    (r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)) == 0 &&
	    (r = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
	    (r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK)) == 0)
		r = posix_spawn(ret, argv[0], &actions, &attributes, (char *const *)argv,
				environment);
	(void)posix_spawnattr_destroy(&attributes);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

static int relay_run(LinkRelay *relay, const char *const argv[], Error *err)
{
	_cleanup_close_ int input = -1, output = -1, to = -1, from = -1;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "Starting %s", argv[0]);
	input = ends[0];
	to = ends[1];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, -errno, "Starting %s", argv[0]);
	from = ends[0];
	output = ends[1];
	r = relay_spawn(argv, input, output, &relay->pid);
	if (r < 0) {
		relay->pid = 0;
		return error_errno(err, r, "Starting %s", argv[0]);
	}
	relay->to = steal_fd(&to);
	relay->from = steal_fd(&from);
	relay->n_line = 0;
	return 0;
}

int link_relay_start(LinkRelay *relay, const LinkRelaySetup *setup, Error *err)
{
	_cleanup_free_ char *depot = text_format("%s/" LINK_DEPOT, setup->directory);
	_cleanup_free_ char *ca = text_format("%s/" LINK_AUTHORITY, setup->directory);
	_cleanup_free_ char *certificate = text_format("%s/" LINK_CERTIFICATE, setup->directory);
	_cleanup_free_ char *key = text_format("%s/" LINK_KEY, setup->directory);
	_cleanup_free_ char *revoked = text_format("%s/" LINK_REVOKED, setup->directory);
	_cleanup_free_ char *quota = text_format("%lld", (long long)setup->quota);
	_cleanup_free_ char *in = text_format("%lld", (long long)setup->rate_in);
	_cleanup_free_ char *out = text_format("%lld", (long long)setup->rate_out);
	const char *const argv[] = {
		setup->program, "--depot",   depot,        "--ca",    ca,
		"--cert",       certificate, "--key",      key,       "--listen",
		setup->address, "--revoked", revoked,      "--quota", quota,
		"--rate-in",    in,          "--rate-out", out,       NULL};

	if (relay->pid)
		return 0;
	if (!depot || !ca || !certificate || !key || !revoked || !quota || !in || !out)
		return error_errno(err, -ENOMEM, "Starting %s", setup->program);
	return relay_run(relay, argv, err);
}

static void relay_close(LinkRelay *relay)
{
	(void)close(relay->to);
	(void)close(relay->from);
	relay->pid = 0;
}

bool link_relay_runs(LinkRelay *relay)
{
	if (relay->pid && waitpid(relay->pid, NULL, WNOHANG) == relay->pid)
		relay_close(relay);
	return relay->pid;
}

void link_relay_stop(LinkRelay *relay)
{
	if (!relay->pid)
		return;
	(void)kill(relay->pid, SIGTERM);
	while (waitpid(relay->pid, NULL, 0) < 0 && errno == EINTR)
		;
	relay_close(relay);
}

int link_relay_tell(LinkRelay *relay, json_object *command, Error *err)
{
	_cleanup_free_ char *line = text_format(
		"%s\n", json_object_to_json_string_ext(command, JSON_C_TO_STRING_PLAIN));

	if (!line)
		return error_errno(err, -ENOMEM, "Telling segue-relay");
	return file_write_all(relay->to, line, strlen(line), err);
}

/* The line that is there whole is taken; false: there is none. */
static bool line_take(LinkRelay *relay, json_object **ret)
{
	char *end = memchr(relay->line, '\n', relay->n_line);

	if (!end)
		return false;
	*end = '\0';
	*ret = json_tokener_parse(relay->line);
	relay->n_line -= (size_t)(end + 1 - relay->line);
	memmove(relay->line, end + 1, relay->n_line);
	return true;
}

static int relay_read(LinkRelay *relay, Error *err)
{
	ssize_t n =
		read(relay->from, relay->line + relay->n_line, sizeof(relay->line) - relay->n_line);

	if (n < 0 && errno != EINTR)
		return error_errno(err, -errno, "Listening to segue-relay");
	if (n == 0)
		return error_set(err, -EPIPE,
				 "segue-relay has ended; journalctl -u segue-link tells why");
	relay->n_line += n > 0 ? (size_t)n : 0;
	return 0;
}

int link_relay_hear(LinkRelay *relay, int limit_ms, json_object **ret, Error *err)
{
	struct pollfd p = {.fd = relay->from, .events = POLLIN};
	json_object *told = NULL;

	while (!line_take(relay, &told)) {
		int r = relay->n_line < sizeof(relay->line)
				? 0
				: error_set(err, -EBADMSG, "segue-relay tells too much at a time");

		if (r == 0 && poll(&p, 1, limit_ms) <= 0)
			return 0;
		if (r == 0)
			r = relay_read(relay, err);
		if (r < 0)
			return r;
	}
	if (!told)
		return error_set(err, -EBADMSG, "What segue-relay tells is no JSON");
	*ret = told;
	return 1;
}
