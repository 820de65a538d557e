/* SPDX-License-Identifier: Apache-2.0 */
/* Releases as an owner makes and keeps them. */
#include "release/depot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "release/chain.h"
#include "release/create.h"
#include "release/seen.h"
#include "release_fixture.h"

static Depot *depot;

static const Roles alone = {
	.owners = 1 << ALICE, .owners_needed = 1, .signers = 1 << ALICE, .signers_needed = 1};

static int setup(void **state)
{
	_cleanup_free_ char *path = NULL;
	int r = top_make(state);

	path = in_top("depot");
	if (r < 0 || depot_open(path, true, &depot, NULL) < 0)
		return -1;
	deb_before_7("image.deb", "usr/lib/modules");
	return depot_lock(depot, NULL);
}

static int teardown(void **state)
{
	depot_free(depot);
	depot = NULL;
	return top_remove(state);
}

/* What @wanted does not say is what most tests want. */
static int create_with(const ReleasePlan *wanted, Manifest **ret, Error *err)
{
	ReleasePlan plan = *wanted;
	_cleanup_trust_ Trust *trust = trust_make(&alone);
	_cleanup_free_ char *deb = in_top("image.deb");
	const char *packages[] = {deb};
	PrivateKey *keys[] = {people[ALICE].private};

	plan.kernel = (KernelSource){.packages = packages, .n_packages = 1};
	plan.channel = plan.channel ? plan.channel : CREATE_CHANNEL;
	plan.chunk_size = CHUNK;
	plan.now_s = NOW;
	plan.expires_s = NOW + 30 * DAY;
	plan.trust = plan.trust ? plan.trust : trust;
	if (!plan.keys) {
		plan.keys = keys;
		plan.n_keys = 1;
	}
	return release_create(depot, &plan, ret, err);
}

static int create(const char *name, Error *err)
{
	_cleanup_manifest_ Manifest *m = NULL;

	return create_with(&(ReleasePlan){.name = name}, &m, err);
}

static void verify(const char *name)
{
	_cleanup_trust_ Trust *trust = trust_make(&alone);
	_cleanup_release_ Release *release = NULL;
	_cleanup_manifest_ Manifest *m = NULL;
	Error err = {0};

	if (release_open(depot, name, &release, &err) < 0 ||
	    release_judge(&(JudgeCase){.bytes = release->bytes,
				       .size = release->size,
				       .signatures = &release->signatures,
				       .trust = trust,
				       .now_s = NOW},
			  &m, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; m && i < m->n_files; i++)
		assert_int_equal(content_check(release->dir, m, &m->files[i], NULL, NULL), 0);
}

static size_t count(void)
{
	char **names;
	size_t n;

	assert_int_equal(depot_names(depot, &names, &n, NULL), 0);
	depot_names_free(names);
	return n;
}

/* Nothing is in the directory of releases, not even with a dot. */
static void assert_nothing_is_left(void)
{
	assert_int_equal(count(), 0);
	assert_false(path_exists(depot->releases_fd, ".new"));
}

static void test_create(void **state)
{
	_cleanup_manifest_ Manifest *m = NULL;
	_cleanup_free_ char *root = in_top("root");
	Error err = {0};

	put("root", "filesystem", 10);
	if (create_with(&(ReleasePlan){.root = root, .cmdline = "quiet panic=10"}, &m, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(m->name, KVER "-r1");
	assert_string_equal(m->kernel, KVER);
	assert_string_equal(m->cmdline, "quiet panic=10");
	assert_int_equal(m->n_files, 4);
	assert_int_equal(manifest_find(m, RELEASE_ROOT)->size, 10);
	verify(KVER "-r1");
	assert_int_equal(count(), 1);
}

static void test_nothing_is_replaced(void **state)
{
	Error err = {0};

	assert_int_equal(create("r", NULL), 0);
	assert_int_equal(create("r", &err), -EEXIST);
	assert_non_null(strstr(err.text, "give another --name"));
	verify("r");
}

static void test_a_dry_run_leaves_nothing(void **state)
{
	_cleanup_manifest_ Manifest *m = NULL;

	assert_int_equal(create_with(&(ReleasePlan){.dry_run = true}, &m, NULL), 0);
	assert_string_equal(m->name, KVER "-r1");
	assert_nothing_is_left();
	assert_false(path_exists(depot->fd, SEEN_FILE));
}

static void test_a_version_is_given_once(void **state)
{
	_cleanup_manifest_ Manifest *second = NULL, *third = NULL, *none = NULL;

	assert_int_equal(create("a", NULL), 0);
	assert_int_equal(depot_remove(depot, "a", NULL), 0);
	assert_int_equal(create_with(&(ReleasePlan){.name = "b"}, &second, NULL), 0);
	assert_int_equal(second->version, 2);
	assert_int_equal(create_with(&(ReleasePlan){.name = "c", .version = 2}, &none, NULL),
			 -ESTALE);
	assert_int_equal(create_with(&(ReleasePlan){.name = "c", .version = 7, .channel = "x"},
				     &third, NULL),
			 0);
	assert_int_equal(third->version, 7);
}

static void test_a_key_that_is_no_signers(void **state)
{
	_cleanup_manifest_ Manifest *m = NULL;
	PrivateKey *keys[] = {people[MALLORY].private};
	Error err = {0};

	assert_int_equal(create_with(&(ReleasePlan){.keys = keys, .n_keys = 1}, &m, &err), -EPERM);
	assert_non_null(strstr(err.text, "is not a signer's"));
	assert_nothing_is_left();
}

static void test_a_second_signature(void **state)
{
	static const Roles two = {.owners = 1 << ALICE,
				  .owners_needed = 1,
				  .signers = 1 << ALICE | 1 << BOB,
				  .signers_needed = 2};
	_cleanup_trust_ Trust *trust = trust_make(&two);
	_cleanup_release_ Release *one = NULL, *both = NULL;
	_cleanup_manifest_ Manifest *m = NULL;
	int64_t n;

	assert_int_equal(create_with(&(ReleasePlan){.name = "r", .trust = trust}, &m, NULL), 0);
	assert_int_equal(release_open(depot, "r", &one, NULL), 0);
	assert_int_equal(trust_check_quorum(trust, TRUST_SIGNERS, one->bytes, one->size,
					    &one->signatures, NULL),
			 -EKEYREJECTED);
	assert_int_equal(release_sign(one, trust, people[MALLORY].private, NULL), -EPERM);
	assert_int_equal(release_sign(one, trust, people[BOB].private, NULL), 0);
	assert_int_equal(release_open(depot, "r", &both, NULL), 0);
	n = trust_count(trust, TRUST_SIGNERS, both->bytes, both->size, &both->signatures);
	assert_int_equal(n, 2);
}

/* The disk gets full at every place where it can. */
static void test_a_full_disk(void **state)
{
	struct rlimit before, small;
	size_t failed = 0;

	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	for (rlim_t room = 0; room < 2UL * IMAGE_SIZE; room += 61) {
		Error err = {0};
		int r;

		small = before;
		small.rlim_cur = room;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		r = create("r", &err);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		if (r == 0)
			break;
		assert_int_equal(r, -EFBIG);
		assert_non_null(strstr(err.text, "File too large"));
		assert_nothing_is_left();
		failed++;
	}
	/* The largest file is the kernel. */
	assert_int_equal(failed, IMAGE_SIZE / 61 + 1);
	verify("r");
}

/* Whoever is killed leaves nothing that is taken for a release, and the next one cleans up. */
static void test_killed_anywhere(void **state)
{
	_cleanup_free_ char *path = in_top("depot");
	bool left = false;

	for (int us = 0; us < 40000; us += 1000) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			(void)create("r", NULL);
			_exit(0);
		}
		assert_true(pid > 0);
		(void)usleep((useconds_t)us);
		(void)kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		left = left || path_exists(depot->releases_fd, ".new");
		depot_free(depot);
		assert_int_equal(depot_open(path, false, &depot, NULL), 0);
		assert_int_equal(depot_lock(depot, NULL), 0);
		assert_false(path_exists(depot->releases_fd, ".new"));
		if (count() > 0) {
			verify("r");
			assert_int_equal(depot_remove(depot, "r", NULL), 0);
		}
	}
	assert_true(left);
}

static void test_one_at_a_time(void **state)
{
	_cleanup_free_ char *path = in_top("depot");
	_cleanup_depot_ Depot *other = NULL;
	Error err = {0};

	assert_int_equal(depot_open(path, false, &other, NULL), 0);
	assert_int_equal(depot_lock(other, &err), -EBUSY);
	assert_non_null(strstr(err.text, "Another segue"));
}

static void test_names_that_lead_elsewhere(void **state)
{
	static const char *const names[] = {"..", ".", "", "../x", "a/b", "/etc", ".new"};
	Release *release = NULL;

	put("depot/x/release.json", "{}", 2);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		assert_int_equal(release_open(depot, names[i], &release, NULL), -ENOENT);
		assert_int_equal(depot_remove(depot, names[i], NULL), -ENOENT);
		assert_true(create(names[i], NULL) < 0);
	}
	assert_nothing_is_left();
	assert_true(path_exists(depot->fd, "x"));
}

static void test_a_release_under_another_name(void **state)
{
	Release *release = NULL;
	Error err = {0};

	assert_int_equal(create("r", NULL), 0);
	assert_int_equal(renameat(depot->releases_fd, "r", depot->releases_fd, "s"), 0);
	assert_int_equal(release_open(depot, "s", &release, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "is that of release r"));
	assert_int_equal(depot_remove(depot, "s", NULL), 0);
	assert_nothing_is_left();
}

static void test_a_depot_that_is_not_there(void **state)
{
	_cleanup_free_ char *path = in_top("none");
	Depot *none = NULL;
	Error err = {0};

	assert_int_equal(depot_open(path, false, &none, &err), -ENOENT);
	assert_non_null(strstr(err.text, "segue key new makes it"));
}

/* ---- the chain of trust ---- */

static void chain_put(const Roles *roles, unsigned by, int expected)
{
	_cleanup_trust_ Trust *trust = trust_make(roles);
	PrivateKey *keys[PEOPLE];
	size_t n = 0;

	for (int i = 0; i < PEOPLE; i++)
		if (by & 1U << i)
			keys[n++] = people[i].private;
	assert_int_equal(chain_add(depot, trust, keys, n, NULL), expected);
}

static const Roles second = {.version = 2,
			     .owners = 1 << BOB,
			     .owners_needed = 1,
			     .signers = 1 << BOB,
			     .signers_needed = 1};

static void test_a_chain(void **state)
{
	_cleanup_chain_ Chain chain = {0}, waiting = {0}, whole = {0};
	Trust *none = NULL;
	Error err = {0};

	assert_int_equal(chain_current(depot, &none, &err), -ENOENT);
	assert_non_null(strstr(err.text, "segue trust new"));
	chain_put(&alone, 1U << ALICE, 0);
	assert_int_equal(chain_read(depot, &chain, NULL), 0);
	assert_int_equal(chain.current->version, 1);
	/* The old owner has to agree, and the new one to have the key. */
	chain_put(&second, 1U << BOB, 0);
	assert_int_equal(chain_read(depot, &waiting, NULL), 0);
	assert_int_equal(waiting.current->version, 1);
	assert_int_equal(waiting.next->version, 2);
	chain_put(&second, 1U << ALICE, -EEXIST);
	assert_int_equal(chain_sign(depot, &waiting, people[MALLORY].private, NULL), -EPERM);
	assert_int_equal(chain_sign(depot, &waiting, people[ALICE].private, NULL), 0);
	assert_int_equal(chain_read(depot, &whole, NULL), 0);
	assert_int_equal(whole.current->version, 2);
	assert_null(whole.next);
	assert_int_equal(chain_sign(depot, &whole, people[ALICE].private, NULL), -ENOENT);
}

static void test_a_chain_with_a_foreign_key(void **state)
{
	chain_put(&alone, 1U << ALICE | 1U << MALLORY, -EPERM);
	assert_false(path_exists(depot->fd, "trust/1"));
	assert_false(path_exists(depot->fd, "trust/.new"));
	chain_put(&second, 1U << BOB, 0); /* version 2 alone is no chain */
	assert_true(path_exists(depot->fd, "trust/2"));
}

static void test_a_broken_chain(void **state)
{
	_cleanup_free_ char *text = NULL;
	Chain chain = {0};
	Error err = {0};
	size_t size;

	chain_put(&alone, 1U << ALICE, 0);
	chain_put(&second, 1U << ALICE | 1U << BOB, 0);
	/* What the owners signed is altered: nothing that builds on it counts. */
	assert_int_equal(file_read(depot->fd, "trust/1/trust.json", &text, &size, NULL), 0);
	text[size - 1] = ' ';
	put("depot/trust/1/trust.json", text, size);
	assert_int_equal(chain_read(depot, &chain, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.text, "Trust version 1"));
	put("depot/trust/1/trust.json", text, size / 2);
	assert_int_equal(chain_read(depot, &chain, &err), -EBADMSG);
	assert_null(chain.current);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create),
		TEST(test_nothing_is_replaced),
		TEST(test_a_dry_run_leaves_nothing),
		TEST(test_a_version_is_given_once),
		TEST(test_a_key_that_is_no_signers),
		TEST(test_a_second_signature),
		TEST(test_a_full_disk),
		TEST(test_killed_anywhere),
		TEST(test_one_at_a_time),
		TEST(test_names_that_lead_elsewhere),
		TEST(test_a_release_under_another_name),
		TEST(test_a_depot_that_is_not_there),
		TEST(test_a_chain),
		TEST(test_a_chain_with_a_foreign_key),
		TEST(test_a_broken_chain),
	};

	return cmocka_run_group_tests(tests, people_make, people_free);
}
