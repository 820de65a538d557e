/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/make.h"

#include <errno.h>

#include "base/clock.h"
#include "cli/owner.h"
#include "cli/stored.h"
#include "release/chain.h"
#include "release/create.h"

#define EXPIRY_DAYS 90

static int plan_fill(const VerbArguments *arguments, ReleasePlan *plan, Error *err)
{
	const char *channel = verb_option(arguments, "channel");
	int r;

	plan->kernel = (KernelSource){
		.packages = (const char *const *)arguments->positional,
		.n_packages = (size_t)arguments->n_positional,
		.modules = verb_option(arguments, "modules"),
		.kernel = verb_option(arguments, "kernel"),
		.config = verb_option(arguments, "config"),
	};
	plan->root = verb_option(arguments, "root-image");
	plan->cmdline = verb_option(arguments, "cmdline");
	plan->name = verb_option(arguments, "name");
	plan->channel = channel ? channel : CREATE_CHANNEL;
	plan->dry_run = verb_option(arguments, "dry-run") != NULL;
	plan->now_s = clock_realtime_us() / 1000000;
	plan->progress = owner_progress(arguments);
	if (!name_is_valid(plan->channel))
		return error_set(err, -EINVAL,
				 "--channel %s: use letters, digits and ._+~:- in its name",
				 plan->channel);
	if ((r = owner_number(arguments, "chunk-size", MANIFEST_CHUNK_MIN, MANIFEST_CHUNK_MAX,
			      CREATE_CHUNK_SIZE, &plan->chunk_size, err)) < 0 ||
	    (r = owner_number(arguments, "version", 1, DOCUMENT_NUMBER_MAX, 0, &plan->version,
			      err)) < 0)
		return r;
	return owner_expiry(arguments, plan->now_s, EXPIRY_DAYS, &plan->expires_s, err);
}

int make_release(const VerbArguments *arguments, Made *ret, Error *err)
{
	_cleanup_depot_ Depot *depot = NULL;
	_cleanup_trust_ Trust *trust = NULL;
	_cleanup_owner_keys_ OwnerKeys keys = {0};
	ReleasePlan plan = {0};
	int r;

	if ((r = plan_fill(arguments, &plan, err)) < 0 ||
	    (r = owner_depot(arguments, plan.dry_run, &depot, err)) < 0 ||
	    (r = depot_lock(depot, err)) < 0)
		return r;
	r = plan.dry_run ? stored_trust(depot, &trust, err) : chain_current(depot, &trust, err);
	if (r < 0 || (!plan.dry_run && (r = owner_keys(arguments, depot, &keys, err)) < 0))
		return r;
	plan.trust = trust;
	plan.keys = keys.keys;
	plan.n_keys = keys.n;
	ret->signatures = (int64_t)keys.n;
	ret->needed = trust ? trust->thresholds[TRUST_SIGNERS] : 1;
	r = release_create(depot, &plan, &ret->manifest, err);
	owner_progress_end(plan.progress);
	return r;
}
