/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define FAULT_FILE "/etc/segue/fault"

int fault_point(const char *name, Error *err)
{
	_cleanup_free_ char *ordered = NULL;

	if (file_read_line(AT_FDCWD, FAULT_FILE, &ordered, NULL) < 0 || strcmp(ordered, name) != 0)
		return 0;
	return error_set(err, -EIO, "The fault %s was ordered in " FAULT_FILE, name);
}
