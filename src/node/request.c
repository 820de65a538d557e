/* SPDX-License-Identifier: Apache-2.0 */
#include "node/request.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "http/body.h"
#include "release/document.h"
#include "swap/unit.h"

#define KERNEL_VERSION_MAX 64
#define COMMAND_WORDS_MAX  4096

static int kernel_require(const char *kernel, Error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_+~";

	/* It becomes part of paths. */
	if (kernel && (*kernel == '\0' || *kernel == '.' || strlen(kernel) > KERNEL_VERSION_MAX ||
		       kernel[strspn(kernel, allowed)]))
		return error_set(err, -EINVAL,
				 "\"%.64s\" is no kernel version; ls /lib/modules shows those that "
				 "are installed",
				 kernel);
	return 0;
}

/* Only a check may be deep, and only a swap has a time. */
static int swap_take(json_object *body, bool check, SwapRequest *ret, Error *err)
{
	SwapRequest request = {0};
	const BodyMember members[] = {
		{"kernel", json_type_string, &request.kernel},
		{"no_trial", json_type_boolean, &request.no_trial},
		{"allow_one_way", json_type_boolean, &request.allow_one_way},
		check ? (BodyMember){"deep", json_type_boolean, &request.deep}
		      : (BodyMember){"jump_at_s", json_type_int, &request.jump_at_s},
	};
	int r = body_take(body, BODY_MEMBERS(members), err);

	if (r == 0)
		r = kernel_require(request.kernel, err);
	if (r < 0)
		return r;
	if (request.deep && request.no_trial)
		return error_set(err, -EINVAL, "\"deep\" and \"no_trial\" exclude each other");
	*ret = request;
	return 0;
}

int request_parse_swap(json_object *body, SwapRequest *ret, Error *err)
{
	return swap_take(body, false, ret, err);
}

int request_parse_check(json_object *body, SwapRequest *ret, Error *err)
{
	return swap_take(body, true, ret, err);
}

int request_parse_reboot(json_object *body, const char **ret_kernel, Error *err)
{
	const char *kernel = NULL;
	const BodyMember members[] = {{"kernel", json_type_string, &kernel}};
	int r = body_take(body, BODY_MEMBERS(members), err);

	if (r == 0)
		r = kernel_require(kernel, err);
	if (r == 0)
		*ret_kernel = kernel;
	return r;
}

int request_parse_install(json_object *body, const char **ret_release, Error *err)
{
	const char *release = NULL;
	const BodyMember members[] = {{"release", json_type_string, &release}};
	int r = body_take(body, BODY_MEMBERS(members), err);

	if (r < 0)
		return r;
	if (!release || !name_is_valid(release))
		return error_set(err, -EINVAL, "\"release\": \"%.64s\" is no name of a release",
				 release ? release : "");
	*ret_release = release;
	return 0;
}

int request_parse_keep(json_object *body, KeepRequest *ret, Error *err)
{
	KeepRequest request = {0};
	const BodyMember members[] = {
		{"adapt", json_type_boolean, &request.adapt},
		{"stopped", json_type_boolean, &request.stopped},
	};
	int r = body_take(body, BODY_MEMBERS(members), err);

	if (r < 0)
		return r;
	*ret = request;
	return 0;
}

void request_release_run(RunRequest *request)
{
	free(request->argv);
	for (char **p = request->environment; p && *p; p++)
		free(*p);
	free(request->environment);
	free(request->unit);
	*request = (RunRequest){0};
}

static int run_take_command(json_object *command, RunRequest *request, Error *err)
{
	size_t n = json_length(command);

	if (n == 0 || n > COMMAND_WORDS_MAX)
		return error_set(err, -EINVAL, "\"command\" must have 1 to %d words",
				 COMMAND_WORDS_MAX);
	request->argv = calloc(n + 1, sizeof(char *));
	if (!request->argv)
		return error_errno(err, -ENOMEM, "Reading the request");
	for (size_t i = 0; i < n; i++) {
		const BodyMember word = {"command", json_type_string, &request->argv[i]};
		json_object *value = json_object_array_get_idx(command, i);
		int r = value ? body_take_one(&word, value, err) : -EINVAL;

		if (r < 0)
			return error_set(err, -EINVAL, "\"command\": word %zu is no text", i + 1);
	}
	if (*request->argv[0] != '/')
		return error_set(err, -EINVAL,
				 "\"command\": \"%.64s\" is not the absolute path of a program",
				 request->argv[0]);
	request->transient.argv = request->argv;
	return 0;
}

static bool is_variable_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_";

	return *name && !(*name >= '0' && *name <= '9') && !name[strspn(name, allowed)];
}

static int run_take_environment(json_object *variables, RunRequest *request, Error *err)
{
	size_t n = 0;

	request->environment =
		calloc((size_t)json_object_object_length(variables) + 1, sizeof(char *));
	if (!request->environment)
		return error_errno(err, -ENOMEM, "Reading the request");
	json_object_object_foreach(variables, key, value)
	{
		const char *text = NULL;
		const BodyMember member = {"environment", json_type_string, &text};

		if (!is_variable_name(key) || !value || body_take_one(&member, value, NULL) < 0)
			return error_set(err, -EINVAL,
					 "\"environment\": \"%.64s\" is no variable's name, or its "
					 "value no text",
					 key);
		request->environment[n] = text_format("%s=%s", key, text);
		if (!request->environment[n++])
			return error_errno(err, -ENOMEM, "Reading the request");
	}
	request->transient.environment = (const char *const *)request->environment;
	return 0;
}

int request_parse_run(json_object *body, RunRequest *ret, Error *err)
{
	_cleanup_run_request_ RunRequest request = {0};
	TransientRequest *transient = &request.transient;
	json_object *command = NULL, *environment = NULL;
	const char *unit = NULL;
	const BodyMember members[] = {
		{"command", json_type_array, &command},
		{"unit", json_type_string, &unit},
		{"description", json_type_string, &transient->description},
		{"user", json_type_string, &transient->user},
		{"working_directory", json_type_string, &transient->working_directory},
		{"environment", json_type_object, &environment},
		{"forking", json_type_boolean, &transient->forking},
	};
	int r = body_take(body, BODY_MEMBERS(members), err);

	if (r < 0)
		return r;
	if (!command)
		return error_set(err, -EINVAL, "\"command\" is missing");
	if ((r = run_take_command(command, &request, err)) < 0 ||
	    (environment && (r = run_take_environment(environment, &request, err)) < 0))
		return r;
	if (transient->working_directory && *transient->working_directory != '/')
		return error_set(err, -EINVAL, "\"working_directory\" is not an absolute path");
	if (unit && (r = unit_name_normalize(unit, &request.unit, err)) < 0)
		return error_prefix(err, "\"unit\"");
	if (request.unit && !text_has_suffix(request.unit, ".service"))
		return error_set(err, -EINVAL, "\"unit\": %s is not the name of a service",
				 request.unit);
	transient->unit = request.unit;
	*ret = request;
	request = (RunRequest){0};
	return 0;
}
