/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ties between nodes, in the form in which they are looked at.
 *
 * Each tie is a set of cells, each cell a set of nodes.  A named pair or a quorum set has one cell,
 * a label one for each of its values.  A node may be in cells of many sets.  The nodes that are
 * down are counted into their cells before each decision.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "fleet/reason.h"

typedef enum TieKind {
	TIE_PAIR,    /* in each cell at most one node down */
	TIE_QUORUM,  /* in the cell fewer than half */
	TIE_APART,   /* in at most one cell is anything down */
	TIE_PAIR_BY, /* as a pair */
} TieKind;

typedef struct TieSet {
	TieKind kind;
	int rollout;      /* that brought it; -1: the fleet's own */
	const char *name; /* belongs to the fleet's or the policy's texts */
	int cells_down;
	int cells_down_idle; /* those with a node down that nobody is changing */
	int example;         /* a cell that is down */
} TieSet;

typedef struct TieCell {
	int set;
	int max_down;
	int n;          /* as named, whether or not the fleet has all of them */
	int absent;     /* those that it does not have; a quorum set cannot count on them */
	int down, idle; /* nodes that are down; those of them that nobody is changing */
	int examples[2];
} TieCell;

typedef struct TieTable {
	TieSet *sets;
	size_t n_sets;
	TieCell *cells;
	size_t n_cells;
	int *cell_of; /* of node i: from first[i] up to first[i + 1] */
	int *first;
} TieTable;

/* From the ties of the fleet and of its rollouts that have not ended.  -ENOMEM. */
int tie_table_make(const Fleet *fleet, TieTable *ret, Error *err);
void tie_table_release(TieTable *table);

/* Counting: begin with nothing down, then each node that is. */
void tie_clear(TieTable *table);
void tie_count(TieTable *table, int node, bool idle);

/* Whether `node`, which may be down already, may be down by our doing.  If not, why. */
bool tie_check(const TieTable *table, int node, bool is_down, bool is_idle, Reason *ret_why);
