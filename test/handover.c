/* SPDX-License-Identifier: Apache-2.0 */
/* What segue-init is handed: the handover and the description of the captures. */
#include "swap/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "swap/capture.h"
#include "test.h"

#define CORPUS SOURCE_ROOT "/test/corpus"

static void handover_refused(const char *name, const char *says)
{
	_cleanup_json_ json_object *o = NULL;
	_cleanup_free_ char *path = text_format(CORPUS "/handover/%s", name);
	Error err = {0};

	assert_int_equal(handover_read(AT_FDCWD, path, &o, &err), -EBADMSG);
	if (!strstr(err.text, says))
		fail_msg("%s: \"%s\" is not in \"%s\"", name, says, err.text);
}

static void test_handover(void **state)
{
	_cleanup_json_ json_object *forward = NULL, *back = NULL, *rehearse = NULL;

	assert_int_equal(handover_read(AT_FDCWD, CORPUS "/handover/forward", &forward, NULL), 0);
	assert_int_equal(handover_read(AT_FDCWD, CORPUS "/handover/return", &back, NULL), 0);
	assert_int_equal(handover_read(AT_FDCWD, CORPUS "/handover/rehearse", &rehearse, NULL), 0);
	handover_refused("no-store", "\"store\" is missing");
	handover_refused("version", "version 2");
	handover_refused("types", "\"root\" is not of type object");
	handover_refused("below-zero", "\"modules_first\"");
}

/* Reads it under the name that it has in a store. */
static int capture_taken(const char *name, Error *err)
{
	_cleanup_free_ char *from = text_format(CORPUS "/capture/%s", name), *text = NULL;
	char directory[] = "/tmp/segue-test-capture-XXXXXX";
	_cleanup_json_ json_object *o = NULL;
	_cleanup_close_ int fd = -1;
	size_t size;
	int r;

	assert_non_null(mkdtemp(directory));
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(file_read(AT_FDCWD, from, &text, &size, NULL), 0);
	assert_int_equal(file_write_atomic(fd, CAPTURE_FILE, text, size, 0600, NULL), 0);
	r = capture_read(fd, &o, err);
	assert_int_equal(directory_remove(AT_FDCWD, directory, NULL), 0);
	return r;
}

static void capture_refused(const char *name, const char *says)
{
	Error err = {0};

	assert_int_equal(capture_taken(name, &err), -EBADMSG);
	if (!strstr(err.text, says))
		fail_msg("%s: \"%s\" is not in \"%s\"", name, says, err.text);
}

static void test_capture(void **state)
{
	assert_int_equal(capture_taken("whole", NULL), 0);
	capture_refused("out-of-directory", "\"directory\": \"../x\" is no name");
	capture_refused("carried-out", "\"directory\": \"..\" is no name");
	capture_refused("cgroup-out", "is no control group");
	capture_refused("pid", "\"pid\": -1");
	capture_refused("sysctl", "is no limit");
	capture_refused("types", "\"mounts\", element 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handover),
		cmocka_unit_test(test_capture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
