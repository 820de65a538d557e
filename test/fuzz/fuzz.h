/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz targets: each file here that is named after a parser of foreign bytes defines
 * LLVMFuzzerTestOneInput(), which aborts where something that the parser promises does not hold.
 * run.c runs it as a unit test, libFuzzer for longer: see tools/fuzz.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static inline void require(bool holds)
{
	if (!holds)
		abort();
}

/* What every refusal has: a code, the same one in the error, and a text. */
static inline void require_refusal(int r, const Error *err)
{
	require(r < 0 && err->code == r && err->text[0]);
}

/* A copy with a NUL byte behind it, which is not part of it; the caller frees it. */
char *fuzz_text(const uint8_t *bytes, size_t size);

/* A directory in memory that is there as long as the process. */
int fuzz_directory(void);

/* Makes or replaces a file in it. */
void fuzz_file(const char *name, const uint8_t *bytes, size_t size);

/* Takes what is before the next byte 0xff, or all, off the beginning. */
const uint8_t *fuzz_part(const uint8_t **bytes, size_t *size, size_t *ret_size);
