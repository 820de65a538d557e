/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/quiesce.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static bool is_on_device(const Mount *mount)
{
	return text_has_prefix(mount->source, "/dev/") && !mount_is_memory(mount) &&
	       text_has_prefix(mount->super, "rw");
}

static int filesystem_ioctl(const Mount *mount, unsigned long request)
{
	_cleanup_close_ int fd = open(mount->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOTDIR ? -EBUSY : -errno; /* a file that is bind-mounted */
	return ioctl(fd, request, 0) < 0 ? -errno : 0;
}

int filesystems_freeze(const MountTable *mounts, Error *err)
{
	sync();
	for (size_t i = mounts->n; i-- > 0;) {
		const Mount *m = &mounts->mounts[i];
		int r;

		if (!is_on_device(m))
			continue;
		r = filesystem_ioctl(m, FIFREEZE);
		/* EBUSY: mounted in more than one place and frozen at another.  EOPNOTSUPP: vfat
		 * and other simple ones; synced. */
		if (r < 0 && r != -EBUSY && r != -EOPNOTSUPP) {
			filesystems_thaw(mounts);
			return error_errno(err, r, "Freezing the filesystem on %s", m->point);
		}
	}
	return 0;
}

void filesystems_thaw(const MountTable *mounts)
{
	for (size_t i = 0; i < mounts->n; i++)
		if (is_on_device(&mounts->mounts[i]))
			(void)filesystem_ioctl(&mounts->mounts[i], FITHAW);
}
