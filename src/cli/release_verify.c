/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/owner.h"
#include "cli/print.h"
#include "cli/stored.h"
#include "cli/verb.h"
#include "release/chain.h"
#include "release/judge.h"

static int verify(const VerbArguments *arguments, const char *name, Manifest **ret, Error *err)
{
	const Progress *progress = owner_progress(arguments);
	_cleanup_depot_ Depot *depot = NULL;
	_cleanup_trust_ Trust *trust = NULL;
	_cleanup_release_ Release *release = NULL;
	int r;

	if ((r = owner_depot(arguments, false, &depot, err)) < 0 ||
	    (r = chain_current(depot, &trust, err)) < 0 ||
	    (r = release_open(depot, name, &release, err)) < 0)
		return r;
	r = release_judge(&(JudgeCase){.bytes = release->bytes,
				       .size = release->size,
				       .signatures = &release->signatures,
				       .trust = trust,
				       .now_s = clock_realtime_us() / 1000000},
			  ret, err);
	if (r < 0)
		return error_prefix(err, "%s", name);
	for (size_t i = 0; r == 0 && i < (*ret)->n_files; i++)
		r = content_check(release->dir, *ret, &(*ret)->files[i], progress, err);
	owner_progress_end(progress);
	return r;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_manifest_ Manifest *m = NULL;
	Error err = {0};

	if (verify(arguments, arguments->positional[0], &m, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json")) {
		_cleanup_json_ json_object *o = stored_json(m, "valid");

		print_json(o);
	} else {
		(void)printf("Release %s is valid until %s\n", m->name,
			     owner_time(m->expires_s).text);
	}
	return STATUS_DONE;
}

const Verb verb_release_verify = {
	.name = "release verify",
	.arguments = "RELEASE",
	.summary = "Check the signatures, the expiry and every byte of a release",
	.options =
		(const VerbOption[]){
			OWNER_OPTION_DIR,
			{"quiet", NULL, "show no progress"},
			{"json", NULL, "print JSON"},
			{0},
		},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
