/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/verb.h"

/* What a program expects of the environment that it was started from. */
static const char *const inherited[] = {
	"PATH",   "HOME",     "USER",       "LOGNAME",    "SHELL",   "TERM", "LANG",   "LANGUAGE",
	"LC_ALL", "LC_CTYPE", "LC_COLLATE", "LC_NUMERIC", "LC_TIME", "TZ",   "EDITOR",
};

static bool is_program(const char *path)
{
	return path_exists(AT_FDCWD, path) && access(path, X_OK) == 0;
}

/* A path made absolute.  A symbolic link at its end stays: the program may look at its name. */
static int program_resolve(const char *path, char **ret_path, Error *err)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *directory = strndup(path, (size_t)(slash - path) + 1);
	_cleanup_free_ char *resolved = directory ? realpath(directory, NULL) : NULL;

	if (!resolved || !is_program(path))
		return error_set(err, -ENOENT, "%s is not a program", path);
	*ret_path = text_format("%s/%s", strcmp(resolved, "/") != 0 ? resolved : "", slash + 1);
	return *ret_path ? 0 : error_errno(err, -ENOMEM, "Looking for %s", path);
}

/* The absolute path of a program, found as the caller's shell would find it. */
static int program_find(const char *name, char **ret_path, Error *err)
{
	const char *path = getenv("PATH"); /* NOLINT(concurrency-mt-unsafe) */
	_cleanup_free_ char *copy = NULL;
	char *rest;
	const char *directory;

	if (strchr(name, '/'))
		return program_resolve(name, ret_path, err);
	copy = strdup(path && *path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin");
	if (!copy)
		return error_errno(err, -ENOMEM, "Looking for %s", name);
	rest = copy;
	while ((directory = strsep(&rest, ":"))) {
		_cleanup_free_ char *candidate = text_format("%s/%s", directory, name);

		if (candidate && *directory == '/' && is_program(candidate)) {
			*ret_path = steal_ptr(&candidate);
			return 0;
		}
	}
	return error_set(err, -ENOENT, "%s is not found in PATH; give its path", name);
}

static int put_environment(const VerbArguments *arguments, json_object *request, Error *err)
{
	json_object *environment = json_object_new_object();

	(void)json_object_object_add(request, "environment", environment);
	for (size_t i = 0; i < sizeof(inherited) / sizeof(*inherited); i++) {
		const char *value = getenv(inherited[i]); /* NOLINT(concurrency-mt-unsafe) */

		if (value)
			json_put_string(environment, inherited[i], value);
	}
	for (size_t i = 0; i < arguments->n_given; i++) {
		const char *value = arguments->given[i].value;
		const char *equals = strchr(value, '=');
		_cleanup_free_ char *name = NULL;

		if (strcmp(arguments->given[i].option->name, "setenv") != 0)
			continue;
		if (!equals || equals == value)
			return error_set(err, -EINVAL, "--setenv %s: write NAME=VALUE", value);
		name = strndup(value, (size_t)(equals - value));
		if (!name)
			return error_errno(err, -ENOMEM, "--setenv %s", value);
		json_put_string(environment, name, equals + 1);
	}
	return 0;
}

static int put_command(const VerbArguments *arguments, json_object *request, Error *err)
{
	json_object *command = json_object_new_array();
	_cleanup_free_ char *program = NULL;
	int r;

	(void)json_object_object_add(request, "command", command);
	r = program_find(arguments->positional[0], &program, err);
	if (r < 0)
		return r;
	(void)json_object_array_add(command, json_object_new_string(program));
	for (int i = 1; i < arguments->n_positional; i++)
		(void)json_object_array_add(command,
					    json_object_new_string(arguments->positional[i]));
	return 0;
}

static int put_directory(const VerbArguments *arguments, json_object *request, Error *err)
{
	const char *given = verb_option(arguments, "working-directory");
	_cleanup_free_ char *directory = realpath(given ? given : ".", NULL);

	if (!directory)
		return error_errno(err, -errno, "Working directory %s", given ? given : ".");
	json_put_string(request, "working_directory", directory);
	return 0;
}

/* The command as it was written is what "systemctl status" shows. */
static int put_description(const VerbArguments *arguments, json_object *request, Error *err)
{
	const char *given = verb_option(arguments, "description");
	_cleanup_free_ char *text = NULL; /* outlives the stream that writes it */
	_cleanup_fclose_ FILE *memory = NULL;
	size_t size = 0;

	memory = open_memstream(&text, &size);
	if (!memory)
		return error_errno(err, -ENOMEM, "Starting %s", arguments->positional[0]);
	if (given)
		(void)fputs(given, memory);
	for (int i = 0; !given && i < arguments->n_positional; i++)
		(void)fprintf(memory, "%s%s", i > 0 ? " " : "", arguments->positional[i]);
	if (fflush(memory) != 0)
		return error_errno(err, -ENOMEM, "Starting %s", arguments->positional[0]);
	json_put_string(request, "description", text);
	return 0;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *request = json_object_new_object();
	_cleanup_json_ json_object *answer = NULL;
	Error err = {0};

	if (verb_option(arguments, "unit"))
		json_put_string(request, "unit", verb_option(arguments, "unit"));
	if (verb_option(arguments, "user"))
		json_put_string(request, "user", verb_option(arguments, "user"));
	json_put_bool(request, "forking", verb_option(arguments, "forking") != NULL);
	if (put_command(arguments, request, &err) < 0 ||
	    put_environment(arguments, request, &err) < 0 ||
	    put_directory(arguments, request, &err) < 0 ||
	    put_description(arguments, request, &err) < 0)
		return verb_fail(&err);
	if (client_call("POST", "/v1/run", request, &answer, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json"))
		print_json(answer);
	else
		(void)printf("%s runs and is kept\n", json_opt_string(answer, "unit", "?"));
	return STATUS_DONE;
}

const Verb verb_run = {
	.name = "run",
	.arguments = "-- COMMAND [ARGUMENT...]",
	.summary = "Start a command as a kept service",
	.options =
		(const VerbOption[]){
			{"unit", "NAME", "name of the service (default: made from the command)"},
			{"description", "TEXT", "what systemctl shows (default: the command)"},
			{"user", "USER", "run as this user (default: root)"},
			{"working-directory", "DIRECTORY", "run there (default: here)"},
			{"setenv", "NAME=VALUE", "set a variable of its environment; repeatable"},
			{"forking", NULL, "the command ends when its daemon is up"},
			{"json", NULL, "print JSON"},
			{0},
		},
	.arguments_min = 1,
	.arguments_max = -1,
	.command = true,
	.run = run,
};
