/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/host.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#define HOST_NAME_LENGTH_MAX 253 /* RFC 1035 */

bool host_name_is_valid(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-.";
	uint8_t address[sizeof(struct in6_addr)];
	size_t n = strlen(name);

	if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
		return true;
	return n > 0 && n <= HOST_NAME_LENGTH_MAX && *name != '-' && *name != '.' &&
	       name[n - 1] != '.' && !name[strspn(name, allowed)] && !strstr(name, "..");
}
