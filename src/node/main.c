/* SPDX-License-Identifier: Apache-2.0 */
/* segued: see segued(8). */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/config.h"
#include "base/file.h"
#include "base/json.h"
#include "node/api.h"
#include "node/http.h"
#include "swap/faults.h"
#include "swap/paths.h"

#define _cleanup_event_ _cleanup_(sd_event_unrefp)

/*
 * Kernel threads and the programs of early boot have the lowest PIDs.  A kept program needs its own
 * again under the next kernel, so what is started from now on is given PIDs above them.
 */
#define LAST_PID_MIN 1000

static void pids_raise(void)
{
	static const char path[] = "/proc/sys/kernel/ns_last_pid";
	_cleanup_free_ char *text = NULL;
	Error err = {0};

	if (file_read_line(AT_FDCWD, path, &text, &err) < 0 ||
	    (strtol(text, NULL, 10) < LAST_PID_MIN &&
	     file_write_value(AT_FDCWD, path, "1000", &err) < 0))
		(void)fprintf(stderr, SD_WARNING "%s\n", err.text);
}

/* A mistake in the file must not keep segued from taking over what a swap has carried: it starts
 * with the defaults, says so, and refuses to swap. */
static int config_load(Config *ret, Error *ret_error, Error *err)
{
	if (config_read(CONFIG_PATH, ret, ret_error) >= 0)
		return 0;
	(void)fprintf(stderr, SD_ERR "%s\n", ret_error->text);
	return config_parse("", 0, "", ret, err);
}

static int signals_attach(sd_event *event, Error *err)
{
	sigset_t mask;
	int r;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGCHLD);
	(void)sigaddset(&mask, SIGTERM);
	(void)sigaddset(&mask, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
	if ((r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL)) < 0 ||
	    (r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL)) < 0 ||
	    (r = sd_event_set_watchdog(event, 1)) < 0)
		return error_errno(err, r, "Starting the event loop");
	return 0;
}

static int listen_open(const Permits *permits, int *ret_fd, Error *err)
{
	if (sd_listen_fds(1) > 0) {
		*ret_fd = SD_LISTEN_FDS_START;
		return 0;
	}
	return http_listen(SEGUE_SOCKET, permits, ret_fd, err);
}

static int run(Error *err)
{
	_cleanup_config_ Config config = {0};
	_cleanup_permits_ Permits permits = {0};
	_cleanup_event_ sd_event *event = NULL;
	Error config_error = {0};
	Api *api = NULL;
	int listen_fd, r;

	r = sd_event_default(&event);
	if (r < 0)
		return error_errno(err, r, "Starting the event loop");
	if ((r = config_load(&config, &config_error, err)) < 0 ||
	    (r = signals_attach(event, err)) < 0 ||
	    (r = directory_make(AT_FDCWD, SEGUE_RUN_DIR, 0755, err)) < 0 ||
	    (r = directory_make(AT_FDCWD, SEGUE_SWAP_DIR, 0700, err)) < 0 ||
	    (r = api_finish_swap(event, err)) < 0 ||
	    (r = config_error.code ? 0 : api_rest_store(event, &config, err)) < 0 ||
	    (r = permits_load(&config, &permits, err)) < 0 ||
	    (r = listen_open(&permits, &listen_fd, err)) < 0 ||
	    (r = api_open(event, listen_fd, &config, &permits,
			  config_error.code ? config_error.text : NULL, &api, err)) < 0)
		return r;
	pids_raise();
	(void)sd_notify(0, "READY=1\nSTATUS=Ready");
	r = sd_event_loop(event);
	(void)sd_notify(0, "STOPPING=1");
	api_close(api);
	return r < 0 ? error_errno(err, r, "Running the event loop") : 0;
}

int main(int argc, char *argv[])
{
	Error err = {0};

	if (argc == 2 && !strcmp(argv[1], "--version")) {
		(void)printf("segued %s\n", SEGUE_VERSION);
		return 0;
	}
	/* For the tests that visit them; of no use to anybody else, so it is in no manual. */
	if (argc == 2 && !strcmp(argv[1], "--fault-points")) {
		_cleanup_json_ json_object *points = faults_describe();

		(void)printf("%s\n", json_object_to_json_string(points));
		return 0;
	}
	if (argc > 1) {
		(void)fprintf(stderr, "usage: segued [--version]; see segued(8)\n");
		return 2;
	}
	if (run(&err) < 0) {
		(void)fprintf(stderr, SD_ERR "segued: %s\n", err.text);
		return 1;
	}
	return 0;
}
