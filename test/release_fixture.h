/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, trusts, releases and packages for the tests of src/release. */
#pragma once

#include "release/judge.h"
#include "test.h"

#define NOW  ((int64_t)1800000000) /* 2027-01-15 */
#define DAY  ((int64_t)24 * 3600)
#define KVER "7.3.4+deb13-cloud-amd64"

#define CHUNK     ((int64_t)16384)
#define FILE_SIZE ((size_t)40000) /* three chunks */

enum { ALICE, BOB, CAROL, MALLORY, PEOPLE };

typedef struct Person {
	PrivateKey *private;
	PublicKey *public;
} Person;

extern Person people[PEOPLE];

/* Group fixtures: make the keys. */
int people_make(void **state);
int people_free(void **state);

/* A document with its signatures. */
typedef struct Signed {
	char *bytes;
	size_t size;
	Signatures signatures;
} Signed;

void signed_free(Signed *document);
#define _cleanup_signed_ __attribute__((cleanup(signed_free)))

void sign(Signed *document, int person);

/* Who is what, as bits: 1 << ALICE. */
typedef struct Roles {
	int64_t version, epoch, expires_s;
	unsigned owners, owners_needed;
	unsigned signers, signers_needed;
} Roles;

Trust *trust_make(const Roles *roles);
Signed trust_document(const Roles *roles);

/* A release of channel main with the files below; what is 0 gets a default. */
typedef struct Spec {
	const char *name, *channel;
	int64_t version, epoch, created_s, expires_s;
	uint8_t seed; /* of the files' content */
} Spec;

Signed release_document(const Spec *spec);

/* The content of the file `name` of the release with that seed. */
void content_make(uint8_t seed, const char *name, uint8_t ret[FILE_SIZE]);

/* ---- directories and packages ---- */

extern char top[64]; /* a directory for one test */
int top_make(void **state);
int top_remove(void **state);

char *in_top(const char *name); /* its path */
void put(const char *name, const void *data, size_t size);

/* A document and its signatures, in a directory below. */
void document_put(const char *directory, const char *file, const Signed *document);

/* "trust" in the directory `in`, now: `person` is the owner, and signs. */
void trust_put(const char *in, int person);

/* A whole release in the directory "releases" of `in`, made now, signed by `person`. */
void release_put(const char *in, const Spec *given, int person);

/* An entry of an archive. */
typedef struct Entry {
	const char *path;
	const char *link; /* NULL: a file */
	bool hard;
	const void *data;
	size_t size;
} Entry;

/* A .deb of deb(5) whose data.tar is packed as `suffix` says: "", ".xz", ".zst", ".gz". */
void deb_make(const char *name, const char *suffix, const Entry *entries, size_t n);

/* A tar file with zstd. */
void tar_make(const char *name, const Entry *entries, size_t n);

/* Bytes that pass for the image of a kernel. */
#define IMAGE_SIZE 8192
void image_make(uint8_t image[IMAGE_SIZE], const char *version);

/* Debian's packages: one as until 6.x, with modules in /lib or /usr/lib; three as from 7.x on. */
void deb_before_7(const char *name, const char *tree);
void deb_binary(const char *name, const char *suffix);
void deb_modules(const char *name, const char *suffix);
void deb_base(const char *name, const char *suffix);
