/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/relay_order.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define PATIENCE_MIN_US  100000
#define PATIENCE_MAX_US  1000000
#define PATIENCE_PORTION 8

typedef struct Ranked {
	int node, rack;
} Ranked;

typedef struct Ordering {
	Ranked *ranked; /* good nodes, by rack */
	int n;
	int stripes;
	int *parent[RELAY_STRIPES_MAX];  /* by node, in the tree as it is drawn */
	int *sibling[RELAY_STRIPES_MAX]; /* by node: the other child of its parent; RELAY_HUB: none
					  */
	int *child[RELAY_STRIPES_MAX];   /* by node: its last child so far; RELAY_HUB: none */
} Ordering;

int relay_stripes(size_t n)
{
	return n <= RELAY_CHAIN_MAX ? 1 : RELAY_STRIPES_MAX;
}

int64_t relay_patience_us(int64_t expected_us)
{
	int64_t portion = expected_us / PATIENCE_PORTION;

	if (portion < PATIENCE_MIN_US)
		return PATIENCE_MIN_US;
	return portion > PATIENCE_MAX_US ? PATIENCE_MAX_US : portion;
}

static void ordering_release(Ordering *o)
{
	free(o->ranked);
	for (int s = 0; s < RELAY_STRIPES_MAX; s++) {
		free(o->parent[s]);
		free(o->sibling[s]);
		free(o->child[s]);
	}
}
#define _cleanup_ordering_ _cleanup_(ordering_release)

static int *nobody(size_t n)
{
	int *list = malloc((n + 1) * sizeof(*list));

	for (size_t i = 0; list && i <= n; i++)
		list[i] = RELAY_HUB;
	return list;
}

static int rank_order(const void *a, const void *b)
{
	const Ranked *x = a, *y = b;

	if (x->rack != y->rack)
		return x->rack < y->rack ? -1 : 1;
	return (x->node > y->node) - (x->node < y->node);
}

static int ordering_make(Ordering *o, const RelayNode *nodes, size_t n, Error *err)
{
	bool complete = (o->ranked = calloc(n + 1, sizeof(*o->ranked))) != NULL;

	for (int s = 0; s < o->stripes; s++)
		complete = complete && (o->parent[s] = nobody(n)) && (o->sibling[s] = nobody(n)) &&
			   (o->child[s] = nobody(n));
	if (!complete)
		return error_errno(err, -ENOMEM, "Ordering %zu nodes", n);
	for (size_t i = 0; i < n; i++)
		if (nodes[i].health == RELAY_GOOD)
			o->ranked[o->n++] = (Ranked){.node = (int)i, .rack = nodes[i].rack};
	qsort(o->ranked, (size_t)o->n, sizeof(*o->ranked), rank_order);
	return 0;
}

/* ---- the trees ---- */

static void attach(Ordering *o, int stripe, int node, int parent)
{
	o->parent[stripe][node] = parent;
	if (parent == RELAY_HUB)
		return;
	if (o->child[stripe][parent] != RELAY_HUB) {
		o->sibling[stripe][node] = o->child[stripe][parent];
		o->sibling[stripe][o->child[stripe][parent]] = node;
	}
	o->child[stripe][parent] = node;
}

/* Every other of the ranked nodes passes a stripe on; the rest are its leaves. */
static Ranked inner(const Ordering *o, int stripe, int i)
{
	return o->ranked[o->stripes * i + stripe];
}

static Ranked leaf(const Ordering *o, int stripe, int i)
{
	return o->ranked[2 * i + 1 - stripe];
}

/* Nodes of one tree: inner ones from a up to b, leaves from c up to d.  As each inner one has two
 * children, there is room for one leaf more than there are of them. */
typedef struct Span {
	int parent;
	int a, b, c, d;
} Span;

/* Where the inner nodes after the first are cut in two: between racks, if that is near the middle.
 */
static int cut(const Ordering *o, int stripe, int begin, int end)
{
	int middle = begin + (end - begin + 1) / 2, reach = (end - begin) / 4;

	for (int away = 0; away <= reach; away++)
		for (int side = -1; side <= 1; side += 2) {
			int at = middle + side * away;

			if (at > begin && at < end &&
			    inner(o, stripe, at - 1).rack != inner(o, stripe, at).rack)
				return at;
		}
	return middle;
}

static int clamp(int value, int min, int max)
{
	if (value < min)
		return min;
	return value > max ? max : value;
}

static void leaves_attach(Ordering *o, int stripe, const Span *span)
{
	for (int i = span->c; i < span->d; i++)
		attach(o, stripe, leaf(o, stripe, i).node, span->parent);
}

/* Draws the first inner node of a span, and gives what remains in up to two spans. */
static int span_divide(Ordering *o, int stripe, const Span *span, Span ret[2])
{
	int head, at, leaves;

	if (span->a == span->b) {
		leaves_attach(o, stripe, span);
		return 0;
	}
	head = inner(o, stripe, span->a).node;
	attach(o, stripe, head, span->parent);
	at = span->b - span->a <= 2 ? span->b : cut(o, stripe, span->a + 1, span->b);
	/* Leaves go where the inner nodes beside them went, as far as there is room. */
	leaves = clamp(at, span->d - (span->b - at + 1), span->c + (at - span->a));
	leaves = clamp(leaves, span->c, span->d);
	ret[0] = (Span){head, span->a + 1, at, span->c, leaves};
	ret[1] = (Span){head, at, span->b, leaves, span->d};
	return 2;
}

/* As deep as the stack gets: each level divides what is left, in halves or nearly. */
#define SPANS_MAX 128

static void tree_draw(Ordering *o, int stripe)
{
	Span stack[SPANS_MAX] = {
		{RELAY_HUB, 0, (o->n + 1 - stripe) / 2, 0, (o->n + stripe) / 2},
	};
	int n = 1;

	while (n > 0) {
		Span span = stack[--n], parts[2];
		int more = span_divide(o, stripe, &span, parts);

		while (more > 0)
			stack[n++] = parts[--more];
	}
}

static void chain_draw(Ordering *o)
{
	for (int i = 0; i < o->n; i++)
		attach(o, 0, o->ranked[i].node, i > 0 ? o->ranked[i - 1].node : RELAY_HUB);
}

/* ---- the lists ---- */

static bool is_below(const Ordering *o, int stripe, int node, int above)
{
	while (node != RELAY_HUB && node != above)
		node = o->parent[stripe][node];
	return node == above;
}

/* Where a node goes that loses its parent in a stripe. */
static int second(const Ordering *o, int stripe, int node)
{
	int lost = o->parent[stripe][node], sibling = o->sibling[stripe][node], other;

	if (o->stripes == 1 || sibling == RELAY_HUB)
		return o->parent[stripe][lost];
	other = o->parent[1 - stripe][lost];
	if (other == RELAY_HUB)
		return node < sibling ? o->parent[stripe][lost] : RELAY_HUB;
	/* Nobody may get a stripe from whom it gives it to. */
	if (is_below(o, stripe, other, node))
		return o->parent[stripe][lost];
	if (is_below(o, stripe, other, sibling))
		return other;
	return node < sibling ? o->parent[stripe][lost] : other;
}

static void list_add(RelayPlace *place, int stripe, int parent)
{
	int *n = &place->n_parents[stripe];

	for (int i = 0; i < *n; i++)
		if (place->parents[stripe][i] == parent)
			return;
	/* The last is kept for the hub. */
	if (*n < RELAY_PARENTS_MAX - (parent != RELAY_HUB))
		place->parents[stripe][(*n)++] = parent;
}

static void list_fill(const Ordering *o, int stripe, int node, RelayPlace *place)
{
	int parent = o->parent[stripe][node];

	list_add(place, stripe, parent);
	if (parent != RELAY_HUB) {
		int next = second(o, stripe, node);

		if (next != RELAY_HUB)
			list_add(place, stripe, next);
		for (int above = o->parent[stripe][parent]; above != RELAY_HUB;
		     above = o->parent[stripe][above]) {
			if (place->n_parents[stripe] == RELAY_PARENTS_MAX - 1)
				break;
			list_add(place, stripe, above);
		}
	}
	list_add(place, stripe, RELAY_HUB);
}

/* Of a slow node: good ones of its rack or near it, so that nobody has many of them. */
static void list_fill_slow(const Ordering *o, const RelayNode *nodes, int node, int number,
			   RelayPlace *place)
{
	int first = 0;

	while (first < o->n && o->ranked[first].rack < nodes[node].rack)
		first++;
	for (int s = 0; s < o->stripes; s++) {
		for (int i = 0; i < RELAY_PARENTS_MAX - 1 && i < o->n; i++)
			list_add(place, s, o->ranked[(first + number + i + s) % o->n].node);
		list_add(place, s, RELAY_HUB);
	}
}

int relay_order(const RelayNode *nodes, size_t n, int stripes, RelayPlace *ret, Error *err)
{
	_cleanup_ordering_ Ordering o = {.stripes = stripes};
	int n_slow = 0, r = ordering_make(&o, nodes, n, err);

	if (r < 0)
		return r;
	if (stripes == 1)
		chain_draw(&o);
	for (int s = 0; stripes > 1 && s < stripes; s++)
		tree_draw(&o, s);
	for (size_t i = 0; i < n; i++) {
		ret[i] = (RelayPlace){0};
		if (nodes[i].health == RELAY_SLOW)
			list_fill_slow(&o, nodes, (int)i, n_slow++, &ret[i]);
		for (int s = 0; nodes[i].health == RELAY_GOOD && s < stripes; s++)
			list_fill(&o, s, (int)i, &ret[i]);
	}
	return 0;
}
