/* SPDX-License-Identifier: Apache-2.0 */
/* The attacks that a release has to withstand, one by one: those of The Update Framework's
 * specification, 1.5.2, and what a stolen hub or a lying neighbour can do besides. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "release/content.h"
#include "release/pace.h"
#include "release_fixture.h"

/* Alice owns, two of Alice, Bob and Carol sign. */
static const Roles usual = {.owners = 1 << ALICE,
			    .owners_needed = 1,
			    .signers = 1 << ALICE | 1 << BOB | 1 << CAROL,
			    .signers_needed = 2};

static int judge_at(const Signed *d, const Trust *trust, const Seen *seen, int64_t now_s,
		    Manifest **ret)
{
	Error err = {0};
	int r = release_judge(&(JudgeCase){.bytes = d->bytes,
					   .size = d->size,
					   .signatures = &d->signatures,
					   .trust = trust,
					   .seen = seen,
					   .channel = "main",
					   .now_s = now_s},
			      ret, &err);

	/* Every refusal says why. */
	assert_true((r < 0) == (*err.text != '\0'));
	assert_int_equal(r, err.code);
	return r;
}

static int judge(const Signed *d, const Trust *trust, const Seen *seen)
{
	_cleanup_manifest_ Manifest *m = NULL;

	return judge_at(d, trust, seen, NOW, &m);
}

static Signed release_signed(const Spec *spec, unsigned by)
{
	Signed d = release_document(spec);

	for (int i = 0; i < PEOPLE; i++)
		if (by & 1U << i)
			sign(&d, i);
	return d;
}

#define BY_TWO (1U << ALICE | 1U << BOB)

static void test_what_is_right_is_taken(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = release_signed(&(Spec){.version = 7}, BY_TWO);
	_cleanup_manifest_ Manifest *m = NULL;
	const Seen nothing = {0};

	assert_int_equal(judge_at(&d, trust, &nothing, NOW, &m), 0);
	assert_int_equal(m->version, 7);
	assert_string_equal(m->kernel, KVER);
	assert_int_equal(manifest_size(m), 2 * FILE_SIZE);
}

/* ---- arbitrary software ---- */

static void test_arbitrary_unsigned(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = release_document(&(Spec){0});

	assert_int_equal(judge(&d, trust, NULL), -EKEYREJECTED);
}

static void test_arbitrary_document_altered_anywhere(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = release_signed(&(Spec){0}, BY_TWO);

	for (size_t i = 0; i < d.size; i++) {
		d.bytes[i] ^= 1;
		assert_int_equal(judge(&d, trust, NULL), -EKEYREJECTED);
		d.bytes[i] ^= 1;
	}
	assert_int_equal(judge(&d, trust, NULL), 0);
}

static void test_arbitrary_document_cut_or_grown(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = release_signed(&(Spec){0}, BY_TWO);
	char *grown;
	size_t whole = d.size;

	for (d.size = 0; d.size < whole; d.size++)
		assert_int_equal(judge(&d, trust, NULL), -EKEYREJECTED);
	grown = realloc(d.bytes, whole + 1);
	assert_non_null(grown);
	d.bytes = grown;
	d.bytes[whole] = '\n';
	d.size = whole + 1;
	assert_int_equal(judge(&d, trust, NULL), -EKEYREJECTED);
}

static void test_arbitrary_signature_altered_anywhere(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = release_signed(&(Spec){0}, BY_TWO);

	for (size_t s = 0; s < d.signatures.n; s++) {
		Signature *signature = &d.signatures.items[s];

		for (size_t i = 0; i < signature->size; i++) {
			signature->bytes[i] ^= 0x80;
			assert_int_equal(judge(&d, trust, NULL), -EKEYREJECTED);
			signature->bytes[i] ^= 0x80;
		}
		for (; signature->size > 0; signature->size--)
			if (signature->size < 64)
				assert_int_equal(judge(&d, trust, NULL), -EKEYREJECTED);
		signature->size = 64;
	}
	assert_int_equal(judge(&d, trust, NULL), 0);
}

static void test_arbitrary_content_altered_anywhere(void **state)
{
	_cleanup_signed_ Signed d = release_document(&(Spec){.seed = 1});
	_cleanup_manifest_ Manifest *m = NULL;
	static uint8_t content[FILE_SIZE];
	_cleanup_close_ int dir = open(top, O_RDONLY | O_DIRECTORY);

	assert_int_equal(manifest_parse(d.bytes, d.size, &m, NULL), 0);
	content_make(1, RELEASE_KERNEL, content);
	put(RELEASE_KERNEL, content, FILE_SIZE);
	assert_int_equal(content_check(dir, m, &m->files[0], NULL, NULL), 0);
	for (size_t i = 0; i < FILE_SIZE; i += 997) {
		content[i] ^= 1;
		put(RELEASE_KERNEL, content, FILE_SIZE);
		assert_int_equal(content_check(dir, m, &m->files[0], NULL, NULL), -EBADMSG);
		content[i] ^= 1;
	}
	put(RELEASE_KERNEL, content, FILE_SIZE - 1);
	assert_int_equal(content_check(dir, m, &m->files[0], NULL, NULL), -EBADMSG);
}

/* The whole is checked even if all parts are right: who signs may use other programs than segue. */
static void test_arbitrary_whole_against_chunks(void **state)
{
	_cleanup_signed_ Signed d = release_document(&(Spec){.seed = 1});
	_cleanup_manifest_ Manifest *m = NULL;
	_cleanup_close_ int dir = open(top, O_RDONLY | O_DIRECTORY);
	uint8_t content[FILE_SIZE];

	assert_int_equal(manifest_parse(d.bytes, d.size, &m, NULL), 0);
	content_make(1, RELEASE_KERNEL, content);
	put(RELEASE_KERNEL, content, FILE_SIZE);
	m->files[0].digest.bytes[0] ^= 1;
	assert_int_equal(content_check(dir, m, &m->files[0], NULL, NULL), -EBADMSG);
}

/* ---- rollback ---- */

static void test_rollback(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed old = release_signed(&(Spec){.version = 4}, BY_TWO);
	_cleanup_signed_ Signed new = release_signed(&(Spec){.version = 5}, BY_TWO);
	_cleanup_manifest_ Manifest *m = NULL;
	_cleanup_close_ int dir = open(top, O_RDONLY | O_DIRECTORY);
	Seen seen = {0}, back;

	assert_int_equal(judge(&old, trust, &seen), 0);
	assert_int_equal(judge_at(&new, trust, &seen, NOW, &m), 0);
	seen_add(&seen, m);
	assert_int_equal(seen_write(dir, &seen, NULL), 0);
	/* After a restart as well. */
	assert_int_equal(seen_read(dir, &back, NULL), 0);
	assert_int_equal(judge(&old, trust, &back), -ESTALE);
	assert_int_equal(judge(&new, trust, &back), 0);
}

static void test_rollback_by_losing_the_memory(void **state)
{
	_cleanup_close_ int dir = open(top, O_RDONLY | O_DIRECTORY);
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = release_signed(&(Spec){.version = 5}, BY_TWO);
	_cleanup_manifest_ Manifest *m = NULL;
	_cleanup_free_ char *path = in_top(SEEN_FILE), *text = NULL;
	Seen seen = {0}, back;
	size_t size;

	assert_int_equal(seen_read(dir, &back, NULL), 0);
	assert_int_equal(back.n_channels, 0);
	assert_int_equal(judge_at(&d, trust, &seen, NOW, &m), 0);
	seen_add(&seen, m);
	assert_int_equal(seen_write(dir, &seen, NULL), 0);
	assert_int_equal(file_read(AT_FDCWD, path, &text, &size, NULL), 0);
	/* The last byte is a newline, which may be missing. */
	for (size_t i = 0; i + 1 < size; i++) {
		Error err = {0};

		put(SEEN_FILE, text, i);
		assert_int_equal(seen_read(dir, &back, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "restore it"));
	}
}

/* ---- freeze ---- */

static void test_freeze(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = release_signed(&(Spec){.expires_s = NOW + 10}, BY_TWO);
	_cleanup_manifest_ Manifest *before = NULL, *after = NULL;

	assert_int_equal(judge_at(&d, trust, NULL, NOW + 9, &before), 0);
	assert_int_equal(judge_at(&d, trust, NULL, NOW + 10, &after), -EKEYEXPIRED);
}

static void test_freeze_of_the_trust(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = release_signed(&(Spec){.expires_s = NOW + 1000 * DAY}, BY_TWO);
	_cleanup_manifest_ Manifest *before = NULL, *after = NULL;

	assert_int_equal(judge_at(&d, trust, NULL, NOW + 99 * DAY, &before), 0);
	assert_int_equal(judge_at(&d, trust, NULL, NOW + 100 * DAY, &after), -EKEYEXPIRED);
}

static void test_freeze_by_a_clock_set_back(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed frozen =
		release_signed(&(Spec){.version = 5, .expires_s = NOW + DAY}, BY_TWO);
	_cleanup_signed_ Signed later =
		release_signed(&(Spec){.version = 4, .created_s = NOW + 2 * DAY}, BY_TWO);
	_cleanup_manifest_ Manifest *m = NULL;
	Seen seen = {0};

	assert_int_equal(judge_at(&later, trust, &seen, NOW + 2 * DAY, &m), 0);
	seen_add(&seen, m);
	assert_int_equal(judge(&frozen, trust, &seen), -EKEYEXPIRED);
}

static void test_a_clock_that_is_wrong_by_a_year(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = release_signed(&(Spec){0}, BY_TWO);
	_cleanup_manifest_ Manifest *m = NULL;

	assert_int_equal(judge_at(&d, trust, NULL, NOW - 365 * DAY, &m), -ETIME);
	assert_int_equal(judge_at(&d, trust, NULL, NOW + 365 * DAY, &m), -EKEYEXPIRED);
	assert_int_equal(judge_at(&d, trust, NULL, NOW - JUDGE_CLOCK_SKEW_S, &m), 0);
}

/* ---- mix and match ---- */

static void test_mix_signatures_of_another_release(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed a = release_signed(&(Spec){.version = 1, .seed = 1}, BY_TWO);
	_cleanup_signed_ Signed b = release_signed(&(Spec){.version = 2, .seed = 2}, BY_TWO);
	Signatures of_a = a.signatures;

	a.signatures = b.signatures;
	b.signatures = of_a;
	assert_int_equal(judge(&a, trust, NULL), -EKEYREJECTED);
	assert_int_equal(judge(&b, trust, NULL), -EKEYREJECTED);
	/* One of each. */
	a.signatures.items[0] = of_a.items[0];
	assert_int_equal(judge(&a, trust, NULL), -EKEYREJECTED);
}

static void test_mix_files_of_two_releases(void **state)
{
	_cleanup_signed_ Signed a = release_document(&(Spec){.seed = 1});
	_cleanup_manifest_ Manifest *m = NULL;
	_cleanup_close_ int dir = open(top, O_RDONLY | O_DIRECTORY);
	uint8_t content[FILE_SIZE];

	assert_int_equal(manifest_parse(a.bytes, a.size, &m, NULL), 0);
	content_make(2, RELEASE_KERNEL, content);
	put(RELEASE_KERNEL, content, FILE_SIZE);
	assert_int_equal(content_check(dir, m, &m->files[0], NULL, NULL), -EBADMSG);
}

static void test_mix_chunks(void **state)
{
	_cleanup_signed_ Signed a = release_document(&(Spec){.seed = 1});
	_cleanup_manifest_ Manifest *m = NULL;
	uint8_t content[FILE_SIZE];

	assert_int_equal(manifest_parse(a.bytes, a.size, &m, NULL), 0);
	content_make(1, RELEASE_KERNEL, content);
	assert_int_equal(manifest_check_chunk(m, &m->files[0], 0, content, CHUNK, NULL), 0);
	/* In another place, of another file, of another release, one too far. */
	assert_int_equal(manifest_check_chunk(m, &m->files[0], 1, content, CHUNK, NULL), -EBADMSG);
	assert_int_equal(manifest_check_chunk(m, &m->files[1], 0, content, CHUNK, NULL), -EBADMSG);
	assert_int_equal(manifest_check_chunk(m, &m->files[0], 3, content, CHUNK, NULL), -EBADMSG);
	content_make(2, RELEASE_KERNEL, content);
	assert_int_equal(manifest_check_chunk(m, &m->files[0], 0, content, CHUNK, NULL), -EBADMSG);
}

static void test_mix_two_of_one_version(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed a = release_signed(&(Spec){.version = 3, .seed = 1}, BY_TWO);
	_cleanup_signed_ Signed b = release_signed(&(Spec){.version = 3, .seed = 2}, BY_TWO);
	_cleanup_manifest_ Manifest *m = NULL;
	Seen seen = {0};

	assert_int_equal(judge_at(&a, trust, &seen, NOW, &m), 0);
	seen_add(&seen, m);
	assert_int_equal(judge(&a, trust, &seen), 0);
	assert_int_equal(judge(&b, trust, &seen), -EBADMSG);
}

static void test_mix_channels(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = release_signed(&(Spec){.channel = "storage"}, BY_TWO);

	assert_int_equal(judge(&d, trust, NULL), -EBADMSG);
}

static void test_mix_kinds_of_documents(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = trust_document(&usual);
	_cleanup_signed_ Signed r = release_document(&(Spec){0});
	Trust *next = NULL;

	sign(&d, ALICE);
	sign(&d, BOB);
	assert_int_equal(judge(&d, trust, NULL), -EBADMSG);
	sign(&r, ALICE);
	assert_int_equal(trust_succeed(trust, r.bytes, r.size, &r.signatures, &next, NULL),
			 -EBADMSG);
}

/* ---- endless data ---- */

static void test_endless_document(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	Signed d = {.bytes = calloc(1, MANIFEST_MAX + 1), .size = MANIFEST_MAX + 1};
	Trust *next = NULL;

	assert_non_null(d.bytes);
	sign(&d, ALICE);
	sign(&d, BOB);
	assert_int_equal(judge(&d, trust, NULL), -EFBIG);
	assert_int_equal(trust_succeed(trust, d.bytes, d.size, &d.signatures, &next, NULL), -EFBIG);
	signed_free(&d);
}

static void test_endless_files(void **state)
{
	_cleanup_free_ char *large = in_top("large"), *pipe = in_top("pipe"), *text = NULL;
	_cleanup_free_ char *disk = in_top("disk");
	static const char bytes[1001];

	put("large", bytes, sizeof(bytes));
	assert_int_equal(file_read_max(AT_FDCWD, large, 1000, &text, NULL, NULL), -EFBIG);
	assert_int_equal(file_read_max(AT_FDCWD, "/dev/zero", 1000, &text, NULL, NULL), -EINVAL);
	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(file_read_max(AT_FDCWD, pipe, 1000, &text, NULL, NULL), -EINVAL);
	/* A file of a terabyte, of which nothing is read but the beginning. */
	put("disk", "", 0);
	assert_int_equal(truncate(disk, (off_t)1 << 40), 0);
	assert_int_equal(file_read_max(AT_FDCWD, disk, MANIFEST_MAX, &text, NULL, NULL), -EFBIG);
}

static void test_endless_signatures(void **state)
{
	static Signatures signatures;
	uint8_t bytes[SIGNATURE_MAX + 1] = {0};
	Digest key = {0};

	assert_int_equal(signatures_add(&signatures, &key, bytes, SIGNATURE_MAX + 1, NULL), -EFBIG);
	assert_int_equal(signatures_add(&signatures, &key, bytes, 0, NULL), -EFBIG);
	for (int i = 0; i < SIGNATURES_MAX; i++) {
		key.bytes[0] = (uint8_t)i;
		assert_int_equal(signatures_add(&signatures, &key, bytes, 64, NULL), 0);
	}
	key.bytes[0] = 0xff;
	assert_int_equal(signatures_add(&signatures, &key, bytes, 64, NULL), -EFBIG);
	/* Another by the same key takes the place of the first. */
	key.bytes[0] = 0;
	assert_int_equal(signatures_add(&signatures, &key, bytes, 64, NULL), 0);
	assert_int_equal(signatures.n, SIGNATURES_MAX);
}

static void test_endless_chunk_and_file(void **state)
{
	_cleanup_signed_ Signed a = release_document(&(Spec){.seed = 1});
	_cleanup_manifest_ Manifest *m = NULL;
	_cleanup_close_ int dir = open(top, O_RDONLY | O_DIRECTORY);
	uint8_t content[FILE_SIZE + 1] = {0};
	Error err = {0};

	assert_int_equal(manifest_parse(a.bytes, a.size, &m, NULL), 0);
	content_make(1, RELEASE_KERNEL, content);
	assert_int_equal(manifest_check_chunk(m, &m->files[0], 0, content, CHUNK + 1, &err),
			 -EBADMSG);
	assert_non_null(strstr(err.text, "16385 bytes, not 16384"));
	put(RELEASE_KERNEL, content, FILE_SIZE + 1);
	assert_int_equal(content_check(dir, m, &m->files[0], NULL, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "40001 bytes, not 40000"));
}

/* ---- fast-forward, and the way back ---- */

static void test_fast_forward_and_recovery(void **state)
{
	static const Roles rotated = {.version = 2,
				      .epoch = 2,
				      .owners = 1 << ALICE,
				      .owners_needed = 1,
				      .signers = 1 << ALICE | 1 << CAROL,
				      .signers_needed = 2};
	_cleanup_trust_ Trust *trust = trust_make(&usual), *next = NULL;
	_cleanup_signed_ Signed d = trust_document(&rotated);
	_cleanup_signed_ Signed forged =
		release_signed(&(Spec){.version = DOCUMENT_NUMBER_MAX}, 1U << BOB | 1U << CAROL);
	_cleanup_signed_ Signed honest = release_signed(&(Spec){.version = 8}, BY_TWO);
	_cleanup_signed_ Signed after =
		release_signed(&(Spec){.version = 1, .epoch = 2}, 1U << ALICE | 1U << CAROL);
	_cleanup_manifest_ Manifest *m = NULL, *m2 = NULL;
	Seen seen = {0};

	/* A thief with enough signers' keys makes the version as high as it can be ... */
	assert_int_equal(judge_at(&forged, trust, &seen, NOW, &m), 0);
	seen_add(&seen, m);
	assert_int_equal(judge(&honest, trust, &seen), -ESTALE);
	/* ... and the owner, whose key was not there to be stolen, begins a new epoch. */
	sign(&d, ALICE);
	assert_int_equal(trust_succeed(trust, d.bytes, d.size, &d.signatures, &next, NULL), 0);
	assert_int_equal(judge_at(&after, next, &seen, NOW, &m2), 0);
	seen_add(&seen, m2);
	assert_int_equal(seen.n_channels, 1);
	assert_int_equal(seen_highest(&seen, 2), 1);
	/* Nothing of before counts, under either trust. */
	assert_int_equal(judge(&forged, next, &seen), -EKEYREJECTED);
	sign(&forged, ALICE);
	assert_int_equal(judge(&forged, next, &seen), -ESTALE);
	assert_int_equal(judge(&forged, trust, &seen), -ESTALE);
}

/* ---- wrong key ---- */

static void test_wrong_key(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = release_signed(&(Spec){0}, 1U << ALICE | 1U << MALLORY);

	assert_int_equal(judge(&d, trust, NULL), -EKEYREJECTED);
	/* Under a right name. */
	for (size_t i = 0; i < d.signatures.n; i++)
		if (digest_equal(&d.signatures.items[i].key, public_key_id(people[MALLORY].public)))
			d.signatures.items[i].key = *public_key_id(people[BOB].public);
	assert_int_equal(judge(&d, trust, NULL), -EKEYREJECTED);
}

static void test_wrong_role(void **state)
{
	static const Roles apart = {
		.owners = 1 << ALICE, .owners_needed = 1, .signers = 1 << BOB, .signers_needed = 1};
	_cleanup_trust_ Trust *trust = trust_make(&apart);
	_cleanup_signed_ Signed by_owner = release_signed(&(Spec){0}, 1U << ALICE);
	_cleanup_signed_ Signed by_signer = release_signed(&(Spec){0}, 1U << BOB);

	assert_int_equal(judge(&by_owner, trust, NULL), -EKEYREJECTED);
	assert_int_equal(judge(&by_signer, trust, NULL), 0);
}

/* ---- too few signatures ---- */

static void test_too_few(void **state)
{
	_cleanup_trust_ Trust *trust = trust_make(&usual);
	_cleanup_signed_ Signed d = release_signed(&(Spec){0}, 1U << CAROL);
	Signature *twice = &d.signatures.items[1];

	assert_int_equal(judge(&d, trust, NULL), -EKEYREJECTED);
	/* The same once more, as it is, and under another's name. */
	*twice = d.signatures.items[0];
	d.signatures.n = 2;
	assert_int_equal(judge(&d, trust, NULL), -EKEYREJECTED);
	twice->key = *public_key_id(people[BOB].public);
	assert_int_equal(judge(&d, trust, NULL), -EKEYREJECTED);
	d.signatures.n = 1;
	sign(&d, BOB);
	assert_int_equal(judge(&d, trust, NULL), 0);
}

static void test_a_key_twice_in_the_trust(void **state)
{
	_cleanup_signed_ Signed d = trust_document(&usual);
	DigestText bob = digest_text(public_key_id(people[BOB].public));
	DigestText carol = digest_text(public_key_id(people[CAROL].public));
	char *at = strstr(d.bytes, carol.text);
	Trust *trust = NULL;
	Error err = {0};

	assert_non_null(at);
	memcpy(at, bob.text, strlen(bob.text));
	assert_int_equal(trust_parse(d.bytes, d.size, &trust, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "twice"));
}

/* ---- rotation ---- */

static int succeed(const Trust *current, const Roles *roles, unsigned by)
{
	_cleanup_signed_ Signed d = trust_document(roles);
	_cleanup_trust_ Trust *next = NULL;
	Error err = {0};
	int r;

	for (int i = 0; i < PEOPLE; i++)
		if (by & 1U << i)
			sign(&d, i);
	r = trust_succeed(current, d.bytes, d.size, &d.signatures, &next, &err);
	assert_true((r < 0) == (*err.text != '\0'));
	return r;
}

static void test_rotation(void **state)
{
	const Roles first = {.owners = 1 << ALICE | 1 << BOB,
			     .owners_needed = 2,
			     .signers = 1 << ALICE,
			     .signers_needed = 1};
	Roles second = {.version = 2,
			.owners = 1 << BOB | 1 << CAROL,
			.owners_needed = 2,
			.signers = 1 << CAROL,
			.signers_needed = 1};
	_cleanup_trust_ Trust *trust = trust_make(&first);

	/* Those before and those after. */
	assert_int_equal(succeed(trust, &second, 1U << ALICE | 1U << BOB | 1U << CAROL), 0);
	assert_int_equal(succeed(trust, &second, 1U << ALICE | 1U << BOB), -EKEYREJECTED);
	assert_int_equal(succeed(trust, &second, 1U << BOB | 1U << CAROL), -EKEYREJECTED);
	assert_int_equal(succeed(trust, &second, 1U << MALLORY), -EKEYREJECTED);
	/* Neither skipped nor taken back. */
	second.version = 3;
	assert_int_equal(succeed(trust, &second, 0xf), -ESTALE);
	second.version = 1;
	assert_int_equal(succeed(trust, &second, 0xf), -ESTALE);
	second.version = 2;
	second.epoch = 3;
	assert_int_equal(succeed(trust, &second, 0xf), -ESTALE);
	second.epoch = 2;
	assert_int_equal(succeed(trust, &second, 0xf), 0);
}

static void test_the_first_trust(void **state)
{
	_cleanup_signed_ Signed d = trust_document(&usual);
	_cleanup_trust_ Trust *trust = NULL;

	assert_int_equal(trust_begin(d.bytes, d.size, &d.signatures, &trust, NULL), -EKEYREJECTED);
	sign(&d, BOB);
	assert_int_equal(trust_begin(d.bytes, d.size, &d.signatures, &trust, NULL), -EKEYREJECTED);
	sign(&d, ALICE);
	assert_int_equal(trust_begin(d.bytes, d.size, &d.signatures, &trust, NULL), 0);
}

/* ---- slow retrieval ---- */

static const PaceLimit at_least_1000_in_2s = {.window_us = 2000000, .bytes_per_window = 1000};

/* Sends `bytes` every `every_us`; after how long it is found too slow, or -1 within a minute. */
static int64_t send_at(int64_t bytes, int64_t every_us, int64_t stops_us)
{
	Pace pace;

	pace_begin(&pace, 5);
	for (int64_t t = 0; t < 60000000; t += every_us)
		if (!pace_add(&pace, &at_least_1000_in_2s, 5 + t, t < stops_us ? bytes : 0))
			return t;
	return -1;
}

static void test_slow_retrieval(void **state)
{
	/* A byte now and then keeps nobody waiting. */
	assert_int_equal(send_at(1, 100000, INT64_MAX), 2000000);
	assert_int_equal(send_at(0, 100000, INT64_MAX), 2000000);
	assert_int_equal(send_at(49, 100000, INT64_MAX), 2000000);
	/* Just fast enough. */
	assert_int_equal(send_at(50, 100000, INT64_MAX), -1);
	/* Fast at first, then nothing: the next window shows it. */
	assert_true(send_at(1000000, 100000, 3000000) > 3000000);
	assert_true(send_at(1000000, 100000, 3000000) <= 3000000 + 2 * 2000000);
}

#define WITH_TOP(f) cmocka_unit_test_setup_teardown(f, top_make, top_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_right_is_taken),
		cmocka_unit_test(test_arbitrary_unsigned),
		cmocka_unit_test(test_arbitrary_document_altered_anywhere),
		cmocka_unit_test(test_arbitrary_document_cut_or_grown),
		cmocka_unit_test(test_arbitrary_signature_altered_anywhere),
		WITH_TOP(test_arbitrary_content_altered_anywhere),
		WITH_TOP(test_arbitrary_whole_against_chunks),
		WITH_TOP(test_rollback),
		WITH_TOP(test_rollback_by_losing_the_memory),
		cmocka_unit_test(test_freeze),
		cmocka_unit_test(test_freeze_of_the_trust),
		cmocka_unit_test(test_freeze_by_a_clock_set_back),
		cmocka_unit_test(test_a_clock_that_is_wrong_by_a_year),
		cmocka_unit_test(test_mix_signatures_of_another_release),
		WITH_TOP(test_mix_files_of_two_releases),
		cmocka_unit_test(test_mix_chunks),
		cmocka_unit_test(test_mix_two_of_one_version),
		cmocka_unit_test(test_mix_channels),
		cmocka_unit_test(test_mix_kinds_of_documents),
		cmocka_unit_test(test_endless_document),
		WITH_TOP(test_endless_files),
		cmocka_unit_test(test_endless_signatures),
		WITH_TOP(test_endless_chunk_and_file),
		cmocka_unit_test(test_fast_forward_and_recovery),
		cmocka_unit_test(test_wrong_key),
		cmocka_unit_test(test_wrong_role),
		cmocka_unit_test(test_too_few),
		cmocka_unit_test(test_a_key_twice_in_the_trust),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_the_first_trust),
		cmocka_unit_test(test_slow_retrieval),
	};

	return cmocka_run_group_tests(tests, people_make, people_free);
}
