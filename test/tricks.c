/* SPDX-License-Identifier: Apache-2.0 */
/* What the user of a kept program may have put in the way of root, in directories of his own,
 * between the look at it and the restore. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "sandbox.h"
#include "store/store.h"
#include "swap/carry.h"
#include "swap/mounts.h"
#include "swap/namespaces.h"
#include "swap/restore_external.h"
#include "test.h"

/* /run is an empty tmpfs of this test's own: the user's directory and root's. */
#define USERS "/run/user-owned"
#define ROOTS "/run/roots"

static bool is_boxed;

static int group_setup(void **state)
{
	is_boxed = sandbox_enter();
	return 0;
}

static int setup(void **state)
{
	if (!is_boxed)
		skip();
	return mkdir(USERS, 0755) < 0 || mkdir(ROOTS, 0700) < 0 ||
	       file_write_atomic(AT_FDCWD, ROOTS "/secret", "x", 1, 0600, NULL) < 0;
}

static int teardown(void **state)
{
	return directory_remove(AT_FDCWD, USERS, NULL) < 0 ||
	       directory_remove(AT_FDCWD, ROOTS, NULL) < 0;
}

/* ---- descriptors that root opens for a program ---- */

static int given(json_object *external)
{
	_cleanup_(criu_job_free) CriuJob job = CRIU_JOB_INIT;
	_cleanup_json_ json_object *tree = json_object_new_object(), *units;
	json_object *list = json_object_new_array();
	Externals *externals;
	Error err = {0};
	int r;

	(void)json_object_array_add(list, json_object_get(external));
	(void)json_object_object_add(tree, "externals", list);
	units = json_tokener_parse("[{\"directory\":\"u\",\"trees\":[]}]");
	(void)json_object_array_add(json_opt_array(json_object_array_get_idx(units, 0), "trees"),
				    json_object_get(tree));
	r = externals_new(NULL, units, AT_FDCWD, &externals, &err);
	if (r < 0)
		return r;
	r = externals_give(externals, tree, &job, &err);
	externals_free(externals);
	return r;
}

static json_object *file_external(const char *path)
{
	json_object *o =
		json_tokener_parse("{\"kind\":\"file\",\"key\":\"file[1:2]\",\"flags\":2}");
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	json_put_string(o, "path", path);
	json_put_int(o, "inode", (int64_t)st.st_ino);
	json_put_int(o, "type", st.st_mode & S_IFMT);
	json_put_int(o, "owner", st.st_uid);
	json_put_int(o, "device", (int64_t)st.st_rdev);
	return o;
}

#define LOG_FILE USERS "/log"

static void test_a_file_is_what_it_was(void **state)
{
	_cleanup_json_ json_object *external = NULL, *null = file_external("/dev/null");

	assert_int_equal(file_write_atomic(AT_FDCWD, LOG_FILE, "", 0, 0644, NULL), 0);
	external = file_external(LOG_FILE);
	assert_int_equal(given(external), 0);
	assert_int_equal(given(null), 0);
	/* In memory it is a new one. */
	assert_int_equal(file_write_atomic(AT_FDCWD, LOG_FILE, "", 0, 0644, NULL), 0);
	assert_int_equal(given(external), 0);

	assert_int_equal(unlink(LOG_FILE), 0);
	assert_int_equal(symlink(ROOTS "/secret", LOG_FILE), 0);
	assert_int_equal(given(external), -ESTALE);
	assert_int_equal(unlink(LOG_FILE), 0);
	assert_int_equal(mkfifo(LOG_FILE, 0666), 0);
	assert_int_equal(given(external), -ESTALE);
}

static void test_a_directory_on_the_way_is_what_it_was(void **state)
{
	_cleanup_json_ json_object *external = NULL;

	assert_int_equal(mkdir(USERS "/d", 0755), 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, USERS "/d/secret", "", 0, 0644, NULL), 0);
	external = file_external(USERS "/d/secret");
	assert_int_equal(rename(USERS "/d", USERS "/e"), 0);
	assert_int_equal(symlink(ROOTS, USERS "/d"), 0);
	assert_int_equal(given(external), -ELOOP);
}

static void test_a_file_of_another_owner_is_not_given(void **state)
{
	_cleanup_json_ json_object *external = NULL;

	assert_int_equal(file_write_atomic(AT_FDCWD, LOG_FILE, "", 0, 0644, NULL), 0);
	external = file_external(LOG_FILE);
	json_put_int(external, "owner", 1000);
	assert_int_equal(given(external), -ESTALE);
}

static void test_a_socket_is_made_where_it_was(void **state)
{
	_cleanup_json_ json_object *external =
		json_tokener_parse("{\"kind\":\"datagram\",\"path\":\"" USERS
				   "/d/log\",\"directory\":\"" USERS "/d\"}");

	assert_int_equal(given(external), 0);
	assert_false(path_exists(AT_FDCWD, USERS "/d/log"));
	assert_int_equal(rmdir(USERS "/d"), 0);
	assert_int_equal(symlink(ROOTS, USERS "/d"), 0);
	assert_int_equal(given(external), -ENOTDIR);
	/* A path with a link that leads to the right place is a program's own affair. */
	json_put_string(external, "directory", ROOTS);
	assert_int_equal(given(external), 0);
	json_put_string(external, "directory", "/run");
	assert_int_equal(given(external), -ESTALE);
}

/* ---- mounts ---- */

static void test_a_mount_covers_nothing_else(void **state)
{
	_cleanup_json_ json_object *memory =
		json_tokener_parse("{\"fstype\":\"tmpfs\",\"super\":\"rw\",\"source\":\"t\","
				   "\"options\":\"ro,nosuid\"}");
	_cleanup_json_ json_object *bind = json_object_new_object();
	Error err = {0};

	json_put_string(bind, "from", ROOTS "/secret");
	assert_int_equal(mount_make(memory, USERS "/new/m", NULL), 0);
	assert_int_equal(mount_set_flags(memory, USERS "/new/m", NULL), 0);
	assert_int_equal(mkdir(USERS "/new/m/x", 0700), -1);
	assert_int_equal(errno, EROFS);
	assert_int_equal(umount(USERS "/new/m"), 0);
	assert_int_equal(mount_make(bind, USERS "/new/file", NULL), 0);
	assert_int_equal(umount(USERS "/new/file"), 0);
	/* What cannot be opened can be mounted on. */
	assert_int_equal(mknod(USERS "/new/socket", S_IFSOCK | 0600, 0), 0);
	assert_int_equal(mount_make(bind, USERS "/new/socket", NULL), 0);
	assert_int_equal(umount(USERS "/new/socket"), 0);

	assert_int_equal(symlink(ROOTS, USERS "/sly"), 0);
	assert_int_equal(mount_make(memory, USERS "/sly/d", NULL), -ENOTDIR);
	assert_int_equal(mount_make(bind, USERS "/sly/f", &err), -ENOTDIR);
	assert_int_equal(mount_set_flags(memory, USERS "/sly", NULL), -ELOOP);
	assert_false(path_exists(AT_FDCWD, ROOTS "/d"));
	assert_false(path_exists(AT_FDCWD, ROOTS "/f"));
	json_put_string(bind, "from", USERS "/sly/secret");
	assert_int_equal(mount_make(bind, USERS "/new/file", &err), -ELOOP);
}

/* In the namespace that was made: 0 if all is there. */
static int namespace_look(int mnt)
{
	struct stat st;

	if (setns(mnt, CLONE_NEWNS) < 0)
		return 1;
	if (stat(USERS "/memory/content", &st) < 0 || st.st_size != 7)
		return 2;
	if (open(USERS "/memory/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0 || errno != EROFS)
		return 3;
	if (stat(USERS "/file", &st) < 0 || st.st_size != 1)
		return 4;
	return access(USERS "/stays", F_OK) == 0 ? 0 : 5;
}

static void test_a_sandbox_is_put_together(void **state)
{
	_cleanup_json_ json_object *description = json_tokener_parse(
		"{\"mnt\":[{\"point\":\"/\",\"from\":\"/\",\"options\":\"rw,relatime\"},"
		"{\"point\":\"/run\",\"from\":\"/run\",\"options\":\"rw,relatime\"},"
		"{\"point\":\"" USERS "/memory\",\"fstype\":\"tmpfs\",\"super\":\"rw\","
		"\"source\":\"t\",\"options\":\"ro,nosuid\",\"content\":\"mount-2\"},"
		"{\"point\":\"" USERS "/file\",\"from\":\"" ROOTS "/secret\",\"options\":\"ro\"}],"
		"\"monotonic_us\":1000000000000,\"boottime_us\":1000000000000}");
	CriuJob job = CRIU_JOB_INIT;
	Error err = {0};
	int content = open(ROOTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = -1;
	pid_t pid;

	assert_int_equal(mkdir(ROOTS "/mount-2", 0700), 0);
	assert_int_equal(file_write_atomic(content, "mount-2/content", "content", 7, 0644, NULL),
			 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, USERS "/stays", "", 0, 0644, NULL), 0);
	if (namespaces_make(description, content, -1, 0, &job, &err) < 0)
		fail_msg("%s", err.text);
	pid = fork();
	if (pid == 0)
		_exit(namespace_look(job.namespaces[job.n_namespaces - 1]));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
	namespaces_close(&job);
	(void)close(content);
}

/* ---- what is captured ---- */

static int path_carried(const char *path, int dirfd, json_object **ret_list)
{
	_cleanup_(mounts_free) MountTable table = {0};
	_cleanup_(cleanup_carry) Carry *carry = NULL;
	int r = mounts_read(0, &table, NULL);

	if (r == 0)
		r = carry_new(&table, dirfd, &carry, NULL);
	if (r == 0)
		r = carry_path(carry, path, NULL);
	if (r == 0)
		*ret_list = carry_describe(carry);
	return r;
}

/* As /run/user-owned/d, which is now a link to another filesystem in memory. */
static void test_a_link_is_carried_as_a_link(void **state)
{
	_cleanup_json_ json_object *list = NULL;
	_cleanup_close_ int fd = -1;
	struct stat st;

	assert_int_equal(mkdir("/var/lib/elsewhere", 0700), 0);
	assert_int_equal(mkdir("/var/lib/elsewhere/below", 0700), 0);
	assert_int_equal(symlink("/var/lib/elsewhere", USERS "/d"), 0);
	fd = open(ROOTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(path_carried(USERS "/d/below", fd, &list), 0);
	assert_int_equal(json_length(list), 1);
	assert_int_equal(fstatat(fd, "tmpfs-0/user-owned/d", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
}

/* Whatever the mask of new files is. */
static void test_captures_are_roots_alone(void **state)
{
	_cleanup_json_ json_object *location = json_object_new_object(), *list = NULL;
	mode_t mask = umask(0);
	struct stat st;
	int fd;

	json_put_string(location, "path", ROOTS "/segue-capture");
	assert_int_equal(store_disk.reserve(location, &fd, NULL), 0);
	assert_int_equal(file_write_atomic(AT_FDCWD, USERS "/f", "x", 1, 0666, NULL), 0);
	assert_int_equal(path_carried(USERS, fd, &list), 0);
	assert_int_equal(json_write(fd, "capture.json", list, NULL), 0);
	(void)umask(mask);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(fd, "tmpfs-0", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(fstatat(fd, "capture.json", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* Below them all is as it was. */
	assert_int_equal(fstatat(fd, "tmpfs-0/user-owned/f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	(void)close(fd);
}

#define TRICK(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRICK(test_a_file_is_what_it_was),
		TRICK(test_a_directory_on_the_way_is_what_it_was),
		TRICK(test_a_file_of_another_owner_is_not_given),
		TRICK(test_a_socket_is_made_where_it_was),
		TRICK(test_a_mount_covers_nothing_else),
		TRICK(test_a_sandbox_is_put_together),
		TRICK(test_a_link_is_carried_as_a_link),
		TRICK(test_captures_are_roots_alone),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
