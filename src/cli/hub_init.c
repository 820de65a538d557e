/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hub.h"
#include "cli/owner.h"
#include "cli/print.h"
#include "hub/hub.h"

#define HOST_NAME_SIZE 256

/* Those of every --name, or that of this machine; they belong to the arguments and `host`. */
static size_t names_collect(const VerbArguments *arguments, char *host,
			    const char *ret[IDENTITY_NAMES_MAX + 2])
{
	size_t n = 0;

	for (size_t i = 0; i < arguments->n_given && n <= IDENTITY_NAMES_MAX; i++)
		if (!strcmp(arguments->given[i].option->name, "name"))
			ret[n++] = arguments->given[i].value;
	if (n == 0 && gethostname(host, HOST_NAME_SIZE) == 0)
		ret[n++] = host;
	ret[n] = NULL;
	return n;
}

/* Read before root's rights are given up. */
static int authority_take(const VerbArguments *arguments, Authority **ret, Error *err)
{
	const char *certificate = verb_option(arguments, "ca-certificate");
	const char *key = verb_option(arguments, "ca-key"),
		   *fleet = verb_option(arguments, "fleet");
	_cleanup_free_ char *certificate_pem = NULL, *key_pem = NULL;
	int64_t now_s = clock_realtime_us() / 1000000;
	int r;

	if (!certificate)
		return authority_make(fleet ? fleet : "segue", now_s, ret, err);
	if ((r = file_read_max(AT_FDCWD, certificate, CSR_MAX, &certificate_pem, NULL, err)) < 0 ||
	    (r = file_read_max(AT_FDCWD, key, CSR_MAX, &key_pem, NULL, err)) < 0)
		return r;
	r = authority_open(certificate_pem, key_pem, now_s, ret, err);
	explicit_bzero(key_pem, strlen(key_pem));
	if (r < 0)
		(void)error_prefix(err, "%s and %s", certificate, key);
	return r;
}

static int hub_make(const char *directory, const Authority *authority, const char *const names[],
		    Error *err)
{
	_cleanup_free_ char *path = text_format("%s/" DB_FILE, directory);
	_cleanup_db_ Db *db = NULL;
	int r;

	if (!path)
		return error_errno(err, -ENOMEM, "Making a hub");
	if ((r = hub_become_owner(directory, err)) < 0 || (r = db_create(directory, &db, err)) < 0)
		return r;
	r = identity_init(db, authority, names, clock_realtime_us() / 1000000, err);
	/* A hub without an authority could do nothing, and would stand in the way of the next one.
	 */
	if (r < 0)
		(void)unlink(path);
	return r;
}

static int run(const VerbArguments *arguments)
{
	const char *names[IDENTITY_NAMES_MAX + 2], *directory = hub_directory(arguments);
	_cleanup_authority_ Authority *authority = NULL;
	char host[HOST_NAME_SIZE] = "";
	Error err = {0};

	if (!verb_option(arguments, "ca-certificate") != !verb_option(arguments, "ca-key"))
		return verb_usage("hub init",
				  "hub init: --ca-certificate and --ca-key go together");
	(void)names_collect(arguments, host, names);
	if (authority_take(arguments, &authority, &err) < 0 ||
	    hub_make(directory, authority, names, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json")) {
		_cleanup_json_ json_object *o = json_object_new_object();

		json_put_string(o, "directory", directory);
		json_put_string(o, "ca_sha256", digest_text(authority_digest(authority)).text);
		json_put_int(o, "ca_expires_s", authority_expires_s(authority));
		print_json(o);
	} else {
		(void)printf("The hub is in %s; its certificate authority expires on %s.\n"
			     "Start it with: systemctl enable --now segue-hub\n"
			     "Then \"segue hub token\" makes a token for a node to join with.\n",
			     directory, owner_time(authority_expires_s(authority)).text);
	}
	return STATUS_DONE;
}

const Verb verb_hub_init = {
	.name = "hub init",
	.arguments = "",
	.summary = "Make a hub, with a certificate authority of its own or a given one",
	.options =
		(const VerbOption[]){
			{"name", "HOST", "that nodes reach it by; repeatable (default: hostname)"},
			{"fleet", "NAME", "of the certificate authority (default: segue)"},
			{"ca-certificate", "FILE", "use this certificate authority (PEM)"},
			{"ca-key", "FILE", "its key (PEM, without a passphrase)"},
			HUB_OPTION_DIRECTORY,
			{"json", NULL, "print JSON"},
			{0},
		},
	.run = run,
};
