/* SPDX-License-Identifier: Apache-2.0 */
#include "hub/join_token.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool hex_read(const char *text, size_t size, uint8_t *ret)
{
	for (size_t i = 0; i < size; i++) {
		unsigned value;

		if (sscanf(text + 2 * i, "%2x", &value) != 1)
			return false;
		ret[i] = (uint8_t)value;
	}
	return true;
}

int token_parse(const char *text, TokenParts *ret, Error *err)
{
	static const char digits[] = "0123456789abcdef";
	static const size_t sizes[] = {2L * TOKEN_ID_SIZE, 2L * TOKEN_SECRET_SIZE,
				       2L * DIGEST_SIZE};
	const char *parts[3], *p = text;
	TokenParts token = {0};

	if (strncmp(p, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) != 0)
		goto wrong;
	p += strlen(TOKEN_PREFIX);
	for (size_t i = 0; i < 3; i++) {
		if (*p++ != '.' || strspn(p, digits) != sizes[i])
			goto wrong;
		parts[i] = p;
		p += sizes[i];
	}
	if (*p || !hex_read(parts[1], TOKEN_SECRET_SIZE, token.secret) ||
	    !digest_parse(parts[2], &token.authority))
		goto wrong;
	memcpy(token.id, parts[0], sizes[0]);
	*ret = token;
	return 0;
wrong:
	return error_set(err, -EINVAL,
			 "This is no join token: it begins with " TOKEN_PREFIX
			 ". and has %d characters; "
			 "copy all of what segue hub token printed",
			 (int)(strlen(TOKEN_PREFIX) + 3 + sizes[0] + sizes[1] + sizes[2]));
}
