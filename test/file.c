/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "test.h"

static int setup(void **state)
{
	char path[] = "/tmp/segue-test-XXXXXX";
	int *fd = malloc(sizeof(int));

	if (!fd || !mkdtemp(path) || chdir(path) < 0)
		return -1;
	*fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = fd;
	return *fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	char *path = realpath(".", NULL);
	int *fd = *state;

	(void)chdir("/");
	(void)directory_remove(AT_FDCWD, path, NULL);
	(void)close(*fd);
	free(path);
	free(fd);
	return 0;
}

static void test_write_atomic_and_read(void **state)
{
	_cleanup_free_ char *text = NULL;
	int dirfd = *(int *)*state;
	struct stat st;
	size_t size;

	assert_int_equal(file_write_atomic(dirfd, "a", "old\n", 4, 0644, NULL), 0);
	assert_int_equal(file_write_atomic(dirfd, "a", "new\n\n", 5, 0600, NULL), 0);
	assert_int_equal(file_read(dirfd, "a", &text, &size, NULL), 0);
	assert_int_equal(size, 5);
	assert_string_equal(text, "new\n\n");
	assert_int_equal(fstatat(dirfd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_false(path_exists(dirfd, "a.new"));
}

static void test_read_line(void **state)
{
	_cleanup_free_ char *text = NULL;
	int dirfd = *(int *)*state;

	assert_int_equal(file_write_atomic(dirfd, "l", "one\n", 4, 0644, NULL), 0);
	assert_int_equal(file_read_line(dirfd, "l", &text, NULL), 0);
	assert_string_equal(text, "one");
}

static void test_read_proc(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size;

	assert_int_equal(file_read(AT_FDCWD, "/proc/self/status", &text, &size, NULL), 0);
	assert_true(size > 100);
	assert_int_equal(strlen(text), size);
}

static void test_missing_file_is_named(void **state)
{
	int dirfd = *(int *)*state;
	char *text = NULL;
	Error err = {0};

	assert_int_equal(file_read(dirfd, "missing", &text, NULL, &err), -ENOENT);
	assert_string_equal(err.text, "Opening missing: No such file or directory");
	assert_null(text);
}

static void test_directories(void **state)
{
	int dirfd = *(int *)*state;

	assert_int_equal(directory_make(dirfd, "d/e/f", 0755, NULL), 0);
	assert_int_equal(directory_make(dirfd, "d/e/f", 0755, NULL), 0);
	assert_int_equal(file_write_atomic(dirfd, "d/e/x", "", 0, 0644, NULL), 0);
	assert_int_equal(file_write_atomic(dirfd, "outside", "", 0, 0644, NULL), 0);
	assert_int_equal(symlinkat("../outside", dirfd, "d/link"), 0);
	assert_int_equal(directory_remove(dirfd, "d", NULL), 0);
	assert_false(path_exists(dirfd, "d"));
	assert_true(path_exists(dirfd, "outside"));
	assert_int_equal(directory_remove(dirfd, "d", NULL), 0);
}

static void test_prefix_and_suffix(void **state)
{
	assert_true(text_has_prefix("redis.service", "redis"));
	assert_false(text_has_prefix("red", "redis"));
	assert_true(text_has_suffix("redis.service", ".service"));
	assert_false(text_has_suffix("vice", ".service"));
}

static void test_plain_text(void **state)
{
	char text[] = "caf\xc3\xa9 \x1b[2J\r\n\x7f";

	text_make_plain(text);
	assert_string_equal(text, "caf\xc3\xa9 ?[2J???");
}

static void test_nothing_is_replaced(void **state)
{
	char path[] = "/tmp/segue-file-XXXXXX";
	_cleanup_free_ char *temporary = NULL, *file = NULL, *text = NULL;

	assert_non_null(mkdtemp(path));
	file = text_format("%s/file", path);
	temporary = text_format("%s/file.new", path);
	assert_int_equal(file_write_new(AT_FDCWD, file, "a", 1, 0600, NULL), 0);
	assert_int_equal(file_write_new(AT_FDCWD, file, "b", 1, 0600, NULL), -EEXIST);
	assert_false(path_exists(AT_FDCWD, temporary));
	assert_int_equal(file_read(AT_FDCWD, file, &text, NULL, NULL), 0);
	assert_string_equal(text, "a");
	assert_int_equal(directory_remove(AT_FDCWD, path, NULL), 0);
}

static void test_no_more_than_a_maximum_is_read(void **state)
{
	char path[] = "/tmp/segue-file-XXXXXX";
	_cleanup_free_ char *whole = NULL, *none = NULL;
	int fd = mkstemp(path);
	size_t size;

	assert_int_equal(write(fd, "12345", 5), 5);
	(void)close(fd);
	assert_int_equal(file_read_max(AT_FDCWD, path, 5, &whole, &size, NULL), 0);
	assert_int_equal(size, 5);
	assert_int_equal(file_read_max(AT_FDCWD, path, 4, &none, &size, NULL), -EFBIG);
	assert_int_equal(file_read_max(AT_FDCWD, "/dev/zero", 5, &none, &size, NULL), -EINVAL);
	assert_int_equal(file_read_max(AT_FDCWD, "/tmp", 5, &none, &size, NULL), -EINVAL);
	assert_null(none);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_atomic_and_read),
		cmocka_unit_test(test_read_line),
		cmocka_unit_test(test_read_proc),
		cmocka_unit_test(test_missing_file_is_named),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_prefix_and_suffix),
		cmocka_unit_test(test_plain_text),
		cmocka_unit_test(test_nothing_is_replaced),
		cmocka_unit_test(test_no_more_than_a_maximum_is_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
