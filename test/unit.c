/* SPDX-License-Identifier: Apache-2.0 */
#include "swap/unit.h"

#include <errno.h>
#include <string.h>

#include "swap/transient.h"
#include "test.h"

static const struct {
	const char *name, *full;
} names[] = {
	{"redis-server", "redis-server.service"},
	{"redis-server.service", "redis-server.service"},
	{"session-3.scope", "session-3.scope"},
	{"getty@tty1", "getty@tty1.service"},
	{"postgresql@15-main.service", "postgresql@15-main.service"},
	{"a.b", "a.b.service"},
	{"system-my\\x2dname", "system-my\\x2dname.service"},
};

static void test_names(void **state)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *full = NULL;

		assert_int_equal(unit_name_normalize(names[i].name, &full, NULL), 0);
		assert_string_equal(full, names[i].full);
		free(full);
	}
}

static void test_wrong_names(void **state)
{
	static const char *const wrong[] = {
		"",     "..",         "a/b",         "../../etc/passwd", "a b",
		"a\nb", "foo.socket", "foo.target",  "foo@.service",     "foo@",
		"@foo", ".service",   "caf\xc3\xa9",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char *full = NULL;
		Error err = {0};

		if (unit_name_normalize(wrong[i], &full, &err) != -EINVAL)
			fail_msg("\"%s\" was taken for the unit %s", wrong[i], full);
		assert_null(full);
		assert_true(err.text[0] != '\0');
	}
}

static void test_long_name(void **state)
{
	char name[400];
	char *full = NULL;

	memset(name, 'a', sizeof(name));
	name[247] = '\0';
	assert_int_equal(unit_name_normalize(name, &full, NULL), 0);
	free(full);
	name[247] = 'a';
	name[248] = '\0';
	assert_int_equal(unit_name_normalize(name, &full, NULL), -EINVAL);
}

static void test_options(void **state)
{
	static const char file[] = "[Unit]\nDescription=HealthCheck=no\n[X-Segue]\n"
				   "HealthCheck=redis-cli ping\nPreFreeze=sync\n[Service]\n"
				   "ExecStart=/bin/x\nHealthCheck=neither\nnonsense\n";
	static const char drop_in[] = "[X-Segue]\nPreFreeze=\nPostThaw=echo \\\n  hello\n";
	UnitOptions options = {0};

	assert_int_equal(unit_options_parse(file, sizeof(file) - 1, "f", &options, NULL), 0);
	assert_string_equal(options.health_check, "redis-cli ping");
	assert_string_equal(options.pre_freeze, "sync");
	assert_null(options.post_thaw);
	assert_int_equal(unit_options_parse(drop_in, sizeof(drop_in) - 1, "d", &options, NULL), 0);
	assert_string_equal(options.health_check, "redis-cli ping");
	assert_null(options.pre_freeze);
	assert_string_equal(options.post_thaw, "echo    hello");
	unit_options_release(&options);
}

static void test_what_works_on_a_swap_is_not_kept(void **state)
{
	char segued[] = "segued.service", init[] = "init.scope", other[] = "redis-server.service";
	Error err = {0};

	assert_int_equal(unit_require_keepable(&(Unit){.id = segued}, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, segued));
	assert_int_equal(unit_require_keepable(&(Unit){.id = init}, NULL), -EOPNOTSUPP);
	assert_int_equal(unit_require_keepable(&(Unit){.id = other}, NULL), 0);
}

static void test_unknown_option(void **state)
{
	static const char file[] = "[X-Segue]\nHealthcheck=x\n";
	UnitOptions options = {0};
	Error err = {0};

	assert_int_equal(unit_options_parse(file, sizeof(file) - 1, "a.service", &options, &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "a.service:2: Healthcheck= is not known in [X-Segue]"));
}

static void test_transient_names(void **state)
{
	static const struct {
		const char *path;
		unsigned n;
		const char *name;
	} transient[] = {
		{"/usr/bin/sleep", 1, "run-segue-sleep-1.service"},
		{"/opt/my prog+", 12, "run-segue-my_prog_-12.service"},
		{"/x/a@b", 2, "run-segue-a_b-2.service"},
	};

	for (size_t i = 0; i < sizeof(transient) / sizeof(*transient); i++) {
		char *name = transient_name(transient[i].path, transient[i].n);
		char *full = NULL;

		assert_string_equal(name, transient[i].name);
		assert_int_equal(unit_name_normalize(name, &full, NULL), 0);
		assert_string_equal(full, name);
		free(full);
		free(name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_wrong_names),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_what_works_on_a_swap_is_not_kept),
		cmocka_unit_test(test_unknown_option),
		cmocka_unit_test(test_transient_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
