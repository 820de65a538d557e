/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/openfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define HANDLE_MAX 128 /* MAX_HANDLE_SZ */

/* Each boot of systemd writes it before any ordinary unit starts: systemd-random-seed.service. */
#define BOOT_WITNESS "/var/lib/systemd/random-seed"

typedef struct Handle {
	unsigned size; /* struct file_handle of name_to_handle_at(2) */
	int type;
	unsigned char bytes[HANDLE_MAX];
} Handle;

typedef struct Noting {
	const MountTable *host;
	dev_t *devices; /* of the filesystem at the point of each of host's mounts; 0: on no disk */
	json_object *files;
} Noting;

static int64_t mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* ---- handles ---- */

static void handle_put(json_object *o, const Handle *handle)
{
	char text[2 * HANDLE_MAX + 1];

	for (unsigned i = 0; i < handle->size; i++)
		(void)snprintf(text + (size_t)2 * i, 3, "%02x", handle->bytes[i]);
	json_put_string(o, "handle", text);
	json_put_int(o, "handle_type", handle->type);
}

static bool handle_get(json_object *o, Handle *ret)
{
	const char *text = json_opt_string(o, "handle", "");
	size_t n = strlen(text) / 2;

	if (n == 0 || n > HANDLE_MAX)
		return false;
	*ret = (Handle){.size = (unsigned)n, .type = (int)json_opt_int(o, "handle_type", 0)};
	for (size_t i = 0; i < n; i++) {
		unsigned byte;

		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			return false;
		ret->bytes[i] = (unsigned char)byte;
	}
	return true;
}

/* ---- noting ---- */

/* The kernel's own, or in memory: carried by the capture, or made anew by the next boot. */
static bool is_on_no_disk(const char *path)
{
	static const unsigned types[] = {
		TMPFS_MAGIC,      RAMFS_MAGIC,         HUGETLBFS_MAGIC,    PROC_SUPER_MAGIC,
		SYSFS_MAGIC,      CGROUP2_SUPER_MAGIC, CGROUP_SUPER_MAGIC, DEVPTS_SUPER_MAGIC,
		SECURITYFS_MAGIC, DEBUGFS_MAGIC,       TRACEFS_MAGIC,      BPF_FS_MAGIC,
		NSFS_MAGIC,       BINFMTFS_MAGIC,      PSTOREFS_MAGIC,     EFIVARFS_MAGIC,
	};
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((unsigned)fs.f_type == types[i])
			return true;
	return false;
}

static const char *point_find(const Noting *noting, dev_t device)
{
	for (size_t i = 0; i < noting->host->n; i++)
		if (noting->devices[i] == device)
			return noting->host->mounts[i].point;
	return NULL;
}

/* `name`: for people. */
static void file_note(const Noting *noting, const char *path, const char *name, mode_t type)
{
	Handle handle = {.size = HANDLE_MAX};
	const char *point;
	struct stat st;
	json_object *o;
	int mount_id;

	/* One without a name is carried. */
	if (stat(path, &st) < 0 || (st.st_mode & S_IFMT) != type || st.st_nlink == 0 ||
	    is_on_no_disk(path))
		return;
	o = json_object_new_object();
	(void)json_object_array_add(noting->files, o);
	json_put_string(o, "path", name);
	point = point_find(noting, st.st_dev);
	if (!point || name_to_handle_at(AT_FDCWD, path, (struct file_handle *)&handle, &mount_id,
					AT_SYMLINK_FOLLOW) < 0)
		return;
	json_put_string(o, "point", point);
	handle_put(o, &handle);
	json_put_int(o, "mode", type);
	json_put_int(o, "size", S_ISREG(type) ? st.st_size : 0);
	json_put_int(o, "mtime_ns", mtime_ns(&st));
}

/* `what`: below /proc/PID, a link to it. */
static void link_note(const Noting *noting, pid_t pid, const char *what, mode_t type)
{
	_cleanup_free_ char *path = text_format("/proc/%d/%s", (int)pid, what);
	_cleanup_free_ char *name = task_link(pid, what);

	if (path && name)
		file_note(noting, path, name, type);
}

static int descriptor_note(pid_t pid, int fd, void *userdata, Error *err)
{
	char what[32];

	(void)err;
	(void)snprintf(what, sizeof(what), "fd/%d", fd);
	link_note(userdata, pid, what, S_IFREG);
	return 0;
}

/* Others are of programs and libraries, which criu looks at itself. */
static int mappings_note(const Noting *noting, pid_t pid, Error *err)
{
	_cleanup_free_ char *path = text_format("/proc/%d/maps", (int)pid), *text = NULL;
	int r = path ? file_read(AT_FDCWD, path, &text, NULL, err)
		     : error_errno(err, -ENOMEM, "Reading the mappings of %d", (int)pid);
	char *rest = text, *line;

	while (r == 0 && (line = strsep(&rest, "\n"))) {
		unsigned long start, end;
		char flags[5], what[64];

		if (sscanf(line, "%lx-%lx %4s", &start, &end, flags) != 3 || flags[1] != 'w' ||
		    flags[3] != 's' || !strchr(line, '/'))
			continue;
		(void)snprintf(what, sizeof(what), "map_files/%lx-%lx", start, end);
		link_note(noting, pid, what, S_IFREG);
	}
	return r;
}

static int devices_find(Noting *noting, Error *err)
{
	const MountTable *host = noting->host;

	noting->devices = calloc(host->n + 1, sizeof(*noting->devices));
	if (!noting->devices)
		return error_errno(err, -ENOMEM, "Noting open files");
	for (size_t i = 0; i < host->n; i++) {
		struct stat st;

		if (text_has_prefix(host->mounts[i].source, "/dev/") &&
		    !mount_is_memory(&host->mounts[i]) && stat(host->mounts[i].point, &st) == 0 &&
		    S_ISDIR(st.st_mode))
			noting->devices[i] = st.st_dev;
	}
	return 0;
}

int openfiles_note(const TaskList *tasks, const MountTable *host, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *files = json_object_new_array();
	Noting noting = {.host = host, .files = files};
	int r = devices_find(&noting, err);

	for (size_t i = 0; r == 0 && i < tasks->n; i++) {
		pid_t pid = tasks->tasks[i].pid;

		if (tasks->tasks[i].state == 'Z')
			continue;
		link_note(&noting, pid, "cwd", S_IFDIR);
		r = task_each_fd(pid, descriptor_note, &noting, err);
		if (r == 0)
			r = mappings_note(&noting, pid, err);
	}
	free(noting.devices);
	if (r == 0)
		*ret = steal_ptr(&files);
	return r;
}

int openfiles_note_boot(const MountTable *host, json_object **ret, Error *err)
{
	_cleanup_json_ json_object *files = json_object_new_array();
	Noting noting = {.host = host, .files = files};
	int r = devices_find(&noting, err);

	if (r == 0)
		file_note(&noting, BOOT_WITNESS, BOOT_WITNESS, S_IFREG);
	free(noting.devices);
	if (r == 0)
		*ret = steal_ptr(&files);
	return r;
}

/* ---- checking ---- */

static int file_open(json_object *o, Error *err)
{
	const char *path = json_opt_string(o, "path", "");
	_cleanup_close_ int mount =
		open(json_opt_string(o, "point", ""), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	Handle handle;
	int fd;

	if (!handle_get(o, &handle))
		return error_set(err, -ESTALE,
				 "%s is where nobody can tell whether it has been changed", path);
	fd = mount < 0
		     ? -1
		     : open_by_handle_at(mount, (struct file_handle *)&handle, O_PATH | O_CLOEXEC);
	return fd < 0 ? error_set(err, -ESTALE, "%s is gone since the programs were captured: %s",
				  path, strerror(errno))
		      : fd;
}

static int file_check(json_object *o, Error *err)
{
	_cleanup_close_ int fd = file_open(o, err);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != (mode_t)json_opt_int(o, "mode", 0) ||
	    st.st_nlink == 0 || mtime_ns(&st) != json_opt_int(o, "mtime_ns", -1) ||
	    (S_ISREG(st.st_mode) && st.st_size != json_opt_int(o, "size", -1)))
		return error_set(err, -ESTALE,
				 "%s has been changed since the programs were captured",
				 json_opt_string(o, "path", ""));
	return 0;
}

int openfiles_check(json_object *files, Error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_length(files); i++)
		r = file_check(json_object_array_get_idx(files, i), err);
	return r;
}

int openfiles_check_all(json_object *capture, Error *err)
{
	json_object *units = json_opt_array(capture, "units");
	int r = openfiles_check(json_opt_array(capture, "openfiles"), err);

	if (r < 0)
		return error_prefix(err, "Another boot has come in between");
	for (size_t i = 0; r == 0 && i < json_length(units); i++) {
		json_object *unit = json_object_array_get_idx(units, i);
		json_object *files = json_opt_array(unit, "openfiles");

		r = files ? openfiles_check(files, err)
			  : error_set(err, -ESTALE,
				      "the capture does not say which files were open");
		if (r < 0)
			return error_prefix(err, "%s", json_opt_string(unit, "unit", ""));
	}
	return r;
}
