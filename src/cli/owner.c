/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/terminal.h"
#include "release/document.h"

#define DAY_S              ((int64_t)24 * 3600)
#define EXPIRY_MAX_DAYS    36525
#define PASSPHRASE_SIZE    512
#define PASSPHRASE_FILE    ((size_t)4096)
#define PROGRESS_PERIOD_US 100000

int owner_depot(const VerbArguments *arguments, bool make, Depot **ret, Error *err)
{
	return depot_open(verb_option(arguments, "dir"), make, ret, err);
}

/* ---- passphrases ---- */

static int passphrase_read(const char *path, char *ret, size_t size, Error *err)
{
	char *text;
	size_t n, all;
	int r = file_read_max(AT_FDCWD, path, PASSPHRASE_FILE, &text, &all, err);

	if (r < 0)
		return r;
	n = strcspn(text, "\r\n");
	if (n == 0 || n >= size)
		r = error_set(err, -EINVAL, "The first line of %s has %zu bytes, not 1 to %zu",
			      path, n, size - 1);
	else
		(void)snprintf(ret, size, "%.*s", (int)n, text);
	explicit_bzero(text, all);
	free(text);
	return r;
}

static int passphrase_ask_new(const char *of, char *ret, size_t size, Error *err)
{
	char again[PASSPHRASE_SIZE];
	_cleanup_free_ char *prompt = text_format("New passphrase for %s: ", of);
	int r = prompt ? terminal_ask(prompt, ret, size, err)
		       : error_errno(err, -ENOMEM, "Asking for a passphrase");

	if (r < 0)
		return r;
	if (!*ret)
		return error_set(
			err, -EINVAL,
			"The passphrase is empty; --no-passphrase makes a key without one");
	r = terminal_ask("The same again: ", again, sizeof(again), err);
	if (r == 0 && strcmp(again, ret) != 0)
		r = error_set(err, -EINVAL, "The two passphrases differ; try again");
	explicit_bzero(again, sizeof(again));
	return r;
}

int owner_passphrase(const VerbArguments *arguments, const char *of, bool new_one, char *ret,
		     size_t size, Error *err)
{
	const char *path = verb_option(arguments, "passphrase-file");
	_cleanup_free_ char *prompt = text_format("Passphrase or PIN of %s: ", of);

	if (path)
		return passphrase_read(path, ret, size, err);
	if (new_one)
		return passphrase_ask_new(of, ret, size, err);
	return prompt ? terminal_ask(prompt, ret, size, err)
		      : error_errno(err, -ENOMEM, "Asking for a passphrase");
}

static int key_ask(const char *of, char *ret, size_t size, void *data, Error *err)
{
	return owner_passphrase(data, of, false, ret, size, err);
}

/* ---- keys ---- */

static int private_path(const Depot *depot, const char *name, char **ret, Error *err)
{
	if (!private_key_is_url(name))
		return depot_key_path(depot, name, ".key", ret, err);
	*ret = strdup(name);
	return *ret ? 0 : error_errno(err, -ENOMEM, "Opening key %s", name);
}

static int key_add(const VerbArguments *arguments, const Depot *depot, const char *name,
		   OwnerKeys *keys, Error *err)
{
	/* Only read: the interface of a call back has no const. */
	void *data = (void *)(size_t)arguments;
	int r;

	if (keys->n == OWNER_KEYS_MAX)
		return error_set(err, -EINVAL, "There are more than %d --key", OWNER_KEYS_MAX);
	r = private_path(depot, name, &keys->paths[keys->n], err);
	if (r < 0)
		return r;
	keys->n++;
	r = private_key_open(keys->paths[keys->n - 1], key_ask, data, &keys->keys[keys->n - 1],
			     err);
	return r == -ENOENT ? error_hint(err, "segue key new makes a key") : r;
}

int owner_keys(const VerbArguments *arguments, const Depot *depot, OwnerKeys *ret, Error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < arguments->n_given; i++)
		if (strcmp(arguments->given[i].option->name, "key") == 0)
			r = key_add(arguments, depot, arguments->given[i].value, ret, err);
	return r;
}

void owner_keys_release(OwnerKeys *keys)
{
	for (size_t i = 0; i < keys->n; i++) {
		private_key_free(keys->keys[i]);
		free(keys->paths[i]);
	}
}

static int public_of_url(const VerbArguments *arguments, const char *url, PublicKey **ret,
			 Error *err)
{
	_cleanup_private_key_ PrivateKey *key = NULL;
	int r = private_key_open(url, key_ask, (void *)(size_t)arguments, &key, err);

	return r < 0 ? r : private_key_public(key, ret, err);
}

int owner_public_key(const VerbArguments *arguments, const Depot *depot, const char *name,
		     PublicKey **ret, Error *err)
{
	_cleanup_free_ char *path = NULL;
	int r;

	if (private_key_is_url(name))
		return public_of_url(arguments, name, ret, err);
	r = depot_key_path(depot, name, ".pub", &path, err);
	if (r < 0)
		return r;
	r = public_key_read(path, ret, err);
	return r == -ENOENT ? error_hint(err, "segue key new makes a key") : r;
}

/* ---- numbers and times ---- */

int owner_number(const VerbArguments *arguments, const char *option, int64_t min, int64_t max,
		 int64_t fallback, int64_t *ret, Error *err)
{
	const char *text = verb_option(arguments, option);
	char *end;
	long long n;

	if (!text) {
		*ret = fallback;
		return 0;
	}
	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || end == text || *end || *text == '+' || n < min || n > max)
		return error_set(err, -EINVAL, "--%s %s: write a number from %lld to %lld", option,
				 text, (long long)min, (long long)max);
	*ret = n;
	return 0;
}

int owner_expiry(const VerbArguments *arguments, int64_t now_s, int days, int64_t *ret_s,
		 Error *err)
{
	const char *text = verb_option(arguments, "expires");
	_cleanup_free_ char *midnight = text_format("%sT00:00:00Z", text ? text : "");
	int64_t n;
	int r;

	if (!midnight)
		return error_errno(err, -ENOMEM, "--expires");
	if (text && (time_parse(midnight, ret_s) || time_parse(text, ret_s)))
		return *ret_s > now_s
			       ? 0
			       : error_set(err, -EINVAL, "--expires %s is in the past", text);
	if (text && strchr(text, '-'))
		return error_set(err, -EINVAL,
				 "--expires %s: write days, or a date like 2027-01-31", text);
	r = owner_number(arguments, "expires", 1, EXPIRY_MAX_DAYS, days, &n, err);
	if (r == 0)
		*ret_s = now_s + n * DAY_S;
	return r;
}

OwnerTime owner_time(int64_t s)
{
	TimeText full = time_text(s);
	OwnerTime result;

	(void)snprintf(result.text, sizeof(result.text), "%.10s %.5s UTC", full.text,
		       full.text + strlen("2027-01-31T"));
	return result;
}

/* ---- progress ---- */

static void progress_print(const char *what, int64_t done, int64_t total, void *data)
{
	static const char blank_line[] = "\r\033[K";
	int64_t *last_us = data, now_us = clock_monotonic_us();
	const char *slash = strrchr(what, '/');

	if (now_us - *last_us < PROGRESS_PERIOD_US)
		return;
	*last_us = now_us;
	(void)fprintf(stderr, "%s%.60s %3d %%", blank_line, slash ? slash + 1 : what,
		      total > 0 ? (int)((double)done * 100 / (double)total) : 0);
}

const Progress *owner_progress(const VerbArguments *arguments)
{
	static int64_t last_us;
	static const Progress progress = {.tell = progress_print, .data = &last_us};

	if (verb_option(arguments, "quiet") || !isatty(STDERR_FILENO))
		return NULL;
	return &progress;
}

void owner_progress_end(const Progress *progress)
{
	if (progress)
		(void)fprintf(stderr, "\r\033[K");
}
