/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/tie.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "fleet/fleet.h"

/* A table that grows; the links from nodes to cells are sorted when all are known. */
typedef struct Builder {
	const Fleet *fleet;
	TieTable table;
	size_t set_room, cell_room, link_room, n_links;
	struct Link {
		int node, cell;
	} * links;
	bool failed;
} Builder;

/* Room for one more; NULL notes the failure. */
static void *grown(Builder *builder, void *array, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 16;
	void *result;

	if (n < *room)
		return array;
	result = reallocarray(array, more, size);
	if (!result) {
		builder->failed = true;
		return NULL;
	}
	*room = more;
	return result;
}

static int set_add(Builder *builder, TieKind kind, int rollout, const char *name)
{
	TieTable *table = &builder->table;
	TieSet *sets =
		grown(builder, table->sets, table->n_sets, &builder->set_room, sizeof(*sets));

	if (!sets)
		return -1;
	table->sets = sets;
	sets[table->n_sets] = (TieSet){.kind = kind, .rollout = rollout, .name = name};
	return (int)table->n_sets++;
}

static int cell_add(Builder *builder, int set)
{
	TieTable *table = &builder->table;
	TieCell *cells =
		grown(builder, table->cells, table->n_cells, &builder->cell_room, sizeof(*cells));

	if (!cells)
		return -1;
	table->cells = cells;
	cells[table->n_cells] = (TieCell){.set = set, .max_down = 1};
	return (int)table->n_cells++;
}

static void link_add(Builder *builder, int node, int cell)
{
	struct Link *links = grown(builder, builder->links, builder->n_links, &builder->link_room,
				   sizeof(*links));

	if (!links)
		return;
	builder->links = links;
	links[builder->n_links++] = (struct Link){node, cell};
}

/* "web1,web2" */
static void names_add(Builder *builder, TieKind kind, int rollout, const char *names)
{
	int set = set_add(builder, kind, rollout, names);
	int cell_index = set < 0 ? -1 : cell_add(builder, set);
	_cleanup_free_ char *copy = strdup(names);
	TieCell *cell;

	if (!copy)
		builder->failed = true;
	if (builder->failed)
		return;
	cell = &builder->table.cells[cell_index];
	for (char *rest = copy, *name; (name = strsep(&rest, ","));) {
		int node = fleet_node_find(builder->fleet, name);

		cell->n++;
		if (node < 0 || builder->fleet->nodes[node].removed)
			cell->absent++;
		else
			link_add(builder, node, cell_index);
	}
	if (kind == TIE_QUORUM)
		cell->max_down = (cell->n - 1) / 2;
}

typedef struct Value {
	const char *value;
	int node;
} Value;

static int compare_values(const void *a, const void *b)
{
	const Value *left = a, *right = b;
	int order = strcmp(left->value, right->value);

	return order ? order : left->node - right->node;
}

static bool is_covered(const Fleet *fleet, int rollout, int node)
{
	return !fleet->nodes[node].removed &&
	       (rollout < 0 || fleet->rollouts[rollout].counts[fleet->nodes[node].group].selected);
}

static void label_add(Builder *builder, TieKind kind, int rollout, const char *label)
{
	const Fleet *fleet = builder->fleet;
	_cleanup_free_ Value *values = calloc(fleet->n_nodes + 1, sizeof(*values));
	int set = set_add(builder, kind, rollout, label), cell = -1;
	size_t n = 0;

	if (!values)
		builder->failed = true;
	if (builder->failed)
		return;
	for (size_t i = 0; i < fleet->n_nodes; i++) {
		const char *value = node_label(&fleet->nodes[i], label);

		if (value && is_covered(fleet, rollout, (int)i))
			values[n++] = (Value){value, (int)i};
	}
	qsort(values, n, sizeof(*values), compare_values);
	for (size_t i = 0; i < n && !builder->failed; i++) {
		if (i == 0 || strcmp(values[i - 1].value, values[i].value) != 0)
			cell = cell_add(builder, set);
		if (cell < 0)
			return;
		/* Within one value of --apart any number may be down. */
		if (kind == TIE_APART)
			builder->table.cells[cell].max_down = INT_MAX;
		builder->table.cells[cell].n++;
		link_add(builder, values[i].node, cell);
	}
}

/* Only the names, so that the sets of others keep their places, and reasons can name them. */
static void ties_keep(Builder *builder, int rollout, const Ties *ties)
{
	for (size_t i = 0; i < ties->pairs.n; i++)
		(void)set_add(builder, TIE_PAIR, rollout, ties->pairs.items[i]);
	for (size_t i = 0; i < ties->quorums.n; i++)
		(void)set_add(builder, TIE_QUORUM, rollout, ties->quorums.items[i]);
	for (size_t i = 0; i < ties->apart.n; i++)
		(void)set_add(builder, TIE_APART, rollout, ties->apart.items[i]);
	for (size_t i = 0; i < ties->pair_by.n; i++)
		(void)set_add(builder, TIE_PAIR_BY, rollout, ties->pair_by.items[i]);
}

static void ties_add(Builder *builder, int rollout, const Ties *ties)
{
	for (size_t i = 0; i < ties->pairs.n; i++)
		names_add(builder, TIE_PAIR, rollout, ties->pairs.items[i]);
	for (size_t i = 0; i < ties->quorums.n; i++)
		names_add(builder, TIE_QUORUM, rollout, ties->quorums.items[i]);
	for (size_t i = 0; i < ties->apart.n; i++)
		label_add(builder, TIE_APART, rollout, ties->apart.items[i]);
	for (size_t i = 0; i < ties->pair_by.n; i++)
		label_add(builder, TIE_PAIR_BY, rollout, ties->pair_by.items[i]);
}

/* From a list of links to the cells of each node. */
static void links_sort(Builder *builder)
{
	TieTable *table = &builder->table;
	size_t n = builder->fleet->n_nodes;

	table->first = calloc(n + 2, sizeof(*table->first));
	table->cell_of = calloc(builder->n_links + 1, sizeof(*table->cell_of));
	if (!table->first || !table->cell_of) {
		builder->failed = true;
		return;
	}
	/* Counted one place ahead, so that filling moves each to where it belongs. */
	for (size_t i = 0; i < builder->n_links; i++)
		table->first[builder->links[i].node + 2]++;
	for (size_t i = 2; i < n + 2; i++)
		table->first[i] += table->first[i - 1];
	for (size_t i = 0; i < builder->n_links; i++)
		table->cell_of[table->first[builder->links[i].node + 1]++] = builder->links[i].cell;
}

int tie_table_make(const Fleet *fleet, TieTable *ret, Error *err)
{
	Builder builder = {.fleet = fleet};

	ties_add(&builder, -1, &fleet->ties);
	for (size_t i = 0; i < fleet->n_rollouts; i++) {
		const Rollout *rollout = &fleet->rollouts[i];

		if (rollout_states[rollout->state].ended)
			ties_keep(&builder, (int)i, &rollout->policy.ties);
		else
			ties_add(&builder, (int)i, &rollout->policy.ties);
	}
	if (!builder.failed)
		links_sort(&builder);
	free(builder.links);
	if (builder.failed) {
		tie_table_release(&builder.table);
		return error_errno(err, -ENOMEM, "Sorting the ties between nodes");
	}
	*ret = builder.table;
	return 0;
}

void tie_table_release(TieTable *table)
{
	free(table->sets);
	free(table->cells);
	free(table->cell_of);
	free(table->first);
	*table = (TieTable){0};
}

void tie_clear(TieTable *table)
{
	for (size_t i = 0; i < table->n_sets; i++)
		table->sets[i].cells_down = table->sets[i].cells_down_idle = 0;
	for (size_t i = 0; i < table->n_cells; i++)
		table->cells[i].down = table->cells[i].idle = 0;
}

void tie_count(TieTable *table, int node, bool idle)
{
	for (int i = table->first[node]; i < table->first[node + 1]; i++) {
		TieCell *cell = &table->cells[table->cell_of[i]];
		TieSet *set = &table->sets[cell->set];

		set->cells_down += cell->down == 0;
		set->cells_down_idle += idle && cell->idle == 0;
		if (cell->down == 0)
			set->example = table->cell_of[i];
		if (cell->down < 2)
			cell->examples[cell->down] = node;
		cell->down++;
		cell->idle += idle;
	}
}

/* A node of another cell of the set that is down; -1 if it was not noted. */
static int example_elsewhere(const TieTable *table, const TieCell *cell)
{
	for (size_t i = 0; i < table->n_cells; i++) {
		if (&table->cells[i] != cell && table->cells[i].set == cell->set &&
		    table->cells[i].down > 0)
			return table->cells[i].examples[0];
	}
	return -1;
}

static bool apart_check(const TieTable *table, const TieCell *cell, Reason *ret_why)
{
	const TieSet *set = &table->sets[cell->set];
	int elsewhere = set->cells_down - (cell->down > 0);

	if (elsewhere == 0)
		return true;
	*ret_why = reason_make(REASON_APART);
	ret_why->have = elsewhere;
	/* Looked for only when there is little to look through: it is for people. */
	ret_why->other = set->cells_down == 1 ? table->cells[set->example].examples[0]
					      : example_elsewhere(table, cell);
	ret_why->others = set->cells_down_idle - (cell->idle > 0) > 0;
	return false;
}

static bool cell_check(const TieTable *table, const TieCell *cell, int node, bool is_down,
		       bool is_idle, Reason *ret_why)
{
	TieKind kind = table->sets[cell->set].kind;
	int others = cell->down - is_down + (kind == TIE_QUORUM ? cell->absent : 0);

	if (kind == TIE_APART)
		return apart_check(table, cell, ret_why);
	if (others < cell->max_down)
		return true;
	*ret_why = reason_make(kind == TIE_QUORUM ? REASON_QUORUM : REASON_PAIR);
	ret_why->have = others;
	ret_why->limit = cell->max_down;
	ret_why->of = cell->n;
	if (cell->down - is_down > 0)
		ret_why->other = cell->examples[cell->examples[0] == node && cell->down > 1];
	ret_why->others =
		cell->idle - is_idle + (kind == TIE_QUORUM ? cell->absent : 0) >= cell->max_down;
	return false;
}

bool tie_check(const TieTable *table, int node, bool is_down, bool is_idle, Reason *ret_why)
{
	for (int i = table->first[node]; i < table->first[node + 1]; i++) {
		const TieCell *cell = &table->cells[table->cell_of[i]];

		if (cell_check(table, cell, node, is_down, is_idle, ret_why))
			continue;
		ret_why->node = node;
		ret_why->set = cell->set;
		return false;
	}
	return true;
}
