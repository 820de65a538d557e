/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/dpkg.h"
#include "cli/follow.h"
#include "cli/install.h"
#include "cli/print.h"
#include "cli/report.h"
#include "cli/verb.h"

static int plan(const VerbArguments *arguments, json_object *request)
{
	_cleanup_json_ json_object *result = NULL;
	Error err = {0};

	if (client_call("POST", "/v1/check", request, &result, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json"))
		print_json(result);
	else
		report_check(result, true);
	return json_opt_bool(result, "ok", false) ? STATUS_DONE : STATUS_REFUSED;
}

static int follow(const VerbArguments *arguments, const char *id, const char *previous)
{
	bool quiet = verb_option(arguments, "quiet") || verb_option(arguments, "json");
	_cleanup_json_ json_object *status = NULL;
	Error err = {0};

	if (follow_swap(id, previous, quiet, &status, &err) < 0)
		return verb_fail(&err);
	return report_end(arguments, status);
}

/* The kernel of the release becomes the one that is asked for. */
static int release_take(const VerbArguments *arguments, json_object *request, Error *err)
{
	const char *release = verb_option(arguments, "release");
	_cleanup_json_ json_object *installed = NULL;
	int r;

	if (!release)
		return 0;
	if (!verb_option(arguments, "quiet") && !verb_option(arguments, "json"))
		(void)printf("Installing the kernel of release %s\n", release);
	(void)fflush(stdout);
	r = install_release(release, &installed, err);
	if (r == 0)
		json_put_string(request, "kernel", json_opt_string(installed, "kernel", ""));
	return r;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *request = json_object_new_object();
	_cleanup_json_ json_object *before = NULL, *answer = NULL;
	const char *id;
	Error err = {0};
	int r;

	if (verb_option(arguments, "release") &&
	    (verb_option(arguments, "kernel") || verb_option(arguments, "dry-run")))
		return verb_usage("swap", "swap: --release excludes --kernel and --dry-run; segue "
					  "install RELEASE comes before a dry run");
	if (verb_option(arguments, "kernel"))
		json_put_string(request, "kernel", verb_option(arguments, "kernel"));
	json_put_bool(request, "allow_one_way", verb_option(arguments, "allow-one-way") != NULL);
	json_put_bool(request, "no_trial", verb_option(arguments, "no-trial") != NULL);
	if (verb_option(arguments, "dry-run"))
		return plan(arguments, request);
	if ((verb_option(arguments, "after-dpkg") && dpkg_wait(&err) < 0) ||
	    release_take(arguments, request, &err) < 0 ||
	    client_call("GET", "/v1/swap", NULL, &before, &err) < 0)
		return verb_fail(&err);
	r = client_call("POST", "/v1/swap", request, &answer, &err);
	/* The answer may be lost while the swap goes on: if segued is started anew, or if the jump
	 * comes before it is read. */
	if (r < 0 && r != -ECONNRESET)
		return verb_fail(&err);
	id = json_opt_string(answer, "id", NULL);
	if (!verb_option(arguments, "detach"))
		return follow(arguments, id, json_opt_string(before, "id", ""));
	if (r < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json"))
		print_json(answer);
	else if (!verb_option(arguments, "quiet"))
		(void)printf("Swap %s has begun; segue status shows how far it is\n", id);
	return STATUS_DONE;
}

const Verb verb_swap = {
	.name = "swap",
	.arguments = "",
	.summary = "Move this machine onto a new kernel",
	.options =
		(const VerbOption[]){
			{"kernel", "VERSION", "that kernel (default: the newest installed)"},
			{"release", "RELEASE", "that of a release, which is installed first"},
			{"dry-run", NULL, "check, show the plan, and do nothing"},
			{"allow-one-way", NULL, "go where the installed CRIU cannot leave again"},
			{"no-trial", NULL, "leave out the trial capture of each unit"},
			{"after-dpkg", NULL, "wait first until no package is being installed"},
			{"detach", NULL, "do not wait for the end"},
			{"quiet", NULL, "print errors only"},
			{"json", NULL, "print JSON: how it ended"},
			{0},
		},
	.run = run,
};
