/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/owner.h"
#include "cli/verb.h"
#include "release/chain.h"

#define EXPIRY_DAYS 365

/* The option that names the keys of a role, and that for its threshold. */
static const char *const role_options[TRUST_ROLES][2] = {
	[TRUST_OWNERS] = {"owner", "owner-threshold"},
	[TRUST_SIGNERS] = {"signer", "threshold"},
};

static bool given(const VerbArguments *arguments, TrustRole role)
{
	return verb_option(arguments, role_options[role][0]) != NULL;
}

/* What a key is called in the document: its file, without directory and ".pub". */
static void key_name(const char *path, char ret[DOCUMENT_NAME_MAX + 1], size_t index)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t n = strlen(base);

	if (n > 4 && strcmp(base + n - 4, ".pub") == 0)
		n -= 4;
	(void)snprintf(ret, DOCUMENT_NAME_MAX + 1, "%.*s", (int)n, base);
	if (!name_is_valid(ret))
		(void)snprintf(ret, DOCUMENT_NAME_MAX + 1, "key%zu", index + 1);
}

/* Adds a key to a role; takes the key over. */
static int key_add(Trust *trust, TrustRole role, const char *name, PublicKey *key, Error *err)
{
	TrustKey *k;

	for (size_t i = 0; i < trust->n_keys; i++) {
		k = &trust->keys[i];
		if (!digest_equal(public_key_id(k->key), public_key_id(key)))
			continue;
		public_key_free(key);
		k->roles[role] = true;
		return 0;
	}
	if (trust->n_keys == TRUST_KEYS_MAX) {
		public_key_free(key);
		return error_set(err, -EINVAL, "There are more than %d keys", TRUST_KEYS_MAX);
	}
	k = &trust->keys[trust->n_keys];
	key_name(name, k->name, trust->n_keys++);
	k->key = key;
	k->roles[role] = true;
	return 0;
}

static int role_from_options(const VerbArguments *arguments, const Depot *depot, TrustRole role,
			     const char *option, Trust *trust, Error *err)
{
	for (size_t i = 0; i < arguments->n_given; i++) {
		const char *name = arguments->given[i].value;
		PublicKey *key;
		int r;

		if (strcmp(arguments->given[i].option->name, option) != 0)
			continue;
		if ((r = owner_public_key(arguments, depot, name, &key, err)) < 0 ||
		    (r = key_add(trust, role, name, key, err)) < 0)
			return r;
	}
	return 0;
}

static int role_from_before(const Trust *before, TrustRole role, Trust *trust, Error *err)
{
	for (size_t i = 0; i < before->n_keys; i++) {
		const char *pem = public_key_pem(before->keys[i].key);
		PublicKey *key;
		int r;

		if (!before->keys[i].roles[role])
			continue;
		if ((r = public_key_parse(pem, strlen(pem), &key, err)) < 0 ||
		    (r = key_add(trust, role, before->keys[i].name, key, err)) < 0)
			return r;
	}
	return 0;
}

/* Whether owners and signers are the same keys: then they stay so unless told otherwise, or a key
 * that is to be got rid of would go on as an owner's. */
static bool roles_are_one(const Trust *trust)
{
	for (size_t i = 0; i < trust->n_keys; i++)
		if (trust->keys[i].roles[TRUST_OWNERS] != trust->keys[i].roles[TRUST_SIGNERS])
			return false;
	return true;
}

static int role_fill(const VerbArguments *arguments, const Depot *depot, const Trust *before,
		     TrustRole role, Trust *trust, Error *err)
{
	bool follows = role == TRUST_OWNERS && given(arguments, TRUST_SIGNERS) &&
		       (!before || roles_are_one(before));
	int64_t threshold = before ? before->thresholds[role] : 1;
	int r = 0;

	if (given(arguments, role))
		r = role_from_options(arguments, depot, role, role_options[role][0], trust, err);
	else if (follows)
		r = role_from_options(arguments, depot, role, role_options[TRUST_SIGNERS][0], trust,
				      err);
	else if (before)
		r = role_from_before(before, role, trust, err);
	else
		r = error_set(err, -EINVAL, "Nothing says who may sign releases; give --signer");
	if (r < 0)
		return r;
	if (follows && !verb_option(arguments, role_options[role][1]))
		threshold = trust->thresholds[TRUST_SIGNERS];
	return owner_number(arguments, role_options[role][1], 1, TRUST_KEYS_MAX, threshold,
			    &trust->thresholds[role], err);
}

static int trust_fill(const VerbArguments *arguments, const Depot *depot, const Trust *before,
		      Trust *trust, Error *err)
{
	int r;

	trust->version = before ? before->version + 1 : 1;
	trust->epoch = before ? before->epoch : 1;
	if (verb_option(arguments, "recover") && !before)
		return error_set(err, -EINVAL, "--recover: there is no trust yet to recover from");
	trust->epoch += verb_option(arguments, "recover") != NULL;
	trust->created_s = clock_realtime_us() / 1000000;
	/* Signers first: owners may follow them. */
	if ((r = role_fill(arguments, depot, before, TRUST_SIGNERS, trust, err)) < 0 ||
	    (r = role_fill(arguments, depot, before, TRUST_OWNERS, trust, err)) < 0)
		return r;
	return owner_expiry(arguments, trust->created_s, EXPIRY_DAYS, &trust->expires_s, err);
}

static void tell(const Depot *depot, const Trust *trust)
{
	_cleanup_chain_ Chain chain = {0};

	if (chain_read(depot, &chain, NULL) < 0)
		return;
	if (chain.next)
		(void)printf("Trust version %lld waits for signatures: segue trust sign\n",
			     (long long)trust->version);
	else
		(void)printf("Trust version %lld counts until %s\n", (long long)trust->version,
			     owner_time(trust->expires_s).text);
}

static int trust_make(const VerbArguments *arguments, Error *err)
{
	_cleanup_depot_ Depot *depot = NULL;
	_cleanup_owner_keys_ OwnerKeys keys = {0};
	_cleanup_chain_ Chain chain = {0};
	_cleanup_trust_ Trust *trust = calloc(1, sizeof(*trust));
	int r;

	if (!trust)
		return error_errno(err, -ENOMEM, "Writing the trust");
	if ((r = owner_depot(arguments, false, &depot, err)) < 0 ||
	    (r = depot_lock(depot, err)) < 0 || (r = chain_read(depot, &chain, err)) < 0 ||
	    (r = trust_fill(arguments, depot, chain.current, trust, err)) < 0 ||
	    (r = owner_keys(arguments, depot, &keys, err)) < 0 ||
	    (r = chain_add(depot, trust, keys.keys, keys.n, err)) < 0)
		return r;
	tell(depot, trust);
	return 0;
}

static int run(const VerbArguments *arguments)
{
	Error err = {0};

	return trust_make(arguments, &err) < 0 ? verb_fail(&err) : STATUS_DONE;
}

const Verb verb_trust_new = {
	.name = "trust new",
	.arguments = "",
	.summary = "Say who may sign releases from now on",
	.options =
		(const VerbOption[]){
			{"signer", "KEY", "may sign releases: a name, ./FILE.pub; repeatable"},
			{"threshold", "N", "that many have to sign a release (default: 1)"},
			{"owner", "KEY", "may say who may sign (default: the signers); repeatable"},
			{"owner-threshold", "N", "that many have to sign that (default: 1)"},
			{"expires", "TIME", "days, or a date like 2027-01-31 (default: 365)"},
			{"recover", NULL, "make all releases so far void, versions begin at 1"},
			OWNER_OPTION_KEY,
			OWNER_OPTION_PASSPHRASE,
			OWNER_OPTION_DIR,
			{0},
		},
	.run = run,
};
