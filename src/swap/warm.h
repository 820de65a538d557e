/* SPDX-License-Identifier: Apache-2.0 */
/*
 * warm: copying the memory of kept programs while they run, so that only what they write afterwards
 * is left for the time when they stand still.
 *
 * In rounds: the first takes all memory, each other what was written since the one before (CRIU's
 * pre-dump; the kernel tracks soft-dirty pages), until a round is small or no smaller than the one
 * before.  Round N of a tree is in the directory pre-N of its images, and refers to pre-N-1; the
 * images themselves refer to the last.
 *
 * Programs stand still only while a round takes hold of their pages; it then copies them with the
 * lowest priority, so that it takes time and disk from nobody who needs them.
 *
 * It is for speed only: a tree whose memory cannot be copied in advance is captured all the same.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "swap/capture.h"

/* Name of a round's directory, below that of a tree's images. */
#define WARM_ROUND_FORMAT "pre-%u"

typedef struct Warm Warm;

/* What came of a round over all trees, in bytes; or, with `why`, what could not be done. */
typedef void (*WarmTell)(unsigned round, int64_t bytes, const char *why, void *userdata);

/* The units must have been described (capture_describe()); `dirfd`: the capture, which stays open.
 * Units with little memory are left out. */
int warm_new(const KeptUnits *kept, int dirfd, Warm **ret, Error *err);
void warm_free(Warm *warm);

/* Rounds until another would not help. */
void warm_run(Warm *warm, WarmTell tell, void *userdata);

/* One more, some time after. */
void warm_again(Warm *warm, WarmTell tell, void *userdata);

/* The number of the last round in a tree's directory; 0 if it was not copied in advance. */
unsigned warm_last_round(int tree_fd);
