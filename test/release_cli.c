/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs, as an owner types them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "base/process.h"
#include "release_fixture.h"

static char *output;

/* Runs "segue ..." in the directory of the test, with the depot "depot" there.  Returns what
 * process_run() does; what was printed is in `output`. */
static int segue(const char *arguments)
{
	const char *program = getenv("SEGUE_PROGRAM"); /* NOLINT(concurrency-mt-unsafe) */
	_cleanup_free_ char *command = text_format("cd %s && XDG_DATA_HOME=%s exec %s %s", top, top,
						   program ? program : "segue", arguments);
	const char *const argv[] = {"setsid", "-w", "sh", "-c", command, NULL};

	free(output);
	output = NULL;
	return process_run(argv, 120000, &output, NULL);
}

static void works(const char *arguments, const char *says)
{
	if (segue(arguments) < 0)
		fail_msg("segue %s: %s", arguments, output);
	if (says && !strstr(output, says))
		fail_msg("segue %s: \"%s\" does not say \"%s\"", arguments, output, says);
}

static void fails(const char *arguments, const char *says)
{
	if (segue(arguments) == 0)
		fail_msg("segue %s went through: %s", arguments, output);
	if (!strstr(output, says))
		fail_msg("segue %s: \"%s\" does not say \"%s\"", arguments, output, says);
}

static int setup(void **state)
{
	if (top_make(state) < 0)
		return -1;
	put("pass", "secret\n", 7);
	deb_before_7("image.deb", "usr/lib/modules");
	return 0;
}

static int teardown(void **state)
{
	free(output);
	output = NULL;
	return top_remove(state);
}

static mode_t mode_of(const char *name)
{
	_cleanup_free_ char *path = in_top(name);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void test_keys(void **state)
{
	works("key new alice --passphrase-file pass", "keys/alice.key");
	assert_int_equal(mode_of("segue/keys"), 0700);
	assert_int_equal(mode_of("segue/keys/alice.key"), 0600);
	assert_int_equal(mode_of("segue/keys/alice.pub"), 0644);
	fails("key new alice --no-passphrase", "is not replaced");
	works("key show alice", "BEGIN PUBLIC KEY");
	works("key show alice --json", "\"kind\": \"Ed25519\"");
	works("key new ./k --no-passphrase", "is in ./k");
	works("key show ./k.pub", "Ed25519");
	fails("key new 'a b' --no-passphrase", "not the name of a key");
	fails("key new bob", "give --passphrase-file");
	fails("key new bob --passphrase-file pass --no-passphrase", "exclude each other");
	fails("key show bob", "segue key new makes a key");
	put("empty", "\n", 1);
	fails("key new bob --passphrase-file empty", "The first line of empty has 0 bytes");
}

static void test_the_way_of_one_owner(void **state)
{
	works("key new alice --passphrase-file pass", NULL);
	fails("release create image.deb --key alice --passphrase-file pass", "segue trust new");
	works("trust new --signer alice --key alice --passphrase-file pass",
	      "Trust version 1 counts until");
	works("release create image.deb --key alice --passphrase-file pass",
	      "Made release " KVER "-r1, version 1 of channel main");
	works("release list", KVER "-r1");
	works("release list --json", "\"state\": \"valid\"");
	works("release show " KVER "-r1", "vmlinuz");
	works("release verify " KVER "-r1", "is valid until");
	put("segue/releases/" KVER "-r1/config", "CONFIG_X=n\n", 11);
	fails("release verify " KVER "-r1", "is not what was signed");
	works("release rm --dry-run " KVER "-r1", "would be removed");
	works("release rm " KVER "-r1", "is removed");
	fails("release rm " KVER "-r1", "segue release list shows");
	works("release list", "There is no release");
	works("release create image.deb --dry-run --json", "\"version\": 2");
	works("release list", "There is no release");
}

/* Two of three sign; one leaves; a stolen version number is recovered from. */
static void test_the_way_of_three_owners(void **state)
{
	works("key new alice --no-passphrase", NULL);
	works("key new bob --no-passphrase", NULL);
	works("key new carol --no-passphrase", NULL);
	works("trust new --signer alice --signer bob --signer carol --threshold 2 --key alice",
	      "waits for signatures");
	fails("release create image.deb --key alice", "segue trust sign");
	works("trust sign --key bob", "counts now");
	works("release create image.deb --name r1 --key alice", "1 of the 2 signatures");
	fails("release verify r1", "1 of the 2 signatures");
	works("release list", "1 of 2 signatures");
	works("release sign r1 --key carol", "valid");
	works("release verify r1", "is valid until");
	/* Carol leaves; what she signed then lacks a signature. */
	works("trust new --signer alice --signer bob --key alice --key bob",
	      "Trust version 2 counts");
	works("trust show", "signers (2 needed)");
	works("release list", "1 of 2 signatures");
	works("release create image.deb --name r9 --version 900 --key alice --key bob", "900");
	fails("release create image.deb --name r10 --version 10 --key alice --key bob",
	      "not higher than 900");
	works("trust new --recover --key alice --key bob", "Trust version 3 counts");
	fails("release verify r9", "epoch 2 of the trust counts");
	works("release create image.deb --name r10 --key alice --key bob", "version 1 of");
	works("release verify r10", "is valid until");
	works("trust show --json", "\"epoch\": 2");
}

/* As segue-release(5) says it, byte for byte what is stored. */
static void test_openssl_alone_verifies_a_release(void **state)
{
	_cleanup_free_ char *command = text_format(
		"cd %s/segue && for s in releases/r1/signatures/*.sig; do openssl pkeyutl -verify "
		"-rawin -pubin -inkey keys/alice.pub -sigfile $s -in releases/r1/release.json || "
		"exit 1; done",
		top);
	const char *const argv[] = {"sh", "-c", command, NULL};
	const char *const version[] = {"openssl", "version", NULL};

	works("key new alice --no-passphrase", NULL);
	works("trust new --signer alice --key alice", NULL);
	works("release create image.deb --name r1 --key alice", NULL);
	if (process_run(version, 60000, NULL, NULL) < 0)
		skip();
	assert_int_equal(process_run(argv, 60000, NULL, NULL), 0);
}

static void test_wrong_command_lines(void **state)
{
	fails("release", "goes on with one of: create,");
	fails("release paint", "goes on with one of: create,");
	fails("release create", "give packages, or --modules");
	fails("release create image.deb", "--key is missing");
	fails("release create image.deb --modules /x --key a", "not both");
	fails("release create image.deb --kernel /x --key a", "go with --modules");
	fails("release show", "RELEASE is missing");
	fails("release list --dir none", "is not there");
	works("key new alice --no-passphrase", NULL);
	fails("trust new --key alice", "give --signer");
	fails("trust new --signer alice --threshold 2 --key alice", "not from 1 to 1");
	fails("trust new --signer alice --threshold 0 --key alice",
	      "--threshold 0: write a number");
	fails("trust new --signer alice --expires 2001-01-01 --key alice", "in the past");
	fails("trust new --signer alice --expires 2027-13-01 --key alice", "or a date like");
	fails("trust new --recover --signer alice --key alice", "no trust yet");
	works("trust new --signer alice --expires 2999-01-01 --key alice", "2999-01-01");
	fails("release create image.deb --chunk-size 1 --key alice", "from 16384 to 4194304");
	fails("release create image.deb --channel a/b --key alice", "--channel a/b");
	fails("release create image.deb --key bob", "segue key new makes a key");
	fails("release create image.deb --cmdline 'a\nb' --key alice", "control characters");
	works("release --help", "release verify");
	works("help release create", "--cmdline");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_keys),
		TEST(test_the_way_of_one_owner),
		TEST(test_the_way_of_three_owners),
		TEST(test_openssl_alone_verifies_a_release),
		TEST(test_wrong_command_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
