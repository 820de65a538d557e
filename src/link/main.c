/* SPDX-License-Identifier: Apache-2.0 */
/* segue-link: see segue-link(8). */
#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/config.h"
#include "link/link.h"
#include "link/paths.h"
#include "swap/paths.h"

#define EXIT_REFUSED 77 /* RestartPreventExitStatus= of the unit */

static void on_signal(int number)
{
	(void)number;
	link_stop();
}

int main(int argc, char *argv[])
{
	_cleanup_config_ Config policy = {0};
	const LinkOptions options = {
		.config = LINK_CONFIG,
		.directory = LINK_DIRECTORY,
		.status = LINK_STATUS,
		.socket = SEGUE_SOCKET,
		.relay = SEGUE_LIBEXECDIR "/segue-relay",
		.trust = LINK_TRUST_TOP,
		.policy = &policy,
		.quiet_ms = 120000,
		.backoff = {.first_ms = 10000, .most_ms = 300000},
		.look_ms = 15000,
	};
	const struct sigaction action = {.sa_handler = on_signal};
	Error err = {0};
	int r;

	if (argc == 2 && !strcmp(argv[1], "--version")) {
		(void)printf("segue-link %s\n", SEGUE_VERSION);
		return 0;
	}
	if (argc > 1) {
		(void)fprintf(stderr, "usage: segue-link [--version]; see segue-link(8)\n");
		return 2;
	}
	/* segued tells of what is wrong with it wherever that matters; here the defaults do. */
	if (config_read(CONFIG_PATH, &policy, &err) < 0) {
		(void)fprintf(stderr, SD_WARNING "%s; nothing of it counts here\n", err.text);
		err = (Error){0};
	}
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
	r = link_run(&options, &err);
	curl_global_cleanup();
	if (r == -EKEYREJECTED)
		return EXIT_REFUSED;
	if (r < 0)
		(void)fprintf(stderr, SD_ERR "segue-link: %s\n", err.text);
	return r < 0;
}
