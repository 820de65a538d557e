/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/openfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "test.h"

/* A program that works in a directory, with a file open there, one mapped, one that has no name any
 * more, and one in memory. */
typedef struct Program {
	char directory[64];
	pid_t pid;
	json_object *files;
} Program;

static void put(const char *name, const char *text)
{
	assert_int_equal(file_write_atomic(AT_FDCWD, name, text, strlen(text), 0600, NULL), 0);
}

static void program_run(const char *directory, int ready)
{
	int open_fd, mapped, gone, memory;

	if (chdir(directory) < 0)
		_exit(1);
	open_fd = open("open", O_RDWR);
	mapped = open("mapped", O_RDWR);
	gone = open("gone", O_RDWR);
	memory = memfd_create("memory", 0);
	if (open_fd < 0 || mapped < 0 || gone < 0 || memory < 0 || unlink("gone") < 0 ||
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, mapped, 0) == MAP_FAILED ||
	    close(mapped) < 0 || write(ready, "r", 1) != 1)
		_exit(1);
	for (;;)
		(void)pause();
}

static void note(Program *program)
{
	Task task = {.pid = program->pid, .state = 'S'};
	TaskList tasks = {.tasks = &task, .n = 1};
	MountTable host = {0};
	Error err = {0};

	assert_int_equal(mounts_read(0, &host, &err), 0);
	assert_int_equal(openfiles_note(&tasks, &host, &program->files, &err), 0);
	mounts_free(&host);
}

static int setup(void **state)
{
	static Program program;
	int ready[2];
	char byte;

	program = (Program){.directory = "/var/tmp/segue-test-openfiles-XXXXXX"};
	assert_non_null(mkdtemp(program.directory));
	assert_int_equal(chdir(program.directory), 0);
	put("open", "as it was");
	put("mapped", "as it was");
	put("gone", "");
	assert_int_equal(pipe(ready), 0);
	program.pid = fork();
	if (program.pid == 0)
		program_run(program.directory, ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	note(&program);
	*state = &program;
	return 0;
}

static int teardown(void **state)
{
	Program *program = *state;

	(void)kill(program->pid, SIGKILL);
	(void)waitpid(program->pid, NULL, 0);
	(void)json_object_put(program->files);
	return directory_remove(AT_FDCWD, program->directory, NULL);
}

static json_object *find(const Program *program, const char *name)
{
	_cleanup_free_ char *path =
		*name ? text_format("%s/%s", program->directory, name) : strdup(program->directory);

	for (size_t i = 0; i < json_length(program->files); i++) {
		json_object *file = json_object_array_get_idx(program->files, i);

		if (strcmp(json_opt_string(file, "path", ""), path) == 0)
			return file;
	}
	return NULL;
}

/* Only root may open a file by its handle, and not every filesystem has handles. */
static void require_handles(const Program *program)
{
	json_object *file = find(program, "open");

	assert_non_null(file);
	if (geteuid() != 0 || !json_opt_string(file, "handle", NULL))
		skip();
	if (openfiles_check(program->files, NULL) != 0)
		skip(); /* root without CAP_DAC_READ_SEARCH */
}

static void test_what_is_noted(void **state)
{
	const Program *program = *state;

	assert_non_null(find(program, ""));
	assert_non_null(find(program, "open"));
	assert_non_null(find(program, "mapped"));
	assert_null(find(program, "gone"));
	assert_null(find(program, "gone (deleted)"));
	for (size_t i = 0; i < json_length(program->files); i++)
		assert_null(strstr(
			json_opt_string(json_object_array_get_idx(program->files, i), "path", ""),
			"memfd"));
}

static void expect_changed(const Program *program, const char *name)
{
	Error err = {0};

	assert_int_equal(openfiles_check(program->files, &err), -ESTALE);
	assert_non_null(strstr(err.text, name));
}

static void times_set(const char *name, const struct stat *st)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};

	assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
}

static void test_written(void **state)
{
	const Program *program = *state;
	struct stat st;
	int fd;

	require_handles(program);
	assert_int_equal(stat("open", &st), 0);
	fd = open("open", O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "is", 2), 2);
	expect_changed(program, "open");
	times_set("open", &st);
	assert_int_equal(openfiles_check(program->files, NULL), 0);
	/* The time alone does not make it. */
	assert_int_equal(ftruncate(fd, 2), 0);
	times_set("open", &st);
	expect_changed(program, "open");
	(void)close(fd);
}

static void test_mapped(void **state)
{
	const Program *program = *state;
	int fd;

	require_handles(program);
	fd = open("mapped", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "!", 1), 1);
	(void)close(fd);
	expect_changed(program, "mapped");
}

/* The same name, size and time, and another file. */
static void test_replaced(void **state)
{
	const Program *program = *state;
	struct stat st, directory;

	require_handles(program);
	assert_int_equal(stat(".", &directory), 0);
	assert_int_equal(stat("open", &st), 0);
	put("open", "as it was");
	times_set("open", &st);
	times_set(".", &directory);
	expect_changed(program, "open");
}

static void test_one_more(void **state)
{
	const Program *program = *state;

	require_handles(program);
	put("another", "");
	expect_changed(program, program->directory);
}

static void test_nobody_can_tell(void **state)
{
	static const char *const lists[] = {
		"[{\"path\":\"/srv/x\"}]",
		"[{\"path\":\"/srv/x\",\"point\":\"/\",\"handle\":\"\",\"handle_type\":1}]",
		"[{\"path\":\"/srv/x\",\"point\":\"/\",\"handle\":\"zz\",\"handle_type\":1}]",
		"[{\"path\":\"/srv/x\",\"point\":\"/nowhere\",\"handle\":\"01020304\"}]",
	};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		_cleanup_json_ json_object *files = json_tokener_parse(lists[i]);
		Error err = {0};

		assert_int_equal(openfiles_check(files, &err), -ESTALE);
		assert_non_null(strstr(err.text, "/srv/x"));
	}
}

/* Whether this machine has one is its own business. */
static void test_boot(void **state)
{
	_cleanup_json_ json_object *files = NULL;
	MountTable host = {0};

	assert_int_equal(mounts_read(0, &host, NULL), 0);
	assert_int_equal(openfiles_note_boot(&host, &files, NULL), 0);
	mounts_free(&host);
	if (json_length(files) > 0)
		assert_non_null(find(&(Program){.directory = "/var/lib/systemd", .files = files},
				     "random-seed"));
}

static void test_units(void **state)
{
	_cleanup_json_ json_object *none =
		json_tokener_parse("{\"units\":[{\"unit\":\"a.service\"}]}");
	_cleanup_json_ json_object *empty =
		json_tokener_parse("{\"units\":[{\"unit\":\"a.service\",\"openfiles\":[]}]}");
	_cleanup_json_ json_object *booted =
		json_tokener_parse("{\"openfiles\":[{\"path\":\"/srv/x\"}],\"units\":[]}");
	Error err = {0};

	assert_int_equal(openfiles_check_all(none, &err), -ESTALE);
	assert_non_null(strstr(err.text, "a.service"));
	assert_int_equal(openfiles_check_all(empty, NULL), 0);
	assert_int_equal(openfiles_check_all(booted, &err), -ESTALE);
	assert_non_null(strstr(err.text, "Another boot"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_is_noted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mapped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_more, setup, teardown),
		cmocka_unit_test(test_nobody_can_tell),
		cmocka_unit_test(test_boot),
		cmocka_unit_test(test_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
