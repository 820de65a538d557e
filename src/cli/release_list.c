/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/owner.h"
#include "cli/print.h"
#include "cli/stored.h"
#include "cli/verb.h"

enum { COLUMNS = 7 };

static const PrintColumn columns[COLUMNS] = {
	{"RELEASE", PRINT_LEFT}, {"CHANNEL", PRINT_LEFT}, {"VERSION", PRINT_RIGHT},
	{"KERNEL", PRINT_LEFT},  {"SIZE", PRINT_RIGHT},   {"EXPIRES", PRINT_LEFT},
	{"STATE", PRINT_LEFT},
};

/* One that cannot be read is listed as such: the others are no worse for it. */
static json_object *describe(const Depot *depot, const char *name, const Trust *trust,
			     int64_t now_s)
{
	_cleanup_release_ Release *release = NULL;
	Error err = {0};
	json_object *o;

	if (release_open(depot, name, &release, &err) == 0)
		return stored_json(release->manifest, stored_state(release, trust, now_s).text);
	o = json_object_new_object();
	json_put_string(o, "name", name);
	json_put_string(o, "state", "damaged");
	json_put_string(o, "error", err.text);
	return o;
}

static int collect(const Depot *depot, json_object *into, Error *err)
{
	_cleanup_trust_ Trust *trust = NULL;
	int64_t now_s = clock_realtime_us() / 1000000;
	char **names;
	size_t n;
	int r;

	if ((r = stored_trust(depot, &trust, err)) < 0 ||
	    (r = depot_names(depot, &names, &n, err)) < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		(void)json_object_array_add(into, describe(depot, names[i], trust, now_s));
	depot_names_free(names);
	return 0;
}

static int print_releases(json_object *releases)
{
	size_t n = json_length(releases);
	_cleanup_free_ const char **cells = calloc(n + 1, COLUMNS * sizeof(*cells));
	_cleanup_free_ PrintText *texts = calloc(n + 1, 2 * sizeof(*texts));

	if (!cells || !texts)
		return verb_fail(&(Error){.code = -ENOMEM, .text = "Out of memory"});
	for (size_t i = 0; i < n; i++) {
		json_object *release = json_object_array_get_idx(releases, i);
		const char **row = cells + i * COLUMNS;

		texts[2 * i] = print_number(json_opt_int(release, "version", -1));
		texts[2 * i + 1] = print_bytes(json_opt_int(release, "size_bytes", -1));
		row[0] = json_opt_string(release, "name", "");
		row[1] = json_opt_string(release, "channel", "-");
		row[2] = texts[2 * i].text;
		row[3] = json_opt_string(release, "kernel", "-");
		row[4] = texts[2 * i + 1].text;
		row[5] = json_opt_string(release, "expires", "-");
		row[6] = json_opt_string(release, "state", "");
	}
	print_table(columns, COLUMNS, cells, n);
	return STATUS_DONE;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *releases = json_object_new_array();
	_cleanup_depot_ Depot *depot = NULL;
	Error err = {0};

	if (owner_depot(arguments, false, &depot, &err) < 0 || collect(depot, releases, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "json")) {
		print_json(releases);
		return STATUS_DONE;
	}
	if (json_length(releases) == 0) {
		(void)printf("There is no release in %s; segue release create makes one\n",
			     depot->path);
		return STATUS_DONE;
	}
	return print_releases(releases);
}

const Verb verb_release_list = {
	.name = "release list",
	.arguments = "",
	.summary = "List the releases",
	.options = (const VerbOption[]){OWNER_OPTION_DIR, {"json", NULL, "print JSON"}, {0}},
	.run = run,
};
