/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a capture is as it was written.  The file "seal" in it has the size of each of its files,
 * and of each small one the checksum: those say what the programs are made of.  A bit of their
 * memory that is another is not found; summing up all of it would be part of the blackout.
 */
#pragma once

#include "base/error.h"

/* Of all files that are in the directory now. */
int seal_write(int dirfd, Error *err);

/* -EBADMSG names the file that is missing or another, or the seal itself. */
int seal_check(int dirfd, Error *err);
