/* SPDX-License-Identifier: Apache-2.0 */
/* Where nodes and operators reach a hub. */
#pragma once

#include <stdbool.h>

#define HUB_PORT "8425" /* unless another is said */

/* Whether it is an IP address, or a DNS name. */
bool host_name_is_valid(const char *name);
