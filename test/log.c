/* SPDX-License-Identifier: Apache-2.0 */
/* segue log --svg, with a segued that answers what a test wants. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/client.h"
#include "cli/verb.h"
#include "test.h"

static const char *answer; /* NULL: segued does not run */

int client_call(const char *method, const char *path, json_object *body, json_object **ret_body,
		Error *err)
{
	assert_string_equal(method, "GET");
	assert_string_equal(path, "/v1/log");
	if (!answer)
		return error_set(err, -ECONNREFUSED, "segued does not run");
	*ret_body = json_tokener_parse(answer);
	return 0;
}

/* Takes the place of the other one there as well. */
int client_unit_path(const char *unit, char **ret_path, Error *err)
{
	return error_set(err, -ENOTSUP, "%s", unit);
}

#define TWO                                                                                        \
	"[{\"id\":\"1\",\"state\":\"done\",\"from\":\"first\"},"                                   \
	"{\"id\":\"2\",\"state\":\"refused\",\"from\":\"second\"}]"

static char directory[] = "/tmp/segue-log-XXXXXX", *picture;

static int setup(void **state)
{
	if (!mkdtemp(directory))
		return -1;
	picture = text_format("%s/picture.svg", directory);
	return picture ? 0 : -1;
}

static int teardown(void **state)
{
	free(picture);
	return directory_remove(AT_FDCWD, directory, NULL);
}

/* What is written to descriptor `fd` meanwhile goes to a file, whose text the caller frees. `path`:
 * of a picture, or NULL. */
static int captured(int fd, const char *path, const char *id, const char *extra, char **ret_text)
{
	_cleanup_free_ char *file = text_format("%s/captured", directory);
	_cleanup_free_ char *option = text_format("--svg=%s", path ? path : "");
	_cleanup_close_ int before = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	_cleanup_close_ int to = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char verb[] = "log", *argv[5] = {verb}, **end = argv + 1;
	int status;

	if (path)
		*end++ = option;
	if (id)
		*end++ = (char *)id;
	if (extra)
		*end++ = (char *)extra;
	(void)fflush(stdout);
	assert_true(before >= 0 && to >= 0 && dup2(to, fd) == fd);
	optind = 0;
	status = verb_main(&verb_log, (int)(end - argv), argv);
	(void)fflush(stdout);
	assert_int_equal(dup2(before, fd), fd);
	assert_int_equal(file_read(AT_FDCWD, file, ret_text, NULL, NULL), 0);
	assert_int_equal(unlink(file), 0);
	return status;
}

/* That it fails with one line, which holds `text`. */
static void expect_failure(const char *path, const char *id, int status, const char *text)
{
	_cleanup_free_ char *line = NULL;

	assert_int_equal(captured(STDERR_FILENO, path, id, NULL, &line), status);
	if (!strstr(line, text) || strchr(line, '\n') != line + strlen(line) - 1)
		fail_msg("Not one line with \"%s\": %s", text, line);
}

static void expect_picture(const char *id, const char *text)
{
	_cleanup_free_ char *svg = NULL, *said = NULL;

	assert_int_equal(captured(STDERR_FILENO, picture, id, NULL, &said), STATUS_DONE);
	assert_string_equal(said, "");
	assert_int_equal(file_read(AT_FDCWD, picture, &svg, NULL, NULL), 0);
	if (!strstr(svg, text))
		fail_msg("There is no \"%s\" in %.500s", text, svg);
}

static void test_last_and_named(void **state)
{
	struct stat st;

	answer = TWO;
	expect_picture(NULL, "From kernel second");
	/* Replaced, not appended to. */
	expect_picture("1", "From kernel first");
	assert_int_equal(stat(picture, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(unlink(picture), 0);
}

static void test_standard_output(void **state)
{
	_cleanup_free_ char *svg = NULL;

	answer = TWO;
	assert_int_equal(captured(STDOUT_FILENO, "-", NULL, NULL, &svg), STATUS_DONE);
	assert_true(text_has_prefix(svg, "<svg "));
	assert_true(text_has_suffix(svg, "</svg>\n"));
	assert_false(path_exists(AT_FDCWD, "-"));
}

static void test_report_says_why(void **state)
{
	_cleanup_free_ char *text = NULL;

	answer = "[{\"id\":\"2\",\"state\":\"called-off\",\"error\":\"The disk is full\"}]";
	assert_int_equal(captured(STDOUT_FILENO, NULL, "2", NULL, &text), STATUS_DONE);
	assert_non_null(strstr(text, "Swap 2: called-off\n"));
	assert_non_null(strstr(text, "error: The disk is full\n"));
}

static void test_no_such_swap(void **state)
{
	answer = TWO;
	expect_failure(picture, "3", STATUS_FAILED, "There was no swap 3; segue log shows");
	answer = "[]";
	expect_failure(picture, "3", STATUS_FAILED, "There was no swap 3; segue log shows");
	expect_failure(picture, NULL, STATUS_FAILED, "There was no swap yet; segue swap");
	answer = NULL;
	expect_failure(picture, NULL, STATUS_NOT_REACHABLE, "segued does not run");
	assert_false(path_exists(AT_FDCWD, picture));
}

static void test_files_that_cannot_be_written(void **state)
{
	_cleanup_free_ char *inside = text_format("%s/none/picture.svg", directory);
	_cleanup_free_ char *link = text_format("%s/link", directory);
	struct stat st;

	answer = TWO;
	expect_failure(inside, NULL, STATUS_FAILED, inside);
	expect_failure(directory, NULL, STATUS_FAILED, "not a regular file");
	assert_int_equal(symlink("/dev/null", link), 0);
	expect_failure(link, NULL, STATUS_FAILED, "not a regular file");
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(unlink(link), 0);
}

/* Nothing but the picture is replaced, and who may read it stays. */
static void test_what_is_beside_it_stays(void **state)
{
	_cleanup_free_ char *beside = text_format("%s.new", picture), *text = NULL;
	struct stat st;

	answer = TWO;
	assert_int_equal(file_write_new(AT_FDCWD, picture, "old", 3, 0600, NULL), 0);
	assert_int_equal(file_write_new(AT_FDCWD, beside, "mine", 4, 0600, NULL), 0);
	expect_picture(NULL, "From kernel second");
	assert_int_equal(stat(picture, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(file_read(AT_FDCWD, beside, &text, NULL, NULL), 0);
	assert_string_equal(text, "mine");
	assert_int_equal(unlink(beside), 0);
	assert_int_equal(unlink(picture), 0);
	/* Nor is anything left. */
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(mkdir(directory, 0700), 0);
}

static void test_command_lines(void **state)
{
	_cleanup_free_ char *line = NULL;

	answer = TWO;
	expect_failure("", NULL, STATUS_USAGE, "--svg needs the name of a file");
	assert_int_equal(captured(STDERR_FILENO, picture, "1", "--json", &line), STATUS_USAGE);
	assert_non_null(strstr(line, "two ways"));
	assert_false(path_exists(AT_FDCWD, picture));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_and_named),
		cmocka_unit_test(test_standard_output),
		cmocka_unit_test(test_report_says_why),
		cmocka_unit_test(test_no_such_swap),
		cmocka_unit_test(test_files_that_cannot_be_written),
		cmocka_unit_test(test_what_is_beside_it_stays),
		cmocka_unit_test(test_command_lines),
	};

	(void)umask(022);
	return cmocka_run_group_tests(tests, setup, teardown);
}
