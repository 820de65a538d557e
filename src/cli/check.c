/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/worker.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/report.h"
#include "cli/verb.h"

#define PROGRESS_PERIOD_NS 500000000L
#define CLEAR_LINE         "\r\033[K"

/* In a process of its own beside the one that waits for the answer, until that ends it. */
static int progress_show(void *userdata, Error *err)
{
	const struct timespec period = {.tv_nsec = PROGRESS_PERIOD_NS};
	int r = 0;

	(void)userdata;
	while (r == 0) {
		_cleanup_json_ json_object *progress = NULL;

		(void)nanosleep(&period, NULL);
		r = client_call("GET", "/v1/check", NULL, &progress, err);
		if (r == 0)
			(void)fprintf(stderr, CLEAR_LINE "%.100s",
				      json_opt_string(progress, "message", ""));
	}
	return r;
}

static int check(json_object *request, bool show, json_object **ret_result, Error *err)
{
	Worker progress = {0};
	int r;

	if (show)
		(void)worker_start(&progress, progress_show, NULL, NULL);
	r = client_call("POST", "/v1/check", request, ret_result, err);
	if (progress.pid > 0) {
		(void)worker_finish(&progress, 0, NULL);
		(void)fprintf(stderr, CLEAR_LINE);
	}
	return r;
}

static int run(const VerbArguments *arguments)
{
	bool deep = verb_option(arguments, "deep") != NULL;
	_cleanup_json_ json_object *request = json_object_new_object();
	_cleanup_json_ json_object *result = NULL;
	Error err = {0};

	if (verb_option(arguments, "kernel"))
		json_put_string(request, "kernel", verb_option(arguments, "kernel"));
	json_put_bool(request, "allow_one_way", verb_option(arguments, "allow-one-way") != NULL);
	json_put_bool(request, "no_trial", verb_option(arguments, "no-trial") != NULL);
	if (deep)
		json_put_bool(request, "deep", true);
	if (check(request, deep && isatty(STDERR_FILENO), &result, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json"))
		print_json(result);
	else
		report_check(result, false);
	return json_opt_bool(result, "ok", false) ? STATUS_DONE : STATUS_REFUSED;
}

const Verb verb_check = {
	.name = "check",
	.arguments = "",
	.summary = "Tell whether a swap would go through, and if not why",
	.options =
		(const VerbOption[]){
			{"kernel", "VERSION", "to that kernel (default: the newest installed)"},
			{"allow-one-way", NULL, "though the installed CRIU cannot leave it again"},
			{"no-trial", NULL, "leave out the trial capture of each unit"},
			{"deep", NULL, "rehearse: real captures, and the kernel in a guest"},
			{"json", NULL, "print JSON"},
			{0},
		},
	.run = run,
};
