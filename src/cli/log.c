/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/print.h"
#include "cli/report.h"
#include "cli/timeline.h"
#include "cli/verb.h"

static json_object *log_find(json_object *log, const char *id)
{
	for (size_t i = 0; i < json_length(log); i++) {
		json_object *swap = json_object_array_get_idx(log, i);

		if (!strcmp(json_opt_string(swap, "id", ""), id))
			return swap;
	}
	return NULL;
}

static int standard_output_write(const char *text, Error *err)
{
	int r = file_write_all(STDOUT_FILENO, text, strlen(text), err);

	return r < 0 ? error_prefix(err, "Writing the timeline to standard output") : 0;
}

/* As any file that a user makes: what the mask of the process leaves. */
static mode_t mode_new(void)
{
	mode_t mask = umask(077);

	(void)umask(mask);
	return 0666 & ~mask;
}

/* Not file_write_atomic(): what it removes, a file of that name with ".new", may be the user's. */
static int file_replace(const char *path, const char *text, mode_t mode)
{
	_cleanup_free_ char *temporary = text_format("%s.XXXXXX", path);
	_cleanup_close_ int fd = temporary ? mkostemp(temporary, O_CLOEXEC) : -1;
	int r;

	if (fd < 0)
		return temporary ? -errno : -ENOMEM;
	r = file_write_all(fd, text, strlen(text), NULL);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0))
		r = -errno;
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

static int picture_write(const char *path, const char *text, Error *err)
{
	struct stat st;
	bool exists = lstat(path, &st) == 0;
	int r;

	/* A device or a link would be replaced, not written to. */
	if (exists && !S_ISREG(st.st_mode))
		return error_set(err, -EINVAL,
				 "Writing the timeline to %s: It is not a regular file; name "
				 "another one, or - for standard output",
				 path);
	r = file_replace(path, text, exists ? st.st_mode & 0777 : mode_new());
	if (r < 0) {
		(void)error_errno(err, r, "Writing the timeline to %s", path);
		return error_hint(err, "name another file, or - for standard output");
	}
	return 0;
}

static int draw(json_object *swap, const char *path)
{
	_cleanup_free_ char *svg = NULL;
	Error err = {0};
	int r = timeline_draw(swap, &svg, &err);

	if (r == 0)
		r = strcmp(path, "-") ? picture_write(path, svg, &err)
				      : standard_output_write(svg, &err);
	if (r == 0)
		return STATUS_DONE;
	/* Not verb_fail(): that a file may not be written is not that segued refused. */
	(void)fprintf(stderr, "segue: %s\n", err.text);
	return STATUS_FAILED;
}

/* The named swap, or the last one. */
static int draw_chosen(json_object *log, json_object *named, const char *path)
{
	size_t n = json_length(log);

	if (n == 0) {
		(void)fprintf(stderr, "segue: There was no swap yet; segue swap makes one\n");
		return STATUS_FAILED;
	}
	return draw(named ? named : json_object_array_get_idx(log, n - 1), path);
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *log = NULL;
	const char *id = arguments->positional[0], *picture = verb_option(arguments, "svg");
	json_object *chosen;
	Error err = {0};

	if (picture && verb_option(arguments, "json"))
		return verb_usage("log", "log: --svg and --json are two ways to show a swap");
	if (picture && !*picture)
		return verb_usage("log", "log: --svg needs the name of a file");
	if (client_call("GET", "/v1/log", NULL, &log, &err) < 0)
		return verb_fail(&err);
	chosen = id ? log_find(log, id) : log;
	if (!chosen && id) {
		(void)fprintf(stderr,
			      "segue: There was no swap %s; segue log shows those that were\n", id);
		return STATUS_FAILED;
	}
	if (picture)
		return draw_chosen(log, id ? chosen : NULL, picture);
	if (verb_option(arguments, "json"))
		print_json(chosen);
	else if (id)
		report_swap(chosen);
	else if (json_length(log) == 0)
		(void)printf("There was no swap yet\n");
	else
		report_log(log);
	return STATUS_DONE;
}

const Verb verb_log = {
	.name = "log",
	.arguments = "[SWAP]",
	.summary = "List the swaps that were, or report or draw one",
	.options = (const VerbOption[]){{"svg", "FILE",
					 "draw a timeline of SWAP, or of the last; -: print it"},
					{"json", NULL, "print JSON"},
					{0}},
	.arguments_max = 1,
	.run = run,
};
