/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a release may be taken: the one place where that is decided.  Pure: bytes, trust, memory
 * and time in, verdict out.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "release/manifest.h"
#include "release/seen.h"
#include "release/signature.h"
#include "release/trust.h"

/* A release may be made this much later than it is here, by clocks that are not quite right. */
#define JUDGE_CLOCK_SKEW_S ((int64_t)24 * 3600)

typedef struct JudgeCase {
	/* As they came, from anyone. */
	const void *bytes;
	size_t size;
	const Signatures *signatures;
	/* What is known here. */
	const Trust *trust;
	const Seen *seen;    /* NULL: nothing is remembered */
	const char *channel; /* which one is followed; NULL: any */
	int64_t now_s;
} JudgeCase;

/*
 * Looks at everything that is not the content of files, the signatures first: what too few have
 * signed does not reach the parser.  Returns what the release is, or
 *   -EFBIG         larger than any release's document
 *   -EKEYREJECTED  not signed by as many as are needed
 *   -EBADMSG       signed, and yet no release; for another channel; or one of two with a version
 *   -ESTALE        older than what was seen, or of another epoch
 *   -EKEYEXPIRED   it, or who may sign, has expired
 *   -ETIME         it was made in the future: the clock is wrong
 */
int release_judge(const JudgeCase *c, Manifest **ret, Error *err);
