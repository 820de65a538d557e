/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/hub.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/user.h"
#include "http/transfer.h"
#include "hub/hub.h"

#define HUB_USER "segue-hub"

static TransferTarget target_of(const VerbArguments *arguments)
{
	const char *socket = verb_option(arguments, "socket");

	return (TransferTarget){
		.name = "segue-hub",
		.socket = socket ? socket : HUB_SOCKET,
		.who = "only root and the hub's own user may; use sudo",
	};
}

int hub_ask(const VerbArguments *arguments, const char *method, const char *path, json_object *body,
	    json_object **ret_body, Error *err)
{
	const TransferTarget target = target_of(arguments);

	return transfer_ask(&target, method, path, body, ret_body, err);
}

int hub_upload(const VerbArguments *arguments, const char *path, int fd, int64_t size, Error *err)
{
	const TransferTarget target = target_of(arguments);

	return transfer_send(&target, path, fd, size, err);
}

int hub_download(const VerbArguments *arguments, const char *path, FILE *to, Error *err)
{
	const TransferTarget target = target_of(arguments);

	return transfer_file(&target, path, to, err);
}

int hub_node_path(const VerbArguments *arguments, const char *suffix, char **ret, Error *err)
{
	const char *name = arguments->positional[0];

	if (!name_is_valid(name))
		return error_set(err, -EINVAL,
				 "\"%.64s\" is no name of a node; segue nodes lists them", name);
	*ret = text_format("/v1/nodes/%s%s", name, suffix);
	return *ret ? 0 : error_errno(err, -ENOMEM, "Asking the hub");
}

int hub_label_add(json_object *labels, const char *text, Error *err)
{
	const char *equals = strchr(text, '=');
	_cleanup_free_ char *key = equals ? strndup(text, (size_t)(equals - text)) : NULL;

	if (!key || !name_is_valid(key))
		return error_set(err, -EINVAL, "\"%.64s\" is no label: it must be KEY=VALUE", text);
	json_put_string(labels, key, equals + 1);
	return 0;
}

int hub_labels(const VerbArguments *arguments, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *labels = json_object_new_object();

	for (size_t i = 0; i < arguments->n_given; i++) {
		int r = 0;

		if (!strcmp(arguments->given[i].option->name, "label"))
			r = hub_label_add(labels, arguments->given[i].value, err);
		if (r < 0)
			return r;
	}
	*ret = steal_ptr(&labels);
	return 0;
}

const char *hub_directory(const VerbArguments *arguments)
{
	const char *directory = verb_option(arguments, "directory");

	return directory ? directory : HUB_DIRECTORY;
}

int hub_become_owner(const char *directory, Error *err)
{
	return user_become(HUB_USER, directory, err);
}
