/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "swap/tree.h"

#include "test.h"

typedef struct Place {
	char from_path[32], to_path[32];
	int from, to;
} Place;

static int place_make(void **state)
{
	Place *place = malloc(sizeof(*place));

	assert_non_null(place);
	*place = (Place){.from_path = "/tmp/tree-from-XXXXXX", .to_path = "/tmp/tree-to-XXXXXX"};
	assert_non_null(mkdtemp(place->from_path));
	assert_non_null(mkdtemp(place->to_path));
	place->from = open(place->from_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	place->to = open(place->to_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = place;
	return 0;
}

static int place_remove(void **state)
{
	Place *place = *state;

	(void)close(place->from);
	(void)close(place->to);
	(void)directory_remove(AT_FDCWD, place->from_path, NULL);
	(void)directory_remove(AT_FDCWD, place->to_path, NULL);
	free(place);
	return 0;
}

static void file_make(int dirfd, const char *path, const char *text, mode_t mode)
{
	int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void test_everything(void **state)
{
	Place *place = *state;
	struct stat st, original;
	char *text, target[16] = "";
	Error err = {0};

	assert_int_equal(mkdirat(place->from, "d", 0750), 0);
	assert_int_equal(mkdirat(place->from, "d/empty", 01777), 0);
	assert_int_equal(fchmodat(place->from, "d/empty", 01777, 0), 0);
	file_make(place->from, "d/file", "content", 0640);
	assert_int_equal(symlinkat("file", place->from, "d/link"), 0);
	assert_int_equal(mkfifoat(place->from, "d/fifo", 0600), 0);
	assert_int_equal(tree_copy(place->from, place->to, "d", &err), 0);

	assert_int_equal(file_read(place->to, "d/file", &text, NULL, &err), 0);
	assert_string_equal(text, "content");
	free(text);
	assert_int_equal(fstatat(place->from, "d/file", &original, 0), 0);
	assert_int_equal(fstatat(place->to, "d/file", &st, 0), 0);
	assert_int_equal(st.st_mode, original.st_mode);
	assert_int_equal(st.st_mtim.tv_nsec, original.st_mtim.tv_nsec);
	assert_int_equal(fstatat(place->to, "d", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(fstatat(place->to, "d/empty", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 01777);
	assert_int_equal(fstatat(place->to, "d/fifo", &st, 0), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(readlinkat(place->to, "d/link", target, sizeof(target) - 1), 4);
	assert_string_equal(target, "file");
}

static void test_holes_stay(void **state)
{
	Place *place = *state;
	int fd = openat(place->from, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "end", 3, 64 << 20), 3);
	(void)close(fd);
	assert_int_equal(tree_copy(place->from, place->to, "sparse", NULL), 0);
	assert_int_equal(fstatat(place->to, "sparse", &st, 0), 0);
	assert_int_equal(st.st_size, (64 << 20) + 3);
	assert_true(st.st_blocks < 1024);
}

/* What an unprivileged user can put in the way of a path must not lead elsewhere. */
static void test_link_in_path_is_not_followed(void **state)
{
	Place *place = *state;

	assert_int_equal(symlinkat("/etc", place->from, "sly"), 0);
	assert_int_equal(tree_copy(place->from, place->to, "sly/passwd", NULL), 0);
	assert_false(path_exists(place->to, "sly/passwd") &&
		     faccessat(place->to, "sly", F_OK, 0) != 0);
	assert_int_equal(unlinkat(place->to, "sly", 0), 0); /* a link, not a directory */
}

static void test_sockets_are_left_out(void **state)
{
	Place *place = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", place->from_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(tree_copy(place->from, place->to, ".", NULL), 0);
	assert_false(path_exists(place->to, "socket"));
	(void)close(fd);
}

static void test_parents(void **state)
{
	Place *place = *state;
	struct stat st;

	assert_int_equal(mkdirat(place->from, "a", 0711), 0);
	assert_int_equal(mkdirat(place->from, "a/b", 0700), 0);
	file_make(place->from, "a/b/c", "x", 0600);
	file_make(place->from, "a/other", "x", 0600);
	assert_int_equal(tree_copy_entry(place->from, place->to, "a/b/c", NULL), 0);
	assert_true(path_exists(place->to, "a/b/c"));
	assert_false(path_exists(place->to, "a/other"));
	assert_int_equal(fstatat(place->to, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	/* What has vanished is no error. */
	assert_int_equal(tree_copy(place->from, place->to, "a/gone", NULL), 0);
}

/* Whoever owns a directory on the way can put a link in its place, and its copy leads to the same:
 * once, what lay there was copied onto itself. */
static void test_a_copied_link_is_not_followed_either(void **state)
{
	Place *place = *state;
	char secret[64];
	struct stat before, after;

	(void)snprintf(secret, sizeof(secret), "%s/secret", place->to_path);
	assert_int_equal(mkdirat(place->to, "secret", 0700), 0);
	assert_int_equal(mkdirat(place->to, "secret/below", 0700), 0);
	file_make(place->to, "secret/below/key", "hidden", 0600);
	assert_int_equal(fstatat(place->to, "secret/below/key", &before, 0), 0);
	assert_int_equal(mkdirat(place->from, "run", 0755), 0);
	assert_int_equal(symlinkat(secret, place->from, "run/user"), 0);
	assert_int_equal(tree_copy(place->from, place->to, "run/user/below", NULL), 0);
	assert_int_equal(fstatat(place->to, "secret/below/key", &after, 0), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	assert_int_equal(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_everything, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_holes_stay, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_link_in_path_is_not_followed, place_make,
						place_remove),
		cmocka_unit_test_setup_teardown(test_sockets_are_left_out, place_make,
						place_remove),
		cmocka_unit_test_setup_teardown(test_parents, place_make, place_remove),
		cmocka_unit_test_setup_teardown(test_a_copied_link_is_not_followed_either,
						place_make, place_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
