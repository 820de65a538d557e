/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/link.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define QUEUE_MAX   128       /* frames */
#define RECORD_SIZE 16384     /* of TLS 1.3, RFC 8446, 5.1 */
#define GONE_MS     20000     /* who takes nothing for so long */
#define TURN_SIZE   (4 << 20) /* then others get their turn */
#define UNSENT_SIZE 131072    /* in the kernel: what is there cannot be called back */

struct Link {
	LinkSetup setup;
	FrameRole from; /* what the other side is */
	int fd;
	gnutls_session_t session;
	sd_event_source *io, *timer;
	Bucket in, out;
	bool ready, ended;

	uint8_t header[FRAME_HEADER];
	size_t n_header;
	Blob *arriving; /* NULL: the header is not there yet */
	size_t n_arrived;
	int64_t received;

	Blob *queue[QUEUE_MAX];
	size_t first, n_queued, sent; /* `sent` bytes of the first */
	size_t retry;                 /* bytes of a send that GnuTLS has begun */
};

void link_free(Link *l)
{
	if (!l)
		return;
	(void)sd_event_source_disable_unref(l->io);
	(void)sd_event_source_disable_unref(l->timer);
	if (l->session)
		gnutls_deinit(l->session);
	/* A worker may still have a copy of the socket. */
	(void)shutdown(l->fd, SHUT_RDWR);
	cleanup_close(&l->fd);
	blob_unref(l->arriving);
	for (size_t i = 0; i < l->n_queued; i++)
		blob_unref(l->queue[(l->first + i) % QUEUE_MAX]);
	free(l);
}

static void cleanup_link(Link **l)
{
	link_free(*l);
}
#define _cleanup_link_ _cleanup_(cleanup_link)

size_t link_queued(const Link *l)
{
	return l->n_queued;
}

int64_t link_received(const Link *l)
{
	return l->received;
}

bool link_is_ready(const Link *l)
{
	return l->ready;
}

static void link_end(Link *l, const Error *why)
{
	if (l->ended)
		return;
	l->ended = true;
	(void)sd_event_source_set_enabled(l->io, SD_EVENT_OFF);
	(void)sd_event_source_set_enabled(l->timer, SD_EVENT_OFF);
	l->setup.handler.ended(why, l->setup.handler.data);
}

/* -EAGAIN is no error. */
static int tls_error(ssize_t r, const char *what, Error *err)
{
	if (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED)
		return -EAGAIN;
	if (r == 0 || r == GNUTLS_E_PREMATURE_TERMINATION)
		return error_set(err, -ECONNRESET, "It closed the connection");
	return error_set(err, -ECONNABORTED, "%s: %s", what, gnutls_strerror((int)r));
}

/* As much as may go at once: with a low rate less than a record, or the other side would hear
 * nothing for as long as that has to be waited for. */
static size_t portion(const Bucket *of_node, const Bucket *of_link, size_t size)
{
	const Bucket *buckets[] = {of_node, of_link};

	if (size > RECORD_SIZE)
		size = RECORD_SIZE;
	for (int i = 0; i < 2; i++)
		if (buckets[i]->rate > 0 && (int64_t)size > bucket_burst(buckets[i]))
			size = (size_t)bucket_burst(buckets[i]);
	return size;
}

/* ---- in ---- */

static int frame_begin(Link *l, Error *err)
{
	size_t size;
	int r = frame_length(l->header, l->from, &size, err);

	if (r < 0)
		return r;
	l->arriving = blob_new(FRAME_HEADER + size);
	if (!l->arriving)
		return error_errno(err, -ENOMEM, "Receiving");
	memcpy(l->arriving->bytes, l->header, FRAME_HEADER);
	l->n_arrived = FRAME_HEADER;
	return 0;
}

static int frame_end(Link *l, Error *err)
{
	_cleanup_blob_ Blob *blob = steal_ptr(&l->arriving);
	Frame frame;
	int r = frame_parse(blob->bytes, blob->size, &frame, err);

	l->n_header = 0;
	return r < 0 ? r : l->setup.handler.frame(&frame, blob, l->setup.handler.data, err);
}

/* Receives into what is expected next.  -EAGAIN: there is nothing more. */
static int receive_some(Link *l, Error *err)
{
	uint8_t *to = l->arriving ? l->arriving->bytes + l->n_arrived : l->header + l->n_header;
	size_t want = l->arriving ? l->arriving->size - l->n_arrived : FRAME_HEADER - l->n_header;
	ssize_t n = gnutls_record_recv(l->session, to, portion(l->setup.in, &l->in, want));
	int r = 0;

	if (n <= 0)
		return tls_error(n, "Receiving", err);
	l->received += n;
	bucket_take(l->setup.in, n);
	bucket_take(&l->in, n);
	if (l->arriving)
		l->n_arrived += (size_t)n;
	else
		l->n_header += (size_t)n;
	if (!l->arriving && (l->n_header < FRAME_HEADER || (r = frame_begin(l, err)) < 0))
		return r;
	return l->n_arrived == l->arriving->size ? frame_end(l, err) : 0;
}

static int64_t longer(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Until nothing more is there, the rate is used up, or it is others' turn; what GnuTLS has read
 * already is taken out, as no event would tell of it. */
static int receive(Link *l, int64_t *ret_wait_us, Error *err)
{
	int64_t begin = l->received;

	for (;;) {
		int64_t now = clock_monotonic_us();
		int r;

		*ret_wait_us =
			longer(bucket_wait_us(l->setup.in, now), bucket_wait_us(&l->in, now));
		if (*ret_wait_us > 0)
			return 0;
		if (l->received - begin > TURN_SIZE && gnutls_record_check_pending(l->session) == 0)
			return 0;
		r = receive_some(l, err);
		if (r == -EAGAIN)
			return 0;
		if (r < 0 || l->ended)
			return r;
	}
}

/* ---- out ---- */

static void sent(Link *l, size_t n)
{
	Blob *blob = l->queue[l->first];

	bucket_take(l->setup.out, (int64_t)n);
	bucket_take(&l->out, (int64_t)n);
	l->sent += n;
	if (l->sent < blob->size)
		return;
	blob_unref(blob);
	l->first = (l->first + 1) % QUEUE_MAX;
	l->n_queued--;
	l->sent = 0;
}

static int transmit(Link *l, int64_t *ret_wait_us, Error *err)
{
	*ret_wait_us = 0;
	while (l->n_queued > 0) {
		const Blob *blob = l->queue[l->first];
		size_t left = blob->size - l->sent;
		int64_t now = clock_monotonic_us();
		ssize_t n;

		*ret_wait_us =
			longer(bucket_wait_us(l->setup.out, now), bucket_wait_us(&l->out, now));
		if (*ret_wait_us > 0 && l->retry == 0)
			return 0;
		/* What was begun has to be tried again with the same bytes. */
		if (l->retry == 0)
			l->retry = portion(l->setup.out, &l->out, left);
		n = gnutls_record_send(l->session, blob->bytes + l->sent, l->retry);
		if (n < 0) {
			int r = tls_error(n, "Sending", err);

			return r == -EAGAIN ? 0 : r;
		}
		l->retry = 0;
		sent(l, (size_t)n);
	}
	return 0;
}

/* ---- both ---- */

static int handshake(Link *l, Error *err)
{
	int r = gnutls_handshake(l->session);

	if (r == 0) {
		l->ready = true;
		return 0;
	}
	if (!gnutls_error_is_fatal(r))
		return -EAGAIN;
	if (r == GNUTLS_E_CERTIFICATE_ERROR)
		return error_set(err, -EACCES,
				 "Its certificate is not of this fleet's CA, or was revoked");
	return tls_error(r, "Shaking hands", err);
}

static void events_set(Link *l, int64_t wait_in_us, int64_t wait_out_us)
{
	bool writes = l->ready ? l->n_queued > 0 && wait_out_us == 0
			       : gnutls_record_get_direction(l->session) == 1;
	uint32_t events = (wait_in_us == 0 ? EPOLLIN : 0) | (writes ? EPOLLOUT : 0U);
	int64_t wait = wait_in_us > 0 ? wait_in_us : wait_out_us;

	if (wait_out_us > 0 && wait_out_us < wait)
		wait = wait_out_us;
	(void)sd_event_source_set_io_events(l->io, events);
	if (wait > 0)
		(void)sd_event_source_set_time(l->timer, (uint64_t)(clock_monotonic_us() + wait));
	(void)sd_event_source_set_enabled(l->timer, wait > 0 ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int work(Link *l, Error *err)
{
	int64_t wait_in = 0, wait_out = 0;
	size_t waited = l->n_queued;
	int r = l->ready ? 0 : handshake(l, err);

	if (r == 0)
		r = transmit(l, &wait_out, err);
	if (r == 0)
		r = receive(l, &wait_in, err);
	if (r < 0 && r != -EAGAIN)
		return r;
	if (l->ended)
		return 0;
	events_set(l, wait_in, wait_out);
	if (l->ready && waited > 0 && l->n_queued == 0)
		l->setup.handler.drained(l->setup.handler.data);
	return 0;
}

static void link_work(Link *l)
{
	Error why = {0};

	if (work(l, &why) < 0)
		link_end(l, &why);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	link_work(userdata);
	return 0;
}

static int on_time(sd_event_source *source, uint64_t now, void *userdata)
{
	link_work(userdata);
	return 0;
}

int link_send(Link *l, Blob *blob)
{
	if (l->ended)
		return -ENOTCONN;
	if (l->n_queued == QUEUE_MAX)
		return -ENOBUFS;
	l->queue[(l->first + l->n_queued++) % QUEUE_MAX] = blob_ref(blob);
	if (l->ready && l->n_queued == 1)
		(void)sd_event_source_set_io_events(l->io, EPOLLIN | EPOLLOUT);
	return 0;
}

int link_send_frame(Link *l, const Frame *frame)
{
	_cleanup_blob_ Blob *blob = blob_of_frame(frame);

	return blob ? link_send(l, blob) : -ENOMEM;
}

static int link_make(const LinkSetup *setup, int fd, bool server, Link **ret, Error *err)
{
	_cleanup_link_ Link *l = calloc(1, sizeof(*l));
	int one = 1, unsent = UNSENT_SIZE, gone = GONE_MS, r;

	if (!l) {
		(void)close(fd);
		return error_errno(err, -ENOMEM, "Connecting");
	}
	l->setup = *setup;
	l->fd = fd;
	l->from = server ? FRAME_FROM_CHILD : FRAME_FROM_PARENT;
	l->in = l->out = (Bucket){.rate = setup->rate};
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	/* Or who loses power would have its place for as long as TCP goes on trying. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &gone, sizeof(gone));
	r = credentials_session(setup->credentials, fd, server, &l->session, err);
	if (r < 0)
		return r;
	if ((r = sd_event_add_io(setup->event, &l->io, fd, EPOLLIN | EPOLLOUT, on_io, l)) < 0 ||
	    (r = sd_event_add_time(setup->event, &l->timer, CLOCK_MONOTONIC, 0, 1000, on_time, l)) <
		    0 ||
	    (r = sd_event_source_set_enabled(l->timer, SD_EVENT_OFF)) < 0)
		return error_errno(err, r, "Connecting");
	*ret = steal_ptr(&l);
	return 0;
}

int link_accept(const LinkSetup *setup, int fd, Link **ret, Error *err)
{
	return link_make(setup, fd, true, ret, err);
}

int link_connect(const LinkSetup *setup, const struct sockaddr *address, socklen_t length,
		 Link **ret, Error *err)
{
	_cleanup_close_ int fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || (connect(fd, address, length) < 0 && errno != EINPROGRESS))
		return error_errno(err, -errno, "Connecting");
	return link_make(setup, steal_fd(&fd), false, ret, err);
}
