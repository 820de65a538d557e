/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A release out of a directory that others write to, such as a depot on a file server: taken by who
 * looks there, not sent.  Nothing there is believed: see judge.h and assembly.h.
 */
#pragma once

#include <stdbool.h>

#include "release/content.h"
#include "release/depot.h"
#include "release/seen.h"
#include "release/trust.h"

#define PULL_CURRENT "current" /* in the directory: a file with the name of the release to take */

typedef struct PullCase {
	const Depot *from;
	const char *channel; /* NULL: any */
	const Trust *trust;
	const Seen *seen;
	int64_t now_s;
} PullCase;

/*
 * The release that is offered: the one that the file "current" names, or, without that file, the
 * one with the highest version of those that may be taken.  1, or 0: there is none.  What
 * release_judge() returns, if that named one, or none of several, may be taken.
 */
int pull_choose(const PullCase *c, Release **ret, Error *err);

/* Copies a chosen one into a locked depot: 0, also if it is there already.  -EBADMSG: it is not
 * what was signed; -ENOSPC; -EEXIST: another of that name is there. */
int pull_release(const Release *release, Depot *to, const Progress *progress, Error *err);
