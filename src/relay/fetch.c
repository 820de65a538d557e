/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/worker.h"

#define TROUBLE_US 1000000
#define SECOND_US  1000000

typedef enum FetchState {
	FETCH_WAITING, /* for room on the disk, or whatever else */
	FETCH_RECEIVING,
	FETCH_FINISHING, /* a worker checks the files whole */
	FETCH_DONE,
} FetchState;

struct Fetch {
	FetchSetup setup;
	Order order;
	FetchState state;
	int64_t again_us;
	Holding *holding; /* NULL: not begun */
	Stripe stripes[RELAY_STRIPES_MAX];
	Worker worker;
	Error why; /* what stands in the way; told once */
	bool in_trouble;
};

const Order *fetch_order(const Fetch *f)
{
	return &f->order;
}

int64_t fetch_size(const Fetch *f)
{
	return f->holding ? manifest_size(holding_manifest(f->holding)) : 0;
}

static void stripes_stop(Fetch *f)
{
	for (int i = 0; i < f->order.stripes; i++)
		stripe_stop(&f->stripes[i]);
}

static void holding_drop(Fetch *f)
{
	if (!f->holding)
		return;
	f->setup.handler.dropping(f->holding, f->setup.handler.data);
	holding_free(f->holding);
	f->holding = NULL;
}

void fetch_free(Fetch *f)
{
	if (!f)
		return;
	stripes_stop(f);
	(void)worker_finish(&f->worker, 0, NULL);
	if (f->state != FETCH_DONE)
		holding_drop(f);
	order_release(&f->order);
	free(f);
}

int fetch_new(const FetchSetup *setup, Order *order, Fetch **ret, Error *err)
{
	Fetch *f = calloc(1, sizeof(*f));

	if (!f)
		return error_errno(err, -ENOMEM, "Receiving release %s", order->release);
	f->setup = *setup;
	f->order = *order;
	*order = (Order){0};
	*ret = f;
	return 0;
}

/* What is told once is not told again until something else happens. */
static void fetch_trouble(Fetch *f, const Error *why, int64_t now_us)
{
	if (f->why.code != why->code)
		f->setup.handler.trouble(f, why, f->setup.handler.data);
	f->why = *why;
	f->in_trouble = false;
	f->state = FETCH_WAITING;
	f->again_us = now_us + TROUBLE_US;
	stripes_stop(f);
	/* Who waits for this node would wait for as long as it does. */
	if (f->holding)
		f->setup.handler.dropping(f->holding, f->setup.handler.data);
}

/* ---- beginning ---- */

static void on_chunk(size_t chunk, void *data)
{
	Fetch *f = data;

	f->why = (Error){0};
	f->setup.handler.chunk(f, f->holding, chunk, f->setup.handler.data);
}

static void on_left(const Address *parent, const Error *why, void *data)
{
	Fetch *f = data;

	/* It is not the parent's fault that this node cannot write. */
	if (!f->in_trouble)
		f->setup.handler.left(f, parent, why, f->setup.handler.data);
}

/* From within a link's work: the rest is done at the next tick. */
static void on_trouble(const Error *why, void *data)
{
	Fetch *f = data;

	f->in_trouble = true;
	if (f->why.code != why->code)
		f->setup.handler.trouble(f, why, f->setup.handler.data);
	f->why = *why;
}

/* Bytes a second that may be expected; 0: it is not known. */
static int64_t rate_expected(const Fetch *f)
{
	const int64_t limits[] = {f->setup.link.rate, f->setup.link.in->rate};
	int64_t rate = f->order.rate;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limits[i] > 0 && limits[i] < rate)
			rate = limits[i];
	return rate;
}

static void stripes_prepare(Fetch *f)
{
	int64_t best = rate_expected(f) * f->order.patience_us / SECOND_US / f->order.stripes;

	for (int i = 0; i < f->order.stripes; i++)
		f->stripes[i] = (Stripe){
			.number = i,
			.of = f->order.stripes,
			.holding = f->holding,
			.order = &f->order,
			.setup = f->setup.link,
			.best = best,
			.handler = {on_chunk, on_left, on_trouble, f},
		};
}

static int room_make(Fetch *f, int document, Error *err)
{
	const char *keep[ORDER_KEEP_MAX];
	CleanPlan plan = {
		.quota = f->setup.quota,
		.keep = keep,
		.n_keep = f->order.n_keep,
		.coming = f->setup.handler.coming,
		.removing = f->setup.handler.removing,
		.data = f->setup.handler.data,
	};
	_cleanup_release_ Release *release = NULL;
	int r = release_open_at(document, &release, err);

	for (size_t i = 0; i < plan.n_keep; i++)
		keep[i] = f->order.keep[i];
	return r < 0 ? r : clean_depot(f->setup.depot, release->manifest, &plan, err);
}

static int fetch_open(Fetch *f, Error *err)
{
	_cleanup_close_ int document = open(f->order.document, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (document < 0)
		return error_errno(err, -errno, "Opening %s", f->order.document);
	r = room_make(f, document, err);
	return r < 0 ? r : holding_begin(f->setup.depot, document, &f->holding, err);
}

static int fetch_begin(Fetch *f, Error *err)
{
	int r = f->holding ? 0 : fetch_open(f, err);

	if (r < 0)
		return r;
	f->setup.handler.begun(f, f->holding, f->setup.handler.data);
	stripes_prepare(f);
	f->state = FETCH_RECEIVING;
	return 0;
}

/* ---- the end ---- */

static int finish(void *userdata, Error *err)
{
	return holding_finish(userdata, err);
}

static int fetch_finish(Fetch *f, Error *err)
{
	stripes_stop(f);
	f->state = FETCH_FINISHING;
	return worker_start(&f->worker, finish, f->holding, err);
}

static int worker_look(Fetch *f, Error *err)
{
	struct pollfd p = {.fd = f->worker.answer, .events = POLLIN};
	int r;

	if (poll(&p, 1, 0) == 0)
		return 0;
	r = worker_finish(&f->worker, -1, err);
	if (r < 0) {
		/* All of it is looked at again, to see which chunks are not right. */
		holding_drop(f);
		return r;
	}
	f->state = FETCH_DONE;
	f->setup.handler.done(f, f->setup.handler.data);
	return 0;
}

static int stripes_tick(Fetch *f, int64_t now_us, Error *err)
{
	if (holding_missing(f->holding) == 0)
		return fetch_finish(f, err);
	for (int i = 0; i < f->order.stripes; i++)
		stripe_tick(&f->stripes[i], now_us);
	return 0;
}

void fetch_tick(Fetch *f)
{
	int64_t now = clock_monotonic_us();
	Error why = {0};
	int r = 0;

	if (f->in_trouble) {
		Error trouble = f->why;

		fetch_trouble(f, &trouble, now);
	}
	if (f->state == FETCH_WAITING && now >= f->again_us)
		r = fetch_begin(f, &why);
	else if (f->state == FETCH_RECEIVING)
		r = stripes_tick(f, now, &why);
	else if (f->state == FETCH_FINISHING)
		r = worker_look(f, &why);
	if (r < 0)
		fetch_trouble(f, &why, now);
}
