/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/supply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "relay/address.h"

#define WANTS_MAX    128 /* of a child, that wait */
#define QUEUED_MAX   2   /* chunks that wait for a child's link: others get theirs meanwhile */
#define STRANGERS    16  /* children beyond the most, so that they can be told so */
#define GREETING_US  5000000
#define LISTEN_QUEUE 64

typedef struct Child {
	struct Child *next;
	Supply *supply;
	Link *link;
	Holding *holding; /* NULL: it has not said what it wants, or was refused */
	size_t wants[WANTS_MAX];
	size_t n_wants;
	int64_t since_us;
	bool counted; /* among the children that there may be */
} Child;

struct Supply {
	SupplySetup setup;
	int fd;
	sd_event_source *listening;
	Child *children;
	int n_children, n_links;
	int64_t sent;
};

static void child_free(Child *child)
{
	child->supply->n_children -= child->counted;
	child->supply->n_links--;
	link_free(child->link);
	free(child);
}

static void child_remove(Child *child)
{
	Child **at = &child->supply->children;

	while (*at != child)
		at = &(*at)->next;
	*at = child->next;
	child_free(child);
}

void supply_free(Supply *s)
{
	if (!s)
		return;
	while (s->children)
		child_remove(s->children);
	(void)sd_event_source_disable_unref(s->listening);
	cleanup_close(&s->fd);
	free(s);
}

static void cleanup_supply(Supply **s)
{
	supply_free(*s);
}

int supply_port(const Supply *s)
{
	return address_port(s->fd);
}

SupplyTotals supply_totals(const Supply *s)
{
	return (SupplyTotals){.children = s->n_children, .sent = s->sent};
}

/* ---- giving ---- */

/* The first of what it wants that is here. */
static bool child_next(const Child *child, size_t *ret_at)
{
	for (size_t i = 0; i < child->n_wants; i++)
		if (holding_has(child->holding, child->wants[i])) {
			*ret_at = i;
			return true;
		}
	return false;
}

static void child_give(Child *child)
{
	size_t at;

	while (child->holding && link_queued(child->link) < QUEUED_MAX && child_next(child, &at)) {
		_cleanup_blob_ Blob *blob = NULL;

		/* What the disk has spoilt is fetched again, and given then. */
		if (holding_get(child->holding, child->wants[at], &blob, NULL) < 0 ||
		    link_send(child->link, blob) < 0)
			return;
		child->supply->sent += (int64_t)blob->size;
		child->n_wants--;
		memmove(&child->wants[at], &child->wants[at + 1],
			(child->n_wants - at) * sizeof(child->wants[0]));
	}
}

void supply_chunk(Supply *s, Holding *holding, size_t chunk)
{
	for (Child *child = s->children; child; child = child->next) {
		bool wanted = false;

		for (size_t i = 0; child->holding == holding && i < child->n_wants; i++)
			wanted = wanted || child->wants[i] == chunk;
		if (wanted)
			child_give(child);
	}
}

static void child_refuse(Child *child, FrameReason reason)
{
	child->supply->n_children -= child->counted;
	child->counted = false;
	child->holding = NULL;
	child->n_wants = 0;
	(void)link_send_frame(child->link, &(Frame){.type = FRAME_REFUSE, .reason = reason});
}

void supply_drop(Supply *s, const Holding *holding)
{
	for (Child *child = s->children; child; child = child->next)
		if (child->holding == holding)
			child_refuse(child, FRAME_UNKNOWN);
}

void supply_tick(Supply *s)
{
	int64_t now = clock_monotonic_us();

	for (Child *child = s->children, *next; child; child = next) {
		Frame frame = {.type = FRAME_STARVING};

		next = child->next;
		if (!child->holding && now - child->since_us > GREETING_US)
			child_remove(child);
		else if (child->holding && link_queued(child->link) == 0)
			(void)link_send_frame(child->link, &frame);
	}
}

/* ---- being asked ---- */

static int child_hello(Child *child, const Frame *frame, Error *err)
{
	Supply *s = child->supply;
	Holding *holding = s->setup.find(&frame->release, s->setup.data);

	if (child->counted)
		return error_set(err, -EBADMSG, "It said hello twice");
	if (!holding || s->n_children >= s->setup.max_children) {
		child_refuse(child, holding ? FRAME_BUSY : FRAME_UNKNOWN);
		return 0;
	}
	child->holding = holding;
	child->counted = true;
	s->n_children++;
	return 0;
}

static int child_want(Child *child, const Frame *frame, Error *err)
{
	for (size_t i = 0; child->holding && i < frame->n_chunks; i++) {
		if (child->n_wants == WANTS_MAX)
			return error_set(err, -EBADMSG, "It wants too much at once");
		if (!holding_number(child->holding, frame->chunks[i],
				    &child->wants[child->n_wants]))
			return error_set(err, -EBADMSG, "It wants a chunk that there is not");
		child->n_wants++;
	}
	child_give(child);
	return 0;
}

static int on_frame(const Frame *frame, Blob *blob, void *data, Error *err)
{
	return frame->type == FRAME_HELLO ? child_hello(data, frame, err)
					  : child_want(data, frame, err);
}

static void on_drained(void *data)
{
	child_give(data);
}

/* Why a child went is for the child to say. */
static void on_ended(const Error *why, void *data)
{
	child_remove(data);
}

static void child_add(Supply *s, int fd)
{
	Child *child = calloc(1, sizeof(*child));
	LinkSetup setup = s->setup.link;

	setup.handler = (LinkHandler){on_frame, on_drained, on_ended, child};
	if (!child) {
		(void)close(fd);
		return;
	}
	if (link_accept(&setup, fd, &child->link, NULL) < 0) {
		free(child);
		return;
	}
	child->supply = s;
	child->since_us = clock_monotonic_us();
	child->next = s->children;
	s->children = child;
	s->n_links++;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	Supply *s = userdata;
	int socket = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (socket >= 0 && s->n_links >= s->setup.max_children + STRANGERS)
		(void)close(socket);
	else if (socket >= 0)
		child_add(s, socket);
	return 0;
}

static int supply_listen(Supply *s, const Address *address, Error *err)
{
	int one = 1, r;

	s->fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0 || setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(s->fd, (const struct sockaddr *)&address->socket, address->length) < 0 ||
	    listen(s->fd, LISTEN_QUEUE) < 0)
		return error_errno(err, -errno, "Listening on %s", address->text);
	r = sd_event_add_io(s->setup.link.event, &s->listening, s->fd, EPOLLIN, on_connection, s);
	return r < 0 ? error_errno(err, r, "Listening on %s", address->text) : 0;
}

int supply_new(const SupplySetup *setup, Supply **ret, Error *err)
{
	_cleanup_(cleanup_supply) Supply *s = calloc(1, sizeof(*s));
	Address address;
	int r;

	if (!s)
		return error_errno(err, -ENOMEM, "Serving releases");
	s->fd = -1;
	s->setup = *setup;
	if ((r = address_parse(setup->address, setup->port, &address, err)) < 0 ||
	    (r = supply_listen(s, &address, err)) < 0)
		return r;
	*ret = steal_ptr(&s);
	return 0;
}
