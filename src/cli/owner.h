/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of an owner of releases have in common: options, keys, passphrases, progress. */
#pragma once

#include "base/error.h"
#include "cli/verb.h"
#include "release/content.h"
#include "release/depot.h"
#include "release/key.h"

#define OWNER_KEYS_MAX 16

#define OWNER_OPTION_DIR                                                                           \
	{                                                                                          \
		"dir", "DIRECTORY", "where releases and keys are kept"                             \
	}
#define OWNER_OPTION_KEY                                                                           \
	{                                                                                          \
		"key", "KEY", "sign with it: a name, ./FILE or pkcs11: URL; repeatable"            \
	}
#define OWNER_OPTION_PASSPHRASE                                                                    \
	{                                                                                          \
		"passphrase-file", "FILE", "first line is the passphrase or PIN (default: ask)"    \
	}

/* As --dir says. */
int owner_depot(const VerbArguments *arguments, bool make, Depot **ret, Error *err);

/* Private keys, from every --key. */
typedef struct OwnerKeys {
	char *paths[OWNER_KEYS_MAX];
	PrivateKey *keys[OWNER_KEYS_MAX];
	size_t n;
} OwnerKeys;

int owner_keys(const VerbArguments *arguments, const Depot *depot, OwnerKeys *ret, Error *err);
void owner_keys_release(OwnerKeys *keys);
#define _cleanup_owner_keys_ __attribute__((cleanup(owner_keys_release)))

/* A public key: "NAME" of the depot, a file, or the public half of what a pkcs11: URL names. */
int owner_public_key(const VerbArguments *arguments, const Depot *depot, const char *name,
		     PublicKey **ret, Error *err);

/* Days from now, or a date; `days` if --expires is not given. */
int owner_expiry(const VerbArguments *arguments, int64_t now_s, int days, int64_t *ret_s,
		 Error *err);

/* A number of an option; `fallback` if it is not given. */
int owner_number(const VerbArguments *arguments, const char *option, int64_t min, int64_t max,
		 int64_t fallback, int64_t *ret, Error *err);

/* The passphrase of --passphrase-file, or one that is asked for on the terminal; asked twice if it
 * is a new one. */
int owner_passphrase(const VerbArguments *arguments, const char *of, bool new_one, char *ret,
		     size_t size, Error *err);

/* One line on standard error if that is a terminal, and --quiet is not given; NULL: nothing. */
const Progress *owner_progress(const VerbArguments *arguments);
/* Clears that line. */
void owner_progress_end(const Progress *progress);

/* Answers what an owner wants to know of a time: "2027-01-31 12:00 UTC". */
typedef struct OwnerTime {
	char text[24];
} OwnerTime;
OwnerTime owner_time(int64_t s);
