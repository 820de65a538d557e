/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/frame.h"

#include <errno.h>
#include <string.h>

#include "release/manifest.h"

#define MAGIC_SIZE 4

static const uint8_t magic[MAGIC_SIZE] = {'S', 'G', 'R', '1'};

const char *const frame_reasons[FRAME_REASONS] = {
	[FRAME_UNKNOWN] = "it does not have the release",
	[FRAME_BUSY] = "it serves as many as it may",
};

/* What may come, from whom, and how long. */
static const struct {
	FrameRole from;
	size_t min, max;
} limits[FRAME_TYPES] = {
	[FRAME_HELLO] = {FRAME_FROM_CHILD, MAGIC_SIZE + DIGEST_SIZE, MAGIC_SIZE + DIGEST_SIZE},
	[FRAME_WANT] = {FRAME_FROM_CHILD, FRAME_CHUNK, (size_t)FRAME_CHUNK *FRAME_WANTS_MAX},
	[FRAME_DATA] = {FRAME_FROM_PARENT, FRAME_CHUNK + 1, FRAME_CHUNK + MANIFEST_CHUNK_MAX},
	[FRAME_STARVING] = {FRAME_FROM_PARENT, 0, 0},
	[FRAME_REFUSE] = {FRAME_FROM_PARENT, 1, 1},
};

static void put32(uint8_t *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

int frame_length(const uint8_t header[FRAME_HEADER], FrameRole from, size_t *ret_size, Error *err)
{
	unsigned type = header[0];
	size_t size = get32(header + 1);

	if (type < FRAME_HELLO || type >= FRAME_TYPES || limits[type].from != from)
		return error_set(err, -EBADMSG, "It sent a frame of type %u", type);
	if (size < limits[type].min || size > limits[type].max)
		return error_set(err, -EBADMSG, "It sent a frame of type %u with %zu bytes", type,
				 size);
	*ret_size = size;
	return 0;
}

static FrameChunk chunk_get(const uint8_t *from)
{
	return (FrameChunk){.file = (uint16_t)(from[0] << 8 | from[1]), .chunk = get32(from + 2)};
}

static int bad(Error *err)
{
	return error_set(err, -EBADMSG, "It sent a frame that says nothing");
}

int frame_parse(const uint8_t *bytes, size_t size, Frame *ret, Error *err)
{
	const uint8_t *body = bytes + FRAME_HEADER;
	Frame frame = {.type = (FrameType)bytes[0]};
	size_t left = size - FRAME_HEADER;

	switch (frame.type) {
	case FRAME_HELLO:
		if (memcmp(body, magic, MAGIC_SIZE) != 0)
			return bad(err);
		memcpy(frame.release.bytes, body + MAGIC_SIZE, DIGEST_SIZE);
		break;
	case FRAME_WANT:
		if (left % FRAME_CHUNK != 0)
			return bad(err);
		frame.n_chunks = left / FRAME_CHUNK;
		for (size_t i = 0; i < frame.n_chunks; i++)
			frame.chunks[i] = chunk_get(body + i * FRAME_CHUNK);
		break;
	case FRAME_DATA:
		frame.n_chunks = 1;
		frame.chunks[0] = chunk_get(body);
		frame.data = body + FRAME_CHUNK;
		frame.size = left - FRAME_CHUNK;
		break;
	case FRAME_STARVING:
		break;
	default:
		if (body[0] >= FRAME_REASONS)
			return bad(err);
		frame.reason = (FrameReason)body[0];
		break;
	}
	*ret = frame;
	return 0;
}

size_t frame_size(const Frame *frame)
{
	switch (frame->type) {
	case FRAME_HELLO:
		return FRAME_HEADER + MAGIC_SIZE + DIGEST_SIZE;
	case FRAME_WANT:
	case FRAME_DATA:
		return FRAME_HEADER + frame->n_chunks * FRAME_CHUNK;
	case FRAME_STARVING:
		return FRAME_HEADER;
	default:
		return FRAME_HEADER + 1;
	}
}

void frame_compose(const Frame *frame, uint8_t *ret)
{
	uint8_t *body = ret + FRAME_HEADER;

	ret[0] = (uint8_t)frame->type;
	put32(ret + 1, (uint32_t)(frame_size(frame) - FRAME_HEADER + frame->size));
	switch (frame->type) {
	case FRAME_HELLO:
		memcpy(body, magic, MAGIC_SIZE);
		memcpy(body + MAGIC_SIZE, frame->release.bytes, DIGEST_SIZE);
		break;
	case FRAME_WANT:
	case FRAME_DATA:
		for (size_t i = 0; i < frame->n_chunks; i++, body += FRAME_CHUNK) {
			body[0] = (uint8_t)(frame->chunks[i].file >> 8);
			body[1] = (uint8_t)frame->chunks[i].file;
			put32(body + 2, frame->chunks[i].chunk);
		}
		break;
	case FRAME_STARVING:
		break;
	default:
		body[0] = (uint8_t)frame->reason;
		break;
	}
}
