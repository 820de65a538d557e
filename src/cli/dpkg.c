/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dpkg.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"

/* In the order in which apt and dpkg take them. */
static const char *const locks[] = {"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"};

int dpkg_wait(Error *err)
{
	for (size_t i = 0; i < sizeof(locks) / sizeof(*locks); i++) {
		_cleanup_close_ int fd = open(locks[i], O_RDWR | O_CLOEXEC);
		struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return error_errno(err, -errno, "Opening %s", locks[i]);
		while (fcntl(fd, F_SETLKW, &whole) < 0) {
			if (errno != EINTR)
				return error_errno(err, -errno, "Waiting for %s", locks[i]);
		}
	}
	return 0;
}
