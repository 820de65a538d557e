/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"
#include "cli/owner.h"
#include "cli/stored.h"
#include "cli/verb.h"
#include "release/chain.h"
#include "release/create.h"

static int sign(const VerbArguments *arguments, Error *err)
{
	const char *name = arguments->positional[0];
	_cleanup_depot_ Depot *depot = NULL;
	_cleanup_owner_keys_ OwnerKeys keys = {0};
	_cleanup_trust_ Trust *trust = NULL;
	_cleanup_release_ Release *release = NULL, *after = NULL;
	int r;

	if ((r = owner_depot(arguments, false, &depot, err)) < 0 ||
	    (r = depot_lock(depot, err)) < 0 || (r = chain_current(depot, &trust, err)) < 0 ||
	    (r = release_open(depot, name, &release, err)) < 0 ||
	    (r = owner_keys(arguments, depot, &keys, err)) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < keys.n; i++)
		r = release_sign(release, trust, keys.keys[i], err);
	if (r < 0 || (r = release_open(depot, name, &after, err)) < 0)
		return r;
	(void)printf("Release %s is signed: %s\n", name,
		     stored_state(after, trust, clock_realtime_us() / 1000000).text);
	return 0;
}

static int run(const VerbArguments *arguments)
{
	Error err = {0};

	if (!verb_option(arguments, "key"))
		return verb_usage(arguments->verb->name, "release sign: --key is missing");
	return sign(arguments, &err) < 0 ? verb_fail(&err) : STATUS_DONE;
}

const Verb verb_release_sign = {
	.name = "release sign",
	.arguments = "RELEASE",
	.summary = "Add a signature to a release",
	.options =
		(const VerbOption[]){
			OWNER_OPTION_KEY,
			OWNER_OPTION_PASSPHRASE,
			OWNER_OPTION_DIR,
			{0},
		},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
