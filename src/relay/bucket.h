/* SPDX-License-Identifier: Apache-2.0 */
/* A rate that must not be exceeded, as a token bucket.  Pure: time comes in. */
#pragma once

#include <stdint.h>

typedef struct Bucket {
	int64_t rate;   /* bytes a second; 0: no limit */
	int64_t tokens; /* negative: taken in advance */
	int64_t at_us;  /* when they were counted */
} Bucket;

/* The most that may be saved up, in bytes.  Of a bucket that has a rate. */
int64_t bucket_burst(const Bucket *bucket);

/* How long to wait before anything may be taken; 0: not at all. */
int64_t bucket_wait_us(Bucket *bucket, int64_t now_us);

/* What was sent or received: it may be more than there is, and is paid for by waiting. */
void bucket_take(Bucket *bucket, int64_t bytes);
