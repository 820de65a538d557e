/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/hub.h"
#include "cli/owner.h"
#include "cli/print.h"

enum { COLUMNS = 7 };

static const PrintColumn columns[COLUMNS] = {
	{"NODE", PRINT_LEFT},   {"STATE", PRINT_LEFT},  {"KERNEL", PRINT_LEFT},
	{"KEPT", PRINT_RIGHT},  {"HEALTH", PRINT_LEFT}, {"SEEN", PRINT_LEFT},
	{"LABELS", PRINT_LEFT},
};

/* What the cells point to beside the answer itself. */
typedef struct Row {
	PrintText kept;
	OwnerTime seen;
	char labels[256];
} Row;

static void labels_print(json_object *labels, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	json_object_object_foreach(labels, key, value)
	{
		int n = snprintf(ret + used, size - used, "%s%s=%s", used ? "," : "", key,
				 json_object_get_string(value));

		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

static void node_print(json_object *node, Row *row, const char **cells)
{
	json_object *report = NULL, *labels = NULL;
	int64_t seen_s = json_opt_int(node, "seen_s", 0);

	(void)json_object_object_get_ex(node, "report", &report);
	if (json_object_object_get_ex(node, "labels", &labels))
		labels_print(labels, row->labels, sizeof(row->labels));
	row->kept =
		print_number(report ? (int64_t)json_length(json_opt_array(report, "kept")) : -1);
	row->seen = owner_time(seen_s);
	cells[0] = json_opt_string(node, "name", "");
	cells[1] = json_opt_string(node, "state", "");
	cells[2] = json_opt_string(report, "kernel", "-");
	cells[3] = row->kept.text;
	cells[4] = json_opt_string(report, "health", "-");
	cells[5] = seen_s ? row->seen.text : "-";
	cells[6] = row->labels;
}

static int nodes_print(json_object *nodes)
{
	size_t n = json_length(nodes);
	_cleanup_free_ const char **cells = calloc(n + 1, COLUMNS * sizeof(*cells));
	_cleanup_free_ Row *rows = calloc(n + 1, sizeof(*rows));

	if (!cells || !rows)
		return verb_fail(&(Error){.code = -ENOMEM, .text = "Out of memory"});
	for (size_t i = 0; i < n; i++)
		node_print(json_object_array_get_idx(nodes, i), &rows[i], cells + i * COLUMNS);
	print_table(columns, COLUMNS, cells, n);
	return STATUS_DONE;
}

/* Whether a node has every label that --label asks for. */
static bool node_matches(json_object *node, json_object *wanted)
{
	json_object *labels = NULL;

	(void)json_object_object_get_ex(node, "labels", &labels);
	json_object_object_foreach(wanted, key, value)
	{
		if (strcmp(json_opt_string(labels, key, ""), json_object_get_string(value)) != 0)
			return false;
	}
	return true;
}

static json_object *nodes_select(json_object *answer, json_object *wanted)
{
	json_object *nodes = json_opt_array(answer, "nodes"), *list = json_object_new_array();

	for (size_t i = 0; i < json_length(nodes); i++) {
		json_object *node = json_object_array_get_idx(nodes, i);

		if (node_matches(node, wanted))
			(void)json_object_array_add(list, json_object_get(node));
	}
	return list;
}

static int run(const VerbArguments *arguments)
{
	_cleanup_json_ json_object *answer = NULL, *wanted = NULL, *nodes = NULL;
	Error err = {0};

	if (hub_labels(arguments, &wanted, &err) < 0 ||
	    hub_ask(arguments, "GET", "/v1/nodes", NULL, &answer, &err) < 0)
		return verb_fail(&err);
	nodes = nodes_select(answer, wanted);
	if (verb_option(arguments, "json")) {
		print_json(nodes);
		return STATUS_DONE;
	}
	if (json_length(nodes) > 0)
		return nodes_print(nodes);
	(void)printf("There is no such node; segue join makes a machine one\n");
	return STATUS_DONE;
}

const Verb verb_nodes = {
	.name = "nodes",
	.arguments = "",
	.summary = "List the nodes of the hub of this machine",
	.options =
		(const VerbOption[]){
			{"label", "KEY=VALUE", "only those with this label; repeatable"},
			HUB_OPTION_SOCKET,
			{"json", NULL, "print JSON"},
			{0},
		},
	.run = run,
};
