/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/owner.h"
#include "cli/print.h"
#include "cli/stored.h"
#include "cli/verb.h"

static const char *key_name(const Trust *trust, const Digest *id)
{
	for (size_t i = 0; trust && i < trust->n_keys; i++)
		if (digest_equal(public_key_id(trust->keys[i].key), id))
			return trust->keys[i].name;
	return "(not trusted)";
}

static void print_release(const Release *release, const Trust *trust, const char *state)
{
	const Manifest *m = release->manifest;

	(void)printf("Release  %s, version %lld of channel %s, epoch %lld\n", m->name,
		     (long long)m->version, m->channel, (long long)m->epoch);
	(void)printf("State    %s\n", state);
	(void)printf("Kernel   %s\n", m->kernel);
	if (m->cmdline)
		(void)printf("Cmdline  %s\n", m->cmdline);
	(void)printf("Made     %s\n", owner_time(m->created_s).text);
	(void)printf("Expires  %s\n", owner_time(m->expires_s).text);
	for (size_t i = 0; i < m->n_files; i++)
		(void)printf("File     %-16s %10s  %s\n", m->files[i].name,
			     print_bytes(m->files[i].size).text,
			     digest_text(&m->files[i].digest).text);
	for (size_t i = 0; i < release->signatures.n; i++)
		(void)printf("Signed   %-16s %s\n",
			     key_name(trust, &release->signatures.items[i].key),
			     digest_text(&release->signatures.items[i].key).text);
}

static void print_release_json(const Release *release, const Trust *trust, const char *state)
{
	_cleanup_json_ json_object *o = stored_json(release->manifest, state);
	json_object *signatures = json_object_new_array();

	(void)json_object_object_add(o, "signatures", signatures);
	for (size_t i = 0; i < release->signatures.n; i++) {
		const Digest *id = &release->signatures.items[i].key;
		json_object *signature = json_object_new_object();

		json_put_string(signature, "key", digest_text(id).text);
		json_put_string(signature, "name", key_name(trust, id));
		(void)json_object_array_add(signatures, signature);
	}
	print_json(o);
}

static int run(const VerbArguments *arguments)
{
	_cleanup_depot_ Depot *depot = NULL;
	_cleanup_trust_ Trust *trust = NULL;
	_cleanup_release_ Release *release = NULL;
	StoredState state;
	Error err = {0};

	if (owner_depot(arguments, false, &depot, &err) < 0 ||
	    stored_trust(depot, &trust, &err) < 0 ||
	    release_open(depot, arguments->positional[0], &release, &err) < 0)
		return verb_fail(&err);
	state = stored_state(release, trust, clock_realtime_us() / 1000000);
	if (verb_option(arguments, "json"))
		print_release_json(release, trust, state.text);
	else
		print_release(release, trust, state.text);
	return STATUS_DONE;
}

const Verb verb_release_show = {
	.name = "release show",
	.arguments = "RELEASE",
	.summary = "Show what a release is and who has signed it",
	.options = (const VerbOption[]){OWNER_OPTION_DIR, {"json", NULL, "print JSON"}, {0}},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
