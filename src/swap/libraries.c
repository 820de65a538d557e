/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/libraries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/process.h"

#define LDD_LIMIT_MS 30000

void libraries_free(Libraries *libraries)
{
	for (size_t i = 0; i < libraries->n; i++)
		free(libraries->paths[i]);
	free(libraries->paths);
	*libraries = (Libraries){0};
}

static int path_add(Libraries *libraries, const char *path, size_t size, Error *err)
{
	char **more = realloc(libraries->paths, (libraries->n + 1) * sizeof(*more));

	if (!more)
		return error_errno(err, -ENOMEM, "Looking for libraries");
	libraries->paths = more;
	more[libraries->n] = strndup(path, size);
	if (!more[libraries->n])
		return error_errno(err, -ENOMEM, "Looking for libraries");
	libraries->n++;
	return 0;
}

/* "NAME => PATH (ADDRESS)", "PATH (ADDRESS)", or what has no file: "linux-vdso.so.1 (ADDRESS)". */
static int line_parse(const char *line, Libraries *libraries, Error *err)
{
	const char *path = strchr(line, '/'), *end;

	line += strspn(line, " \t");
	if (strstr(line, "=> not found"))
		return error_set(err, -ENOENT, "The library %.*s is not installed",
				 (int)strcspn(line, " "), line);
	end = path ? strstr(path, " (") : NULL;
	return end ? path_add(libraries, path, (size_t)(end - path), err) : 0;
}

int libraries_parse(const char *text, Libraries *ret, Error *err)
{
	_cleanup_(libraries_free) Libraries libraries = {0};
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *line;

	if (!copy)
		return error_errno(err, -ENOMEM, "Looking for libraries");
	while ((line = strsep(&rest, "\n"))) {
		int r = line_parse(line, &libraries, err);

		if (r < 0)
			return r;
	}
	*ret = libraries;
	libraries = (Libraries){0};
	return 0;
}

int libraries_find(const char *program, Libraries *ret, Error *err)
{
	const char *const argv[] = {"/usr/bin/ldd", program, NULL};
	_cleanup_free_ char *text = NULL;
	int r = process_run(argv, LDD_LIMIT_MS, &text, err);

	if (r == 0)
		r = libraries_parse(text, ret, err);
	return r < 0 ? error_prefix(err, "Looking for the libraries of %s", program) : 0;
}
