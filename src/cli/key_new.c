/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/owner.h"
#include "cli/print.h"
#include "cli/verb.h"

#define PASSPHRASE_SIZE 512

/* PKCS #8, encrypted unless that is not wanted.  The caller wipes it. */
static int key_pem(const VerbArguments *arguments, const PrivateKey *key, const char *path,
		   char **ret, Error *err)
{
	char passphrase[PASSPHRASE_SIZE];
	int r;

	if (verb_option(arguments, "no-passphrase"))
		return private_key_export(key, NULL, ret, err);
	r = owner_passphrase(arguments, path, true, passphrase, sizeof(passphrase), err);
	if (r >= 0)
		r = private_key_export(key, passphrase, ret, err);
	explicit_bzero(passphrase, sizeof(passphrase));
	return r;
}

static int key_write(const char *path, const char *public_path, const char *pem,
		     const PublicKey *public, Error *err)
{
	const char *public_pem = public_key_pem(public);
	int r = file_write_new(AT_FDCWD, path, pem, strlen(pem), 0600, err);

	if (r < 0)
		return r;
	r = file_write_new(AT_FDCWD, public_path, public_pem, strlen(public_pem), 0644, err);
	if (r < 0)
		(void)unlink(path);
	return r;
}

/* "keys/NAME.key" and "keys/NAME.pub"; or FILE and FILE.pub. */
static int key_paths(const Depot *depot, const char *name, char **ret, char **ret_public,
		     Error *err)
{
	_cleanup_free_ char *file_public = text_format("%s.pub", name);
	int r = depot_key_path(depot, name, ".key", ret, err);

	if (r == 0 && !strchr(name, '/'))
		r = depot_key_path(depot, name, ".pub", ret_public, err);
	else if (r == 0 && !(*ret_public = steal_ptr(&file_public)))
		r = error_errno(err, -ENOMEM, "Making key %s", name);
	if (r < 0)
		return r;
	if (path_exists(AT_FDCWD, *ret) || path_exists(AT_FDCWD, *ret_public))
		return error_set(err, -EEXIST,
				 "There is a key %s already, and it is not replaced; give another "
				 "name",
				 name);
	return directory_make(depot->fd, DEPOT_KEYS, 0700, err);
}

static int key_make(const VerbArguments *arguments, PublicKey **ret, char **ret_path, Error *err)
{
	_cleanup_depot_ Depot *depot = NULL;
	_cleanup_private_key_ PrivateKey *key = NULL;
	_cleanup_free_ char *public_path = NULL;
	char *pem = NULL;
	int r;

	if ((r = owner_depot(arguments, true, &depot, err)) < 0 ||
	    (r = depot_lock(depot, err)) < 0 ||
	    (r = key_paths(depot, arguments->positional[0], ret_path, &public_path, err)) < 0 ||
	    (r = private_key_generate(&key, err)) < 0 ||
	    (r = private_key_public(key, ret, err)) < 0 ||
	    (r = key_pem(arguments, key, *ret_path, &pem, err)) < 0)
		return r;
	r = key_write(*ret_path, public_path, pem, *ret, err);
	private_key_export_free(pem);
	return r;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_public_key_ PublicKey *key = NULL;
	_cleanup_free_ char *path = NULL;
	Error err = {0};

	if (verb_option(arguments, "no-passphrase") && verb_option(arguments, "passphrase-file"))
		return verb_usage("key new", "key new: --no-passphrase and --passphrase-file "
					     "exclude each other");
	if (key_make(arguments, &key, &path, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json")) {
		_cleanup_json_ json_object *o = json_object_new_object();

		json_put_string(o, "id", digest_text(public_key_id(key)).text);
		json_put_string(o, "kind", public_key_kind(key));
		json_put_string(o, "path", path);
		json_put_string(o, "public", public_key_pem(key));
		print_json(o);
	} else {
		(void)printf("Key %s is in %s\n", digest_text(public_key_id(key)).text, path);
	}
	return STATUS_DONE;
}

const Verb verb_key_new = {
	.name = "key new",
	.arguments = "NAME",
	.summary = "Make a key to sign releases with",
	.options =
		(const VerbOption[]){
			{"passphrase-file", "FILE",
			 "its first line protects the key (default: ask)"},
			{"no-passphrase", NULL, "do not protect the key by a passphrase"},
			OWNER_OPTION_DIR,
			{"json", NULL, "print JSON"},
			{0},
		},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
