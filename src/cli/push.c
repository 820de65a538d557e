/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hub.h"
#include "cli/make.h"
#include "cli/owner.h"
#include "cli/print.h"
#include "cli/stored.h"
#include "cli/upload.h"

#define ASK_EVERY_MS 500
#define WAIT_MAX_S   ((int64_t)7 * 24 * 3600)

enum { COLUMNS = 3 };

static const PrintColumn columns[COLUMNS] = {
	{"NODE", PRINT_LEFT},
	{"STATE", PRINT_LEFT},
	{"MESSAGE", PRINT_LEFT},
};

/* ---- the release ---- */

/* One that is not in the depot here may be at the hub. */
static int release_ask(const VerbArguments *arguments, const char *name, Error *err)
{
	_cleanup_free_ char *path = text_format("/v1/releases/%s", name);

	if (!path)
		return error_errno(err, -ENOMEM, "Asking for release %s", name);
	return hub_ask(arguments, "GET", path, NULL, NULL, err);
}

static int release_offer(const VerbArguments *arguments, const char *name, Error *err)
{
	_cleanup_depot_ Depot *depot = NULL;
	_cleanup_release_ Release *release = NULL;
	_cleanup_trust_ Trust *trust = NULL;
	StoredState state;
	Error none = {0};
	int r = owner_depot(arguments, false, &depot, &none);

	if (r == 0)
		r = release_open(depot, name, &release, &none);
	if (r == -ENOENT)
		return release_ask(arguments, name, err);
	if (r < 0)
		return error_set(err, r, "%s", none.text);
	if ((r = stored_trust(depot, &trust, err)) < 0)
		return r;
	state = stored_state(release, trust, clock_realtime_us() / 1000000);
	if (strcmp(state.text, "valid") != 0)
		return error_set(err, -EINVAL,
				 "No node will take release %s: %s; segue release verify tells "
				 "more",
				 name, state.text);
	return verb_option(arguments, "dry-run") ? 0 : upload_release(arguments, release, err);
}

/* ---- the nodes ---- */

static json_object *nodes_named(const VerbArguments *arguments)
{
	json_object *nodes = NULL;

	for (size_t i = 0; i < arguments->n_given; i++) {
		if (strcmp(arguments->given[i].option->name, "node") != 0)
			continue;
		if (!nodes)
			nodes = json_object_new_array();
		(void)json_object_array_add(nodes,
					    json_object_new_string(arguments->given[i].value));
	}
	return nodes;
}

static int push_body(const VerbArguments *arguments, const char *release, json_object **ret,
		     Error *err)
{
	const char *group = verb_option(arguments, "group");
	_cleanup_json_ json_object *body = json_object_new_object(), *labels = NULL;
	json_object *nodes = nodes_named(arguments);
	int r = hub_labels(arguments, &labels, err);

	json_put_string(body, "release", release);
	if (nodes)
		(void)json_object_object_add(body, "nodes", nodes);
	if (r < 0)
		return r;
	if (group)
		json_put_string(labels, "group", group);
	if (!nodes)
		(void)json_object_object_add(body, "labels", steal_ptr(&labels));
	if (verb_option(arguments, "dry-run"))
		json_put_bool(body, "dry_run", true);
	*ret = steal_ptr(&body);
	return 0;
}

/* ---- how far they are ---- */

typedef struct Tally {
	size_t nodes, done, failed;
} Tally;

static int64_t order_id(json_object *orders, size_t i)
{
	return json_opt_int(json_object_array_get_idx(orders, i), "order", 0);
}

/* Of those that were ordered by this push: its orders were numbered at once. */
static json_object *nodes_ours(json_object *told, json_object *pushed)
{
	json_object *nodes = json_opt_array(told, "nodes"), *ours = json_object_new_array();
	json_object *orders = json_opt_array(pushed, "orders");
	size_t n = json_length(orders);

	for (size_t i = 0; n > 0 && i < json_length(nodes); i++) {
		json_object *node = json_object_array_get_idx(nodes, i);
		int64_t id = json_opt_int(node, "order", 0);

		if (id >= order_id(orders, 0) && id <= order_id(orders, n - 1))
			(void)json_object_array_add(ours, json_object_get(node));
	}
	return ours;
}

static Tally nodes_tally(json_object *nodes)
{
	Tally tally = {.nodes = json_length(nodes)};

	for (size_t i = 0; i < tally.nodes; i++) {
		json_object *node = json_object_array_get_idx(nodes, i);
		bool done = !strcmp(json_opt_string(node, "state", ""), "done");

		tally.done += done;
		tally.failed += !done && json_opt_int(node, "finished_s", 0) != 0;
	}
	return tally;
}

static void progress_print(const VerbArguments *arguments, const Tally *tally)
{
	if (!isatty(STDERR_FILENO) || verb_option(arguments, "quiet"))
		return;
	(void)fprintf(stderr, "\r\033[K%zu of %zu nodes have it", tally->done, tally->nodes);
	if (tally->failed > 0)
		(void)fprintf(stderr, ", %zu failed", tally->failed);
	if (tally->done + tally->failed == tally->nodes)
		(void)fprintf(stderr, "\r\033[K");
	(void)fflush(stderr);
}

/* Asks until all are done, or `until_us`. */
static int push_follow(const VerbArguments *arguments, const char *release, json_object *pushed,
		       int64_t until_us, json_object **ret_nodes, Error *err)
{
	const struct timespec pause = {.tv_nsec = ASK_EVERY_MS * 1000000L};
	_cleanup_free_ char *path = text_format("/v1/pushes/%s", release);
	_cleanup_json_ json_object *nodes = NULL;
	Tally tally;

	if (!path)
		return error_errno(err, -ENOMEM, "Asking the hub");
	for (;;) {
		_cleanup_json_ json_object *told = NULL;
		int r = hub_ask(arguments, "GET", path, NULL, &told, err);

		if (r < 0 && r != -ECONNREFUSED && r != -ECONNRESET)
			return r;
		if (r == 0) {
			(void)json_object_put(nodes);
			nodes = nodes_ours(told, pushed);
			tally = nodes_tally(nodes);
			progress_print(arguments, &tally);
			if (tally.done + tally.failed == tally.nodes)
				break;
		}
		if (clock_monotonic_us() >= until_us)
			break;
		(void)nanosleep(&pause, NULL);
	}
	*ret_nodes = nodes ? steal_ptr(&nodes) : json_object_new_array();
	return 0;
}

/* ---- the end ---- */

static void left_out_add(json_object *nodes, json_object *pushed)
{
	json_object *left = json_opt_array(pushed, "left_out");

	for (size_t i = 0; i < json_length(left); i++) {
		json_object *node = json_object_array_get_idx(left, i);

		json_put_string(node, "state", "busy");
		(void)json_object_array_add(nodes, json_object_get(node));
	}
}

static int nodes_print(json_object *nodes)
{
	size_t n = json_length(nodes);
	_cleanup_free_ const char **cells = calloc(n + 1, COLUMNS * sizeof(*cells));

	if (!cells)
		return verb_fail(&(Error){.code = -ENOMEM, .text = "Out of memory"});
	for (size_t i = 0; i < n; i++) {
		json_object *node = json_object_array_get_idx(nodes, i);

		cells[i * COLUMNS] = json_opt_string(node, "node", "");
		cells[i * COLUMNS + 1] = json_opt_string(node, "state", "-");
		cells[i * COLUMNS + 2] = json_opt_string(node, "message", "");
	}
	print_table(columns, COLUMNS, cells, n);
	return STATUS_DONE;
}

static int push_end(const VerbArguments *arguments, json_object *pushed, json_object *nodes)
{
	Tally tally = nodes_tally(nodes);
	bool whole =
		tally.done == tally.nodes && json_length(json_opt_array(pushed, "left_out")) == 0;

	left_out_add(nodes, pushed);
	if (verb_option(arguments, "json"))
		print_json(nodes);
	else if (nodes_print(nodes) != STATUS_DONE)
		return STATUS_FAILED;
	return whole ? STATUS_DONE : STATUS_FAILED;
}

static int push_tell(const VerbArguments *arguments, const char *release, json_object *pushed)
{
	size_t n = json_length(json_opt_array(pushed, "orders"));
	size_t left = json_length(json_opt_array(pushed, "left_out"));

	if (verb_option(arguments, "json"))
		print_json(pushed);
	else
		(void)printf("%zu node%s %s ordered to fetch release %s; %zu left out\n", n,
			     n == 1 ? "" : "s",
			     verb_option(arguments, "dry-run") ? "would be" : "are", release, left);
	return left == 0 ? STATUS_DONE : STATUS_FAILED;
}

static int release_send(const VerbArguments *arguments, const char *release)
{
	_cleanup_json_ json_object *body = NULL, *pushed = NULL, *nodes = NULL;
	int64_t wait_s;
	Error err = {0};

	if (owner_number(arguments, "wait", 0, WAIT_MAX_S, WAIT_MAX_S, &wait_s, &err) < 0 ||
	    release_offer(arguments, release, &err) < 0 ||
	    push_body(arguments, release, &body, &err) < 0 ||
	    hub_ask(arguments, "POST", "/v1/pushes", body, &pushed, &err) < 0)
		return verb_fail(&err);
	if (verb_option(arguments, "detach") || verb_option(arguments, "dry-run"))
		return push_tell(arguments, release, pushed);
	if (push_follow(arguments, release, pushed, clock_monotonic_us() + wait_s * 1000000, &nodes,
			&err) < 0)
		return verb_fail(&err);
	return push_end(arguments, pushed, nodes);
}

/* A release is made of them, and sent. */
static int packages_send(const VerbArguments *arguments)
{
	Made made = {0};
	Error err = {0};
	int status = make_release(arguments, &made, &err) < 0 ? verb_fail(&err) : STATUS_DONE;

	/* A dry run leaves nothing there that could be offered to the hub. */
	if (status == STATUS_DONE && verb_option(arguments, "dry-run"))
		(void)printf("Would make release %s of kernel %s, and send it\n",
			     made.manifest->name, made.manifest->kernel);
	else if (status == STATUS_DONE)
		status = release_send(arguments, made.manifest->name);
	manifest_free(made.manifest);
	return status;
}

/* Options that only a release's making has. */
static const char *option_of_making(const VerbArguments *arguments)
{
	static const char *const names[] = {"key", "passphrase-file", "name", "channel", "expires"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (verb_option(arguments, names[i]))
			return names[i];
	}
	return NULL;
}

static int run(const VerbArguments *arguments)
{
	const char *given = arguments->positional[0], *option = option_of_making(arguments);
	bool all = verb_option(arguments, "all"), node = verb_option(arguments, "node"),
	     some = verb_option(arguments, "label") || verb_option(arguments, "group");

	if (all + node + some != 1)
		return verb_usage("push", "push: one of --all, --group, --label and --node is "
					  "needed");
	if (text_has_suffix(given, ".deb")) {
		if (!verb_option(arguments, "key") && !verb_option(arguments, "dry-run"))
			return verb_usage("push",
					  "push: --key is missing, to sign what is made of %s",
					  given);
		return packages_send(arguments);
	}
	if (arguments->n_positional > 1 || !name_is_valid(given))
		return verb_usage("push",
				  "push: \"%.64s\" is no release; give one, or kernel packages, "
				  "FILE.deb",
				  arguments->n_positional > 1 ? arguments->positional[1] : given);
	if (option)
		return verb_usage("push", "push: --%s goes with packages, and %s is a release",
				  option, given);
	return release_send(arguments, given);
}

const Verb verb_push = {
	.name = "push",
	.arguments = "RELEASE | PACKAGE...",
	.summary = "Send a release to nodes, from node to node",
	.options =
		(const VerbOption[]){
			{"all", NULL, "to every node"},
			{"group", "GROUP", "to those with the label group=GROUP"},
			{"label", "KEY=VALUE", "to those with this label; repeatable"},
			{"node", "NODE", "to this one; repeatable"},
			{"wait", "SECONDS", "for nodes to have it (default: as long as it takes)"},
			{"detach", NULL, "do not wait for the end"},
			{"dry-run", NULL, "tell who would get it, and order nothing"},
			{"name", "NAME", "of packages: name of the release that is made"},
			{"channel", "NAME", "of packages: its channel (default: main)"},
			{"expires", "TIME", "of packages: days, or a date (default: 90)"},
			OWNER_OPTION_KEY,
			OWNER_OPTION_PASSPHRASE,
			OWNER_OPTION_DIR,
			HUB_OPTION_SOCKET,
			{"quiet", NULL, "show no progress"},
			{"json", NULL, "print JSON"},
			{0},
		},
	.arguments_min = 1,
	.arguments_max = -1,
	.run = run,
};
