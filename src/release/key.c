/* SPDX-License-Identifier: Apache-2.0 */
#include "release/key.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"

#define PASSPHRASE_MAX 512
#define RSA_BITS_MIN   3072

typedef struct KeyKind {
	gnutls_pk_algorithm_t algorithm;
	gnutls_ecc_curve_t curve; /* GNUTLS_ECC_CURVE_INVALID: any */
	gnutls_sign_algorithm_t sign;
	const char *name;
} KeyKind;

static const KeyKind kinds[] = {
	{GNUTLS_PK_EDDSA_ED25519, GNUTLS_ECC_CURVE_INVALID, GNUTLS_SIGN_EDDSA_ED25519, "Ed25519"},
	{GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP256R1, GNUTLS_SIGN_ECDSA_SHA256, "ECDSA P-256"},
	{GNUTLS_PK_ECDSA, GNUTLS_ECC_CURVE_SECP384R1, GNUTLS_SIGN_ECDSA_SHA384, "ECDSA P-384"},
	{GNUTLS_PK_RSA, GNUTLS_ECC_CURVE_INVALID, GNUTLS_SIGN_RSA_SHA256, "RSA"},
};

struct PublicKey {
	gnutls_pubkey_t key;
	const KeyKind *kind;
	Digest id;
	char *pem;
};

struct PrivateKey {
	gnutls_privkey_t key;
	const KeyKind *kind;
	/* Of a token, which may ask for its PIN whenever it signs: */
	const char *where;
	KeyAsk *ask;
	void *data;
	Error pin_error; /* why there was no PIN */
};

static void cleanup_datum(gnutls_datum_t *d)
{
	gnutls_free(d->data);
}
#define _cleanup_datum_ _cleanup_(cleanup_datum)

static int gnutls_failed(int e, const char *what, Error *err)
{
	return error_set(err, e == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EBADMSG, "%s: %s", what,
			 gnutls_strerror(e));
}

/* ---- public keys ---- */

static const KeyKind *kind_find(gnutls_pubkey_t key)
{
	unsigned bits = 0;
	int algorithm = gnutls_pubkey_get_pk_algorithm(key, &bits);
	gnutls_ecc_curve_t curve = GNUTLS_ECC_CURVE_INVALID;

	if (algorithm == GNUTLS_PK_RSA && bits < RSA_BITS_MIN)
		return NULL;
	if (algorithm == GNUTLS_PK_ECDSA &&
	    gnutls_pubkey_export_ecc_raw2(key, &curve, NULL, NULL, 0) < 0)
		return NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if ((int)kinds[i].algorithm == algorithm &&
		    (kinds[i].curve == GNUTLS_ECC_CURVE_INVALID || kinds[i].curve == curve))
			return &kinds[i];
	return NULL;
}

static int public_key_describe(PublicKey *k, Error *err)
{
	_cleanup_datum_ gnutls_datum_t der = {0}, pem = {0};
	int e;

	k->kind = kind_find(k->key);
	if (!k->kind)
		return error_set(err, -EOPNOTSUPP,
				 "A key of this kind is not taken; use Ed25519, ECDSA on P-256 or "
				 "P-384, or RSA of %d bits or more",
				 RSA_BITS_MIN);
	if ((e = gnutls_pubkey_export2(k->key, GNUTLS_X509_FMT_DER, &der)) < 0 ||
	    (e = gnutls_pubkey_export2(k->key, GNUTLS_X509_FMT_PEM, &pem)) < 0)
		return gnutls_failed(e, "Exporting a public key", err);
	k->pem = strndup((const char *)pem.data, pem.size);
	if (!k->pem)
		return error_errno(err, -ENOMEM, "Exporting a public key");
	return digest_of(der.data, der.size, &k->id, err);
}

/* Takes the key over. */
static int public_key_wrap(gnutls_pubkey_t key, PublicKey **ret, Error *err)
{
	_cleanup_public_key_ PublicKey *k = calloc(1, sizeof(*k));
	int r;

	if (!k) {
		gnutls_pubkey_deinit(key);
		return error_errno(err, -ENOMEM, "Taking a key");
	}
	k->key = key;
	r = public_key_describe(k, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&k);
	return 0;
}

int public_key_parse(const char *pem, size_t size, PublicKey **ret, Error *err)
{
	gnutls_datum_t datum = {.data = (unsigned char *)(size_t)pem, .size = (unsigned)size};
	gnutls_pubkey_t key;
	int e;

	if (size > KEY_PEM_MAX)
		return error_set(err, -EBADMSG, "Not a public key: it has %zu bytes", size);
	e = gnutls_pubkey_init(&key);
	if (e < 0)
		return gnutls_failed(e, "Taking a key", err);
	e = gnutls_pubkey_import(key, &datum, GNUTLS_X509_FMT_PEM);
	if (e < 0) {
		gnutls_pubkey_deinit(key);
		return gnutls_failed(e, "Not a public key in PEM", err);
	}
	return public_key_wrap(key, ret, err);
}

int public_key_read(const char *path, PublicKey **ret, Error *err)
{
	_cleanup_free_ char *pem = NULL;
	size_t size;
	int r = file_read_max(AT_FDCWD, path, KEY_PEM_MAX, &pem, &size, err);

	if (r < 0)
		return r;
	r = public_key_parse(pem, size, ret, err);
	if (r < 0)
		(void)error_prefix(err, "%s", path);
	return r;
}

void public_key_free(PublicKey *key)
{
	if (!key)
		return;
	gnutls_pubkey_deinit(key->key);
	free(key->pem);
	free(key);
}

const Digest *public_key_id(const PublicKey *key)
{
	return &key->id;
}

const char *public_key_pem(const PublicKey *key)
{
	return key->pem;
}

const char *public_key_kind(const PublicKey *key)
{
	return key->kind->name;
}

int public_key_verify(const PublicKey *key, const void *data, size_t size,
		      const Signature *signature, Error *err)
{
	gnutls_datum_t what = {.data = (unsigned char *)(size_t)data, .size = (unsigned)size};
	gnutls_datum_t by = {.data = (unsigned char *)(size_t)signature->bytes,
			     .size = (unsigned)signature->size};
	int e = gnutls_pubkey_verify_data2(key->key, key->kind->sign, 0, &what, &by);

	if (e < 0)
		return error_set(err, -EKEYREJECTED, "The signature by key %.16s does not fit: %s",
				 digest_text(&key->id).text, gnutls_strerror(e));
	return 0;
}

/* ---- private keys ---- */

static int private_key_new(PrivateKey **ret, Error *err)
{
	PrivateKey *k = calloc(1, sizeof(*k));

	if (!k || gnutls_privkey_init(&k->key) < 0) {
		free(k);
		return error_errno(err, -ENOMEM, "Taking a key");
	}
	*ret = k;
	return 0;
}

void private_key_free(PrivateKey *key)
{
	if (key)
		gnutls_privkey_deinit(key->key);
	free(key);
}

int private_key_generate(PrivateKey **ret, Error *err)
{
	_cleanup_private_key_ PrivateKey *k = NULL;
	int e, r = private_key_new(&k, err);

	if (r < 0)
		return r;
	e = gnutls_privkey_generate(k->key, GNUTLS_PK_EDDSA_ED25519, 0, 0);
	if (e < 0)
		return gnutls_failed(e, "Making a key", err);
	k->kind = &kinds[0];
	*ret = steal_ptr(&k);
	return 0;
}

static int private_key_ask_pin(void *userdata, int attempt, const char *url, const char *label,
			       unsigned flags, char *pin, size_t size)
{
	PrivateKey *k = userdata;

	/* A wrong one is not tried again: tokens lock themselves after a few. */
	if (attempt > 0 || (flags & GNUTLS_PIN_WRONG))
		return GNUTLS_E_PKCS11_PIN_ERROR;
	return k->ask(k->where, pin, size, k->data, &k->pin_error) < 0 ? GNUTLS_E_PKCS11_PIN_ERROR
								       : 0;
}

static int url_open(PrivateKey *k, const char *url, KeyAsk *ask, void *data, Error *err)
{
	int e;

	k->where = url;
	k->ask = ask;
	k->data = data;
	gnutls_privkey_set_pin_function(k->key, private_key_ask_pin, k);
	e = gnutls_privkey_import_url(k->key, url, 0);
	if (e < 0 && k->pin_error.code < 0)
		return error_set(err, k->pin_error.code, "%s", k->pin_error.text);
	if (e == GNUTLS_E_UNIMPLEMENTED_FEATURE)
		return error_set(err, -EOPNOTSUPP, "%s: this GnuTLS takes no such URL", url);
	if (e < 0)
		return error_set(err, -ENOKEY,
				 "%s: %s; p11tool --list-tokens shows what tokens there are", url,
				 gnutls_strerror(e));
	return 0;
}

static bool pem_is_encrypted(const char *pem)
{
	return strstr(pem, "BEGIN ENCRYPTED PRIVATE KEY") != NULL;
}

static int pem_open(PrivateKey *k, const char *path, char *pem, size_t size, KeyAsk *ask,
		    void *data, Error *err)
{
	gnutls_datum_t datum = {.data = (unsigned char *)pem, .size = (unsigned)size};
	char passphrase[PASSPHRASE_MAX] = "";
	bool encrypted = pem_is_encrypted(pem);
	int e, r = encrypted ? ask(path, passphrase, sizeof(passphrase), data, err) : 0;

	if (r < 0)
		return r;
	e = gnutls_privkey_import_x509_raw(k->key, &datum, GNUTLS_X509_FMT_PEM,
					   encrypted ? passphrase : NULL,
					   encrypted ? 0 : GNUTLS_PKCS_PLAIN);
	explicit_bzero(passphrase, sizeof(passphrase));
	if (e == GNUTLS_E_DECRYPTION_FAILED)
		return error_set(err, -EKEYREJECTED, "%s: the passphrase is wrong", path);
	if (e < 0)
		return error_set(err, -EBADMSG, "%s is not a private key (PKCS #8, PEM): %s", path,
				 gnutls_strerror(e));
	return 0;
}

static int file_open(PrivateKey *k, const char *path, KeyAsk *ask, void *data, Error *err)
{
	struct stat st;
	char *pem;
	size_t size;
	int r = file_read_max(AT_FDCWD, path, KEY_PEM_MAX, &pem, &size, err);

	if (r < 0)
		return r;
	if (stat(path, &st) == 0 && (st.st_mode & 077))
		r = error_set(err, -EACCES, "Key %s can be read or written by others; chmod 600 it",
			      path);
	if (r == 0)
		r = pem_open(k, path, pem, size, ask, data, err);
	explicit_bzero(pem, size);
	free(pem);
	return r;
}

bool private_key_is_url(const char *where)
{
	return gnutls_url_is_supported(where) || text_has_prefix(where, "pkcs11:") ||
	       text_has_prefix(where, "tpmkey:");
}

int private_key_open(const char *where, KeyAsk *ask, void *data, PrivateKey **ret, Error *err)
{
	_cleanup_private_key_ PrivateKey *k = NULL;
	_cleanup_public_key_ PublicKey *public = NULL;
	int r = private_key_new(&k, err);

	if (r < 0)
		return r;
	r = private_key_is_url(where) ? url_open(k, where, ask, data, err)
				      : file_open(k, where, ask, data, err);
	if (r < 0)
		return r;
	r = private_key_public(k, &public, err);
	if (r < 0) {
		(void)error_prefix(err, "%s", where);
		return r;
	}
	k->kind = public->kind;
	*ret = steal_ptr(&k);
	return 0;
}

int private_key_public(const PrivateKey *key, PublicKey **ret, Error *err)
{
	gnutls_pubkey_t public;
	int e = gnutls_pubkey_init(&public);

	if (e < 0)
		return gnutls_failed(e, "Taking a key", err);
	e = gnutls_pubkey_import_privkey(public, key->key, 0, 0);
	if (e < 0) {
		gnutls_pubkey_deinit(public);
		return gnutls_failed(e, "Asking a key for its public half", err);
	}
	return public_key_wrap(public, ret, err);
}

int private_key_sign(const PrivateKey *key, const void *data, size_t size, Signature *ret,
		     Error *err)
{
	_cleanup_public_key_ PublicKey *public = NULL;
	_cleanup_datum_ gnutls_datum_t made = {0};
	gnutls_datum_t what = {.data = (unsigned char *)(size_t)data, .size = (unsigned)size};
	int e, r = private_key_public(key, &public, err);

	if (r < 0)
		return r;
	e = gnutls_privkey_sign_data2(key->key, key->kind->sign, 0, &what, &made);
	if (e < 0)
		return error_set(err, -EIO, "Signing with key %.16s: %s",
				 digest_text(&public->id).text, gnutls_strerror(e));
	if (made.size > SIGNATURE_MAX)
		return error_set(err, -EFBIG, "Key %.16s makes signatures of %u bytes",
				 digest_text(&public->id).text, made.size);
	*ret = (Signature){.key = public->id, .size = made.size};
	memcpy(ret->bytes, made.data, made.size);
	/* A token can be broken or be another's: better told here than by every node. */
	return public_key_verify(public, data, size, ret, err);
}

int private_key_export(const PrivateKey *key, const char *passphrase, char **ret_pem, Error *err)
{
	_cleanup_datum_ gnutls_datum_t pem = {0};
	gnutls_x509_privkey_t inner;
	int e = gnutls_privkey_export_x509(key->key, &inner);

	if (e < 0)
		return gnutls_failed(e, "Exporting a key", err);
	e = gnutls_x509_privkey_export2_pkcs8(
		inner, GNUTLS_X509_FMT_PEM, passphrase,
		passphrase ? GNUTLS_PKCS_PBES2_AES_256 : GNUTLS_PKCS_PLAIN, &pem);
	gnutls_x509_privkey_deinit(inner);
	if (e < 0)
		return gnutls_failed(e, "Exporting a key", err);
	*ret_pem = strndup((const char *)pem.data, pem.size);
	gnutls_memset(pem.data, 0, pem.size);
	return *ret_pem ? 0 : error_errno(err, -ENOMEM, "Exporting a key");
}

void private_key_export_free(char *pem)
{
	if (pem)
		explicit_bzero(pem, strlen(pem));
	free(pem);
}
