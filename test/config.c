/* SPDX-License-Identifier: Apache-2.0 */
#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "test.h"

static int parse(const char *text, Config *config, Error *err)
{
	return config_parse(text, strlen(text), "segue.conf", config, err);
}

static void test_defaults(void **state)
{
	_cleanup_config_ Config config = {0};

	assert_int_equal(parse("", &config, NULL), 0);
	assert_int_equal(config.store, CONFIG_STORE_AUTO);
	assert_string_equal(config.store_path, "/var/lib/segue/capture");
	assert_null(config.group);
	assert_int_equal(config.on_new_kernel, CONFIG_NEW_KERNEL_SAY);
	assert_int_equal(config.health_timeout_s, 30);
	assert_string_equal(config.kexec_append, "");
	assert_true(config.warm);
	assert_true(config.lazy);
	assert_true(config.compress_ram);
}

static void test_everything(void **state)
{
	_cleanup_config_ Config config = {0};

	assert_int_equal(
		parse("[segue]\nStore=ram\nStorePath=/srv/c\nGroup=adm\nOnNewKernel=swap\n"
		      "HealthTimeoutSec=90\nKexecAppend=quiet "
		      "memmap=1G!1G\nWarm=no\nLazy=no\nLendRam=no\nCompressRam=no\nReserveRam=3G\n"
		      "Follow=main\nWatch=/srv/"
		      "r\nOnRelease=install\nQuota=512M\nRateIn=no\nRateOut=8M\n",
		      &config, NULL),
		0);
	assert_int_equal(config.store, CONFIG_STORE_RAM);
	assert_string_equal(config.store_path, "/srv/c");
	assert_string_equal(config.group, "adm");
	assert_int_equal(config.on_new_kernel, CONFIG_NEW_KERNEL_SWAP);
	assert_int_equal(config.health_timeout_s, 90);
	assert_string_equal(config.kexec_append, "quiet memmap=1G!1G");
	assert_false(config.warm);
	assert_false(config.lazy);
	assert_false(config.compress_ram);
	assert_string_equal(config.follow, "main");
	assert_string_equal(config.watch, "/srv/r");
	assert_int_equal(config.on_release, CONFIG_ON_RELEASE_INSTALL);
	assert_int_equal(config.quota_bytes, 512 << 20);
	assert_int_equal(config.rate_in, 0);
	assert_int_equal(config.rate_out, 8 << 20);
}

static void test_the_last_one_counts(void **state)
{
	_cleanup_config_ Config config = {0};

	assert_int_equal(parse("Group=a\nGroup=b\nGroup=\nStore=ram\nStore=disk\nAllow=swap:a\n"
			       "Allow=\n",
			       &config, NULL),
			 0);
	assert_int_equal(config.n_allow, 0);
	assert_null(config.group);
	assert_int_equal(config.store, CONFIG_STORE_DISK);
}

static void test_allow(void **state)
{
	_cleanup_config_ Config config = {0};

	assert_int_equal(parse("Allow=check,swap:operators\nAllow=log:adm\n", &config, NULL), 0);
	assert_int_equal(config.n_allow, 2);
	assert_string_equal(config.allow[0].group, "operators");
	assert_int_equal(config.allow[0].verbs, 1U << CONFIG_VERB_CHECK | 1U << CONFIG_VERB_SWAP);
	assert_string_equal(config.allow[1].group, "adm");
	assert_int_equal(config.allow[1].verbs, 1U << CONFIG_VERB_LOG);
}

static void test_the_file_as_shipped(void **state)
{
	_cleanup_config_ Config config = {0};
	Error err = {0};

	if (config_read(SOURCE_ROOT "/data/segue.conf", &config, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_no_file(void **state)
{
	_cleanup_config_ Config config = {0};
	Error err = {0};

	assert_int_equal(config_read("/nonexistent/segue.conf", &config, &err), 0);
	assert_int_equal(err.code, 0);
}

static const struct {
	const char *text, *message;
} mistakes[] = {
	{"Store=tape",
	 "segue.conf:1: Store=: \"tape\" is not known; write one of: auto, disk, ram"},
	{"\nStorePath=var", "segue.conf:2: StorePath=: \"var\" is not an absolute path"},
	{"OnNewKernel=", "segue.conf:1: OnNewKernel=: \"\" is not known; write one of: say, swap"},
	{"HealthTimeoutSec=0",
	 "segue.conf:1: HealthTimeoutSec=: \"0\" is not a number of seconds from 1 to 3600"},
	{"HealthTimeoutSec=3601",
	 "segue.conf:1: HealthTimeoutSec=: \"3601\" is not a number of seconds from 1 to 3600"},
	{"HealthTimeoutSec=-1",
	 "segue.conf:1: HealthTimeoutSec=: \"-1\" is not a number of seconds from 1 to 3600"},
	{"HealthTimeoutSec=5s",
	 "segue.conf:1: HealthTimeoutSec=: \"5s\" is not a number of seconds from 1 to 3600"},
	{"HealthTimeoutSec=99999999999999999999", "segue.conf:1: HealthTimeoutSec=: "
						  "\"99999999999999999999\" is not a number of "
						  "seconds from 1 to 3600"},
	{"Allow=swap", "segue.conf:1: Allow=: \"swap\" is not VERBS:GROUP, as in "
		       "check,swap:operators"},
	{"Allow=status,swop:adm",
	 "segue.conf:1: Allow=: \"swop\" is not known; write one of: status, "
	 "list, log, metrics, keep, unkeep, check, swap, return, run"},
	{"Allow=run:adm",
	 "segue.conf:1: Allow=: run starts any command as anybody, which only root "
	 "may; let sudo decide who may be root for it"},
	{"store=ram", "segue.conf:1: store= is not known; see segue.conf(5)"},
	{"[Unit]\nStore=ram",
	 "segue.conf:2: Store= is in section [Unit]; the only one here is [segue]"},
};

static void test_mistakes(void **state)
{
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
		Config config = {.health_timeout_s = 7};
		Error err = {0};

		assert_int_equal(parse(mistakes[i].text, &config, &err), -EINVAL);
		assert_string_equal(err.text, mistakes[i].message);
		assert_int_equal(config.health_timeout_s, 7);
		assert_null(config.store_path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_the_last_one_counts),
		cmocka_unit_test(test_allow),
		cmocka_unit_test(test_the_file_as_shipped),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
