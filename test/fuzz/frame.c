/* SPDX-License-Identifier: Apache-2.0 */
/* What another node sends: what is read is composed to the same bytes. */
#include "relay/frame.h"

#include <string.h>

#include "base/cleanup.h"
#include "fuzz.h"

static void frame_require(const Frame *frame, const uint8_t *bytes, size_t size)
{
	_cleanup_free_ uint8_t *again = malloc(size);

	require(again && frame->n_chunks <= FRAME_WANTS_MAX);
	require(frame_size(frame) + frame->size == size);
	frame_compose(frame, again);
	require(memcmp(again, bytes, frame_size(frame)) == 0);
	require(frame->size == 0 || frame->data == bytes + frame_size(frame));
}

static void frame_read(FrameRole from, const uint8_t *bytes, size_t size)
{
	Error err = {0};
	size_t length = 0;
	Frame frame = {0};
	int r = frame_length(bytes, from, &length, &err);

	if (r == 0 && length != size - FRAME_HEADER)
		return;
	if (r == 0)
		r = frame_parse(bytes, size, &frame, &err);
	if (r < 0)
		require_refusal(r, &err);
	else
		frame_require(&frame, bytes, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size < FRAME_HEADER)
		return 0;
	frame_read(FRAME_FROM_CHILD, bytes, size);
	frame_read(FRAME_FROM_PARENT, bytes, size);
	return 0;
}
