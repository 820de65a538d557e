/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "cli/owner.h"
#include "cli/verb.h"
#include "release/chain.h"

static int trust_sign(const VerbArguments *arguments, Error *err)
{
	_cleanup_depot_ Depot *depot = NULL;
	_cleanup_owner_keys_ OwnerKeys keys = {0};
	_cleanup_chain_ Chain chain = {0}, after = {0};
	int r;

	if ((r = owner_depot(arguments, false, &depot, err)) < 0 ||
	    (r = depot_lock(depot, err)) < 0 || (r = chain_read(depot, &chain, err)) < 0)
		return r;
	if (!chain.next)
		return error_set(err, -ENOENT, "No trust in %s waits for signatures", depot->path);
	r = owner_keys(arguments, depot, &keys, err);
	for (size_t i = 0; r == 0 && i < keys.n; i++)
		r = chain_sign(depot, &chain, keys.keys[i], err);
	if (r < 0 || (r = chain_read(depot, &after, err)) < 0)
		return r;
	(void)printf("Trust version %lld %s\n", (long long)chain.next->version,
		     after.next ? "is signed and waits for more signatures" : "counts now");
	return 0;
}

static int run(const VerbArguments *arguments)
{
	Error err = {0};

	if (!verb_option(arguments, "key"))
		return verb_usage("trust sign", "trust sign: --key is missing");
	return trust_sign(arguments, &err) < 0 ? verb_fail(&err) : STATUS_DONE;
}

const Verb verb_trust_sign = {
	.name = "trust sign",
	.arguments = "",
	.summary = "Sign the trust that waits for signatures",
	.options =
		(const VerbOption[]){
			OWNER_OPTION_KEY,
			OWNER_OPTION_PASSPHRASE,
			OWNER_OPTION_DIR,
			{0},
		},
	.run = run,
};
