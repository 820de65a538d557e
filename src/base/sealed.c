/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sealed.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/file.h"

#define HEADER_SIZE 80 /* at most, with the end of the line */

typedef struct Header {
	char text[HEADER_SIZE];
	size_t size;
} Header;

static Header header_make(const char *magic, unsigned version, const char *body, size_t size)
{
	Header header;
	char summed[HEADER_SIZE / 2];
	int n = snprintf(summed, sizeof(summed), "%u %zu", version, size);
	uint32_t sum = checksum_add(checksum_add(0, summed, (size_t)n), body, size);

	n = snprintf(header.text, sizeof(header.text), "%s %s %08x\n", magic, summed, sum);
	header.size = (size_t)n;
	return header;
}

char *sealed_make(const char *magic, unsigned version, const char *body)
{
	Header header = header_make(magic, version, body, strlen(body));

	return text_format("%s%s", header.text, body);
}

int sealed_open(const char *magic, unsigned version, const char *text, size_t size,
		const char **ret_body, Error *err)
{
	const char *end = memchr(text, '\n', size < HEADER_SIZE ? size : HEADER_SIZE);
	size_t magic_size = strlen(magic), header_size = end ? (size_t)(end + 1 - text) : 0;
	char line[HEADER_SIZE] = "";
	unsigned found;
	Header header;

	if (header_size <= magic_size + 1 || memcmp(text, magic, magic_size) != 0)
		return error_set(err, -EBADMSG, "It does not begin with %s", magic);
	memcpy(line, text, header_size - 1);
	found = (unsigned)strtoul(line + magic_size, NULL, 10);
	/* Made anew it must be the same: that also finds what a number is not to look like. */
	header = header_make(magic, found, text + header_size, size - header_size);
	if (header.size != header_size || memcmp(header.text, text, header_size) != 0)
		return error_set(err, -EBADMSG, "Its checksum or size is wrong");
	if (found > version)
		return error_set(err, -EPROTONOSUPPORT,
				 "It is of format %u, of a newer segue; this one knows %u", found,
				 version);
	*ret_body = text + header_size;
	return 0;
}
