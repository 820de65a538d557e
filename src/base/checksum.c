/* SPDX-License-Identifier: Apache-2.0 */
#include "base/checksum.h"

#define POLYNOMIAL 0xedb88320U /* bits reversed */

/* What four bits add: without a table it takes four times as long, and programs may be waiting. */
static uint32_t nibble_sum(uint32_t sum)
{
	static const uint32_t sums[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, POLYNOMIAL, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	return sums[sum & 0xf] ^ sum >> 4;
}

uint32_t checksum_add(uint32_t sum, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	sum = ~sum;
	for (size_t i = 0; i < size; i++)
		sum = nibble_sum(nibble_sum(sum ^ bytes[i]));
	return ~sum;
}
