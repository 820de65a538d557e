/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/path.h"

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
		    in[3] >= '0' && in[3] <= '7') {
			*out++ = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
			in += 3;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
}

static int mount_parse(char *line, Mount *ret)
{
	Mount m = {0};
	char *fields[6], *rest = line, *optional, *tail[3];

	for (size_t i = 0; i < 6; i++)
		if (!(fields[i] = strsep(&rest, " ")))
			return -EBADMSG;
	do {
		if (!(optional = strsep(&rest, " ")))
			return -EBADMSG;
	} while (strcmp(optional, "-") != 0);
	for (size_t i = 0; i < 3; i++)
		if (!(tail[i] = strsep(&rest, " ")))
			return -EBADMSG;
	m.id = (unsigned)strtoul(fields[0], NULL, 10);
	m.parent = (unsigned)strtoul(fields[1], NULL, 10);
	if (sscanf(fields[2], "%u:%u", &m.major, &m.minor) != 2)
		return -EBADMSG;
	unescape(fields[3]);
	unescape(fields[4]);
	unescape(tail[1]);
	m.root = strdup(fields[3]);
	m.point = strdup(fields[4]);
	m.options = strdup(fields[5]);
	m.fstype = strdup(tail[0]);
	m.source = strdup(tail[1]);
	m.super = strdup(tail[2]);
	*ret = m;
	return m.root && m.point && m.options && m.fstype && m.source && m.super ? 0 : -ENOMEM;
}

int mounts_parse(const char *text, MountTable *ret, Error *err)
{
	_cleanup_free_ char *copy = strdup(text);
	_cleanup_(mounts_free) MountTable table = {0};
	char *rest = copy, *line;

	if (!copy)
		return error_errno(err, -ENOMEM, "Reading the mount table");
	while ((line = strsep(&rest, "\n"))) {
		Mount *more;
		int r;

		if (!*line)
			continue;
		more = realloc(table.mounts, (table.n + 1) * sizeof(*more));
		if (!more)
			return error_errno(err, -ENOMEM, "Reading the mount table");
		table.mounts = more;
		memset(&table.mounts[table.n], 0, sizeof(*more));
		r = mount_parse(line, &table.mounts[table.n++]);
		if (r < 0)
			return error_errno(err, r, "Line %zu of the mount table", table.n);
	}
	*ret = table;
	table.mounts = NULL;
	table.n = 0;
	return 0;
}

int mounts_read(pid_t pid, MountTable *ret, Error *err)
{
	_cleanup_free_ char *path =
		pid ? text_format("/proc/%d/mountinfo", (int)pid) : strdup("/proc/self/mountinfo");
	_cleanup_free_ char *text = NULL;
	int r;

	if (!path)
		return error_errno(err, -ENOMEM, "Reading the mount table");
	r = file_read(AT_FDCWD, path, &text, NULL, err);
	if (r < 0)
		return r;
	r = mounts_parse(text, ret, err);
	return r < 0 ? error_prefix(err, "%s", path) : 0;
}

void mounts_free(MountTable *table)
{
	for (size_t i = 0; i < table->n; i++) {
		Mount *m = &table->mounts[i];

		free(m->root);
		free(m->point);
		free(m->options);
		free(m->fstype);
		free(m->source);
		free(m->super);
	}
	free(table->mounts);
	*table = (MountTable){0};
}

const Mount *mounts_by_id(const MountTable *table, unsigned id)
{
	for (size_t i = 0; i < table->n; i++)
		if (table->mounts[i].id == id)
			return &table->mounts[i];
	return NULL;
}

const Mount *mounts_of_path(const MountTable *table, const char *path)
{
	struct statx stx;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_MNT_ID, &stx) < 0)
		return NULL;
	return mounts_by_id(table, (unsigned)stx.stx_mnt_id);
}

bool mount_is_memory(const Mount *mount)
{
	return strcmp(mount->fstype, "tmpfs") == 0 || strcmp(mount->fstype, "ramfs") == 0;
}

static bool is_in(const char *const list[], const char *word)
{
	for (size_t i = 0; list[i]; i++)
		if (strcmp(list[i], word) == 0)
			return true;
	return false;
}

bool mount_is_left_out(const Mount *mount)
{
	static const char *const types[] = {"autofs",     "nsfs",        "overlay",
					    "fuse",       "fuse.portal", "binfmt_misc",
					    "rpc_pipefs", "nfsd",        NULL};

	return is_in(types, mount->fstype) || text_has_prefix(mount->point, "/run/user/") ||
	       text_has_prefix(mount->point, "/run/credentials/") ||
	       text_has_prefix(mount->point, "/run/segue/");
}

/* Path below `root` if it is `root` or under it, else NULL. */
static const char *path_below(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (strcmp(root, "/") == 0)
		return strcmp(path, "/") == 0 ? "" : path;
	if (strncmp(path, root, n) != 0 || (path[n] != '/' && path[n] != '\0'))
		return NULL;
	return path + n;
}

const Mount *mounts_above(const MountTable *table, const char *path)
{
	const Mount *found = NULL;

	/* Of two at one point the later one is on top. */
	for (size_t i = 0; i < table->n; i++) {
		const Mount *m = &table->mounts[i];

		if (path_below(path, m->point) &&
		    (!found || strlen(m->point) >= strlen(found->point)))
			found = m;
	}
	return found;
}

char *mount_find_source(const MountTable *host, const Mount *mount)
{
	for (size_t i = 0; i < host->n; i++) {
		const Mount *h = &host->mounts[i];
		_cleanup_free_ char *path = NULL;
		const char *below;
		const Mount *there;

		if (h->major != mount->major || h->minor != mount->minor || mount_is_left_out(h))
			continue;
		below = path_below(mount->root, h->root);
		if (!below)
			continue;
		path = text_format("%s%s", strcmp(h->point, "/") == 0 && *below ? "" : h->point,
				   below);
		/* Another mount may cover this path. */
		there = path ? mounts_of_path(host, path) : NULL;
		if (there && there->id == h->id)
			return steal_ptr(&path);
	}
	return NULL;
}

char *mount_find_inside(const MountTable *table, size_t i)
{
	const Mount *mount = &table->mounts[i];

	for (size_t j = 0; j < i; j++) {
		const Mount *m = &table->mounts[j];
		const char *below = m->major == mount->major && m->minor == mount->minor
					    ? path_below(mount->root, m->root)
					    : NULL;

		if (below)
			return text_format("%s%s", m->point, below);
	}
	return NULL;
}

json_object *mount_describe(const Mount *mount)
{
	json_object *o = json_object_new_object();

	json_put_string(o, "point", mount->point);
	json_put_string(o, "root", mount->root);
	json_put_string(o, "options", mount->options);
	json_put_string(o, "fstype", mount->fstype);
	json_put_string(o, "source", mount->source);
	json_put_string(o, "super", mount->super);
	return o;
}

typedef struct FlagName {
	const char *name;
	unsigned long flag;
} FlagName;

static const FlagName flag_names[] = {
	{"ro", MS_RDONLY},
	{"nosuid", MS_NOSUID},
	{"nodev", MS_NODEV},
	{"noexec", MS_NOEXEC},
	{"noatime", MS_NOATIME},
	{"nodiratime", MS_NODIRATIME},
	{"relatime", MS_RELATIME},
	{"rw", 0},
	{"nosymfollow", 256 /* MS_NOSYMFOLLOW */},
};

static unsigned long flag_by_name(const char *word, bool *ret_known)
{
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
		if (strcmp(word, flag_names[i].name) == 0) {
			*ret_known = true;
			return flag_names[i].flag;
		}
	}
	*ret_known = false;
	return 0;
}

/* Options as they are shown, taken apart into what mount(2) takes as flags and as data.  "seclabel"
 * is shown by the kernel but not understood by it.  NULL data without memory. */
static unsigned long options_split(const char *options, char **ret_data)
{
	_cleanup_free_ char *copy = strdup(options);
	char *rest = copy, *word, *data = calloc(1, strlen(options) + 2), *end = data;
	unsigned long flags = 0;

	while (copy && data && (word = strsep(&rest, ","))) {
		bool known;

		flags |= flag_by_name(word, &known);
		if (known || strcmp(word, "seclabel") == 0)
			continue;
		if (end > data)
			*end++ = ',';
		end = mempcpy(end, word, strlen(word));
	}
	/* What is shown without is not what mount(2) makes of nothing. */
	if (!(flags & (MS_NOATIME | MS_RELATIME)))
		flags |= MS_STRICTATIME;
	*ret_data = data;
	return flags;
}

static unsigned long mount_flags(const char *options)
{
	_cleanup_free_ char *data = NULL;

	return options_split(options, &data);
}

/* `at`: the target, `name`: what it is called in errors. */
static int filesystem_mount_at(const char *source, const char *at, const char *name,
			       const char *fstype, const char *options, Error *err)
{
	_cleanup_free_ char *data = NULL;
	unsigned long flags = options_split(options, &data);

	if (!data)
		return error_errno(err, -ENOMEM, "Mounting %s", name);
	if (mount(source, at, fstype, flags, data) < 0)
		return error_errno(err, -errno, "Mounting %s (%s, %s) on %s", source, fstype,
				   options, name);
	return 0;
}

int filesystem_mount(const char *source, const char *target, const char *fstype,
		     const char *options, Error *err)
{
	return filesystem_mount_at(source, target, target, fstype, options, err);
}

/* Opens what is to be mounted on, and makes it if it is not there.  The directories above it may
 * belong to users: a link there must not make root create or cover something elsewhere. */
static int mount_target_open(const char *target, bool directory, Error *err)
{
	const char *name = strrchr(target, '/');
	_cleanup_close_ int above = -1, fd = -1;
	struct stat st;

	if (directory)
		return directory_reach(target, 0755, err);
	above = directory_reach_above(target, 0755, err);
	if (above < 0)
		return above;
	/* A socket or a device is not to be opened, only mounted on. */
	fd = openat(above, name + 1, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		fd = openat(above, name + 1, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, -errno, "Making %s to mount on", target);
	if (S_ISLNK(st.st_mode))
		return error_errno(err, -ELOOP, "Mounting on %s", target);
	return steal_fd(&fd);
}

static int mount_bind(const char *from, const char *target, Error *err)
{
	_cleanup_close_ int source = path_open(from, O_PATH, err), to = -1;
	struct stat st;

	if (source < 0)
		return error_prefix(err, "Mounting on %s", target);
	if (fstat(source, &st) < 0)
		return error_errno(err, -errno, "Looking at %s, to be mounted on %s", from, target);
	to = mount_target_open(target, S_ISDIR(st.st_mode), err);
	if (to < 0)
		return to;
	if (mount(fd_path(source).text, fd_path(to).text, NULL, MS_BIND, NULL) < 0)
		return error_errno(err, -errno, "Mounting %s on %s", from, target);
	return 0;
}

int mount_make(json_object *description, const char *target, Error *err)
{
	const char *from = json_opt_string(description, "from", NULL);
	const char *fstype = "", *super = "", *source = "";
	_cleanup_close_ int to = -1;
	int r;

	if (from)
		return mount_bind(from, target, err);
	r = json_get_string(description, "fstype", &fstype, err);
	if (r == 0)
		r = json_get_string(description, "super", &super, err);
	if (r == 0)
		r = json_get_string(description, "source", &source, err);
	if (r < 0)
		return r;
	to = mount_target_open(target, true, err);
	if (to < 0)
		return to;
	/* Writable until its content is there. */
	return filesystem_mount_at(source, fd_path(to).text, target, fstype,
				   text_has_prefix(super, "ro,") ? super + strlen("ro,") : super,
				   err);
}

int mount_set_flags(json_object *description, const char *target, Error *err)
{
	const char *options = json_opt_string(description, "options", "rw");
	_cleanup_close_ int fd = path_open(target, O_PATH, err);

	if (fd < 0)
		return fd;
	if (mount(NULL, fd_path(fd).text, NULL, MS_REMOUNT | MS_BIND | mount_flags(options), NULL) <
	    0)
		return error_errno(err, -errno, "Setting the options %s of %s", options, target);
	return 0;
}

static bool is_mounted(const MountTable *table, const char *point)
{
	for (size_t i = 0; i < table->n; i++)
		if (strcmp(table->mounts[i].point, point) == 0)
			return true;
	return false;
}

/* A memory filesystem that segue-init has mounted already, with limits of its own making. */
static int memory_resize(json_object *description, const char *target, Error *err)
{
	_cleanup_free_ char *data = NULL;
	_cleanup_close_ int fd = -1;
	unsigned long flags;

	if (strcmp(json_opt_string(description, "fstype", ""), "tmpfs") != 0)
		return 0;
	fd = path_open(target, O_PATH, err);
	if (fd < 0)
		return fd;
	flags = options_split(json_opt_string(description, "super", "rw"), &data);
	if (!data || mount(NULL, fd_path(fd).text, NULL, MS_REMOUNT | flags, data) < 0)
		return error_errno(err, data ? -errno : -ENOMEM, "Setting the limits of %s",
				   target);
	return 0;
}

int mounts_restore(json_object *descriptions, Error *err)
{
	_cleanup_(mounts_free) MountTable present = {0};
	int r = mounts_read(0, &present, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < json_length(descriptions); i++) {
		json_object *d = json_object_array_get_idx(descriptions, i);
		const char *point = json_opt_string(d, "point", "/");
		bool device = text_has_prefix(json_opt_string(d, "source", ""), "/dev/");
		Error why = {0};

		r = is_mounted(&present, point) ? memory_resize(d, point, &why)
						: mount_make(d, point, &why);
		if (r == 0)
			r = mount_set_flags(d, point, &why);
		if (r < 0 && device)
			return error_set(err, r, "%s", why.text);
	}
	return 0;
}
