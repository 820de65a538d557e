/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_fuzz.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "relay/command.h"
#include "relay/frame.h"

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void require_refusal(int r, const Error *err)
{
	require(r < 0 && err->code == r && err->text[0]);
}

/* What was read is composed to the same bytes. */
static void frame_require(const Frame *frame, const uint8_t *bytes, size_t size)
{
	_cleanup_free_ uint8_t *again = malloc(size);

	require(again && frame->n_chunks <= FRAME_WANTS_MAX);
	require(frame_size(frame) + frame->size == size);
	frame_compose(frame, again);
	require(memcmp(again, bytes, frame_size(frame)) == 0);
	require(frame->size == 0 || frame->data == bytes + frame_size(frame));
}

void fuzz_frame(const uint8_t *bytes, size_t size)
{
	for (FrameRole from = FRAME_FROM_CHILD; from <= FRAME_FROM_PARENT; from++) {
		Error err = {0};
		size_t length = 0;
		Frame frame;
		int r;

		if (size < FRAME_HEADER)
			return;
		r = frame_length(bytes, from, &length, &err);
		if (r < 0) {
			require_refusal(r, &err);
			continue;
		}
		if (length != size - FRAME_HEADER)
			continue;
		r = frame_parse(bytes, size, &frame, &err);
		if (r < 0)
			require_refusal(r, &err);
		else
			frame_require(&frame, bytes, size);
	}
}

void fuzz_command(const uint8_t *bytes, size_t size)
{
	_cleanup_command_ Command command = {0};
	Error err = {0};
	int r = command_parse((const char *)bytes, size, &command, &err);

	if (r < 0) {
		require_refusal(r, &err);
		require(!command.order.document);
		return;
	}
	require(name_is_valid(command.order.release));
	for (int i = 0; i < command.order.stripes; i++)
		require(command.order.n_parents[i] >= 1 &&
			command.order.n_parents[i] <= RELAY_PARENTS_MAX);
	require((command.kind == COMMAND_FETCH) == (command.order.document != NULL));
}

#ifdef FUZZ
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	FUZZ(bytes, size);
	return 0;
}
#endif
