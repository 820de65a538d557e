/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* An error is one line, whatever the names in it: it goes to logs, where a line of a client's own
 * making would look like one of ours. */
static void text_join(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

int(error_set)(Error *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	text_join(err->text);
	err->code = code;
	return code;
}

int(error_errno)(Error *err, int code, const char *fmt, ...)
{
	va_list ap;
	size_t used;

	if (!err)
		return code;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	text_join(err->text);
	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(-code));
	err->code = code;
	return code;
}

int(error_prefix)(Error *err, const char *fmt, ...)
{
	char inner[sizeof(((Error *)0)->text)];
	va_list ap;
	size_t used;

	if (!err)
		return -EIO;
	memcpy(inner, err->text, sizeof(inner));
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	text_join(err->text);
	used = strlen(err->text);
	(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", inner);
	return err->code;
}

int(error_hint)(Error *err, const char *fmt, ...)
{
	va_list ap;
	size_t used;

	if (!err)
		return -EIO;
	used = strlen(err->text);
	if (used + 3 < sizeof(err->text)) {
		memcpy(err->text + used, "; ", 3);
		used += 2;
		va_start(ap, fmt);
		(void)vsnprintf(err->text + used, sizeof(err->text) - used, fmt, ap);
		va_end(ap);
		text_join(err->text + used);
	}
	return err->code;
}
