/* SPDX-License-Identifier: Apache-2.0 */
/* A release out of a directory that anyone may have written to. */
#include "release/pull.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "release/assembly.h"
#include "release_fixture.h"

static Depot *from, *to;

static int set_up(void **state)
{
	_cleanup_free_ char *server = NULL, *here = NULL;
	int r = top_make(state);

	server = in_top("server");
	here = in_top("here");
	return r < 0 || depot_open(server, true, &from, NULL) < 0 ||
			       depot_open(here, true, &to, NULL) < 0 || depot_lock(to, NULL) < 0
		       ? -1
		       : 0;
}

static int tear_down(void **state)
{
	depot_free(from);
	depot_free(to);
	from = to = NULL;
	return top_remove(state);
}

static int choose(const char *channel, Release **ret, Error *err)
{
	static const Roles alone = {.owners = 1 << ALICE,
				    .owners_needed = 1,
				    .signers = 1 << ALICE,
				    .signers_needed = 1};
	static const Seen nothing;
	_cleanup_trust_ Trust *trust = trust_make(&alone);

	return pull_choose(&(PullCase){.from = from,
				       .channel = channel,
				       .trust = trust,
				       .seen = &nothing,
				       .now_s = clock_realtime_us() / 1000000},
			   ret, err);
}

static void assert_chosen(const char *channel, const char *name)
{
	_cleanup_release_ Release *release = NULL;
	Error err = {0};

	if (choose(channel, &release, &err) != 1)
		fail_msg("%s", err.text);
	assert_string_equal(release->manifest->name, name);
}

static void test_the_highest_counts(void **state)
{
	_cleanup_release_ Release *none = NULL;
	int64_t now_s = clock_realtime_us() / 1000000;

	assert_int_equal(choose(NULL, &none, NULL), 0);
	release_put("server", &(Spec){.name = "a", .version = 2}, ALICE);
	release_put("server", &(Spec){.name = "b", .version = 10}, ALICE);
	release_put("server", &(Spec){.name = "c", .version = 9}, ALICE);
	release_put("server", &(Spec){.name = "d", .version = 11, .channel = "test"}, ALICE);
	release_put("server", &(Spec){.name = "e", .version = 12}, MALLORY);
	release_put("server",
		    &(Spec){.name = "f",
			    .version = 13,
			    .created_s = now_s - 2 * DAY,
			    .expires_s = now_s - DAY},
		    ALICE);
	put("server/releases/g/release.json", "{}", 2);
	assert_chosen("main", "b");
	assert_chosen(NULL, "d");
}

static void test_one_is_named(void **state)
{
	_cleanup_release_ Release *none = NULL;
	Error err = {0};

	release_put("server", &(Spec){.name = "a", .version = 2}, ALICE);
	release_put("server", &(Spec){.name = "b", .version = 3}, ALICE);
	release_put("server", &(Spec){.name = "e", .version = 4}, MALLORY);
	put("server/current", "a\n", 2);
	assert_chosen("main", "a");
	put("server/current", "e", 1);
	assert_int_equal(choose(NULL, &none, &err), -EKEYREJECTED);
	put("server/current", "../b", 4);
	assert_int_equal(choose(NULL, &none, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "/current"));
	put("server/current", "x", 1);
	assert_int_equal(choose(NULL, &none, &err), -ENOENT);
}

static void test_nothing_that_may_be_taken(void **state)
{
	_cleanup_release_ Release *none = NULL;
	Error err = {0};

	release_put("server", &(Spec){.name = "e", .version = 4}, MALLORY);
	assert_int_equal(choose(NULL, &none, &err), -EKEYREJECTED);
}

static void test_it_is_copied(void **state)
{
	_cleanup_release_ Release *release = NULL, *there = NULL;
	Error err = {0};

	release_put("server", &(Spec){.name = "a"}, ALICE);
	assert_int_equal(choose(NULL, &release, &err), 1);
	if (pull_release(release, to, NULL, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(release_open(to, "a", &there, NULL), 0);
	for (size_t i = 0; i < there->manifest->n_files; i++)
		assert_int_equal(content_check(there->dir, there->manifest,
					       &there->manifest->files[i], NULL, NULL),
				 0);
	assert_int_equal(pull_release(release, to, NULL, &err), 0);
}

/* What was right of it has not to be read again. */
static void test_what_was_not_signed(void **state)
{
	_cleanup_free_ char *path = in_top("server/releases/a/" RELEASE_MODULES);
	_cleanup_release_ Release *release = NULL;
	_cleanup_close_ int fd = -1;
	Error err = {0};

	release_put("server", &(Spec){.name = "a"}, ALICE);
	assert_int_equal(choose(NULL, &release, &err), 1);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "?", 1, CHUNK + 1), 1);
	assert_int_equal(pull_release(release, to, NULL, &err), -EBADMSG);
	assert_false(path_exists(to->releases_fd, "a"));
	assert_true(path_exists(to->releases_fd, ASSEMBLY_PREFIX "a"));
	assert_int_equal(ftruncate(fd, CHUNK), 0);
	assert_int_equal(pull_release(release, to, NULL, &err), -EBADMSG);
	release_put("server", &(Spec){.name = "a"}, ALICE);
	assert_int_equal(pull_release(release, to, NULL, &err), 0);
}

static void test_another_of_that_name(void **state)
{
	_cleanup_release_ Release *release = NULL;
	Error err = {0};

	release_put("server", &(Spec){.name = "a", .seed = 1}, ALICE);
	release_put("here", &(Spec){.name = "a", .seed = 2}, ALICE);
	assert_int_equal(choose(NULL, &release, &err), 1);
	assert_int_equal(pull_release(release, to, NULL, &err), -EEXIST);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_highest_counts),        TEST(test_one_is_named),
		TEST(test_nothing_that_may_be_taken), TEST(test_it_is_copied),
		TEST(test_what_was_not_signed),       TEST(test_another_of_that_name),
	};

	return cmocka_run_group_tests(tests, people_make, people_free);
}
