/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/blob.h"

#include <stdlib.h>

Blob *blob_new(size_t size)
{
	Blob *blob = malloc(sizeof(*blob) + size);

	if (blob)
		*blob = (Blob){.references = 1, .size = size};
	return blob;
}

Blob *blob_of_frame(const Frame *frame)
{
	Blob *blob = blob_new(frame_size(frame) + frame->size);

	if (blob)
		frame_compose(frame, blob->bytes);
	return blob;
}

Blob *blob_ref(Blob *blob)
{
	blob->references++;
	return blob;
}

void blob_unref(Blob *blob)
{
	if (blob && --blob->references == 0)
		free(blob);
}
