/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/wait.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define BUCKETS 4096 /* of nodes; a power of two */
#define TICK_US 1000000U
#define TICKS   (WAIT_MAX_S + 2)

typedef struct Wait {
	int64_t node, after;
	HttpCall *call;
	struct Wait *next, **link;           /* of its bucket */
	struct Wait *tick_next, **tick_link; /* of those whose time is over at the same tick */
} Wait;

/* Times are ticks of a second, in a wheel that is a little larger than the longest wait. */
struct Waits {
	sd_event_source *timer;
	WaitOver *over;
	void *data;
	size_t n, tick;
	Wait *buckets[BUCKETS];
	Wait *ticks[TICKS];
};

static Wait **bucket_of(Waits *waits, int64_t node)
{
	return &waits->buckets[(size_t)node & (BUCKETS - 1)];
}

static Wait *wait_find(const Waits *waits, int64_t node)
{
	Wait *wait = waits->buckets[(size_t)node & (BUCKETS - 1)];

	while (wait && wait->node != node)
		wait = wait->next;
	return wait;
}

/* Gives its call back. */
static HttpCall *wait_remove(Waits *waits, Wait *wait)
{
	HttpCall *call = wait->call;

	*wait->link = wait->next;
	if (wait->next)
		wait->next->link = wait->link;
	*wait->tick_link = wait->tick_next;
	if (wait->tick_next)
		wait->tick_next->tick_link = wait->tick_link;
	free(wait);
	waits->n--;
	return call;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	Waits *waits = data;

	waits->tick = (waits->tick + 1) % TICKS;
	while (waits->ticks[waits->tick])
		waits->over(wait_remove(waits, waits->ticks[waits->tick]), waits->data);
	(void)sd_event_source_set_time_relative(source, TICK_US);
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

int waits_new(sd_event *event, WaitOver *over, void *data, Waits **ret, Error *err)
{
	Waits *waits = calloc(1, sizeof(*waits));
	int r;

	if (!waits)
		return error_errno(err, -ENOMEM, "Starting to let nodes wait");
	waits->over = over;
	waits->data = data;
	r = sd_event_add_time_relative(event, &waits->timer, CLOCK_MONOTONIC, TICK_US, 0, on_tick,
				       waits);
	if (r < 0) {
		free(waits);
		return error_errno(err, r, "Starting to let nodes wait");
	}
	*ret = waits;
	return 0;
}

void waits_free(Waits *waits)
{
	if (!waits)
		return;
	(void)sd_event_source_disable_unref(waits->timer);
	free(waits);
}

int waits_add(Waits *waits, int64_t node, HttpCall *call, int64_t after, unsigned limit_s,
	      Error *err)
{
	Wait *old = wait_find(waits, node), *wait = calloc(1, sizeof(*wait));
	Wait **bucket = bucket_of(waits, node), **tick;

	if (!wait)
		return error_errno(err, -ENOMEM, "Letting a node wait");
	/* The connection that it waited on before is gone, though nobody has noticed yet. */
	if (old)
		waits->over(wait_remove(waits, old), waits->data);
	tick = &waits->ticks[(waits->tick + limit_s + 1) % TICKS];
	*wait = (Wait){
		.node = node,
		.after = after,
		.call = call,
		.next = *bucket,
		.link = bucket,
		.tick_next = *tick,
		.tick_link = tick,
	};
	if (wait->next)
		wait->next->link = &wait->next;
	*bucket = wait;
	if (wait->tick_next)
		wait->tick_next->tick_link = &wait->tick_next;
	*tick = wait;
	waits->n++;
	return 0;
}

HttpCall *waits_take(Waits *waits, int64_t node, int64_t *ret_after)
{
	Wait *wait = wait_find(waits, node);

	if (!wait)
		return NULL;
	*ret_after = wait->after;
	return wait_remove(waits, wait);
}

bool waits_has(const Waits *waits, int64_t node)
{
	return wait_find(waits, node) != NULL;
}

size_t waits_count(const Waits *waits)
{
	return waits->n;
}

void waits_end(Waits *waits)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		while (waits->buckets[i])
			waits->over(wait_remove(waits, waits->buckets[i]), waits->data);
	}
}
