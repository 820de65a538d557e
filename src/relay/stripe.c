/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/stripe.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"

#define WINDOW_SIZE  ((int64_t)1 << 20) /* asked for at once */
#define WINDOW_MIN   4                  /* chunks of it */
#define SLOW_PORTION 4    /* a window that brings less than a fourth of the best is slow */
#define SLOWEST      1024 /* bytes a second: less is slow, whatever came before */
/* Times the patience: those above have to find another parent first, and what they have then has a
 * long way in a chain. */
#define STARVING_MAX  5
#define SECOND_US     1000000
#define AGAIN_US      200000
#define AGAIN_DOUBLES 4U
#define UNKNOWN_US    100000 /* orders do not reach all at once: it may have it soon */
#define UNKNOWN_MAX   10

void stripe_stop(Stripe *s)
{
	link_free(s->link);
	s->link = NULL;
	s->n_pending = 0;
	s->scan = 0;
}

/* ---- asking ---- */

static size_t window(const Stripe *s)
{
	int64_t n = WINDOW_SIZE / holding_manifest(s->holding)->chunk_size;

	if (n < WINDOW_MIN)
		return WINDOW_MIN;
	return n > STRIPE_PENDING_MAX ? STRIPE_PENDING_MAX : (size_t)n;
}

static int stripe_ask(Stripe *s, Error *err)
{
	Frame frame = {.type = FRAME_WANT};
	size_t n = holding_chunks(s->holding);
	int r;

	for (; s->scan < n && s->n_pending < window(s); s->scan++) {
		if ((int)(s->scan % (size_t)s->of) != s->number || holding_has(s->holding, s->scan))
			continue;
		frame.chunks[frame.n_chunks++] = holding_name(s->holding, s->scan);
		s->pending[s->n_pending++] = s->scan;
	}
	r = frame.n_chunks > 0 ? link_send_frame(s->link, &frame) : 0;
	return r < 0 ? error_errno(err, r, "Asking for chunks") : 0;
}

static bool pending_take(Stripe *s, size_t chunk)
{
	for (size_t i = 0; i < s->n_pending; i++)
		if (s->pending[i] == chunk) {
			s->pending[i] = s->pending[--s->n_pending];
			return true;
		}
	return false;
}

/* ---- being answered ---- */

/* Of writing, not of what came. */
static int stripe_trouble(Stripe *s, int r, Error *err)
{
	s->handler.trouble(err, s->handler.data);
	return r;
}

static int stripe_take(Stripe *s, const Frame *frame, Blob *blob, Error *err)
{
	size_t chunk;
	int r;

	if (!holding_number(s->holding, frame->chunks[0], &chunk) || !pending_take(s, chunk)) {
		s->lied[s->at] = true;
		return error_set(err, -EBADMSG, "It sent what it was not asked for");
	}
	r = holding_put(s->holding, frame, blob, err);
	s->lied[s->at] = r == -EBADMSG;
	if (r < 0)
		return r == -EBADMSG ? r : stripe_trouble(s, r, err);
	s->failures = 0;
	s->starving_us = clock_monotonic_us();
	s->handler.chunk(chunk, s->handler.data);
	return stripe_ask(s, err);
}

static int on_frame(const Frame *frame, Blob *blob, void *data, Error *err)
{
	Stripe *s = data;

	s->starving = frame->type == FRAME_STARVING;
	if (frame->type == FRAME_DATA)
		return stripe_take(s, frame, blob, err);
	if (frame->type == FRAME_REFUSE && frame->reason == FRAME_UNKNOWN)
		s->unknown++;
	if (frame->type == FRAME_REFUSE)
		return error_set(err, frame->reason == FRAME_UNKNOWN ? -ENODATA : -ECONNREFUSED,
				 "%s", frame_reasons[frame->reason]);
	return 0;
}

static void on_drained(void *data)
{
}

/* The next parent of the list; after the last, the first again, later. */
static void stripe_leave(Stripe *s, const Error *why, int64_t now_us)
{
	size_t n = s->order->n_parents[s->number];

	if (why->code == -ENODATA && s->unknown <= UNKNOWN_MAX) {
		s->over = true;
		s->again_us = now_us + UNKNOWN_US;
		return;
	}
	s->unknown = 0;
	s->handler.left(&s->order->parents[s->number][s->at], why, s->handler.data);
	s->over = true;
	s->again_us = now_us;
	for (size_t tried = 0; tried < n; tried++) {
		s->at = (s->at + 1) % n;
		if (s->at == 0) {
			unsigned doubles =
				s->failures < AGAIN_DOUBLES ? s->failures : AGAIN_DOUBLES;

			s->again_us = now_us + ((int64_t)AGAIN_US << doubles);
			s->failures++;
		}
		if (!s->lied[s->at])
			return;
	}
	/* All have lied.  One may have been repaired by then. */
	memset(s->lied, 0, sizeof(s->lied));
}

static void on_ended(const Error *why, void *data)
{
	stripe_leave(data, why, clock_monotonic_us());
}

/* ---- watching ---- */

static void stripe_start(Stripe *s, int64_t now_us)
{
	const Address *parent = &s->order->parents[s->number][s->at];
	Frame hello = {.type = FRAME_HELLO, .release = holding_manifest(s->holding)->digest};
	Error why = {0};
	int r;

	s->setup.handler = (LinkHandler){on_frame, on_drained, on_ended, s};
	s->heard_us = s->starving_us = now_us;
	s->counted = 0;
	s->starving = false;
	r = link_connect(&s->setup, (const struct sockaddr *)&parent->socket, parent->length,
			 &s->link, &why);
	if (r == 0 && (r = link_send_frame(s->link, &hello)) < 0)
		(void)error_errno(&why, r, "Asking for release %s", s->order->release);
	if (r == 0)
		r = stripe_ask(s, &why);
	if (r < 0)
		stripe_leave(s, &why, now_us);
	pace_begin(&s->pace, now_us);
}

/* Whether the parent keeps its pace.  What is slow is measured by the best that came here, so that
 * a node whose own link is slow does not go from one to the next. */
static bool stripe_is_slow(Stripe *s, int64_t bytes, int64_t now_us)
{
	int64_t window_us = s->order->patience_us, before = s->pace.bytes;
	int64_t portion = s->best / SLOW_PORTION, least = SLOWEST * window_us / SECOND_US;
	PaceLimit limit = {window_us, portion > least ? portion : least};

	if (s->n_pending == 0 || s->starving) {
		pace_begin(&s->pace, now_us);
		return false;
	}
	if (!pace_add(&s->pace, &limit, now_us, bytes)) {
		s->best = 2 * before;
		return true;
	}
	if (before > s->best)
		s->best = before;
	return false;
}

static int stripe_judge(Stripe *s, int64_t now_us, Error *err)
{
	int64_t patience = s->order->patience_us, bytes = link_received(s->link) - s->counted;
	int64_t starving_max = patience * STARVING_MAX;

	s->counted += bytes;
	if (bytes > 0)
		s->heard_us = now_us;
	if (now_us - s->heard_us > patience)
		return error_set(err, -ETIMEDOUT, "It has been silent for %lld ms",
				 (long long)(patience / 1000));
	if (!s->starving || s->n_pending == 0)
		s->starving_us = now_us;
	if (now_us - s->starving_us > starving_max)
		return error_set(err, -ETIMEDOUT, "It has had nothing for %lld ms",
				 (long long)(starving_max / 1000));
	if (stripe_is_slow(s, bytes, now_us))
		return error_set(err, -ETIMEDOUT, "It has become slow");
	return 0;
}

void stripe_tick(Stripe *s, int64_t now_us)
{
	Error why = {0};

	if (s->link && !s->over && stripe_judge(s, now_us, &why) < 0)
		stripe_leave(s, &why, now_us);
	if (s->over) {
		stripe_stop(s);
		s->over = false;
	}
	if (!s->link && now_us >= s->again_us)
		stripe_start(s, now_us);
	/* What the disk has spoilt since is missing again. */
	if (s->link && !s->over && s->n_pending == 0) {
		s->scan = 0;
		(void)stripe_ask(s, NULL);
	}
}
