/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/pending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "test.h"

static char path[64];

static int setup(void **state)
{
	int fd;

	strcpy(path, "/tmp/segue-test-pending-XXXXXX");
	fd = mkstemp(path);
	return fd < 0 || close(fd) < 0;
}

static int teardown(void **state)
{
	return unlink(path);
}

static json_object *next_make(void)
{
	return json_tokener_parse("{\"id\":\"20261123-101500\",\"image\":\"/boot/vmlinuz-6.12\","
				  "\"initrd\":\"/var/lib/segue/swap/back.cpio\","
				  "\"cmdline\":\"root=/dev/vda1 ro\"}");
}

static json_object *journal_make(const char *id, const char *state)
{
	json_object *o = json_object_new_object();

	json_put_string(o, "id", id);
	json_put_string(o, "state", state);
	json_put_string(o, "boot_id", "before");
	return o;
}

static void stage(void)
{
	_cleanup_json_ json_object *next = next_make();

	assert_int_equal(pending_stage(path, next, NULL), 0);
}

static void test_its_states(void **state)
{
	static const PendingState states[] = {PENDING_ARMED, PENDING_TRIED, PENDING_ENDED,
					      PENDING_STAGED};
	_cleanup_json_ json_object *next = NULL;

	stage();
	assert_int_equal(pending_read(path, NULL), PENDING_STAGED);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		assert_int_equal(pending_mark(path, states[i], NULL), 0);
		assert_int_equal(pending_read(path, NULL), states[i]);
	}
	assert_int_equal(pending_read(path, &next), PENDING_STAGED);
	assert_string_equal(json_opt_string(next, "image", ""), "/boot/vmlinuz-6.12");
	assert_string_equal(json_opt_string(next, "cmdline", ""), "root=/dev/vda1 ro");
}

static void test_no_file(void **state)
{
	_cleanup_json_ json_object *next = NULL;

	assert_int_equal(pending_read("/tmp/segue-test-no-such", &next), PENDING_NONE);
	assert_null(next);
	assert_int_equal(pending_mark("/tmp/segue-test-no-such", PENDING_ENDED, NULL), -ENOENT);
	assert_int_equal(access("/tmp/segue-test-no-such", F_OK), -1);
}

/* Nothing but what was armed may look like it. */
static void test_damage(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;

	stage();
	assert_int_equal(pending_mark(path, PENDING_ARMED, NULL), 0);
	assert_int_equal(file_read(AT_FDCWD, path, &text, &size, NULL), 0);
	for (size_t i = 0; i < size; i++) {
		text[i] ^= 0x04;
		assert_int_equal(file_write_atomic(AT_FDCWD, path, text, size, 0600, NULL), 0);
		assert_int_equal(pending_read(path, NULL), PENDING_NONE);
		text[i] ^= 0x04;
		assert_int_equal(file_write_atomic(AT_FDCWD, path, text, i, 0600, NULL), 0);
		assert_int_equal(pending_read(path, NULL), PENDING_NONE);
	}
}

static void judge(const char *id, const char *state, const char *boot_id, int expected,
		  const char *words)
{
	_cleanup_json_ json_object *next = next_make(), *journal = journal_make(id, state);
	Error err = {0};

	assert_int_equal(pending_judge(next, journal, boot_id, &err), expected);
	assert_non_null(strstr(err.text, words));
}

static void test_who_may(void **state)
{
	judge("20261123-101500", "jump", "now", 0, "");
	judge("20261123-101500", "jump", "before", -ESTALE, "still runs");
	judge("20261123-101500", "capture", "now", -ESTALE, "state capture");
	judge("20261123-101500", "failed", "now", -ESTALE, "state failed");
	judge("20261123-101501", "jump", "now", -ESTALE, "not those of the last swap");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_its_states),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_who_may),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
