/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/hurry.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define RCU_EXPEDITED "/sys/kernel/rcu_expedited" /* Documentation/ABI/testing/sysfs-kernel */

bool hurry(bool on)
{
	_cleanup_free_ char *before = NULL;
	bool was_on = file_read_line(AT_FDCWD, RCU_EXPEDITED, &before, NULL) == 0 &&
		      strcmp(before, "0") != 0;

	(void)file_write_value(AT_FDCWD, RCU_EXPEDITED, on ? "1" : "0", NULL);
	return was_on;
}
