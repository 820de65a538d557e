/* SPDX-License-Identifier: Apache-2.0 */
/* A checksum against damage, not against an attacker: release/digest.h has one for that. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* CRC-32 as of IEEE 802.3 and zlib.  `sum`: of what came before, 0 at the beginning. */
uint32_t checksum_add(uint32_t sum, const void *data, size_t size);
