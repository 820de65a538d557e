/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "cli/owner.h"
#include "cli/print.h"
#include "cli/verb.h"
#include "release/chain.h"

static void role_print(const Trust *trust, TrustRole role)
{
	(void)printf("  %s (%lld needed):\n", trust_role_name(role),
		     (long long)trust->thresholds[role]);
	for (size_t i = 0; i < trust->n_keys; i++)
		if (trust->keys[i].roles[role])
			(void)printf("    %-16s %s %s\n", trust->keys[i].name,
				     public_key_kind(trust->keys[i].key),
				     digest_text(public_key_id(trust->keys[i].key)).text);
}

static void trust_print(const Trust *trust, const char *state)
{
	(void)printf("Trust version %lld, epoch %lld, %s; expires %s\n", (long long)trust->version,
		     (long long)trust->epoch, state, owner_time(trust->expires_s).text);
	for (TrustRole role = 0; role < TRUST_ROLES; role++)
		role_print(trust, role);
}

/* Its document, as it is signed. */
static int trust_put(json_object *o, const char *key, const Trust *trust, Error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	int r = trust ? trust_compose(trust, &text, &size, err) : 0;

	if (r == 0)
		(void)json_object_object_add(o, key, trust ? json_tokener_parse(text) : NULL);
	return r;
}

static int chain_print_json(const Chain *chain, Error *err)
{
	_cleanup_json_ json_object *o = json_object_new_object();
	int r;

	if ((r = trust_put(o, "current", chain->current, err)) < 0 ||
	    (r = trust_put(o, "next", chain->next, err)) < 0)
		return r;
	print_json(o);
	return 0;
}

static int trust_show(const VerbArguments *arguments, Error *err)
{
	_cleanup_depot_ Depot *depot = NULL;
	_cleanup_chain_ Chain chain = {0};
	int r;

	if ((r = owner_depot(arguments, false, &depot, err)) < 0 ||
	    (r = chain_read(depot, &chain, err)) < 0)
		return r;
	if (verb_option(arguments, "json"))
		return chain_print_json(&chain, err);
	if (chain.current)
		trust_print(chain.current, "counts");
	if (chain.next)
		trust_print(chain.next, "waits for signatures");
	if (!chain.current && !chain.next)
		(void)printf("%s does not say who may sign; segue trust new says so\n",
			     depot->path);
	return 0;
}

static int run(const VerbArguments *arguments)
{
	Error err = {0};

	return trust_show(arguments, &err) < 0 ? verb_fail(&err) : STATUS_DONE;
}

const Verb verb_trust_show = {
	.name = "trust show",
	.arguments = "",
	.summary = "Show who may sign releases",
	.options = (const VerbOption[]){OWNER_OPTION_DIR, {"json", NULL, "print JSON"}, {0}},
	.run = run,
};
