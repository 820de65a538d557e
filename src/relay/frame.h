/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two nodes say to each other, inside TLS: a byte of type, four of length (big endian, like
 * all numbers), and that many bytes.
 *
 * hello, child: which release: "SGR1", the SHA-256 of its document.
 *
 * want, child: chunks, each as file (2 bytes) and number (4); answered whenever they are there.
 *
 * data, parent: a chunk: file, number, bytes.
 *
 * starving, parent: nothing of what was asked for is here yet; empty.
 *
 * refuse, parent: why the child has to go elsewhere (1 byte).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "release/digest.h"

#define FRAME_HEADER    5
#define FRAME_CHUNK     6 /* file and number */
#define FRAME_WANTS_MAX 64

typedef enum FrameType {
	FRAME_HELLO = 1,
	FRAME_WANT,
	FRAME_DATA,
	FRAME_STARVING,
	FRAME_REFUSE,
	FRAME_TYPES,
} FrameType;

typedef enum FrameRole { FRAME_FROM_CHILD, FRAME_FROM_PARENT } FrameRole;

typedef enum FrameReason {
	FRAME_UNKNOWN, /* the release is not here */
	FRAME_BUSY,    /* as many children as there may be */
	FRAME_REASONS,
} FrameReason;

extern const char *const frame_reasons[FRAME_REASONS];

typedef struct FrameChunk {
	uint16_t file;
	uint32_t chunk;
} FrameChunk;

typedef struct Frame {
	FrameType type;
	Digest release;                     /* hello */
	FrameChunk chunks[FRAME_WANTS_MAX]; /* want, data */
	size_t n_chunks;
	const uint8_t *data; /* data; of the bytes that were parsed */
	size_t size;
	FrameReason reason;
} Frame;

/* How long the body behind a header is.  -EBADMSG: no such frame comes from who is in that role, or
 * not of that length. */
int frame_length(const uint8_t header[FRAME_HEADER], FrameRole from, size_t *ret_size, Error *err);

/* A header and its body, whose length is frame_length().  -EBADMSG. */
int frame_parse(const uint8_t *bytes, size_t size, Frame *ret, Error *err);

/* Bytes that frame_compose() makes; of a data frame without its data. */
size_t frame_size(const Frame *frame);
void frame_compose(const Frame *frame, uint8_t *ret);
