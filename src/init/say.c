/* SPDX-License-Identifier: Apache-2.0 */
#include "init/say.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"

void say(const char *fmt, ...)
{
	_cleanup_close_ int log = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char text[900], line[960];
	va_list ap;
	int n;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* One write is one record (Documentation/ABI/testing/dev-kmsg). */
	n = snprintf(line, sizeof(line), "<4>segue-init: %s", text);
	if (log >= 0 && n > 0 && write(log, line, (size_t)n) < 0)
		(void)close(steal_fd(&log));
}
