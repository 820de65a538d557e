/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to another node: TLS, frames in and out, rates kept, nothing that blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "relay/blob.h"
#include "relay/bucket.h"
#include "relay/credentials.h"
#include "relay/frame.h"

typedef struct Link Link;

typedef struct LinkHandler {
	/* A frame came; `blob` holds it.  Negative: end the link, with that error. */
	int (*frame)(const Frame *frame, Blob *blob, void *data, Error *err);
	/* Everything is sent. */
	void (*drained)(void *data);
	/* It has ended, and says why: free it.  Nothing is called after this. */
	void (*ended)(const Error *why, void *data);
	void *data;
} LinkHandler;

typedef struct LinkSetup {
	sd_event *event;
	Credentials *credentials;
	Bucket *in, *out; /* of the node, shared by its links */
	int64_t rate;     /* of this link, each way; bytes a second, 0: no limit */
	LinkHandler handler;
} LinkSetup;

/* To a parent. */
int link_connect(const LinkSetup *setup, const struct sockaddr *address, socklen_t length,
		 Link **ret, Error *err);
/* From a child that was accepted; the socket is taken. */
int link_accept(const LinkSetup *setup, int fd, Link **ret, Error *err);
void link_free(Link *link);

/* Takes a reference.  -ENOBUFS: too much waits already; -ENOTCONN: it has ended. */
int link_send(Link *link, Blob *blob);
/* A frame without data.  -ENOMEM, and as above. */
int link_send_frame(Link *link, const Frame *frame);

/* Frames that wait to be sent. */
size_t link_queued(const Link *link);
/* Since it was made, as they came: bytes of frames, whole or not. */
int64_t link_received(const Link *link);
bool link_is_ready(const Link *link); /* the handshake is done */
