/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/make.h"
#include "cli/owner.h"
#include "cli/print.h"
#include "cli/stored.h"
#include "cli/verb.h"

static void tell(const VerbArguments *arguments, const Made *made)
{
	bool dry_run = verb_option(arguments, "dry-run"), whole = made->signatures >= made->needed;
	const Manifest *m = made->manifest;

	if (verb_option(arguments, "json")) {
		_cleanup_json_ json_object *o = stored_json(m, dry_run ? "not made"
							       : whole ? "valid"
								       : "lacks signatures");

		print_json(o);
		return;
	}
	(void)printf("%s release %s, version %lld of channel %s: kernel %s, %s, expires %s\n",
		     dry_run ? "Would make" : "Made", m->name, (long long)m->version, m->channel,
		     m->kernel, print_bytes(manifest_size(m)).text, owner_time(m->expires_s).text);
	if (!dry_run && !whole)
		(void)printf("It has %lld of the %lld signatures that it needs: segue release sign "
			     "%s\n",
			     (long long)made->signatures, (long long)made->needed, m->name);
}

static int create(const VerbArguments *arguments, Error *err)
{
	Made made = {0};
	int r = make_release(arguments, &made, err);

	if (r == 0)
		tell(arguments, &made);
	manifest_free(made.manifest);
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
			{"cmdline", "TEXT",
			 "parameters that a swap adds to each node's command line"},
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
