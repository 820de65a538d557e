/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys that sign, and signatures.
 *
 * How a key signs follows from the key alone, never from the signature: Ed25519; ECDSA on P-256
 * with SHA-256 and on P-384 with SHA-384; RSA of 3072 bits or more, PKCS #1 with SHA-256.  All of
 * these can be verified by "openssl pkeyutl -verify -rawin".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "release/digest.h"

#define SIGNATURE_MAX 1024 /* that of RSA with 8192 bits */
#define KEY_PEM_MAX   8192

typedef struct PublicKey PublicKey;
typedef struct PrivateKey PrivateKey;

typedef struct Signature {
	Digest key; /* public_key_id() of the key that it claims to be by */
	size_t size;
	uint8_t bytes[SIGNATURE_MAX];
} Signature;

/* PEM, "BEGIN PUBLIC KEY".  -EBADMSG: it is none; -EOPNOTSUPP: none of the kinds above. */
int public_key_parse(const char *pem, size_t size, PublicKey **ret, Error *err);
int public_key_read(const char *path, PublicKey **ret, Error *err);
void public_key_free(PublicKey *key);

/* SHA-256 of its SubjectPublicKeyInfo (DER, RFC 5280), so that it can be found out with openssl. */
const Digest *public_key_id(const PublicKey *key);
const char *public_key_pem(const PublicKey *key);
const char *public_key_kind(const PublicKey *key); /* "Ed25519" */

/* -EKEYREJECTED: not signed by that key. */
int public_key_verify(const PublicKey *key, const void *data, size_t size,
		      const Signature *signature, Error *err);

/* Asks for the passphrase or PIN of what `of` names: writes a string into `ret`. */
typedef int KeyAsk(const char *of, char *ret, size_t size, void *data, Error *err);

/* A new Ed25519 key. */
int private_key_generate(PrivateKey **ret, Error *err);

/* From a file (PKCS #8, PEM), or from where a URL says that GnuTLS takes (pkcs11:, tpmkey:).  Asks
 * only if a passphrase or PIN is needed; a token may ask again when it signs, so that all that is
 * given here must live as long as the key.  -EKEYREJECTED: that was the wrong passphrase. */
int private_key_open(const char *where, KeyAsk *ask, void *data, PrivateKey **ret, Error *err);
bool private_key_is_url(const char *where);
void private_key_free(PrivateKey *key);

int private_key_public(const PrivateKey *key, PublicKey **ret, Error *err);
int private_key_sign(const PrivateKey *key, const void *data, size_t size, Signature *ret,
		     Error *err);

/* PKCS #8 as PEM, encrypted unless `passphrase` is NULL.  private_key_export_free() wipes it. */
int private_key_export(const PrivateKey *key, const char *passphrase, char **ret_pem, Error *err);
void private_key_export_free(char *pem);

static inline void cleanup_public_key(PublicKey **key)
{
	public_key_free(*key);
}
static inline void cleanup_private_key(PrivateKey **key)
{
	private_key_free(*key);
}
#define _cleanup_public_key_  __attribute__((cleanup(cleanup_public_key)))
#define _cleanup_private_key_ __attribute__((cleanup(cleanup_private_key)))
