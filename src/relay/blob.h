/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a frame, shared by all who have yet to send it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "relay/frame.h"

typedef struct Blob {
	unsigned references;
	size_t size;
	uint8_t bytes[];
} Blob;

/* NULL: no memory. */
Blob *blob_new(size_t size);
/* Of a frame, with room for frame->size bytes of data behind it. */
Blob *blob_of_frame(const Frame *frame);
Blob *blob_ref(Blob *blob);
void blob_unref(Blob *blob);

static inline void cleanup_blob(Blob **blob)
{
	blob_unref(*blob);
}
#define _cleanup_blob_ __attribute__((cleanup(cleanup_blob)))
