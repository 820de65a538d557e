/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hub.h"
#include "hub/authority.h"

static int text_store(const char *name, const char *suffix, const char *text, mode_t mode,
		      Error *err)
{
	_cleanup_free_ char *path = text_format("%s%s", name, suffix);

	if (!path)
		return error_errno(err, -ENOMEM, "Writing %s", name);
	return file_write_new(AT_FDCWD, path, text, strlen(text), mode, err);
}

/* The key first: a certificate whose key is lost would be of no use to anyone. */
static int operator_make(const VerbArguments *arguments, const char *name, Error *err)
{
	_cleanup_json_ json_object *body = json_object_new_object(), *answer = NULL;
	_cleanup_free_ char *key = NULL, *csr = NULL;
	const char *certificate, *ca;
	int r;

	if ((r = key_request_make(name, &key, &csr, err)) < 0 ||
	    (r = text_store(name, ".key", key, 0600, err)) < 0)
		return r;
	json_put_string(body, "name", name);
	json_put_string(body, "csr", csr);
	if ((r = hub_ask(arguments, "POST", "/v1/operators", body, &answer, err)) < 0 ||
	    (r = json_get_string(answer, "certificate", &certificate, err)) < 0 ||
	    (r = json_get_string(answer, "ca", &ca, err)) < 0 ||
	    (r = text_store(name, ".pem", certificate, 0644, err)) < 0)
		return r;
	return text_store(name, ".ca.pem", ca, 0644, err);
}

static int operator_revoke(const VerbArguments *arguments, const char *name, Error *err)
{
	_cleanup_free_ char *path = text_format("/v1/operators/%s", name);

	return path ? hub_ask(arguments, "DELETE", path, NULL, NULL, err)
		    : error_errno(err, -ENOMEM, "Asking the hub");
}

static int run(const VerbArguments *arguments)
{
	const char *name = arguments->positional[0];
	Error err = {0};

	if (!name_is_valid(name))
		return verb_usage("hub operator", "hub operator: \"%s\" is no name", name);
	if (verb_option(arguments, "revoke"))
		return operator_revoke(arguments, name, &err) < 0 ? verb_fail(&err) : STATUS_DONE;
	if (operator_make(arguments, name, &err) < 0)
		return verb_fail(&err);
	(void)printf("%s.key, %s.pem and %s.ca.pem are what %s needs:\n"
		     "curl --cert %s.pem --key %s.key --cacert %s.ca.pem "
		     "https://HUB:8425/v1/nodes\n",
		     name, name, name, name, name, name, name);
	return STATUS_DONE;
}

const Verb verb_hub_operator = {
	.name = "hub operator",
	.arguments = "NAME",
	.summary = "Make or revoke the certificate of somebody who may command the fleet",
	.options =
		(const VerbOption[]){
			{"revoke", NULL, "let the certificates of this name count no more"},
			HUB_OPTION_SOCKET,
			{0},
		},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
