/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/install: the kernel of a release that has come to this machine. */
#include <stdio.h>
#include <sys/utsname.h>
#include <systemd/sd-daemon.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "http/body.h"
#include "link/paths.h"
#include "node/answer.h"
#include "node/request.h"
#include "release/install.h"
#include "swap/paths.h"
#include "swap/swap.h"

#define KERNELS_MAX                                                                                \
	3 /* that came so: further ones are in the depot still, or can be sent again               \
	   */

static const InstallPlace here = {
	.homes = {LINK_DIRECTORY, SEGUE_STATE_DIR},
	.trust = LINK_TRUST_TOP,
	.state = SEGUE_STATE_DIR,
	.root = "",
};

/* Never what runs, what ran before, or what has just come.  The rest is worth a warning only. */
static void tidy(const Installed *installed)
{
	_cleanup_json_ json_object *log = NULL;
	struct utsname running = {0};
	const char *keep[4] = {installed->kernel, running.release};
	size_t n_keep = 2;
	Error err = {0};

	(void)uname(&running);
	if (swap_log(&log, &err) == 0 && json_length(log) > 0) {
		json_object *last = json_object_array_get_idx(log, json_length(log) - 1);

		keep[n_keep++] = json_opt_string(last, "from", "");
		keep[n_keep++] = json_opt_string(last, "to", "");
	}
	if (err.code < 0 || release_tidy(&here, KERNELS_MAX, keep, n_keep, &err) < 0)
		(void)fprintf(stderr, SD_WARNING "Removing older kernels: %s\n", err.text);
}

int answer_install(const Question *question, json_object **ret_body, Error *err)
{
	_cleanup_json_ json_object *body = NULL, *answer = json_object_new_object();
	const char *release;
	Installed installed;
	int r;

	if ((r = body_parse(question->body, question->body_size, &body, err)) < 0 ||
	    (r = request_parse_install(body, &release, err)) < 0 ||
	    (r = release_install(&here, release, &installed, err)) < 0)
		return r;
	if (!installed.was_there) {
		(void)fprintf(stderr, SD_NOTICE "Kernel %s of release %s is installed\n",
			      installed.kernel, release);
		tidy(&installed);
	}
	json_put_string(answer, "release", release);
	json_put_string(answer, "kernel", installed.kernel);
	json_put_bool(answer, "was_there", installed.was_there);
	*ret_body = steal_ptr(&answer);
	return 0;
}
