/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/owner.h"
#include "cli/print.h"
#include "cli/stored.h"
#include "cli/verb.h"
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

static void tell(const VerbArguments *arguments, const ReleasePlan *plan, const Manifest *m)
{
	int64_t needed = plan->trust ? plan->trust->thresholds[TRUST_SIGNERS] : 1;
	int64_t given = (int64_t)plan->n_keys;

	if (verb_option(arguments, "json")) {
		_cleanup_json_ json_object *o = stored_json(m, plan->dry_run    ? "not made"
							       : given < needed ? "lacks signatures"
										: "valid");

		print_json(o);
		return;
	}
	(void)printf("%s release %s, version %lld of channel %s: kernel %s, %s, expires %s\n",
		     plan->dry_run ? "Would make" : "Made", m->name, (long long)m->version,
		     m->channel, m->kernel, print_bytes(manifest_size(m)).text,
		     owner_time(m->expires_s).text);
	if (!plan->dry_run && given < needed)
		(void)printf("It has %lld of the %lld signatures that it needs: segue release sign "
			     "%s\n",
			     (long long)given, (long long)needed, m->name);
}

static int create(const VerbArguments *arguments, Error *err)
{
	_cleanup_depot_ Depot *depot = NULL;
	_cleanup_trust_ Trust *trust = NULL;
	_cleanup_owner_keys_ OwnerKeys keys = {0};
	_cleanup_manifest_ Manifest *manifest = NULL;
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
	r = release_create(depot, &plan, &manifest, err);
	owner_progress_end(plan.progress);
	if (r == 0)
		tell(arguments, &plan, manifest);
	return r;
}

static int run(const VerbArguments *arguments)
{
	bool files = verb_option(arguments, "modules") != NULL;
	Error err = {0};

	if (files == (arguments->n_positional > 0))
		return verb_usage(arguments->verb->name,
				  "release create: give packages, or --modules, and not both");
	if (!files && (verb_option(arguments, "kernel") || verb_option(arguments, "config")))
		return verb_usage(arguments->verb->name,
				  "release create: --kernel and --config go with --modules");
	if (!verb_option(arguments, "key") && !verb_option(arguments, "dry-run"))
		return verb_usage(arguments->verb->name, "release create: --key is missing");
	return create(arguments, &err) < 0 ? verb_fail(&err) : STATUS_DONE;
}

const Verb verb_release_create = {
	.name = "release create",
	.arguments = "[PACKAGE...]",
	.summary = "Make and sign a release from kernel packages or files",
	.options =
		(const VerbOption[]){
			{"modules", "DIRECTORY", "instead of packages: /usr/lib/modules/VERSION"},
			{"kernel", "FILE", "its image (default: there, or in /boot)"},
			{"config", "FILE", "its configuration (default: there, or in /boot)"},
			{"root-image", "FILE", "an image of a root filesystem, to go with it"},
			{"cmdline", "TEXT", "the kernel's command line (default: each node's own)"},
			{"name", "NAME", "name of the release (default: from kernel and version)"},
			{"channel", "NAME", "what nodes follow (default: main)"},
			{"version", "N", "higher than all before (default: the next)"},
			{"expires", "TIME", "days, or a date like 2027-01-31 (default: 90)"},
			{"chunk-size", "BYTES", "16384 to 4194304 (default: 131072)"},
			OWNER_OPTION_KEY,
			OWNER_OPTION_PASSPHRASE,
			OWNER_OPTION_DIR,
			{"dry-run", NULL, "look at everything, and leave nothing there"},
			{"quiet", NULL, "show no progress"},
			{"json", NULL, "print JSON"},
			{0},
		},
	.arguments_max = -1,
	.run = run,
};
