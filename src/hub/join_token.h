/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A join token as text, "segue1.ID.SECRET.CA": CA is the SHA-256 of the authority's certificate, by
 * which the node knows the hub before it has anything else to know it by.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "release/digest.h"

#define TOKEN_PREFIX      "segue1"
#define TOKEN_ID_SIZE     8
#define TOKEN_SECRET_SIZE 16
#define TOKEN_TEXT_MAX    128

typedef struct TokenParts {
	char id[2 * TOKEN_ID_SIZE + 1];
	uint8_t secret[TOKEN_SECRET_SIZE];
	Digest authority;
} TokenParts;

/* -EINVAL: it is none. */
int token_parse(const char *text, TokenParts *ret, Error *err);
