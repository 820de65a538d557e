/* SPDX-License-Identifier: Apache-2.0 */
#include "relay/bucket.h"

#define SECOND_US 1000000
#define BURST_US  20000 /* so much of the rate may be saved up */

int64_t bucket_burst(const Bucket *bucket)
{
	return bucket->rate * BURST_US / SECOND_US + 1;
}

int64_t bucket_wait_us(Bucket *bucket, int64_t now_us)
{
	int64_t most = bucket_burst(bucket), elapsed = now_us - bucket->at_us;

	if (bucket->rate == 0)
		return 0;
	if (elapsed > SECOND_US)
		elapsed = SECOND_US;
	/* Only whole bytes are added, and only the time for them has gone by. */
	if (elapsed > 0) {
		int64_t more = elapsed * bucket->rate / SECOND_US;

		if (more > 0) {
			bucket->tokens += more;
			bucket->at_us = now_us;
		}
	}
	if (bucket->tokens > most)
		bucket->tokens = most;
	if (bucket->tokens > 0)
		return 0;
	return (1 - bucket->tokens) * SECOND_US / bucket->rate + 1;
}

void bucket_take(Bucket *bucket, int64_t bytes)
{
	if (bucket->rate > 0)
		bucket->tokens -= bytes;
}
