/* SPDX-License-Identifier: Apache-2.0 */
#include "base/checksum.h"

#define POLYNOMIAL 0xedb88320U /* bits reversed */

uint32_t checksum_add(uint32_t sum, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	sum = ~sum;
	for (size_t i = 0; i < size; i++) {
		sum ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? POLYNOMIAL : 0);
	}
	return ~sum;
}
