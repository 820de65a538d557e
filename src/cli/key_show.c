/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/owner.h"
#include "cli/print.h"
#include "cli/verb.h"

static int run(const VerbArguments *arguments)
{
	_cleanup_depot_ Depot *depot = NULL;
	_cleanup_public_key_ PublicKey *key = NULL;
	Error err = {0};

	if (owner_depot(arguments, false, &depot, &err) < 0 ||
	    owner_public_key(arguments, depot, arguments->positional[0], &key, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json")) {
		_cleanup_json_ json_object *o = json_object_new_object();

		json_put_string(o, "id", digest_text(public_key_id(key)).text);
		json_put_string(o, "kind", public_key_kind(key));
		json_put_string(o, "public", public_key_pem(key));
		print_json(o);
	} else {
		(void)printf("%s %s\n%s", public_key_kind(key),
			     digest_text(public_key_id(key)).text, public_key_pem(key));
	}
	return STATUS_DONE;
}

const Verb verb_key_show = {
	.name = "key show",
	.arguments = "KEY",
	.summary = "Show the public half of a key",
	.options =
		(const VerbOption[]){
			OWNER_OPTION_PASSPHRASE,
			OWNER_OPTION_DIR,
			{"json", NULL, "print JSON"},
			{0},
		},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
