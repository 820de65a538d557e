/* SPDX-License-Identifier: Apache-2.0 */
#include "base/worker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "test.h"

static int succeed(void *userdata, Error *err)
{
	return *(int *)userdata == 7 ? 0 : error_set(err, -EINVAL, "not 7");
}

static int fail_clearly(void *userdata, Error *err)
{
	return error_errno(err, -ENOENT, "Opening %s", (const char *)userdata);
}

static int die(void *userdata, Error *err)
{
	(void)raise(SIGKILL);
	return 0;
}

static int hang(void *userdata, Error *err)
{
	return pause();
}

static void test_done(void **state)
{
	Worker worker;
	int value = 7;

	assert_int_equal(worker_start(&worker, succeed, &value, NULL), 0);
	value = 8; /* it has its own */
	assert_int_equal(worker_finish(&worker, -1, NULL), 0);
}

static void test_none(void **state)
{
	Worker worker = {0};

	assert_int_equal(worker_finish(&worker, -1, NULL), 0);
}

static void test_failed(void **state)
{
	Worker worker;
	Error err = {0};

	assert_int_equal(worker_start(&worker, fail_clearly, (void *)"it", NULL), 0);
	assert_int_equal(worker_finish(&worker, -1, &err), -ENOENT);
	assert_string_equal(err.text, "Opening it: No such file or directory");
	assert_int_equal(worker_finish(&worker, -1, &err), 0);
}

static void test_died(void **state)
{
	Worker worker;
	Error err = {0};

	assert_int_equal(worker_start(&worker, die, NULL, NULL), 0);
	assert_int_equal(worker_finish(&worker, -1, &err), -EIO);
}

static void test_late(void **state)
{
	int64_t began = clock_monotonic_us();
	Worker worker;
	Error err = {0};

	assert_int_equal(worker_start(&worker, hang, NULL, NULL), 0);
	assert_int_equal(worker_finish(&worker, 50, &err), -ETIMEDOUT);
	assert_true(clock_monotonic_us() - began < 10000000);
	assert_int_equal(worker.pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_done),   cmocka_unit_test(test_none),
		cmocka_unit_test(test_failed), cmocka_unit_test(test_died),
		cmocka_unit_test(test_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
