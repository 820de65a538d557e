/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node has seen, so that nobody can show it less: seen.json of segue-release(5).
 *
 * A node writes it after it has accepted a release and before it uses it.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "release/manifest.h"

#define SEEN_FILE         "seen.json"
#define SEEN_MAX          ((size_t)64 << 10)
#define SEEN_CHANNELS_MAX 64

typedef struct SeenChannel {
	char name[DOCUMENT_NAME_MAX + 1];
	int64_t version; /* the highest */
	Digest digest;   /* of that release's document */
} SeenChannel;

typedef struct Seen {
	int64_t epoch;  /* that of `channels`; 0: there is none yet */
	int64_t time_s; /* the latest time that a release was made: it is not earlier than that */
	SeenChannel channels[SEEN_CHANNELS_MAX];
	size_t n_channels;
} Seen;

/* -ESTALE: the release is older than one that was seen; -EBADMSG: another of the same version was;
 * -ENOSPC: there are too many channels. */
int seen_check(const Seen *seen, const Manifest *manifest, Error *err);

/* Remembers a release that passed seen_check(). */
void seen_add(Seen *seen, const Manifest *manifest);

/* Of all channels; 0: none, or another epoch. */
int64_t seen_highest(const Seen *seen, int64_t epoch);

/* A file that is not there is a node that has seen nothing.  One that is damaged is an error: to
 * begin anew would let an older release in. */
int seen_read(int dirfd, Seen *ret, Error *err);
int seen_write(int dirfd, const Seen *seen, Error *err);
