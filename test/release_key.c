/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, against openssl(1), which shares no code with GnuTLS. */
#include "release/key.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "release_fixture.h"

static const char message[] = "{\"what\":\"is signed\"}\n";

static int never_ask(const char *of, char *ret, size_t size, void *data, Error *err)
{
	return error_set(err, -ENOTTY, "asked for %s", of);
}

static int answer(const char *of, char *ret, size_t size, void *data, Error *err)
{
	(void)snprintf(ret, size, "%s", (const char *)data);
	return 0;
}

/* Runs openssl in the directory of the test. */
static int openssl(const char *arguments)
{
	_cleanup_free_ char *command = text_format("cd %s && exec openssl %s", top, arguments);
	const char *const argv[] = {"sh", "-c", command, NULL};

	return process_run(argv, 60000, NULL, NULL);
}

static void need_openssl(void)
{
	const char *const argv[] = {"openssl", "version", NULL};

	if (process_run(argv, 60000, NULL, NULL) < 0)
		skip();
}

static void write_key(const char *name, const PrivateKey *key, const char *passphrase)
{
	char *pem;

	assert_int_equal(private_key_export(key, passphrase, &pem, NULL), 0);
	put(name, pem, strlen(pem));
	private_key_export_free(pem);
}

static void write_signed(const char *name, const PrivateKey *key)
{
	Signature s;
	Error err = {0};

	if (private_key_sign(key, message, strlen(message), &s, &err) < 0)
		fail_msg("%s", err.text);
	put(name, s.bytes, s.size);
}

/* As segue-release(5) says it. */
static void test_openssl_verifies_what_segue_signs(void **state)
{
	const char *pem = public_key_pem(people[ALICE].public);
	const char *other = public_key_pem(people[BOB].public);

	need_openssl();
	put("m", message, strlen(message));
	put("pub", pem, strlen(pem));
	put("other", other, strlen(other));
	write_signed("sig", people[ALICE].private);
	assert_int_equal(openssl("pkeyutl -verify -rawin -pubin -inkey pub -sigfile sig -in m"), 0);
	assert_int_equal(openssl("pkeyutl -verify -rawin -pubin -inkey other -sigfile sig -in m"),
			 -EPROTO);
	put("m", message, strlen(message) - 1);
	assert_int_equal(openssl("pkeyutl -verify -rawin -pubin -inkey pub -sigfile sig -in m"),
			 -EPROTO);
}

static void test_the_id_is_that_of_openssl(void **state)
{
	const char *pem = public_key_pem(people[ALICE].public);
	_cleanup_free_ char *path = in_top("der"), *der = NULL;
	size_t size;
	Digest digest;

	need_openssl();
	put("pub", pem, strlen(pem));
	assert_int_equal(openssl("pkey -pubin -in pub -outform DER -out der"), 0);
	assert_int_equal(file_read(AT_FDCWD, path, &der, &size, NULL), 0);
	assert_int_equal(digest_of(der, size, &digest, NULL), 0);
	assert_true(digest_equal(&digest, public_key_id(people[ALICE].public)));
}

/* Every kind that is taken, made by openssl, signs here and is verified there. */
static const struct {
	const char *make, *kind, *verify;
} kinds[] = {
	{"genpkey -algorithm ed25519 -out k", "Ed25519", ""},
	{"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out k", "ECDSA P-256",
	 "-digest sha256"},
	{"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out k", "ECDSA P-384",
	 "-digest sha384"},
	{"genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out k", "RSA", "-digest sha256"},
};

static void test_keys_of_openssl(void **state)
{
	_cleanup_free_ char *path = in_top("k");

	need_openssl();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		_cleanup_free_ char *verify = text_format(
			"pkeyutl -verify -rawin -pubin -inkey pub -sigfile sig -in m %s",
			kinds[i].verify);
		_cleanup_private_key_ PrivateKey *key = NULL;
		_cleanup_public_key_ PublicKey *public = NULL;
		Error err = {0};

		assert_int_equal(openssl(kinds[i].make), 0);
		if (private_key_open(path, never_ask, NULL, &key, &err) < 0 ||
		    private_key_public(key, &public, &err) < 0)
			fail_msg("%s: %s", kinds[i].kind, err.text);
		assert_string_equal(public_key_kind(public), kinds[i].kind);
		put("m", message, strlen(message));
		put("pub", public_key_pem(public), strlen(public_key_pem(public)));
		write_signed("sig", key);
		assert_int_equal(openssl(verify), 0);
	}
}

static const char *const weak[] = {
	"genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out k",
	"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp521r1 -out k",
	"genpkey -algorithm ed448 -out k",
};

static void test_other_keys_are_refused(void **state)
{
	_cleanup_free_ char *path = in_top("k");

	need_openssl();
	for (size_t i = 0; i < sizeof(weak) / sizeof(*weak); i++) {
		PrivateKey *key = NULL;
		Error err = {0};

		assert_int_equal(openssl(weak[i]), 0);
		assert_int_equal(private_key_open(path, never_ask, NULL, &key, &err), -EOPNOTSUPP);
		assert_non_null(strstr(err.text, "use Ed25519"));
	}
}

static void test_passphrases(void **state)
{
	_cleanup_free_ char *path = in_top("k"), *pem = NULL;
	_cleanup_private_key_ PrivateKey *key = NULL, *none = NULL;
	_cleanup_public_key_ PublicKey *public = NULL;
	char right[] = "correct horse", wrong[] = "wrong";
	Error err = {0};

	write_key("k", people[ALICE].private, right);
	assert_int_equal(file_read(AT_FDCWD, path, &pem, NULL, NULL), 0);
	assert_non_null(strstr(pem, "BEGIN ENCRYPTED PRIVATE KEY"));
	assert_int_equal(private_key_open(path, answer, wrong, &none, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.text, "the passphrase is wrong"));
	assert_int_equal(private_key_open(path, never_ask, NULL, &none, NULL), -ENOTTY);
	assert_int_equal(private_key_open(path, answer, right, &key, NULL), 0);
	assert_int_equal(private_key_public(key, &public, NULL), 0);
	assert_true(digest_equal(public_key_id(public), public_key_id(people[ALICE].public)));
	need_openssl();
	assert_int_equal(openssl("pkey -in k -passin 'pass:correct horse' -noout"), 0);
	assert_int_equal(openssl("pkey -in k -passin pass:wrong -noout"), -EPROTO);
}

static void test_a_key_without_passphrase_is_not_asked_for(void **state)
{
	_cleanup_free_ char *path = in_top("k");
	_cleanup_private_key_ PrivateKey *key = NULL;

	write_key("k", people[ALICE].private, NULL);
	assert_int_equal(private_key_open(path, never_ask, NULL, &key, NULL), 0);
}

static void test_damaged_keys(void **state)
{
	_cleanup_free_ char *path = in_top("k"), *large = calloc(1, KEY_PEM_MAX + 1);
	const char *pem = public_key_pem(people[ALICE].public);
	PrivateKey *key = NULL;
	PublicKey *public = NULL;
	char *whole;

	assert_int_equal(private_key_export(people[ALICE].private, NULL, &whole, NULL), 0);
	/* GnuTLS takes a last line that is cut short, the key being whole by then. */
	for (size_t i = 0; i < (size_t)(strstr(whole, "-----END") - whole); i++) {
		put("k", whole, i);
		assert_int_equal(private_key_open(path, never_ask, NULL, &key, NULL), -EBADMSG);
	}
	private_key_export_free(whole);
	for (size_t i = 0; i < (size_t)(strstr(pem, "-----END") - pem); i++)
		assert_int_equal(public_key_parse(pem, i, &public, NULL), -EBADMSG);
	put("k", large, KEY_PEM_MAX + 1);
	assert_int_equal(private_key_open(path, never_ask, NULL, &key, NULL), -EFBIG);
	assert_int_equal(public_key_read(path, &public, NULL), -EFBIG);
	assert_int_equal(private_key_open("/nonexistent", never_ask, NULL, &key, NULL), -ENOENT);
}

/* Without a token: that it is asked for, and that its absence is told. */
static void test_a_key_that_others_can_read(void **state)
{
	_cleanup_free_ char *path = text_format("%s/open.key", top);
	_cleanup_private_key_ PrivateKey *key = NULL, *opened = NULL;
	Error err = {0};

	assert_int_equal(private_key_generate(&key, NULL), 0);
	write_key("open.key", key, NULL);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(private_key_open(path, never_ask, NULL, &opened, &err), -EACCES);
	assert_non_null(strstr(err.text, "chmod 600"));
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(private_key_open(path, never_ask, NULL, &opened, &err), 0);
}

static void test_a_token_that_is_not_there(void **state)
{
	PrivateKey *key = NULL;
	Error err = {0};

	assert_true(private_key_is_url("pkcs11:token=none"));
	assert_false(private_key_is_url("alice"));
	assert_true(private_key_open("pkcs11:token=none;object=none;type=private", never_ask, NULL,
				     &key, &err) < 0);
	assert_non_null(strstr(err.text, "pkcs11:token=none"));
	assert_null(key);
}

#define WITH_TOP(f) cmocka_unit_test_setup_teardown(f, top_make, top_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TOP(test_openssl_verifies_what_segue_signs),
		WITH_TOP(test_the_id_is_that_of_openssl),
		WITH_TOP(test_keys_of_openssl),
		WITH_TOP(test_other_keys_are_refused),
		WITH_TOP(test_passphrases),
		WITH_TOP(test_a_key_without_passphrase_is_not_asked_for),
		WITH_TOP(test_damaged_keys),
		WITH_TOP(test_a_key_that_others_can_read),
		cmocka_unit_test(test_a_token_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, people_make, people_free);
}
