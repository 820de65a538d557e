/* SPDX-License-Identifier: Apache-2.0 */
#include "link/join.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hub.h"
#include "cli/link.h"
#include "cli/print.h"
#include "cli/verb.h"
#include "hub/join_token.h"
#include "link/paths.h"
#include "release/document.h"

#define HOST_NAME_SIZE     256
#define AUTHORITY_FILE_MAX ((size_t)16 << 10)

/* What was given, and what it points to. */
typedef struct Joining {
	JoinRequest request;
	char *token, *authority;
	Digest fingerprint;
} Joining;

static void joining_release(Joining *joining)
{
	link_config_release(&joining->request.node);
	(void)json_object_put(joining->request.labels);
	if (joining->token)
		explicit_bzero(joining->token, strlen(joining->token));
	free(joining->token);
	free(joining->authority);
}

static int token_get(const VerbArguments *arguments, char **ret, Error *err)
{
	const char *text = verb_option(arguments, "token"), *path;
	int r;

	if (text) {
		*ret = strdup(text);
		return *ret ? 0 : error_errno(err, -ENOMEM, "Reading the token");
	}
	path = verb_option(arguments, "token-file");
	r = file_read_max(AT_FDCWD, path, 2L * TOKEN_TEXT_MAX, ret, NULL, err);
	if (r == 0)
		(*ret)[strcspn(*ret, " \t\r\n")] = '\0';
	return r;
}

static int name_get(const VerbArguments *arguments, char **ret, Error *err)
{
	const char *given = verb_option(arguments, "name");
	char host[HOST_NAME_SIZE] = "";

	if (!given && gethostname(host, sizeof(host) - 1) < 0)
		return error_errno(err, -errno, "Asking for the name of this machine");
	if (!name_is_valid(given ? given : host))
		return error_set(err, -EINVAL,
				 "\"%.64s\" cannot be the name of a node: it has letters, digits "
				 "and ._+~:- and begins with neither a dot nor a minus; give "
				 "another with --name",
				 given ? given : host);
	*ret = strdup(given ? given : host);
	return *ret ? 0 : error_errno(err, -ENOMEM, "Naming the node");
}

/* As openssl x509 -fingerprint prints it, too: AB:CD:... */
static int fingerprint_get(const char *text, Digest *ret, Error *err)
{
	char digits[2 * DIGEST_SIZE + 1] = "";
	size_t n = 0;

	for (const char *p = text; *p && n < 2L * DIGEST_SIZE; p++)
		if (*p != ':')
			digits[n++] = (char)tolower((unsigned char)*p);
	if (!digest_parse(digits, ret) || strspn(text, "0123456789abcdefABCDEF:") != strlen(text))
		return error_set(err, -EINVAL,
				 "--fingerprint %.80s: a SHA-256 has 64 hexadecimal digits", text);
	return 0;
}

static int joining_get(const VerbArguments *arguments, Joining *ret, Error *err)
{
	const char *fingerprint = verb_option(arguments, "fingerprint");
	const char *authority = verb_option(arguments, "ca");
	JoinRequest *request = &ret->request;
	int r;

	request->directory = LINK_DIRECTORY;
	if ((r = link_hub_parse(arguments->positional[0], &request->node.hub, err)) < 0 ||
	    (r = name_get(arguments, &request->node.name, err)) < 0 ||
	    (r = hub_labels(arguments, &request->labels, err)) < 0 ||
	    (r = token_get(arguments, &ret->token, err)) < 0 ||
	    (authority && (r = file_read_max(AT_FDCWD, authority, AUTHORITY_FILE_MAX,
					     &ret->authority, NULL, err)) < 0))
		return r;
	request->token = ret->token;
	request->authority = ret->authority;
	if (!fingerprint)
		return 0;
	request->fingerprint = &ret->fingerprint;
	return fingerprint_get(fingerprint, &ret->fingerprint, err);
}

static int enrol(void *data, Error *err)
{
	return join_enrol(data, err);
}

static int require_alone(Error *err)
{
	_cleanup_link_config_ LinkConfig node = {0};
	int r;

	if (geteuid() != 0)
		return error_set(err, -EACCES, "Only root may make a machine a node; use sudo");
	r = link_config_read(LINK_CONFIG, &node, err);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? error_hint(err, "segue leave --force removes it")
		     : error_set(err, -EEXIST,
				 "This machine is node %s of the hub %s already; segue leave ends "
				 "that",
				 node.name, node.hub);
}

static int join(const VerbArguments *arguments, Joining *joining, Error *err)
{
	int r;

	if ((r = require_alone(err)) < 0 || (r = joining_get(arguments, joining, err)) < 0 ||
	    (r = link_as_user(enrol, &joining->request, err)) < 0 ||
	    (r = link_config_write(LINK_CONFIG, &joining->request.node, err)) < 0)
		return r;
	if (verb_option(arguments, "no-start"))
		return 0;
	r = link_systemctl("enable", "--now", err);
	return r < 0 ? error_prefix(err, "This machine is a node now, but its link does not run")
		     : 0;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_(joining_release) Joining joining = {0};
	Error err = {0};

	if (!verb_option(arguments, "token") == !verb_option(arguments, "token-file"))
		return verb_usage("join", "join: give either --token or --token-file");
	if (join(arguments, &joining, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json")) {
		_cleanup_json_ json_object *node = json_object_new_object();

		json_put_string(node, "hub", joining.request.node.hub);
		json_put_string(node, "name", joining.request.node.name);
		print_json(node);
		return STATUS_DONE;
	}
	(void)printf("This machine is node %s of the hub %s\n", joining.request.node.name,
		     joining.request.node.hub);
	return STATUS_DONE;
}

const Verb verb_join = {
	.name = "join",
	.arguments = "HUB[:PORT]",
	.summary = "Make this machine a node of a hub",
	.options =
		(const VerbOption[]){
			{"token", "TOKEN", "that segue hub token printed"},
			{"token-file", "FILE", "the same, in a file"},
			{"ca", "FILE", "the hub's authority (default: ask the hub for it)"},
			{"fingerprint", "SHA256", "of that authority (default: as the token says)"},
			{"label", "KEY=VALUE", "what this node is, as in rack=r3; repeatable"},
			{"name", "NAME", "of this node (default: that of the machine)"},
			{"no-start", NULL, "do not start the link, nor at boot"},
			{"json", NULL, "print JSON"},
			{0},
		},
	.arguments_min = 1,
	.arguments_max = 1,
	.run = run,
};
