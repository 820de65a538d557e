/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/random.h"

uint64_t random_next(Random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

int64_t random_between(Random *random, int64_t low, int64_t high)
{
	/* The remainder favours low values by less than 2^-40 for the ranges used here. */
	return low + (int64_t)(random_next(random) % (uint64_t)(high - low + 1));
}

bool random_chance(Random *random, unsigned permille)
{
	return random_next(random) % 1000 < permille;
}

int64_t random_duration(Random *random, int64_t middle)
{
	int64_t usual = random_between(random, middle / 4, middle * 7 / 4);

	return random_chance(random, 50) ? usual + random_between(random, 0, middle * 2) : usual;
}

Random random_split(Random *random)
{
	return (Random){.state = random_next(random)};
}
