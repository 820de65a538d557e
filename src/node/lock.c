/* SPDX-License-Identifier: Apache-2.0 */
#include "node/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "swap/paths.h"

#define LOCK_PATH SEGUE_RUN_DIR "/swap.lock"

int lock_take(int *ret_fd, Error *err)
{
	_cleanup_close_ int fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return error_errno(err, -errno, "Opening %s", LOCK_PATH);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return error_set(err, -EBUSY,
					 "A check or swap is under way; segue status shows it");
		return error_errno(err, -errno, "Locking %s", LOCK_PATH);
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

bool lock_is_held(void)
{
	_cleanup_close_ int fd = open(LOCK_PATH, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}
