/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "test.h"

#define LARGE (100 * 1024)

typedef struct Capture {
	char path[64];
	int fd;
} Capture;

static void put(const Capture *capture, const char *name, const void *data, size_t size)
{
	assert_int_equal(file_write_atomic(capture->fd, name, data, size, 0600, NULL), 0);
}

static void capture_make(Capture *capture)
{
	static const char large[LARGE];

	strcpy(capture->path, "/tmp/segue-test-seal-XXXXXX");
	assert_non_null(mkdtemp(capture->path));
	capture->fd = open(capture->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(capture->fd >= 0);
	assert_int_equal(directory_make(capture->fd, "unit-0/tree-1000", 0700, NULL), 0);
	put(capture, "capture.json", "{\"version\":1}", 13);
	put(capture, "unit-0/tree-1000/core-1000.img", "registers", 9);
	put(capture, "unit-0/tree-1000/pages-1.img", large, sizeof(large));
	put(capture, "a name with blanks", "", 0);
	assert_int_equal(symlinkat("/nowhere", capture->fd, "link"), 0);
	assert_int_equal(seal_write(capture->fd, NULL), 0);
	assert_int_equal(seal_check(capture->fd, NULL), 0);
}

static void capture_remove(Capture *capture)
{
	(void)close(capture->fd);
	assert_int_equal(directory_remove(AT_FDCWD, capture->path, NULL), 0);
}

/* Each byte of a small file another, and each length. */
static void damage_each(const Capture *capture, const char *name)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	assert_int_equal(file_read(capture->fd, name, &text, &size, NULL), 0);
	for (size_t i = 0; i < size; i++) {
		text[i] ^= 0x20;
		put(capture, name, text, size);
		assert_int_equal(seal_check(capture->fd, NULL), -EBADMSG);
		text[i] ^= 0x20;
		put(capture, name, text, i);
		assert_int_equal(seal_check(capture->fd, NULL), -EBADMSG);
	}
	put(capture, name, text, size);
	assert_int_equal(seal_check(capture->fd, NULL), 0);
}

static void test_damage(void **state)
{
	Capture capture;

	capture_make(&capture);
	damage_each(&capture, "capture.json");
	damage_each(&capture, "unit-0/tree-1000/core-1000.img");
	damage_each(&capture, "seal");
	capture_remove(&capture);
}

static void test_size_of_memory(void **state)
{
	Capture capture;
	Error err = {0};
	int fd;

	capture_make(&capture);
	fd = openat(capture.fd, "unit-0/tree-1000/pages-1.img", O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, LARGE / 2), 0);
	(void)close(fd);
	assert_int_equal(seal_check(capture.fd, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "pages-1.img"));
	capture_remove(&capture);
}

static void test_missing_and_more(void **state)
{
	Capture capture;

	capture_make(&capture);
	/* What restoring leaves there, for a second time. */
	put(&capture, "unit-0/tree-1000/restore.log", "done", 4);
	assert_int_equal(seal_check(capture.fd, NULL), 0);
	assert_int_equal(unlinkat(capture.fd, "a name with blanks", 0), 0);
	assert_int_equal(seal_check(capture.fd, NULL), -EBADMSG);
	assert_int_equal(unlinkat(capture.fd, "seal", 0), 0);
	assert_true(seal_check(capture.fd, NULL) < 0);
	capture_remove(&capture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_size_of_memory),
		cmocka_unit_test(test_missing_and_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
